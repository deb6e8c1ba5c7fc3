"""Copies and logs under all combinations: formats, rotation, shared files, reopening, clearing."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor import events
from supervisor.engine.loop import Loop
from supervisor.logs import backlog
from tests.support.piped_child import Child
from tests.support.world import make_world

NAMES = "ab"

PIECES = ("%s%d\n", "%s%d", "\n%s%d\n%s%d", "%s%d\n" * 20)
"""Pieces of output: whole lines, the beginning of one, an end and a beginning, several."""

LAYOUTS = {
    "own logs": ("a.log", "b.log", "copy"),
    "one log": ("log", "log", "copy"),
    "a copy in the log of another program": ("a.log", "copy", "copy"),
    "no logs": (None, None, "copy"),
}
"""The logs of two programs, and the target of the copies of the first or of both."""

STEPS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(PIECES)),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["reopen", "clear", "move"])),
)


class Programs:
    """Two programs that number their words."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, directory: Path, options: list[dict[str, Any]]
    ) -> None:
        self._directory = directory
        self._world = make_world(monkeypatch)
        self._world.runtime.loop.close()
        self._loop = self._world.runtime.loop = Loop(self._world.clock)
        backlog.set_background_loop(self._loop)
        self._children = {
            name: Child(self._world, monkeypatch, name=name, **each)
            for name, each in zip(NAMES, options, strict=True)
        }
        self.written: dict[str, list[int]] = defaultdict(list)
        self._moved = 0

    def take(self, name: str, step: str) -> None:
        """Write a piece of output, or do something with the files."""
        child = self._children[name]
        if step == "clear":
            child.process.removelogs()
        elif step == "reopen":
            child.process.reopenlogs()
        elif step == "move":
            self._move_files()
        else:
            words = step.count("%d")
            numbers = range(len(self.written[name]), len(self.written[name]) + words)
            self.written[name] += numbers
            child.write((step % sum(((name, number) for number in numbers), ())).encode())
            self._world.clock.advance(1)
            self._loop.run_once(0)

    def _move_files(self) -> None:
        """Rename all files and reopen them, as logrotate and SIGUSR2 do."""
        self._moved += 1
        for path in self._directory.iterdir():
            if not path.suffix.startswith(".moved"):
                path.rename(f"{path}.moved{self._moved:03d}")
        for child in self._children.values():
            child.process.reopenlogs()

    def end(self) -> None:
        """End both programs."""
        for child in self._children.values():
            child.die()
        events.clear()
        backlog.set_background_loop(None)
        self._loop.close()


def numbers(directory: Path, name: str, program: str, pattern: str = r"{}(\d+)") -> list[int]:
    """Return the numbers of a program in a file and its backups, sorted."""
    text = "".join(
        path.read_text() for path in directory.iterdir() if re.match(rf"{name}($|\.)", path.name)
    )
    return sorted(int(each) for each in re.findall(pattern.format(program), text))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(["raw", "<%(message)s>", "prefix", "json"]),
    st.sampled_from(["raw", "[%(message)s]"]),
    st.sampled_from([0, 50]),
    st.lists(STEPS, max_size=30),
)
def test_no_byte_is_lost_and_no_line_torn(
    layout: str, log_format: str, copy_format: str, max_bytes: int, steps: list[tuple[str, str]]
) -> None:
    *logs, copy = LAYOUTS[layout]
    has_cleared = any(step == "clear" for _, step in steps)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        directory = Path(folder)
        copies = {"stdout_tee": (f"{folder}/{copy}",), "stdout_tee_format": copy_format}
        options = [
            {
                "stdout_logfile": log and f"{folder}/{log}",
                "stdout_logfile_format": log_format,
                "stdout_logfile_maxbytes": max_bytes,
                "stdout_logfile_backups": 1000,
                **({} if log == copy else copies),
            }
            for log in logs
        ]
        programs = Programs(monkeypatch, directory, options)
        try:
            for step in steps:
                programs.take(*step)
        finally:
            programs.end()
        for name, log in zip(NAMES, logs, strict=True):
            written = programs.written[name]
            if log is not None and log != copy and not has_cleared:
                assert numbers(directory, log, name) == written
            if log != copy and not (has_cleared and copy in logs):
                assert numbers(directory, copy, name) == written
        if copy not in logs:
            assert_whole(directory, copy, copy_format)


def assert_whole(directory: Path, copy: str, copy_format: str) -> None:
    """Check that each line of a copy is of one program, and whole."""
    line = {"raw": "(a\\d+)*|(b\\d+)*", "[%(message)s]": r"\[((a\d+)*|(b\d+)*)\]"}[copy_format]
    for path in directory.iterdir():
        if path.name.startswith(copy):
            for text in path.read_text().splitlines():
                assert re.fullmatch(line, text), text
