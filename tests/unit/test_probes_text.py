"""The parts of probes without I/O: their text, requests, statuses and failures."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.addresses import TcpAddress
from supervisor.common.probes import (
    COMMAND,
    HTTP,
    HTTPS,
    KNOWN_SCHEMES,
    MAX_HEAD_BYTES,
    NO_HTTP,
    TCP,
    UNIX,
    Probe,
    StatusReader,
    failure_text,
    judge_status,
    parse_probe,
    timeout_text,
)
from tests.support.tables import assert_none


def url(text: str, scheme: str, host: str, port: int, target: str = "") -> Probe:
    return Probe(text, scheme, address=TcpAddress(host, port), target=target)


V4, V6 = "127.0.0.1", "::1"
LONG = "unix:///" + "x" * 106

GOOD = [
    url("tcp://127.0.0.1:5432", TCP, V4, 5432),
    url("tcp://[::1]:65535", TCP, V6, 65535),
    url("tcp://db.example_1:1", TCP, "db.example_1", 1),
    url("TCP://DB:1", TCP, "db", 1),
    url("tcp://[FE80::1%eth0]:1", TCP, "fe80::1%eth0", 1),
    url("http://[fe80::1%25eth0]/", HTTP, "fe80::1%eth0", 80, "/"),
    url("http://127.0.0.1", HTTP, V4, 80, "/"),
    url("http://127.0.0.1?a=b", HTTP, V4, 80, "/?a=b"),
    url("http://127.0.0.1:8000/health?x=1#top", HTTP, V4, 8000, "/health?x=1"),
    url("http://127.0.0.1#top", HTTP, V4, 80, "/"),
    url("http://[::1]:8000/a:b@c", HTTP, V6, 8000, "/a:b@c"),
    url("https://example.org/x", HTTPS, "example.org", 443, "/x"),
    Probe("unix:///run/app.sock", UNIX, path="/run/app.sock"),
    Probe("unix:///run/my app#1?", UNIX, path="/run/my app#1?"),
    Probe(LONG, UNIX, path=LONG.removeprefix("unix://")),
    Probe("true", COMMAND, argv=("true",)),
    Probe("sh -c 'exit 3' \"a b\"", COMMAND, argv=("sh", "-c", "exit 3", "a b")),
    Probe("curl -f http://x/", COMMAND, argv=("curl", "-f", "http://x/")),
]

BAD = {
    "": "command is empty",
    "  ": "command is empty",
    "''": "command is empty",
    "sh -c 'x": "can't parse command \"sh -c 'x\": No closing quotation",
    "a \0": "command 'a \\x00' contains a NUL character",
    "ftp://a/": "unknown scheme 'ftp' in 'ftp://a/' (known: http, https, tcp, unix)",
    "tcp://a": "no port in 'tcp://a'",
    "tcp://a:": "bad port '' in 'tcp://a:'",
    "tcp://a:0": "bad port '0' in 'tcp://a:0'",
    "tcp://a:65536": "bad port '65536' in 'tcp://a:65536'",
    "tcp://a:000080": "bad port '000080' in 'tcp://a:000080'",
    "tcp://a:+1": "bad port '+1' in 'tcp://a:+1'",
    "tcp://a:1:2": "bad port '1:2' in 'tcp://a:1:2'",
    "tcp://a:1/": "nothing may follow the port in 'tcp://a:1/'",
    "tcp://:1": "no host in 'tcp://:1'",
    "tcp://::1:80": "no host in 'tcp://::1:80'",
    "tcp://[]:1": "[] is not an IPv6 address in 'tcp://[]:1'",
    "tcp://[127.0.0.1]:1": "[127.0.0.1] is not an IPv6 address in 'tcp://[127.0.0.1]:1'",
    "tcp://[:::1]:1": "[:::1] is not an IPv6 address in 'tcp://[:::1]:1'",
    "tcp://[::1%]:1": "[::1%] is not an IPv6 address in 'tcp://[::1%]:1'",
    "tcp://[::1": "bad host '[::1' in 'tcp://[::1'",
    "http://": "no host in 'http://'",
    "http:///x": "no host in 'http:///x'",
    "http://a b/": "blanks and non-ASCII characters must be percent-encoded in 'http://a b/'",
    "http://a/\r\nX: y": "blanks and non-ASCII characters must be percent-encoded in"
    " 'http://a/\\r\\nX: y'",
    "http://a/\u00e4": "blanks and non-ASCII characters must be percent-encoded in"
    " 'http://a/\u00e4'",
    "http://a,b/": "bad host 'a,b' in 'http://a,b/'",
    "http://u:p@a/": "a user in the URL is not supported in 'http://u:p@a/'",
    "unix://run/x": "the path of the socket is not absolute in 'unix://run/x' (unix:///PATH)",
    "unix://": "the path of the socket is not absolute in 'unix://' (unix:///PATH)",
    "unix:///a\0": "'unix:///a\\x00' contains a NUL character",
    LONG + "x": f"the path of the socket is longer than 107 bytes in {LONG + 'x'!r}",
}


def refusal(text: str) -> str | None:
    """Return the text of the refusal, None without one."""
    try:
        parse_probe(text)
    except ValueError as error:
        return str(error)
    return None


def test_probes_are_parsed() -> None:
    assert_none(
        f"{probe} is {found}" for probe in GOOD if (found := parse_probe(probe.text)) != probe
    )


def test_bad_probes_are_refused_with_a_reason() -> None:
    assert_none(
        f"{text!r}: {found}" for text, reason in BAD.items() if (found := refusal(text)) != reason
    )


def test_known_addresses_need_no_lookup() -> None:
    cases = {
        "tcp://127.0.0.1:1": ["127.0.0.1:1"],
        "http://[::1]:1/": ["[::1]:1"],
        "http://LOCALHOST:1/": ["127.0.0.1:1", "[::1]:1"],
        "https://127.0.0.1:1/": [],
        "http://localhost.localdomain/": [],
        "tcp://127.1:1": [],
        "tcp://[fe80::1%eth0]:1": [],
        "unix:///a": [],
        "true": [],
    }
    assert_none(
        f"{text}: {found}"
        for text, wanted in cases.items()
        if (found := list(map(str, parse_probe(text).known_addresses))) != wanted
    )


@given(
    st.one_of(
        st.text(max_size=20),
        st.builds(
            "{}://{}".format,
            st.sampled_from([*KNOWN_SCHEMES, "ftp", "HTTP"]),
            st.one_of(
                st.text(max_size=12),
                st.text(st.sampled_from("[]:%/?#@.a1f \0\n"), max_size=12),
            ),
        ),
    )
)
def test_any_text_is_parsed_or_refused_in_one_line(text: str) -> None:
    """A probe that is accepted cannot add a line to its request."""
    reason = refusal(text)
    if reason is not None:
        assert "\n" not in reason
        return
    probe = parse_probe(text)
    assert parse_probe(probe.text) == probe
    head = probe.request
    assert head == b"" or (head.count(b"\n") == 6 and head.endswith(b"\r\n\r\n"))


def test_requests_name_the_host_as_the_url_does() -> None:
    cases = {
        "http://127.0.0.1/": b"127.0.0.1",
        "http://127.0.0.1:8080/": b"127.0.0.1:8080",
        "http://[::1]:80/": b"[::1]",
        "https://example.org:80/": b"example.org:80",
        "https://example.org:443/": b"example.org",
    }
    assert_none(
        f"{text}: {request!r}"
        for text, host in cases.items()
        if b"\r\nHost: " + host + b"\r\n" not in (request := parse_probe(text).request)
    )
    assert parse_probe("tcp://127.0.0.1:80").request == b""
    assert parse_probe("http://a/b?c").request.startswith(b"GET /b?c HTTP/1.1\r\n")


# -- responses -------------------------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n"
PADDING = b"x" * MAX_HEAD_BYTES

RESPONSES: dict[bytes, int | str | None] = {
    b"HTTP/1.1 200 OK\r\n": 200,
    b"HTTP/1.0 404 Not Found\r\n\r\nbody": 404,
    b"HTTP/1.1 204\r\n": 204,
    b"HTTP/1.1 302 \n": 302,
    b"HTTP/1.1 503 a b \xff\r\n": 503,
    b"HTTP/1.1 101 Switching Protocols\r\n": 101,
    CONTINUE + b"HTTP/1.1 103 Early Hints\n\nHTTP/1.1 500 x\r\n": 500,
    CONTINUE: None,
    b"": None,
    b"HTTP/1.1 200 OK": None,
    b"HTTP/1.1 20 OK\r\n": NO_HTTP,
    b"HTTP/1.1 2000 OK\r\n": NO_HTTP,
    b"HTTP/1.1 099 OK\r\n": NO_HTTP,
    b"HTTP/2 200\r\n": NO_HTTP,
    b"SSH-2.0": NO_HTTP,
    b"\r\nHTTP/1.1 200 OK\r\n": NO_HTTP,
    b"HTTP/1.1 200 " + PADDING: NO_HTTP,
    b"HTTP/1.1 200 " + PADDING + b"\r\n": NO_HTTP,
    b"HTTP/1.1 200 " + PADDING[:-14] + b"\n": 200,
    b"HTTP/1.1 200 " + PADDING[:-13] + b"\n": NO_HTTP,
    CONTINUE[:-2] + PADDING: NO_HTTP,
}


def read(pieces: list[bytes]) -> int | str | None:
    """Return the status, the error or None."""
    reader = StatusReader()
    try:
        for piece in pieces:
            if (status := reader.feed(piece)) is not None:
                return status
    except ValueError as error:
        return str(error)
    return None


def test_statuses_are_read() -> None:
    assert_none(
        f"{data[:40]!r}: {found}"
        for data, wanted in RESPONSES.items()
        for pieces in ([data], [bytes([byte]) for byte in data])
        if (found := read(pieces)) != wanted
    )


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"HTTP/1.1 ", b"100", b"200 OK", b"\r\n", b"\n", b"A: b", PADDING]),
            st.binary(max_size=3),
        ),
        max_size=12,
    ).map(b"".join),
    st.integers(0, 9000),
)
def test_the_status_does_not_depend_on_the_split(data: bytes, place: int) -> None:
    assert read([data]) == read([data[:place], data[place:]])


def test_success_and_failure() -> None:
    good = [status for status in range(100, 1000) if judge_status(status) is None]
    assert good == list(range(200, 400))
    assert judge_status(503) == "HTTP 503"


class CertificateError(OSError):
    """As `ssl.SSLCertVerificationError`."""

    verify_message = "self-signed certificate"


def test_texts_of_failures() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert failure_text(refused) == "connection refused"
    assert failure_text(OSError(errno.ENOENT, "")) == "no such file or directory"
    assert failure_text(TimeoutError("timed out")) == "timed out"
    assert failure_text(OSError()) == "OSError"
    assert failure_text(CertificateError(1, "x")) == "bad certificate: self-signed certificate"
    assert timeout_text(5.0) == "timed out after 5 seconds"
    assert timeout_text(1) == "timed out after 1 second"
    assert timeout_text(0.5) == "timed out after 0.5 seconds"


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:80", "true"])
def test_a_probe_is_a_value(text: str) -> None:
    assert parse_probe(f"  {text} ") == parse_probe(text)
