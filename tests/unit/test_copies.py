"""Copies of a child's output: several targets, formats, and targets that fail."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import events, loggers
from supervisor.common.capture import BEGIN_TOKEN, END_TOKEN
from supervisor.common.lines import MAX_LINE_BYTES, WholeLines
from supervisor.common.read_batching import PIPE_BYTES
from supervisor.config.model import Settings
from supervisor.engine.loop import Loop
from supervisor.logs import backlog, sinks
from supervisor.logs.copies import target_of
from tests.support.piped_child import Child
from tests.support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = make_world(monkeypatch)
    made.runtime.loop.close()
    made.runtime.loop = Loop(made.clock)  # a poller that sees the pipes
    backlog.set_background_loop(made.runtime.loop)
    yield made
    events.clear()
    backlog.set_background_loop(None)
    made.runtime.loop.close()


@pytest.fixture
def start(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start children with options; all are ended afterwards."""
    started: list[Child] = []

    def begin(**options: Any) -> Child:
        started.append(Child(world, monkeypatch, **options))
        return started[-1]

    yield begin
    for each in started:
        each.die()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the failures of logs and copies."""
    found: list[str] = []
    monkeypatch.setattr(loggers, "report_error", found.append)
    return found


def test_a_copy_has_a_format_of_its_own(start: Any, tmp_path: Path) -> None:
    log, copy = tmp_path / "log", tmp_path / "copy"
    made = start(stdout_logfile=str(log), stdout_tee=(str(copy),))
    made.write(b"one\ntw")
    assert log.read_bytes() == b"one\ntw"
    assert copy.read_bytes() == b"2023-11-14T22:13:20.000Z [p] one\n"
    made.die()
    assert copy.read_bytes().endswith(b"one\n2023-11-14T22:13:20.000Z [p] tw\n")


@pytest.mark.parametrize("logfile", [None, "log"])
def test_each_target_gets_each_line(start: Any, tmp_path: Path, logfile: str | None) -> None:
    targets = tuple(str(tmp_path / name) for name in ("a", "b"))
    log = logfile and str(tmp_path / logfile)
    made = start(stdout_logfile=log, stdout_tee=targets, stdout_tee_format="<%(message)s>")
    made.write(b"one\ntwo\n")
    assert [Path(each).read_bytes() for each in targets] == [b"<one>\n<two>\n"] * 2


def test_captured_parts_and_escapes_are_not_copied(
    world: World, start: Any, tmp_path: Path
) -> None:
    world.runtime.settings = Settings(configfile=None, here=None, strip_ansi=True)
    copy = tmp_path / "copy"
    made = start(
        stdout_logfile=None,
        stdout_tee=(str(copy),),
        stdout_tee_format="raw",
        stdout_capture_maxbytes=1000,
    )
    made.write(b"\x1b[1mon" + BEGIN_TOKEN + b"message" + END_TOKEN + b"e\x1b[0m\n")
    assert copy.read_bytes() == b"one\n"


def test_redirected_stderr_follows_stdout(start: Any, tmp_path: Path) -> None:
    copy, unused = tmp_path / "copy", tmp_path / "unused"
    made = start(
        stdout_logfile=None,
        redirect_stderr=True,
        stdout_tee=(str(copy),),
        stdout_tee_format="%(stream)s %(message)s",
        stderr_tee=(str(unused),),
    )
    made.write(b"one\n", "stderr")
    assert copy.read_bytes() == b"stdout one\n"
    assert not unused.exists()


def test_programs_end_their_lines_in_a_shared_target(start: Any, tmp_path: Path) -> None:
    """A single program's bytes stay as they are; a line of another one begins a line."""
    copy = tmp_path / "copy"
    options = {"stdout_logfile": None, "stdout_tee": (str(copy),), "stdout_tee_format": "raw"}
    first, second = (start(name=name, **options) for name in "ab")
    first.write(b"one\ntw")
    second.write(b"1\n2")
    assert copy.read_bytes() == b"one\n1\n"
    first.write(b"o\nthr")
    first.die()
    assert copy.read_bytes() == b"one\n1\ntwo\nthr"
    second.die()
    assert copy.read_bytes() == b"one\n1\ntwo\nthr\n2"


def test_a_clear_leaves_copies_and_a_reopen_reopens_them(start: Any, tmp_path: Path) -> None:
    log, copy = tmp_path / "log", tmp_path / "copy"
    made = start(stdout_logfile=str(log), stdout_tee=(str(copy),), stdout_tee_format="raw")
    made.write(b"one\n")
    made.process.removelogs()
    assert (log.read_bytes(), copy.read_bytes()) == (b"", b"one\n")
    copy.rename(tmp_path / "copy.1")
    made.process.reopenlogs()
    made.write(b"two\n")
    assert (tmp_path / "copy.1").read_bytes() == b"one\n"
    assert copy.read_bytes() == b"two\n"


def test_a_target_that_cannot_be_opened_is_reported_once(
    start: Any, tmp_path: Path, reports: list[str]
) -> None:
    log, copy = tmp_path / "log", tmp_path / "gone" / "copy"
    options = {"stdout_logfile": str(log), "stdout_tee": (str(copy),), "stdout_tee_format": "raw"}
    made = start(**options)
    start(name="q", **options)
    made.write(b"one\n")
    assert log.read_bytes() == b"one\n"
    assert reports == [f"cannot open {copy} for copies of output: No such file or directory"]
    copy.parent.mkdir()
    made.process.reopenlogs()
    made.write(b"two\n")
    assert copy.read_bytes() == b"two\n"


def test_a_fifo_without_a_reader_never_delays_the_log(
    start: Any, tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue of a target has one bound for all programs; the lines beyond it are counted."""
    monkeypatch.setattr(sinks, "MAX_WAITING_BYTES", 200_000)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    options = {"stdout_tee": (str(fifo),), "stdout_tee_format": "raw"}
    made = [start(name=name, stdout_logfile=str(tmp_path / name), **options) for name in "ab"]
    lines = b"".join(b"%07d\n" % number for number in range(4000))
    for _ in range(10):
        for each in made:
            each.write(lines)
    assert {(tmp_path / name).stat().st_size for name in "ab"} == {10 * len(lines)}
    assert reports == [f"cannot write to log {fifo}: its reader has stalled"]
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    found = read_all(made[0].world, reader)
    assert PIPE_BYTES < len(found) <= PIPE_BYTES + 200_000
    made[0].write(b"next\n")
    found += read_all(made[0].world, reader)
    os.close(reader)
    dropped = 20 * len(lines) - len(re.sub(rb"supervisor.*\n|next\n", b"", found))
    assert found.endswith(b"supervisor: %d bytes dropped (write failed)\nnext\n" % dropped)
    assert {len(line) for line in re.sub(rb"supervisor.*\n|next\n", b"", found).split()} == {7}


def read_all(world: World, fd: int) -> bytes:
    """Read what a pipe contains, and what is queued for it."""
    found = b""
    while True:
        try:
            found += os.read(fd, 1 << 20)
        except BlockingIOError:
            return found
        world.runtime.loop.run_once(0)


@pytest.mark.parametrize(
    ("target", "reason"),
    [("fifo", "Broken pipe"), ("/dev/full", "No space left on device")],
)
def test_a_target_that_takes_nothing_is_reported_once(
    start: Any, tmp_path: Path, reports: list[str], target: str, reason: str
) -> None:
    path, log, other = tmp_path / target, tmp_path / "log", tmp_path / "other"
    if target == "fifo":
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    made = start(stdout_logfile=str(log), stdout_tee=(str(path), str(other)))
    if target == "fifo":
        os.close(reader)
    for _ in range(3):
        made.write(b"one\n")
    assert log.read_bytes() == b"one\n" * 3
    assert other.read_bytes().count(b"\n") == 3
    assert reports == [f"cannot write to log {path}: {reason}"]
    made.process.removelogs()
    made.process.reopenlogs()
    assert made.process.dispatchers


@pytest.mark.parametrize("kind", ["copies", "formatted logs"])
def test_a_line_is_not_torn_apart_by_another_writer_of_the_pipe(
    start: Any, world: World, kind: str
) -> None:
    """Like stdout and stderr of the daemon, which are often one pipe."""
    reader, writer = os.pipe()
    fds = (writer, os.dup(writer))
    made = []
    for name, fd in zip("ab", fds, strict=True):
        path = f"/proc/self/fd/{fd}"
        options: dict[str, Any] = {"stdout_logfile": path, "stdout_logfile_format": "%(message)s"}
        if kind == "copies":
            options = {"stdout_logfile": None, "stdout_tee": (path,), "stdout_tee_format": "raw"}
        made.append(start(name=name, **options))
    lines = [letter * 1000 + b"\n" for letter in (b"x", b"y")]
    for _ in range(4):
        made[0].write(lines[0] * 30)  # more than a pipe holds, in the end
    found = os.read(reader, 1 << 20)
    dispatchers = made[1].process.dispatchers.values()
    (stdout,) = (each for each in dispatchers if each.channel == "stdout")
    stdout.output_arrived(lines[1])  # before the loop sends what is waiting
    os.set_blocking(reader, False)
    found += read_all(world, reader)
    assert [found.count(line) for line in lines] == [120, 1]
    for each in made:
        each.die()
    for fd in (reader, *fds):
        os.close(fd)


@given(st.lists(st.sampled_from([b"a", b"\n", b"b" * 70_000, b"\r\n"])))
def test_whole_lines_lose_no_byte(parts: list[bytes]) -> None:
    lines = WholeLines()
    found = [lines.feed(part) for part in parts]
    assert b"".join([*found, lines.flush()]) == b"".join(parts)
    assert all(each.endswith(b"\n") or len(each) > MAX_LINE_BYTES for each in found if each)


def test_each_pass_over_the_lines_makes_reads_smaller(start: Any, tmp_path: Path) -> None:
    """An iteration of the loop takes as long as with a single format."""
    log = tmp_path / "log"
    made = start(
        stdout_logfile=str(log),
        stdout_logfile_format="json",
        stdout_tee=(str(tmp_path / "copy"), "syslog"),
    )
    made.write(b"\n" * 60_000)
    assert 0 < log.read_bytes().count(b"\n") <= 32_768 // 3


def test_many_lines_for_a_pipe_are_not_copied_for_each_part() -> None:
    """They are written in parts of PIPE_BUF, which takes linear time."""
    copied_bytes = 0

    class Lines(bytes):
        def __getitem__(self, part: Any) -> Any:
            nonlocal copied_bytes
            found = super().__getitem__(part)
            copied_bytes += len(found)
            return found

    target = target_of(os.devnull)
    lines = Lines(b"x" * 99 + b"\n") * 10_000
    target.write(Lines(lines), "p")
    target.close()
    assert len(lines) <= copied_bytes < 2 * len(lines)
