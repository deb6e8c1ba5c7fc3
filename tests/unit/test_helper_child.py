"""Helpers that do what they like: hang, flood, fork, die; nothing of them is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.engine import posix
from supervisor.process.helper_child import (
    FREE_BYTES,
    MAX_LINE_BYTES,
    PAUSE_SECONDS,
    READ_BYTES,
    HelperChild,
    HelperEnd,
)
from tests.support import proctable
from tests.support.probing import Site, probing
from tests.support.waiting import wait_until


def members(pgid: int) -> list[int]:
    """Return the live processes of a group; init reaps the dead ones in its own time."""
    found = (pid for pid, group in posix.scan_processes() if group == pgid)
    return [pid for pid in found if proctable.is_alive(pid)]


class Helpers:
    """Helpers that run shell scripts, and their ends."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ends: list[HelperEnd] = []

    def start(self, script: str, timeout: float = 10) -> HelperChild:
        """Start a script."""
        started = self.site.spawn(["sh", "-c", script])
        helper = HelperChild("h", started, self.site.loop, timeout, self.ends.append)
        self.site.register(helper.pid, helper)
        return helper

    def end(self, script: str, timeout: float = 10) -> HelperEnd:
        """Start a script and return its end."""
        self.start(script, timeout)
        self.site.turn_until(lambda: self.ends)
        return self.ends.pop()


@pytest.fixture
def helpers() -> Iterator[Helpers]:
    with probing() as site:
        yield Helpers(site)


@pytest.mark.parametrize(
    ("script", "status", "first_line"),
    [
        ("exit 0", 0, ""),
        ("exit 3", 3 << 8, ""),
        ("kill -9 $$", signal.SIGKILL, ""),
        ("echo one; echo two", 0, "one"),
        ("echo one >&2", 0, "one"),
        ("printf one; sleep 0.01; printf ' two'", 0, "one two"),
        ("echo; echo two", 0, ""),
        ("printf '\\377\\033[31mx\\r\\n'", 0, "\ufffd\\x1b[31mx"),
        ("printf '%01000d' 1; echo end", 0, ("0" * 999 + "1end")[-MAX_LINE_BYTES:]),
        ("head -c 60000 /dev/zero; echo end", 0, "\\x00" * (MAX_LINE_BYTES - 3) + "end"),
    ],
)
def test_status_and_first_line(helpers: Helpers, script: str, status: int, first_line: str) -> None:
    assert helpers.end(script) == HelperEnd(status, first_line)


def test_output_at_the_very_end_is_not_lost(helpers: Helpers) -> None:
    """The exit may be noticed before the output has been read."""
    helper = helpers.start("echo bye")
    pid, status = os.waitpid(helper.pid, 0)
    helpers.site.children.pop(pid).finish(pid, status)
    assert helpers.ends == [HelperEnd(0, "bye")]


def test_much_output_does_not_fail(helpers: Helpers) -> None:
    end = helpers.end("echo begin && head -c 500000 /dev/zero && echo end")
    assert end == HelperEnd(0, "begin")


def test_one_that_hangs_is_killed_with_its_group(helpers: Helpers) -> None:
    helper = helpers.start("trap '' TERM; sleep 3600 & sleep 3600 & wait", timeout=0.2)
    helpers.site.turn_until(lambda: helpers.ends)
    assert helpers.ends == [HelperEnd(None, "")]
    helpers.site.turn_until(lambda: helper.is_reaped)
    wait_until(lambda: not members(helper.pid))
    assert len(helpers.ends) == 1


def test_output_before_the_deadline_is_kept(helpers: Helpers) -> None:
    assert helpers.end("echo waiting; sleep 3600", timeout=0.3) == HelperEnd(None, "waiting")


def test_one_that_forks_leaves_nothing(helpers: Helpers) -> None:
    helper = helpers.start("for i in 1 2 3 4 5; do sleep 3600 & done")
    helpers.site.turn_until(lambda: helpers.ends)
    assert helpers.ends == [HelperEnd(0, "")]
    wait_until(lambda: not members(helper.pid))


def test_a_pipe_that_is_kept_open_elsewhere_does_not_matter(
    helpers: Helpers, tmp_path: Path
) -> None:
    """One that leaves the process group cannot be found, but it holds nothing up."""
    file = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ >{file}; exec sleep 60' & until test -s {file}; do :; done"
    try:
        assert helpers.end(script) == HelperEnd(0, "")
    finally:
        pid = int(file.read_text())
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not proctable.is_alive(pid))


def test_one_that_closes_its_output_has_not_ended(helpers: Helpers) -> None:
    end = helpers.end("exec >&- 2>&-; sleep 0.05; exit 7")
    assert end == HelperEnd(7 << 8, "")


def test_a_flood_is_read_slowly_and_ended(helpers: Helpers) -> None:
    began = time.monotonic()
    helper = helpers.start("exec yes", timeout=0.3)
    while not helpers.ends:
        helpers.site.loop.run_once()
    reads = (time.monotonic() - began) / PAUSE_SECONDS + 2
    assert FREE_BYTES < helper._output._bytes < FREE_BYTES + reads * READ_BYTES
    assert helpers.ends == [HelperEnd(None, "y")]


def test_a_cancelled_one_reports_nothing(helpers: Helpers) -> None:
    helper = helpers.start("sleep 3600", timeout=0.05)
    helper.cancel()
    helper.cancel()
    assert helper._output.closed
    helpers.site.turn_until(lambda: helper.is_reaped)
    helper.cancel()
    assert helpers.ends == []


def test_a_pid_is_not_killed_after_it_was_reaped(
    helpers: Helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may belong to another process by then."""
    helper = helpers.start("exit 0")
    helpers.site.turn_until(lambda: helper.is_reaped)
    monkeypatch.setattr(os, "kill", pytest.fail)
    monkeypatch.setattr(os, "killpg", pytest.fail)
    helper.cancel()


def test_one_that_has_been_reaped_by_others_is_reported(helpers: Helpers) -> None:
    """A plugin may call `waitpid` for any child."""
    helper = helpers.start("exit 0", timeout=0.1)
    os.waitpid(helpers.site.children.popitem()[0], 0)
    helpers.site.turn_until(lambda: helpers.ends)
    assert helpers.ends == [HelperEnd(None, "")]
    assert helper.is_reaped
