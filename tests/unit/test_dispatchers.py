"""A child's output and input, through real pipes."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor import events, loggers
from supervisor.common.capture import BEGIN_TOKEN, END_TOKEN
from supervisor.common.read_batching import DELAY_SECONDS, LARGE_PIPE_BYTES
from supervisor.config.model import Settings
from supervisor.engine.loop import Loop
from supervisor.logs import reading
from supervisor.process.streams import MAX_STDIN_BYTES
from tests.support.piped_child import Child
from tests.support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = make_world(monkeypatch)
    made.runtime.loop.close()
    made.runtime.loop = Loop(made.clock)  # a poller that sees the pipes
    yield made
    events.clear()
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


def test_output_is_logged_as_it_arrives(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    made.write(b"one\n")
    assert log.read_bytes() == b"one\n"
    made.write(b"\xff\x00binary")
    assert log.read_bytes() == b"one\n\xff\x00binary"


def test_stdout_and_stderr_are_kept_apart(start: Any, tmp_path: Path) -> None:
    out, err = tmp_path / "out.log", tmp_path / "err.log"
    made = start(stdout_logfile=str(out), stderr_logfile=str(err))
    made.write(b"to out")
    made.write(b"to err", "stderr")
    assert (out.read_bytes(), err.read_bytes()) == (b"to out", b"to err")


def test_redirected_stderr_is_in_the_same_log_in_order(start: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.log"
    made = start(stdout_logfile=str(out), redirect_stderr=True)
    made.write(b"1")
    made.write(b"2", "stderr")
    made.write(b"3")
    assert out.read_bytes() == b"123"


def test_the_last_output_of_a_dead_child_is_logged_whole(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    os.set_blocking(made.fds["stdout"], False)
    written = os.write(made.fds["stdout"], b"x" * 1_000_000)
    made.die()
    assert log.stat().st_size == written > 0


def test_a_child_whose_heirs_go_on_writing_is_finished_all_the_same(
    start: Any, tmp_path: Path
) -> None:
    """A pipe that a grandchild holds open is not waited for."""
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    heir = os.dup(made.fds["stdout"])
    os.write(heir, b"last words")
    made.die()
    os.close(heir)
    assert log.read_bytes() == b"last words"


@pytest.mark.parametrize("next_pid", [0, 5000])
def test_the_events_of_a_grandchilds_last_words_name_the_process_that_had_the_pipe(
    start: Any, world: World, next_pid: int
) -> None:
    """Not the one that has been started since, and not none."""
    heard: list[str] = []

    def hear(event: Any) -> None:
        heard.append(event.payload())

    events.subscribe(events.ProcessLogEvent, hear)
    events.subscribe(events.ProcessCommunicationEvent, hear)
    made = start(stdout_events_enabled=True, stdout_capture_maxbytes=100)
    heir = os.dup(made.fds["stdout"])
    made.die()
    made.process.pid = next_pid
    os.write(heir, b"last words" + BEGIN_TOKEN + b"message" + END_TOKEN)
    os.close(heir)
    world.runtime.loop.run_once(1)
    world.runtime.loop.run_once(0)
    origin = "processname:p groupname:p pid:4711"
    assert heard == [
        f"{origin} channel:stdout\nlast words",
        f"{origin} channel:stdout\nmessage",
        f"{origin}\nmessage",
    ]


def test_rotation_loses_and_doubles_nothing(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log), stdout_logfile_maxbytes=100, stdout_logfile_backups=50)
    lines = [b"line %04d\n" % number for number in range(200)]
    for line in lines:
        made.write(line)
    names = [f"out.log.{number}" for number in range(50, 0, -1)] + ["out.log"]
    files = [tmp_path / name for name in names]
    assert b"".join(f.read_bytes() for f in files if f.exists()) == b"".join(lines)


def test_at_debug_the_output_is_in_the_activity_log(world: World, start: Any) -> None:
    child = start()
    child.write(b"caf\xc3\xa9\n")
    assert "'p' stdout output:\ncafé\n" in world.lines("debug")
    child.write(b"\xff\n")
    assert "'p' stdout output:\nUndecodable: b'\\xff\\n'" in world.lines("debug")
    world.runtime.logger.level = loggers.LevelsByName.INFO
    count = len(world.lines())
    start(name="q").write(b"quiet")
    assert [line for line in world.lines()[count:] if "quiet" in line] == []


def test_log_events_carry_what_was_logged(start: Any) -> None:
    heard: list[tuple[str, bytes]] = []
    events.subscribe(events.ProcessLogEvent, lambda e: heard.append((e.channel, e.data)))
    made = start(stdout_events_enabled=True)
    made.write(b"heard")
    made.write(b"not heard", "stderr")
    assert heard == [("stdout", b"heard")]


def test_captured_parts_become_events_and_are_not_logged(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    heard: list[bytes] = []
    events.subscribe(events.ProcessCommunicationStdoutEvent, lambda e: heard.append(e.data))
    made = start(stdout_logfile=str(log), stdout_capture_maxbytes=1000)
    for byte in b"before" + BEGIN_TOKEN + b"message" + END_TOKEN + b"after":
        made.write(bytes([byte]))
    assert heard == [b"message"]
    assert log.read_bytes() == b"beforeafter"


def test_captured_output_is_announced_like_any_other(world: World, start: Any) -> None:
    world.runtime.settings = Settings(configfile=None, here=None, strip_ansi=True)
    heard: list[tuple[str, bytes]] = []
    for event_type in (events.ProcessLogEvent, events.ProcessCommunicationEvent):
        events.subscribe(event_type, lambda e, t=event_type: heard.append((t.__name__, e.data)))
    made = start(stdout_capture_maxbytes=1000, stdout_events_enabled=True)
    made.write(BEGIN_TOKEN + b"\x1b[1mmessage" + END_TOKEN)
    assert heard == [("ProcessLogEvent", b"message"), ("ProcessCommunicationEvent", b"message")]


def test_a_held_back_token_start_is_logged_at_the_end(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log), stdout_capture_maxbytes=1000)
    made.write(b"text" + BEGIN_TOKEN[:5])
    made.die()
    assert log.read_bytes() == b"text" + BEGIN_TOKEN[:5]


def test_ansi_sequences_are_stripped_if_configured(
    world: World, start: Any, tmp_path: Path
) -> None:
    world.runtime.settings = Settings(configfile=None, here=None, strip_ansi=True)
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    made.write(b"\x1b[1mbold\x1b[")
    made.write(b"0m plain")
    assert log.read_bytes() == b"bold plain"


def test_a_formatted_log_has_the_pid_and_the_time_of_reading(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log), stdout_logfile_format="json")
    made.write(b"one\ntw")
    world.clock.advance(1)
    made.die()
    first, last = (json.loads(line) for line in log.read_bytes().splitlines())
    assert (first["pid"], first["name"], first["message"]) == (4711, "p", "one")
    assert (last["pid"], last["message"]) == (4711, "tw")
    assert first["time"] == "2023-11-14T22:13:20.000Z"
    assert last["time"] == "2023-11-14T22:13:21.000Z"


def test_many_short_lines_do_not_hold_the_loop(world: World, start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log), stdout_logfile_format="json")
    made.write(b"\n" * 65536)
    assert log.read_bytes().count(b"\n") <= 32768
    world.runtime.loop.run_once(1)
    assert log.read_bytes().count(b"\n") == 65536


def test_only_the_log_is_formatted(
    world: World, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.runtime.settings = Settings(configfile=None, here=None, strip_ansi=True)
    log, heard, syslog = tmp_path / "out.log", [], []
    events.subscribe(events.ProcessLogEvent, lambda e: heard.append(e.data))
    monkeypatch.setattr(loggers.SyslogHandler, "_syslog", lambda _, text: syslog.append(text))
    made = start(
        stdout_logfile=str(log),
        stdout_logfile_format="<%(message)s>",
        stdout_syslog=True,
        stdout_events_enabled=True,
        stdout_capture_maxbytes=1000,
    )
    made.write(b"\x1b[1mon" + BEGIN_TOKEN + b"message" + END_TOKEN)
    made.write(b"e\x1b[0m\n")
    assert log.read_bytes() == b"<one>\n"
    assert heard == [b"on", b"message", b"e\n"]
    assert syslog == ["p on", "p e"]


def test_a_log_that_cannot_be_opened_fails_the_start_and_leaks_nothing(
    world: World, tmp_path: Path
) -> None:
    before = os.listdir("/proc/self/fd")
    process = world.process(
        stdout_logfile=str(tmp_path / "out.log"), stderr_logfile=str(tmp_path / "no" / "err.log")
    )
    assert process.spawn() is None
    assert process.spawnerr == f"unknown error making dispatchers for '{process.name}': ENOENT"
    assert os.listdir("/proc/self/fd") == before


class TestStdin:
    """Input of a child."""

    def test_it_arrives(self, start: Any) -> None:
        made = start()
        made.process.write(b"hello")
        assert os.read(made.fds["stdin"], 100) == b"hello"

    def test_what_the_pipe_does_not_take_waits(self, world: World, start: Any) -> None:
        made = start()
        data = os.urandom(300_000)
        made.process.write(data)
        received = b""
        while len(received) < len(data):
            received += os.read(made.fds["stdin"], 65536)
            world.runtime.loop.run_once(0)
        assert received == data

    def test_what_waits_has_a_limit(self, world: World, start: Any) -> None:
        """A call that would pass it queues nothing; one that finds nothing waiting always does."""
        made = start()
        first, second = b"1" * (MAX_STDIN_BYTES + LARGE_PIPE_BYTES), b"2" * 100
        made.process.write(first)
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                made.process.write(b"x")
        received = b""
        while len(received) < len(first):
            received += os.read(made.fds["stdin"], 65536)
            world.runtime.loop.run_once(0)
        made.process.write(second)
        assert received + os.read(made.fds["stdin"], 65536) == first + second

    def test_small_writes_add_up_to_the_limit_and_no_further(self, start: Any) -> None:
        made = start()
        taken = 0

        def write_on() -> None:
            nonlocal taken
            while taken < 10 * MAX_STDIN_BYTES:
                made.process.write(b"x" * 65_536)
                taken += 65_536

        with pytest.raises(BlockingIOError, match="bytes are waiting to be read"):
            write_on()
        assert MAX_STDIN_BYTES - 65_536 <= taken <= MAX_STDIN_BYTES + LARGE_PIPE_BYTES

    def test_a_reader_that_has_gone_is_a_broken_pipe(self, start: Any) -> None:
        made = start()
        os.close(made.fds.pop("stdin"))
        with pytest.raises(BrokenPipeError):
            made.process.write(b"hello")
        with pytest.raises(BrokenPipeError):
            made.process.write(b"again")

    def test_a_reader_that_leaves_while_bytes_are_queued_is_harmless(
        self, world: World, start: Any
    ) -> None:
        made = start()
        made.process.write(b"x" * 300_000)
        os.close(made.fds.pop("stdin"))
        world.runtime.loop.run_once(1)
        assert world.lines("critical") == []
        assert made.process.pid == 4711


def test_clearing_begins_a_new_log(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    made.write(b"old")
    made.process.removelogs()
    assert log.read_bytes() == b""
    made.write(b"new")
    assert log.read_bytes() == b"new"


def test_reopening_follows_the_name(start: Any, tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    made.write(b"old")
    log.rename(tmp_path / "moved.log")
    made.process.reopenlogs()
    made.write(b"new")
    assert (tmp_path / "moved.log").read_bytes() == b"old"
    assert log.read_bytes() == b"new"


@pytest.mark.parametrize("method", ["reopenlogs", "removelogs"])
def test_nothing_is_reopened_for_a_stream_that_has_ended(
    start: Any, world: World, tmp_path: Path, method: str
) -> None:
    """It has closed its end; a log that is opened again would keep the fd for ever."""
    log = tmp_path / "out.log"
    made = start(stdout_logfile=str(log))
    os.close(made.fds.pop("stdout"))
    world.runtime.loop.run_once(1)
    before = len(os.listdir("/proc/self/fd"))
    getattr(made.process, method)()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied"), "cannot reopen log {}: Permission denied"),
        (ValueError("a plugin's"), "cannot reopen a log\nTraceback"),
    ],
)
def test_a_log_that_cannot_be_reopened_keeps_no_other_from_it(
    start: Any, world: World, tmp_path: Path, error: Exception, line: str
) -> None:
    out, err = tmp_path / "out.log", tmp_path / "err.log"
    made = start(stdout_logfile=str(out), stderr_logfile=str(err))

    def refuse() -> None:
        raise error

    stdout = next(d for d in made.process.dispatchers.values() if d.channel == "stdout")
    stdout.childlog.handlers[0].reopen = refuse
    for path in (out, err):
        path.rename(f"{path}.moved")
    made.process.reopenlogs()
    assert not out.exists()
    assert err.exists()
    (said,) = world.lines("critical")
    assert said.startswith(line.format(out))


def test_clear_tries_every_log(start: Any, tmp_path: Path) -> None:
    out, err = tmp_path / "gone" / "out.log", tmp_path / "err.log"
    out.parent.mkdir()
    made = start(stdout_logfile=str(out), stderr_logfile=str(err))
    made.write(b"text", "stderr")
    out.parent.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        made.process.removelogs()
    assert err.read_bytes() == b""


def test_an_error_closes_that_channel_only(
    world: World, start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    err = tmp_path / "err.log"
    made = start(stderr_logfile=str(err))
    stdout = next(d for d in made.process.dispatchers.values() if d.channel == "stdout")
    monkeypatch.setattr(stdout, "_log", lambda _data: 1 // 0)
    made.write(b"boom")
    assert stdout.closed
    assert "ZeroDivisionError" in world.lines("critical")[0]
    made.write(b"fine", "stderr")
    assert err.read_bytes() == b"fine"


# -- resting ---------------------------------------------------------------------


def busy(world: World, child: Child, times: int) -> bytes:
    """Let a child write little pieces, a thousandth of a second apart; return them all."""
    pieces = [b"%d\n" % number for number in range(times)]
    for piece in pieces:
        os.write(child.fds["stdout"], piece)
        world.runtime.loop.run_once(0)
        world.clock.advance(0.001)
    return b"".join(pieces)


def test_the_log_of_a_busy_child_is_behind_for_a_moment_only(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    written = busy(world, start(stdout_logfile=str(log)), 95)
    assert written.startswith(log.read_bytes())
    assert len(log.read_bytes()) < len(written)
    world.pass_time(DELAY_SECONDS)
    assert log.read_bytes() == written


def test_a_child_that_dies_while_its_reader_rests_loses_nothing(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    child = start(stdout_logfile=str(log))
    written = busy(world, child, 95)
    child.die()
    assert log.read_bytes() == written
    world.pass_time(DELAY_SECONDS)


def test_an_error_after_a_rest_closes_that_channel_only(
    world: World, start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = start(stdout_logfile=str(tmp_path / "log"), stderr_logfile=str(tmp_path / "err"))
    stdout, stderr, _ = child.process.dispatchers.values()
    busy(world, child, 95)
    monkeypatch.setattr(stdout, "_log", lambda _data: 1 // 0)
    world.pass_time(DELAY_SECONDS)
    assert stdout.closed
    assert not stderr.closed
    assert "ZeroDivisionError" in world.lines("critical")[0]


def test_the_end_of_a_stream_is_found_after_a_rest(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    child = start(stdout_logfile=str(log))
    stdout = next(iter(child.process.dispatchers.values()))
    written = busy(world, child, 95)
    os.close(child.fds.pop("stdout"))
    for _ in range(2):  # what was written first, then the end
        world.pass_time(DELAY_SECONDS)
    assert log.read_bytes() == written
    assert stdout.closed


def test_who_listens_to_events_of_output_never_waits(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    written = busy(world, start(stdout_logfile=str(log), stdout_events_enabled=True), 95)
    assert log.read_bytes() == written


def test_who_follows_a_log_never_waits(world: World, start: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = start(stdout_logfile=str(log))
    follower = reading.written(str(log))
    written = busy(world, child, 95)
    assert log.read_bytes() == written
    del follower
    written += busy(world, child, 95)
    assert len(log.read_bytes()) < len(written)
    world.pass_time(DELAY_SECONDS)
    assert log.read_bytes() == written


def test_a_fast_child_gets_a_larger_pipe_and_loses_nothing(
    world: World, start: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    child = start(stdout_logfile=str(log))
    for _ in range(100):
        os.write(child.fds["stdout"], 4096 * b"x")
        world.runtime.loop.run_once(0)
        world.clock.advance(0.0001)
    assert fcntl.fcntl(child.fds["stdout"], fcntl.F_GETPIPE_SZ) == LARGE_PIPE_BYTES
    child.die()
    assert log.read_bytes() == 100 * 4096 * b"x"
    world.pass_time(DELAY_SECONDS)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pieces=st.lists(
        st.tuples(st.binary(min_size=1, max_size=300) | st.just(9000 * b"x"), st.integers(0, 30)),
        max_size=40,
    )
)
def test_with_and_without_rests_a_log_has_the_same_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pieces: list[tuple[bytes, int]]
) -> None:
    """Pieces of any size, milliseconds apart, to a reader that may rest and one that may not."""
    logs = [tmp_path / "resting", tmp_path / "general"]
    for log in logs:
        log.unlink(missing_ok=True)
    children = [
        Child(world, monkeypatch, stdout_logfile=str(log), startsecs=0, autorestart=False)
        for log in logs
    ]
    for dispatcher in children[1].process.dispatchers.values():
        dispatcher._batcher = None
    for piece, milliseconds in pieces * 3:
        for each in children:
            os.write(each.fds["stdout"], piece)
        world.runtime.loop.run_once(0)
        world.clock.advance(milliseconds / 1000)
    for each in children:
        each.die()
    written = b"".join(piece for piece, _ in pieces * 3)
    assert [log.read_bytes() for log in logs] == [written, written]
