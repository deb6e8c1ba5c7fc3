"""`logs`: whole lines of several logs, also across a restart of the daemon."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from supervisor.supervisorctl import following
from supervisor.supervisorctl.following import Log, LogReader, Output
from tests.support.clock import FakeClock
from tests.support.ctl import Ctl, process


def fed(reader: LogReader, data: bytes, size: int) -> list[str]:
    """Return the lines of data that arrives in parts."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [line for part in parts for line in reader.feed(part)]


SIZES = [1, 2, 3, 5, 100]


@pytest.mark.parametrize("size", SIZES)
def test_the_last_lines_then_all_new_ones(size: int) -> None:
    old, new = b"one\ntwo\nthree\nfo", b"ur\nfive\nsi"
    reader = LogReader(2)
    reader.begin(100, 100 + len(old))
    assert fed(reader, old + new, size) == ["two", "three", "four", "five"]


@pytest.mark.parametrize("size", SIZES)
def test_a_later_response_continues_where_the_earlier_ended(size: int) -> None:
    reader = LogReader(5)
    reader.begin(0, 4)
    assert fed(reader, b"one\ntw", size) == ["one"]
    content = b"one\ntwo\nthree\n"
    reader.begin(0, len(content))
    assert fed(reader, content, size) == ["two", "three"]
    reader.begin(14, 14)
    assert fed(reader, b"four\n", size) == ["four"]


@pytest.mark.parametrize("size", SIZES)
def test_a_rotated_log_is_new_as_a_whole(size: int) -> None:
    reader = LogReader(1)
    reader.begin(0, 8)
    assert fed(reader, b"one\ntwo\nth", size) == ["two"]
    reader.begin(0, 4)
    assert fed(reader, b"new\nnewer\n", size) == ["new", "newer"]


@pytest.mark.parametrize("size", SIZES)
def test_another_file_is_new_as_a_whole(size: int) -> None:
    reader = LogReader(1)
    reader.begin(0, 4)
    assert fed(reader, b"one\n", size) == ["one"]
    reader.begin_file()
    reader.begin(0, 12)
    assert fed(reader, b"a\nb\nc\nd\ne\nf\n", size) == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize("size", SIZES)
def test_the_rest_of_a_line_at_the_beginning_is_dropped(size: int) -> None:
    reader = LogReader(10)
    reader.begin(0, 12, is_inside_line=True)
    assert fed(reader, b"est\none\ntwo\nthree\n", size) == ["one", "two", "three"]


def test_no_old_lines() -> None:
    reader = LogReader(0)
    reader.begin(0, 4)
    assert reader.feed(b"one\ntwo\n") == ["two"]


class HeadFirst:
    """A response whose head arrives before its body."""

    status = 200
    is_complete = False

    def __init__(self, *_: object) -> None:
        self.headers = {"x-log-offset": "0", "x-log-end": "12"}
        self._parts = iter([b"", b"one\ntwo\n", b"six\nten\n"])

    def read(self) -> bytes | None:
        return next(self._parts, None)

    def close(self) -> None:
        """Nothing is open."""


def test_a_head_that_arrives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "Stream", HeadFirst)
    follower = following.Follower(Ctl().controller, Log("web", "stdout", "/log"), 1)
    follower.open()
    assert [follower.read() for _ in range(4)] == [[], [], ["six", "ten"], []]
    assert follower.retry_at is not None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_names_are_columns_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [Log("a", "stdout", "/a"), Log("a", "stderr", "/b"), Log("web", "stdout", "/c")]
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream, expected in (
        (io.StringIO(), "a        | x\x1b]0;t\na stderr | y\nweb      | z\n"),
        (
            Terminal(),
            (
                "\x1b[36ma        |\x1b[0m x\\x1b]0;t\x1b[0m\n"
                "\x1b[36ma stderr |\x1b[0m y\x1b[0m\n\x1b[33mweb      |\x1b[0m z\x1b[0m\n"
            ),
        ),
    ):
        output = Output(stream, logs)
        for log, line in zip(logs, ("x\x1b]0;t", "y", "z"), strict=True):
            output.write(log, [line])
        assert stream.getvalue() == expected


PLAIN = {"stdout_logfile": "/o", "stderr_logfile": ""}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("logs web", [str(each) for each in range(90, 100)]),
        ("logs -2 web", ["98", "99"]),
        ("logs -0 web", []),
        ("logs -200 web", [str(each) for each in range(100)]),
    ],
)
def test_the_last_lines(line: str, expected: list[str]) -> None:
    log = "".join(f"{number}\n" for number in range(100))
    ctl = Ctl(
        getAllProcessInfo=[process("web", **PLAIN)],
        readProcessStdoutLog=lambda _name, offset, _length: log[offset:],
    )
    assert ctl.run(line) == ("".join(f"web | {each}\n" for each in expected), 0)


def test_long_lines_are_whole() -> None:
    log = "".join(f"{number}{'x' * 1000}\n" for number in range(10))
    ctl = Ctl(
        getAllProcessInfo=[process("web", **PLAIN)],
        readProcessStdoutLog=lambda _name, offset, _length: log[offset:],
    )
    assert ctl.run("logs -2 web")[0] == f"web | 8{'x' * 1000}\nweb | 9{'x' * 1000}\n"


def test_errors_of_logs() -> None:
    nolog = process("nolog", stdout_logfile="", stderr_logfile="")
    ctl = Ctl(getAllProcessInfo=[nolog])
    assert ctl.run("logs nolog") == ("nolog: ERROR (no log file)\n", 1)
    assert ctl.run("logs nope") == ("nope: ERROR (no such process)\n", 4)
    assert ctl.run("logs")[0].startswith("Error: logs requires a process name\n")
    assert ctl.run("logs")[1] == 2


class Responses:
    """Streams in the order of their responses: each one a position and its parts.

    A response is complete if its last part is empty; then its connection remains.
    """

    status = 200

    def __init__(self, *responses: tuple[str, list[bytes]]) -> None:
        self.requested: list[str] = []
        self._responses = list(responses)

    def add(self, position: str, parts: list[bytes]) -> None:
        """Add a response."""
        self._responses.append((position, parts))

    def __call__(self, _options: object, path: str) -> Responses:
        """Open the next response; raises ConnectionRefusedError after the last one."""
        self.requested.append(path.rpartition("&from=")[2])
        if not self._responses:
            raise ConnectionRefusedError
        position, parts = self._responses.pop(0)
        size = {"x-log-offset": position.partition(":")[2], "x-log-end": "8"}
        self.headers = {"x-log-position": position, **size}
        self.path = path
        self._parts = parts.copy()
        return self

    @property
    def is_complete(self) -> bool:
        """Whether the end of the response has arrived."""
        return self._parts == [b""]

    def read(self) -> bytes | None:
        assert not self.is_complete, "nothing more arrives"
        return self._parts.pop(0) if self._parts else None

    def close(self) -> None:
        """Nothing is open."""


def test_a_log_continues_at_its_position(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = Responses(
        ("7:0", [b"", b"one\ntwo\nth"]),
        ("7:10", [b"ree\nfo", b""]),  # the daemon had replaced itself, and the log is rotated
        ("8:0", [b"ur\n", b"five\nsix"]),
        ("8:2", [b"seven\n"]),  # it has been truncated
    )
    monkeypatch.setattr(following, "Stream", responses)
    follower = following.Follower(Ctl().controller, Log("web", "stdout", "/log"), 1)
    follower.open()
    lines = []
    while follower.stream is not None:
        lines += follower.read()
    assert lines == ["two", "three", "four", "five", "seven"]
    assert responses.requested == ["", "7:10", "7:16", "8:11", "8:8"]
    assert follower.retry_at is not None


def test_a_quiet_log_is_opened_again_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time: the server is there, so it need not be spared."""
    responses = Responses(*[("7:0", [b"", b""])] * 5)
    monkeypatch.setattr(following, "Stream", responses)
    clock = FakeClock()
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=clock.monotonic))
    info = {**process("web"), "stdout_logfile": "/log"}
    follower = following.Follower(
        Ctl(getProcessInfo=info).controller, Log("web", "stdout", "/log"), 1
    )
    follower.open()
    for _ in range(4):
        assert follower.read() == []
        assert follower.retry_at == clock.monotonic() + 1
        follower.open_again()


def test_a_log_with_another_name_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its inode may be that of the log before, which the daemon has removed at its start."""
    responses = Responses(("7:0", [b"one\ntwo\n"]))
    monkeypatch.setattr(following, "Stream", responses)
    info = {**process("web"), "stdout_logfile": "/another"}
    follower = following.Follower(
        Ctl(getProcessInfo=info).controller, Log("web", "stdout", "/log"), 1
    )
    follower.open()
    while follower.stream is not None:
        follower.read()
    assert responses.requested == ["", "7:8"]
    responses.add("7:0", [b"three\nfour\n"])
    follower.open_again()
    assert responses.requested == ["", "7:8", "0:0"]
    assert follower.read() == ["three", "four"]
