"""Parsing of requests, good and bad, and the serialisation of responses."""

from __future__ import annotations

import itertools
import re

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.http.http1 import (
    BadRequest,
    Head,
    Limits,
    RequestParser,
    chunk,
    http_date,
    response_head,
)

GET = b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def events(*pieces: bytes, limits: Limits | None = None) -> list[Head | bytes | int]:
    """Feed pieces one after the other; return the events, and the code of a refusal."""
    parser = RequestParser(limits)
    found: list[Head | bytes | int] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (event := parser.next_event()) is not None:
                found.append(event)
    except BadRequest as error:
        found.append(error.code)
    return found


def refusal(data: bytes, limits: Limits | None = None) -> int | None:
    """Return the code with which a stream is refused, None if it is not."""
    last = events(data, limits=limits)[-1:]
    return last[0] if last and isinstance(last[0], int) else None


def test_a_request_is_a_head_and_then_its_whole_body() -> None:
    head, body = events(POST)
    assert isinstance(head, Head)
    assert (head.command, head.uri, head.version) == ("POST", "/RPC2", "1.1")
    assert head.lines == ("Host: x", "Content-Length: 5")
    assert head.fields == {"host": "x", "content-length": "5"}
    assert body == b"hello"


def test_a_request_without_a_length_has_an_empty_body() -> None:
    assert events(GET)[1] == b""


def test_requests_may_follow_each_other_without_waiting() -> None:
    bodies = [event for event in events(GET + POST + GET) if isinstance(event, bytes)]
    assert bodies == [b"", b"hello", b""]


def test_no_event_before_the_head_is_complete() -> None:
    assert events(GET[:-1]) == []


def test_a_body_is_not_given_out_in_part() -> None:
    assert len(events(POST[:-1])) == 1


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Upgrade, Close", False),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
        ("1.0", "close", False),
    ],
)
def test_which_requests_keep_the_connection(
    version: str,
    connection: str | None,
    kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    line = f"Connection: {connection}\r\n" if connection else ""
    head = events(f"GET / HTTP/{version}\r\nHost: x\r\n{line}\r\n".encode())[0]
    assert isinstance(head, Head)
    assert head.keep_alive is kept


def test_a_repeated_field_is_joined() -> None:
    head = events(b"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\n\r\n")[0]
    assert isinstance(head, Head)
    assert head.fields["a"] == "1, 2"


def test_a_target_may_be_unescaped() -> None:
    head = events("GET /é?grün HTTP/1.1\r\nHost: x\r\n\r\n".encode())[0]
    assert isinstance(head, Head)
    assert head.uri == "/é?grün"


@pytest.mark.parametrize(
    "request_line",
    [
        b"GARBAGE",
        b"GET /nope",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 foo",
        b"GET / http/1.1",
        b"GET /\xff HTTP/1.1",
        "GÉT / HTTP/1.1".encode(),
        b"GET /a b HTTP/1.1",
        b"G(T / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.10",
        b"GET\t/ HTTP/1.1",
        b"",
    ],
)
def test_a_malformed_request_line_is_refused(request_line: bytes) -> None:
    assert refusal(b"\r\n" + request_line + b"\r\nHost: x\r\n\r\n") == 400


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b"nocolon", id="no colon"),
        pytest.param(b"Name : x", id="space before the colon"),
        pytest.param(b": x", id="no name"),
        pytest.param(b"A: 1\r\n folded", id="folded"),
        pytest.param(b"A: 1\r\n\tfolded", id="folded with a tab"),
        pytest.param(b"A: a\rb", id="bare carriage return"),
        pytest.param(b"A: a\nB: b", id="bare line feed"),
        pytest.param(b"A: a\0b", id="NUL"),
        pytest.param(b"A: a\x07b", id="control character"),
        pytest.param("Ä: 1".encode(), id="name not in ASCII"),
        pytest.param(b"Host: y", id="two hosts"),
        pytest.param(b"Authorization: a\r\nAuthorization: b", id="two authorizations"),
        pytest.param(b"Content-Length: 1\r\nContent-Length: 1", id="two lengths"),
        pytest.param(b"Content-Length: 1, 1", id="two lengths in one"),
        pytest.param(b"Content-Length: -1", id="negative length"),
        pytest.param(b"Content-Length: +1", id="signed length"),
        pytest.param(b"Content-Length: 0x1", id="hexadecimal length"),
        pytest.param(b"Content-Length: 1_0", id="length as Python writes it"),
        pytest.param(b"Content-Length: \xb2", id="length in superscript"),
        pytest.param(b"Content-Length:", id="empty length"),
        pytest.param(b"Content-Length: 1\r\nTransfer-Encoding: chunked", id="length and chunks"),
    ],
)
def test_a_malformed_header_is_refused(field: bytes) -> None:
    assert refusal(b"POST / HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\nx") == 400


def test_http_1_1_needs_a_host() -> None:
    assert refusal(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert refusal(b"GET / HTTP/1.0\r\n\r\n") is None


def test_other_versions_are_refused() -> None:
    assert refusal(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n") == 505


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"0000a\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
        (b"A\r\n0\r\n\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\nhello"),
        (b'1;a;b=c;d="e f"\r\nx\r\n0;last\r\n\r\n', b"x"),
        (b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x"),
    ],
)
def test_a_body_in_chunks(body: bytes, whole: bytes) -> None:
    """RFC 9112, 7.1; extensions and trailers are dropped, and the next request follows."""
    found = events(CHUNKED + body + GET)
    assert found[1] == whole
    assert isinstance(found[2], Head)
    assert events(CHUNKED + body[:-1])[1:] == []


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (CHUNKED.replace(b": chunked", b":  CHUNKED "), None),
        (CHUNKED.replace(b"1.1", b"1.0"), 400),
        (CHUNKED.replace(b"chunked", b"chunked\r\nContent-Length: 5"), 400),
        (CHUNKED.replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked"), 400),
        (CHUNKED.replace(b"chunked", b"chunked, chunked"), 501),
        (CHUNKED.replace(b"chunked", b"gzip, chunked"), 501),
        (CHUNKED.replace(b"chunked", b"chunked, identity"), 501),
        (CHUNKED.replace(b"chunked", b"xchunked"), 501),
        (CHUNKED.replace(b"chunked", b""), 501),
    ],
)
def test_the_coding_of_a_body(head: bytes, code: int | None) -> None:
    assert refusal(head) == code


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\r\n", id="no size"),
        pytest.param(b"x\r\n", id="no digit"),
        pytest.param(b"0x5\r\nhello\r\n", id="a prefix"),
        pytest.param(b"+5\r\nhello\r\n", id="a sign"),
        pytest.param(b"1_0\r\n", id="a size as Python writes it"),
        pytest.param(b" 5\r\nhello\r\n", id="a blank before"),
        pytest.param(b"5 \r\nhello\r\n", id="a blank behind"),
        pytest.param(b"5 ;a\r\nhello\r\n", id="a blank before an extension"),
        pytest.param(b"5\nhello\r\n0\r\n\r\n", id="bare line feed"),
        pytest.param(b"5;a\nb\r\nhello\r\n", id="bare line feed in an extension"),
        pytest.param(b"5;a\0\r\nhello\r\n", id="NUL in an extension"),
        pytest.param(b"5\r\nhello, and more\r\n", id="longer than its size"),
        pytest.param(b"5\r\nhello\n0\r\n\r\n", id="bare line feed behind the data"),
        pytest.param(b"0" * 17 + b"\r\n\r\n", id="too many digits"),
        pytest.param(b"1;" + b"a" * 1100 + b"\r\n", id="a long extension"),
        pytest.param(b"1" * 1100, id="a long size"),
        pytest.param((b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 17, id="many extensions"),
        pytest.param(b"0\r\nno colon\r\n\r\n", id="no colon in a trailer"),
        pytest.param(b"0\r\nA: b\r\n folded\r\n\r\n", id="a folded trailer"),
        pytest.param(b"0\r\nContent-Length: 5\r\n\r\n", id="a length in a trailer"),
        pytest.param(b"0\r\nHost: y\r\n\r\n", id="a host in a trailer"),
    ],
)
def test_malformed_chunks_are_refused(body: bytes) -> None:
    assert refusal(CHUNKED + body) == 400


def test_nothing_of_a_body_in_chunks_is_held_twice() -> None:
    parser = RequestParser()
    parser.feed(CHUNKED + b"5\r\nhel")
    assert isinstance(parser.next_event(), Head)
    assert parser.next_event() is None
    assert parser.pending == len(b"hel")
    parser.discard()
    assert parser.pending == 1


@pytest.mark.parametrize(
    ("target", "host", "uri"),
    [
        (b"http://sup.example:9001/RPC2", "sup.example:9001", "/RPC2"),
        (b"HTTPS://[::1]/a?b#c", "[::1]", "/a?b#c"),
        (b"http://sup.example", "sup.example", "/"),
        (b"http://sup.example?a=http://b", "sup.example", "/?a=http://b"),
        (b"http://sup.example//RPC2", "sup.example", "/RPC2"),
        (b"//RPC2", "x", "/RPC2"),
        (b"///a//b", "x", "/a//b"),
        (b"/a//b", "x", "/a//b"),
        (b"/http://evil.example/", "x", "/http://evil.example/"),
        (b"ftp://sup.example/", "x", "ftp://sup.example/"),
        (b"*", "x", "*"),
    ],
)
def test_forms_of_a_target(target: bytes, host: str, uri: str) -> None:
    """The host of an absolute URL takes the place of that in the header (RFC 9112, 3.2.2)."""
    head = events(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)[0]
    assert isinstance(head, Head)
    assert (head.fields["host"], head.uri) == (host, uri)


@pytest.mark.parametrize("target", [b"http:///RPC2", b"http://", b"http://u:p@sup.example/"])
def test_a_target_without_a_plain_host_is_refused(target: bytes) -> None:
    assert refusal(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target) == 400


def test_an_absolute_target_does_not_replace_the_host_field() -> None:
    """It does for the host's value, not for the duty to send the field."""
    assert refusal(b"GET http://x/ HTTP/1.1\r\n\r\n") == 400


def test_one_empty_line_before_a_request_is_overlooked() -> None:
    """RFC 9112, 2.2: old clients end a body with one."""
    assert events(GET + b"\r\n" + GET) == events(GET + GET)
    assert refusal(b"\r\n\r\n" + GET) == 400
    assert events(b"\r\n", b"\r\n" + GET) == [400]


@pytest.mark.parametrize(
    "beginning", [b"\x16\x03\x01\x02", b" GET", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nA: b\n"]
)
def test_what_can_never_become_a_request_is_refused_before_it_ends(beginning: bytes) -> None:
    assert refusal(beginning) == 400


LIMITS = Limits(line=40, head=200, fields=5, body=10)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET /" + b"a" * 40, 414),
        (b"GET /" + b"a" * 40 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 413),
        (CHUNKED + b"b\r\n", 413),
        (CHUNKED + b"6\r\nhello,\r\n5\r\n", 413),
        (CHUNKED + b"f" * 16 + b"\r\n", 413),
        (CHUNKED.replace(b"Host", b"H:\r\nHost") + b"0\r\n" + b"A: b\r\n" * 6, 431),
        (CHUNKED + b"0\r\nA: " + b"a" * 50 + b"\r\n", 400),
        (CHUNKED + b"0\r\n" + (b"A: " + b"a" * 37 + b"\r\n") * 6, 431),
    ],
)
def test_a_request_has_limits(data: bytes, code: int) -> None:
    assert refusal(data, LIMITS) == code
    assert events(*(data[i : i + 1] for i in range(len(data))), limits=LIMITS)[-1] == code


def test_what_just_fits_is_taken() -> None:
    line = b"GET /" + b"a" * 26 + b" HTTP/1.1"
    head = line + b"\r\nHost: x\r\nContent-Length: 10\r\n" + b"A: b\r\n" * 3 + b"\r\n"
    assert len(line) == LIMITS.line
    assert len(events(head + b"0123456789", limits=LIMITS)) == 2


def test_a_parser_that_has_nothing_to_understand_is_idle() -> None:
    parser = RequestParser()
    assert parser.is_idle
    parser.feed(POST[:10])
    assert not parser.is_idle
    parser.feed(POST[10:-1])
    parser.next_event()
    assert not parser.is_idle
    parser.feed(POST[-1:])
    parser.next_event()
    assert parser.is_idle


# -- beside h11 ----------------------------------------------------------------

ODD_BYTES = st.sampled_from([b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\xff", b"\r\n", b",", b"-"])
LINES = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: 0",
        b"content-length:3 ",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Host: other",
        b"Expect: 100-continue",
        b"X-Odd:\t value with spaces\t ",
        b"X-Empty:",
        b" folded",
    ]
)
HEADS = st.builds(
    lambda command, uri, version, host, lines: b"\r\n".join(
        [command + b" " + uri + b" HTTP/" + version, *host, *lines, b"", b""]
    ),
    st.sampled_from([b"GET", b"POST", b"P-T", b"", b"G T"]),
    st.sampled_from([b"/", b"//RPC2", b"*", b"http://x/", b"http://x?y", b"/%20?a=b#c", b""]),
    st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0", b"2.0", b"1.11"]),
    st.sampled_from([[b"Host: x"], [b"Host: x"], [b"Host:"], []]),
    st.lists(LINES, max_size=3),
)
CHUNKS = st.builds(
    lambda chunks, last: b"".join([*chunks, last]),
    st.lists(
        st.sampled_from(
            [b"3\r\nabc\r\n", b"3;a=b\r\nabc\r\n", b"03\r\nabc\r\n", b"A\r\n0123456789\r\n"]
        ),
        max_size=3,
    ),
    st.sampled_from([b"0\r\n\r\n", b"0\r\n\r\n", b"0;a\r\n\r\n", b"0\r\nA: b\r\n\r\n", b""]),
)
BODIES = st.one_of(st.sampled_from([b"", b"", b"abc", b"abcd"]), CHUNKS)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A few requests, most of them good; sometimes with odd bytes put in anywhere."""
    pieces = draw(st.lists(st.tuples(HEADS, BODIES), min_size=1, max_size=3))
    stream = b"".join(head + body for head, body in pieces)
    for odd in draw(st.lists(ODD_BYTES, max_size=2)):
        position = draw(st.integers(0, len(stream)))
        stream = stream[:position] + odd + stream[position:]
    return stream


Taken = tuple[str, str, str, bytes]


def taken_by_us(stream: bytes) -> list[Taken]:
    """Return (command, uri, version, body) of the requests that our parser takes whole."""
    found: list[Taken] = []
    head = None
    for event in events(stream):
        if isinstance(event, Head):
            head = event
        elif isinstance(event, bytes) and head is not None:
            found.append((head.command, head.uri, head.version, event))
    return found


def taken_by_h11(stream: bytes) -> list[Taken]:
    """Return the same for h11; it is spared the empty line that RFC 9112 lets us overlook."""
    found: list[Taken] = []
    while stream:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(stream.removeprefix(b"\r\n"))
        try:
            request, body = connection.next_event(), b""
            while isinstance(data := connection.next_event(), h11.Data):
                body += bytes(data.data)
        except h11.RemoteProtocolError:
            break
        if not isinstance(request, h11.Request) or not isinstance(data, h11.EndOfMessage):
            break
        texts = (request.method, request.target, request.http_version)
        command, uri, version = (text.decode() for text in texts)
        if uri.startswith(("http://", "//")):  # the one form of these that ours gives out
            uri = "/" + re.sub("http://[^/?#]*", "", uri, count=1).lstrip("/")
        found.append((command, uri, version, body))
        stream = connection.trailing_data[0]
    return found


@given(streams())
def test_h11_accepts_what_we_accept_and_parses_it_alike(stream: bytes) -> None:
    ours = taken_by_us(stream)
    assert taken_by_h11(stream)[: len(ours)] == ours


@given(streams(), st.lists(st.integers(0, 300), max_size=8))
def test_it_does_not_matter_where_a_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    positions = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(positions)]
    whole = events(stream)
    assert events(*pieces) == whole
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == whole


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    events(data)


# -- answers -------------------------------------------------------------------


def test_the_head_of_a_response() -> None:
    assert response_head("1.0", 404, {"A": "b", "C": "d"}) == (
        b"HTTP/1.0 404 Not Found\r\nA: b\r\nC: d\r\n\r\n"
    )


def test_the_date_does_not_depend_on_the_locale() -> None:
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"  # the example of RFC 9110


def test_a_chunk() -> None:
    assert chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
