"""Copies of a child's output: several targets, formats, and targets that fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from supervisor import events, loggers
from supervisor.common.capture import BEGIN_TOKEN, END_TOKEN
from supervisor.config.model import Settings
from supervisor.engine.loop import Loop
from supervisor.logs import backlog
from tests.support.piped_child import Child
from tests.support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator


PIPE_BUF = 4096


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
