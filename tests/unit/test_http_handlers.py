"""Authentication, followed logs, static files."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.config.process_config import ProcessConfig
from supervisor.datatypes import Automatic
from supervisor.http import (
    default_handler,
    logtail_handler,
    mainlogtail_handler,
    supervisor_auth_handler,
)
from supervisor.logs import reading
from tests.support.httpsite import Client, Echo, Site, basic, field, get, inet_config, post, status


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    yield made
    made.close()


# -- who may ask -----------------------------------------------------------------


SHA = "{SHA}" + hashlib.sha1(b"secret", usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("password", "line", "code"),
    [
        ("secret", basic("joe", "secret"), 200),
        ("secret", basic("joe", "secret").replace("Basic", "bAsIc"), 200),
        (SHA, basic("joe", "secret"), 200),
        ("with:colon", basic("joe", "with:colon"), 200),
        ("sécret", basic("joe", "sécret"), 200),
        ("", basic("joe", ""), 200),
        ("secret", basic("joe", "Secret"), 401),
        ("secret", basic("jo", "secret"), 401),
        ("secret", basic("", ""), 401),
        ("secret", basic("joe", "secret2"), 401),
        (SHA, basic("joe", SHA), 401),
        (SHA, basic("joe", SHA.removeprefix("{SHA}")), 401),
        ("secret", "X: nothing", 401),
        ("secret", "Authorization:", 401),
        ("secret", "Authorization: Basic", 401),
        ("secret", "Authorization: Basic !!!", 401),
        ("secret", "Authorization: Basic am9l", 401),
        ("secret", "Authorization: Digest am9lOnNlY3JldA==", 401),
        ("secret", "Authorization: Basic am9lOnNlY3JldA", 401),
    ],
)
def test_which_credentials_are_accepted(site: Site, password: str, line: str, code: int) -> None:
    site.serve(supervisor_auth_handler({"joe": password}, behind := Echo()))
    assert status(site.ask(get("/", line))) == code
    assert len(behind.requests) == (code == 200)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    "password",
    ["grüße", "{SHA}" + hashlib.sha1("grüße".encode(), usedforsecurity=False).hexdigest()],
)
def test_a_login_in_either_encoding(site: Site, password: str, encoding: str) -> None:
    """Browsers send UTF-8, older clients latin-1, and no field tells which."""
    site.serve(supervisor_auth_handler({"josé": password}, Echo()))
    assert status(site.ask(get("/", basic("josé", "grüße", encoding)))) == 200
    for name, given in (("josé", "grüß"), ("jose", "grüße"), ("é", "é")):
        assert status(site.ask(get("/", basic(name, given, encoding)))) == 401


def test_a_login_in_two_encodings(site: Site) -> None:
    """Name and password are of one client, and have one encoding."""
    site.serve(supervisor_auth_handler({"josé": "grüße"}, Echo()))
    mixed = base64.b64encode("josé:".encode("latin-1") + "grüße".encode()).decode()
    assert status(site.ask(get("/", f"Authorization: Basic {mixed}"))) == 401


def test_a_password_is_checked_for_each_request_of_a_connection(site: Site) -> None:
    passwords = {"joe": "secret"}
    site.serve(supervisor_auth_handler(passwords, Echo()))
    client = site.connect()
    request = get("/", basic("joe", "secret"))
    codes = []
    for _ in range(2):
        client.send(request)
        codes.append(status(client.answer()))
    passwords.clear()
    client.send(request)
    assert [*codes, status(client.answer())] == [200, 200, 401]


def test_a_refused_client_gets_a_challenge(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    client = site.connect()
    client.send(get())
    answer = client.answer()
    assert field(answer, b"WWW-Authenticate") == b'Basic realm="default"'
    assert field(answer, b"Connection") == b"close"
    client.wait_for_end()


def test_a_failed_login_is_logged_without_its_password(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()), config=inet_config())
    site.ask(get("/", basic("joe", "guess")))
    [(level, text)] = site.log()
    assert (level, text.split(":")[0]) == ("warn", "127.0.0.1")
    assert text.endswith("login failed for user 'joe'")
    assert "guess" not in text


def test_a_failed_login_over_a_unix_socket_names_the_process(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    site.ask(get("/", basic("joe", "guess")))
    us = f"pid {os.getpid()} uid {os.getuid()}"
    assert site.log() == [("warn", f"{us}: login failed for user 'joe'")]


def test_asking_without_a_login_is_not_worth_a_line(site: Site) -> None:
    """Browsers always do at first."""
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    site.ask(get())
    assert site.log() == []


def test_a_request_without_login_is_refused_before_its_body(site: Site) -> None:
    site.serve(supervisor_auth_handler({"joe": "secret"}, Echo()))
    client = site.connect()
    client.send(post(b"x" * 1_000_000)[:1000])
    assert status(client.answer()) == 401


def test_the_handler_behind_decides_what_matches(site: Site) -> None:
    behind = Echo()
    behind.match = lambda request: request.uri == "/a"  # type: ignore[method-assign]
    handler = supervisor_auth_handler({"joe": "secret"}, behind)
    assert handler.handler is behind
    site.serve(handler)
    assert status(site.ask(get("/a"))) == 401
    assert status(site.ask(get("/b"))) == 404


def test_a_plugin_may_call_it_directly(site: Site) -> None:
    """Without the server having asked for admission before."""
    guard = supervisor_auth_handler({"joe": "secret"}, behind := Echo())
    site.serve(Echo(guard.handle_request))
    assert status(site.ask(get())) == 401
    assert status(site.ask(get("/", basic("joe", "secret")))) == 200
    assert len(behind.requests) == 1


# -- followed logs ---------------------------------------------------------------------


def process(stdout: Any = None, stderr: Any = None) -> Any:
    """Return what a handler sees of a process."""
    return SimpleNamespace(
        config=ProcessConfig("x", "", stdout_logfile=stdout, stderr_logfile=stderr)
    )


def group(**processes: Any) -> Any:
    """Return what a handler sees of a group."""
    return SimpleNamespace(processes=processes)


@pytest.fixture
def logs(site: Site) -> Path:
    """A server with a process `cat` and a process `g:worker` that have logs."""
    folder = site.directory
    for name in ("out", "err", "worker", "main"):
        (folder / name).write_text(f"{name} log\n")
    paths = {name: str(folder / name) for name in ("out", "err", "worker", "main", "gone")}
    site.supervisord.process_groups |= {
        "cat": group(cat=process(paths["out"], paths["err"])),
        "none": group(none=process(None, Automatic)),
        "gone": group(gone=process(paths["gone"])),
        "g": group(worker=process(paths["worker"])),
    }
    site.supervisord.options.logfile = paths["main"]
    site.serve(logtail_handler(site.supervisord), mainlogtail_handler(site.supervisord))
    return folder


def follow(site: Site, path: str, version: str = "1.1") -> Client:
    """Ask for a followed log; return the client when the header is there."""
    client = site.connect()
    client.send(get(path, version=version))
    client.wait_for(lambda: b"\r\n\r\n" in client.received)
    return client


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/logtail/cat", b"out log\n"),
        ("/logtail/cat/stdout", b"out log\n"),
        ("/logtail/cat/stderr", b"err log\n"),
        ("/logtail/c%61t?x=y", b"out log\n"),
        ("/logtail/cat:cat", b"out log\n"),
        ("/logtail/g:worker", b"worker log\n"),
        ("/logtail/g%3Aworker", b"worker log\n"),
        ("/mainlogtail", b"main log\n"),
        ("/mainlogtail/whatever", b"main log\n"),
    ],
)
@pytest.mark.usefixtures("logs")
def test_which_log_a_path_names(site: Site, path: str, content: bytes) -> None:
    client = follow(site, path)
    client.wait_for(lambda: client.received.endswith(content + b"\r\n"))


@pytest.mark.parametrize(
    "path",
    [
        "/logtail",
        "/logtail/",
        "/logtailx",
        "/logtail/nope",
        "/logtail/nope:cat",
        "/logtail/worker",
        "/logtail/g:*",
        "/logtail/g",
        "/logtail/cat/",
        "/logtail/cat/stdin",
        "/logtail/cat/config",
        "/logtail/cat/stdout/x",
        "/logtail/none",
        "/logtail/none/stderr",
        "/logtail/gone",
    ],
)
@pytest.mark.usefixtures("logs")
def test_which_paths_name_no_log(site: Site, path: str) -> None:
    assert status(site.ask(get(path))) == 404


def test_what_is_no_regular_file_is_404(site: Site, directory: Path) -> None:
    """A fifo without a writer is not waited for; /dev/null is an empty file."""
    os.mkfifo(directory / "fifo")
    site.serve(mainlogtail_handler(site.supervisord))
    for path in (directory / "fifo", directory, Path("/dev/zero")):
        site.supervisord.options.logfile = str(path)
        assert status(site.ask(get("/mainlogtail"))) == 404
    site.supervisord.options.logfile = os.devnull
    assert follow(site, "/mainlogtail").received.startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("logs")
def test_a_log_can_only_be_got(site: Site) -> None:
    assert status(site.ask(get("/logtail/cat", command="PUT"))) == 400
    assert status(site.ask(post(b"", "/logtail/cat"))) == 400


def test_no_activity_log_is_404(site: Site) -> None:
    site.serve(mainlogtail_handler(site.supervisord))
    assert status(site.ask(get("/mainlogtail"))) == 404


def test_the_header_of_a_followed_log(site: Site, logs: Path) -> None:
    os.utime(logs / "out", (784111777, 784111777))
    head = follow(site, "/logtail/cat").received
    assert field(head, b"Content-Type") == b"text/plain;charset=utf-8"
    assert field(head, b"Last-Modified") == b"Sun, 06 Nov 1994 08:49:37 GMT"
    assert field(head, b"X-Accel-Buffering") == b"no"
    assert field(head, b"Transfer-Encoding") == b"chunked"


def test_it_begins_with_the_last_1024_bytes(site: Site, logs: Path) -> None:
    (logs / "out").write_bytes(b"a" * 1000 + b"b" * 1024)
    client = follow(site, "/logtail/cat")
    client.wait_for(lambda: client.received.endswith(b"\r\n400\r\n" + b"b" * 1024 + b"\r\n"))


def test_what_the_daemon_writes_is_seen_at_once(site: Site, logs: Path) -> None:
    client = follow(site, "/logtail/cat")
    with (logs / "out").open("a") as log:
        log.write("more\n")
    reading.notify_written(str(logs / "out"))
    client.wait_for(lambda: client.received.endswith(b"5\r\nmore\n\r\n"))


def test_what_others_write_is_seen_within_a_second(site: Site, logs: Path) -> None:
    client = follow(site, "/logtail/cat")
    client.wait_for(lambda: client.received.endswith(b"out log\n\r\n"))
    with (logs / "out").open("a") as log:
        log.write("more\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.endswith(b"5\r\nmore\n\r\n"))


def test_truncation_does_not_end_it(site: Site, logs: Path) -> None:
    client = follow(site, "/logtail/cat")
    client.wait_for(lambda: client.received.endswith(b"out log\n\r\n"))
    (logs / "out").write_text("")
    site.pass_time(1)
    client.wait_for(lambda: b"==> File truncated <==" in client.received)
    (logs / "out").write_text("new\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.endswith(b"4\r\nnew\n\r\n"))


def test_a_client_that_resumes_gets_positions(site: Site, logs: Path) -> None:
    log, backup = logs / "out", logs / "out.1"
    inode = log.stat().st_ino
    assert field(follow(site, "/logtail/cat").received, b"X-Log-Position") is None
    client = follow(site, "/logtail/cat?from=")
    assert field(client.received, b"X-Log-Position") == f"{inode}:0".encode()
    client.wait_for(lambda: client.received.endswith(b"8\r\nout log\n\r\n"))
    log.rename(backup)
    log.write_text("new\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.endswith(b"out log\n\r\n0\r\n\r\n"))
    for position, begin, body in (
        (f"{inode}:4", f"{inode}:4", b"log\n"),
        (f"{inode}:8", f"{log.stat().st_ino}:0", b"new\n"),
        ("x", f"{log.stat().st_ino}:0", b"new\n"),
    ):
        client = follow(site, f"/logtail/cat/stdout?from={position}")
        assert field(client.received, b"X-Log-Position") == begin.encode()
        client.wait_for(lambda: b"4\r\n" + body in client.received)  # noqa: B023 - at once
    assert field(follow(site, "/mainlogtail?from=").received, b"X-Log-Position")


@pytest.mark.usefixtures("logs")
def test_http_1_0_gets_it_without_chunks(site: Site) -> None:
    client = follow(site, "/logtail/cat", version="1.0")
    client.wait_for(lambda: client.received.endswith(b"\r\n\r\nout log\n"))


def test_a_disconnected_follower_leaves_no_fd_and_no_callback(site: Site, logs: Path) -> None:
    path = str(logs / "out")
    before = len(os.listdir("/proc/self/fd"))
    client = follow(site, "/logtail/cat")
    client.wait_for(lambda: client.received.endswith(b"out log\n\r\n"))
    assert reading.written(path)
    client.close()
    site.turn_until(lambda: not site.servers[-1]._connections)
    assert not reading.written(path)
    assert len(os.listdir("/proc/self/fd")) == before


# -- static files ------------------------------------------------------------------------


@pytest.fixture
def folder(site: Site) -> Path:
    """A folder with files, some of which are for everybody."""
    ui = site.directory / "ui"
    (ui / "images").mkdir(parents=True)
    (ui / "images" / "icon.png").write_bytes(b"PNG")
    (ui / "page.html").write_text("template")
    (site.directory / "secret.css").write_text("secret")
    os.utime(ui / "images" / "icon.png", (784111777, 784111777))
    site.serve(default_handler(str(ui)))
    return ui


@pytest.mark.usefixtures("folder")
def test_a_file(site: Site) -> None:
    answer = site.ask(get("/images/icon.png?version=1"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\nPNG")
    assert field(answer, b"Content-Type") == b"image/png"
    assert field(answer, b"Last-Modified") == b"Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("Sun, 06 Nov 1994 08:49:38 GMT", 304),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("Mon, 01 Jan 2035 00:00:00 GMT", 304),
        ("mon, 1 jan 2035 00:00:00 gmt", 304),
        ("Fri, 31 Dec 1993 23:59:59 GMT", 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT; length=3", 304),
        ("Sun, 06 Nov 1994 08:49:37 GMT; length=4", 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT; length=", 200),
        (f"Sun, 06 Nov 1994 08:49:37 GMT; length={'3' * 5000}", 200),
        ("Sun, 06 Nov 1994 08:49:37", 200),
        ("Sun, 06 Foo 1994 08:49:37 GMT", 200),
        ("Sun Nov  6 08:49:37 2033", 200),
        ("Sunday, 06-Nov-33 08:49:37 GMT", 200),
        ("", 200),
    ],
)
def test_a_file_that_may_have_changed(site: Site, condition: str, code: int) -> None:
    assert status(site.ask(get("/images/icon.png", f"If-Modified-Since: {condition}"))) == code


@pytest.mark.usefixtures("folder")
def test_a_file_that_the_browser_has_already(site: Site) -> None:
    line = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"
    client = site.connect()
    client.send(get("/images/icon.png", line) + get("/nope"))
    client.wait_for(lambda: b"404" in client.received)
    assert client.received.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert field(client.received.partition(b"\r\n\r\n")[0], b"Content-Length") is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/nope.png",
        "/images",
        "/images/",
        "/page.html",
        "/../secret.css",
        "/images/../../secret.css",
        "/%2e%2e/secret.css",
        "/..%2fsecret.css",
        "//etc/passwd.css",
        "/images/icon.png%00.css",
        "/%00.png",
        "/icon.png/",
        "*",
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_served(site: Site, path: str) -> None:
    answer = site.ask(get(path))
    assert status(answer) == 404
    assert b"secret" not in answer


@pytest.mark.usefixtures("folder")
def test_files_can_only_be_got(site: Site) -> None:
    assert status(site.ask(post(b"", "/images/icon.png"))) == 400
    assert status(site.ask(get("/images/icon.png", command="DELETE"))) == 400
