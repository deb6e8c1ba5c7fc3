"""Messages of programs in syslog: a real socket, slow readers, and a daemon that is restarted."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from supervisor import loggers
from supervisor.config import targets
from supervisor.engine.loop import Loop
from supervisor.logs import backlog, syslog_target
from tests.support.configs import located, read, refusal
from tests.support.piped_child import Child
from tests.support.world import make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.world import World

NOW = 1_700_000_000.0
STAMP = time.strftime("%b %e %H:%M:%S", time.localtime(NOW)).encode()


class Syslogd:
    """The end of the socket that a syslog daemon reads."""

    def __init__(self, path: Path, kind: int = socket.SOCK_DGRAM) -> None:
        self.path = path
        self._stream: socket.socket | None = None
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        if kind == socket.SOCK_STREAM:
            self._socket.listen()

    def messages(self) -> list[bytes]:
        """Return the messages that have arrived."""
        found = []
        try:
            while True:
                found.append(self._socket.recv(1 << 20))
        except BlockingIOError:
            return found

    def stream(self) -> bytes:
        """Return the bytes that have arrived on the first connection."""
        self._stream = self._stream or self._socket.accept()[0]
        return self._stream.recv(1 << 20)

    def stop(self) -> None:
        """Close the socket and remove it."""
        self._socket.close()
        if self._stream is not None:
            self._stream.close()
        self.path.unlink()


@pytest.fixture
def dev_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace /dev/log, whose reader does not run yet."""
    monkeypatch.setattr(syslog_target, "DEV_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(syslog_target, "_socket", None)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/supervisord"])
    return tmp_path / "log"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = make_world(monkeypatch)
    made.runtime.loop.close()
    made.runtime.loop = Loop(made.clock)
    backlog.set_background_loop(made.runtime.loop)
    yield made
    backlog.set_background_loop(None)
    made.runtime.loop.close()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(loggers, "report_error", found.append)
    return found


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        ({"syslog_tag": "app"}, b"<14>%b app: a b", b"<14>%b app: e"),
        ({"syslog_facility": "local3"}, b"<158>%b supervisord: p a b", b"<158>%b supervisord: p e"),
        (
            {"syslog_stdout_priority": "debug", "syslog_stderr_priority": "err"},
            b"<15>%b supervisord: p a b",
            b"<11>%b supervisord: p e",
        ),
    ],
)
def test_messages_have_the_form_of_syslog_3(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    dev_log: Path,
    *,
    options: dict[str, Any],
    out: bytes,
    err: bytes,
) -> None:
    daemon = Syslogd(dev_log)
    for stream in ("stdout", "stderr"):
        options = options | {f"{stream}_logfile": None, f"{stream}_syslog": True}
    child = Child(world, monkeypatch, **options)
    child.write(b"a b\nc\0")
    assert daemon.messages() == [out % STAMP]
    child.write(b"e\n", "stderr")
    assert daemon.messages() == [err % STAMP]
    child.die()
    assert daemon.messages() == [(out % STAMP).removesuffix(b"a b") + b"c\\x00"]
    daemon.stop()


def test_a_copy_in_syslog_has_its_format(
    world: World, monkeypatch: pytest.MonkeyPatch, dev_log: Path
) -> None:
    daemon = Syslogd(dev_log)
    options = {"stdout_logfile": None, "stdout_tee": ("syslog",)}
    child = Child(world, monkeypatch, stdout_tee_format="[%(message)s]", **options)
    child.write(b"one\n\ntwo\n")
    start = b"<14>%b supervisord: " % STAMP
    assert daemon.messages() == [start + text for text in (b"[one]", b"[]", b"[two]")]
    child.die()
    child = Child(world, monkeypatch, stdout_tee_format="raw", **options)
    child.write(b"one\n")
    assert daemon.messages() == [start + b"p one"]
    child.die()
    daemon.stop()


@pytest.fixture
def send(world: World, dev_log: Path) -> Iterator[Callable[[bytes], None]]:
    """Send lines with a target of one program."""
    assert not dev_log.exists()
    target = syslog_target.SyslogTarget(14, "t", "", world.clock.time)
    yield lambda data: target.write(data, "w")
    target.close()


def texts(messages: list[bytes]) -> list[str]:
    """Return the messages behind their headers."""
    return [re.sub(r"^<\d+>.{15} (t|supervisord): ", "", each.decode()) for each in messages]


@pytest.mark.slow
def test_messages_wait_for_a_slow_reader(
    world: World, dev_log: Path, send: Callable[[bytes], None], reports: list[str]
) -> None:
    daemon = Syslogd(dev_log)
    lines = [f"{number}" for number in range(5000)]
    send("\n".join(lines).encode() + b"\n")
    found: list[bytes] = []
    while len(found) < len(lines):
        found += daemon.messages()
        world.runtime.loop.run_once(1)
    assert texts(found) == lines
    assert reports == []
    daemon.stop()


@pytest.mark.slow
def test_messages_beyond_the_bound_are_counted(
    world: World,
    dev_log: Path,
    send: Callable[[bytes], None],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "MAX_WAITING_BYTES", 100_000)
    daemon = Syslogd(dev_log)
    for number in range(5000):
        send(b"%d\n" % number)
    assert reports == ["cannot write to syslog: its reader has stalled"]
    found: list[bytes] = []
    while not found or b"dropped" not in found[-1]:
        found += daemon.messages()
        world.runtime.loop.run_once(1)
    received = len(found) - 1
    assert texts(found) == [
        *(str(number) for number in range(received)),
        f"supervisor: {5000 - received} lines dropped (write failed)",
    ]
    send(b"next\n")
    assert texts(daemon.messages()) == ["next"]
    daemon.stop()


def test_a_syslog_daemon_is_restarted(
    dev_log: Path, send: Callable[[bytes], None], reports: list[str]
) -> None:
    send(b"early\n")
    assert reports == ["cannot write to syslog: No such file or directory"]
    daemon = Syslogd(dev_log)
    send(b"one\n")
    assert texts(daemon.messages()) == ["one", "supervisor: 1 line dropped (write failed)"]
    daemon.stop()
    daemon = Syslogd(dev_log)
    send(b"two\n")
    assert texts(daemon.messages()) == ["two"]
    daemon.stop()
    send(b"three\nfour\n")
    assert len(reports) == 2
    daemon = Syslogd(dev_log)
    send(b"five\n")
    assert texts(daemon.messages()) == ["five", "supervisor: 2 lines dropped (write failed)"]
    daemon.stop()


def test_a_restarted_syslog_daemon_that_is_busy_gets_what_was_queued(
    world: World, dev_log: Path, send: Callable[[bytes], None], reports: list[str]
) -> None:
    daemon = Syslogd(dev_log)
    lines = [f"{number}" for number in range(1000)]
    send("\n".join(lines).encode() + b"\n")
    received = texts(daemon.messages())
    assert len(received) < len(lines)
    daemon.stop()
    daemon = Syslogd(dev_log)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"<14>of another program", str(dev_log))
    world.runtime.loop.run_once(1)
    daemon.messages()
    while len(received) < len(lines) and not reports:
        world.runtime.loop.run_once(1)
        received += texts(daemon.messages())
    assert (received, reports) == (lines, [])
    daemon.stop()


class Stream:
    """A connection of streams that takes a given number of bytes at each call, then fails."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)
        self.sent = b""
        self._reader, self._writer = os.pipe()

    def fileno(self) -> int:
        """Return an fd that is never ready."""
        return self._reader

    def send(self, data: bytes) -> int:
        """Take a part of the bytes."""
        if not self.sizes:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        size = self.sizes.pop(0)
        if not size:
            raise BlockingIOError
        self.sent += data[:size]
        return min(size, len(data))

    def close(self) -> None:
        """Close the fd."""
        os.close(self._reader)
        os.close(self._writer)


WHOLE = 1000


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((WHOLE, WHOLE, WHOLE), None),
        ((5, 0, WHOLE, WHOLE, WHOLE), None),
        ((len(f"<14>{STAMP.decode()} t: one"), 0, WHOLE, WHOLE, WHOLE), None),
        ((WHOLE, 5, 0), (WHOLE, WHOLE)),
        ((WHOLE, 0), (7, 0, WHOLE, WHOLE)),
    ],
)
def test_a_stream_that_takes_parts(
    send: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    first: tuple[int, ...],
    second: tuple[int, ...] | None,
) -> None:
    """Each message arrives with its end; on a new connection, an unfinished one begins again."""
    streams = [Stream(*first), *([] if second is None else [Stream(*second)])]
    remaining = list(streams)

    def connect(_path: str, kind: int) -> Stream:
        if kind == socket.SOCK_DGRAM:
            raise OSError(errno.EPROTOTYPE, "Protocol wrong type for socket")
        return remaining.pop(0)

    monkeypatch.setattr(syslog_target, "_connected", connect)
    send(b"one\ntwo\nthree\n")
    connection: Any = syslog_target._socket
    for _ in range(4):
        if connection._queue:
            connection.handle_write_event()
    found = [message for each in streams for message in each.sent.split(b"\0")[:-1]]
    assert texts(found) == ["one", "two", "three"]


def test_a_socket_of_streams(dev_log: Path, send: Callable[[bytes], None]) -> None:
    daemon = Syslogd(dev_log, socket.SOCK_STREAM)
    send(b"one\ntwo\n")
    assert texts(daemon.stream().split(b"\0")) == ["one", "two", ""]
    daemon.stop()


def test_a_socket_of_streams_that_accepts_nothing(
    dev_log: Path, send: Callable[[bytes], None], reports: list[str]
) -> None:
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as clients:
        listener.bind(str(dev_log))
        listener.listen(0)
        with suppress(BlockingIOError):
            while True:
                waiting = clients.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(str(dev_log))
        send(b"one\n")
    assert reports == ["cannot write to syslog: its reader has stalled"]


def test_the_connection_is_closed_after_the_last_user(dev_log: Path) -> None:
    daemon = Syslogd(dev_log)
    before = os.listdir("/proc/self/fd")
    first, second = (syslog_target.SyslogTarget(14, "t", "", lambda: NOW) for _ in range(2))
    first.write(b"one\n", "w")
    first.close()
    second.write(b"two\n", "w")
    assert texts(daemon.messages()) == ["one", "two"]
    second.close()
    assert os.listdir("/proc/self/fd") == before
    daemon.stop()


def test_the_default_is_that_of_syslog_3(tmp_path: Path) -> None:
    (group,) = read(tmp_path, "[program:x]\ncommand=a\nsyslog_facility=LOG_LOCAL7\n").groups
    (config,) = group.process_configs
    assert (config.syslog_facility, config.syslog_tag) == ("local7", None)
    assert targets.syslog_pri("user", config.syslog_stdout_priority) == 14
    assert config.syslog_stderr_priority == "info"


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        (
            "syslog_facility",
            "kern",
            f"'kern' is not one of {', '.join(targets.FACILITIES)}",
        ),
        (
            "syslog_stderr_priority",
            "loud",
            "'loud' is not one of emerg, alert, crit, err, warning, notice, info, debug",
        ),
        ("syslog_tag", "a b", "'a b' must not contain spaces, colons and control characters"),
        ("syslog_tag", "x" * 65, f"{'x' * 65!r} is longer than 64 characters"),
    ],
)
def test_mistakes_name_section_option_and_file(
    tmp_path: Path, option: str, value: str, problem: str
) -> None:
    text = f"[program:x]\ncommand=/bin/cat\n{option}={value}\n"
    assert refusal(tmp_path, text) == located(problem, "program:x", option)


@pytest.mark.parametrize(
    ("word", "name"),
    [("Error", "err"), ("log_warn", "warning"), ("CRITICAL", "crit"), ("LOG_DEBUG", "debug")],
)
def test_other_names_of_priorities(word: str, name: str) -> None:
    assert targets.syslog_priority(word) == name
