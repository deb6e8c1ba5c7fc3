"""Plans, pipes and the launcher; the launcher starts real, short-lived children."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.model import ProcessConfig
from supervisor.process.spawn import Pipes, SpawnError, SpawnPlan, launch, plan_spawn
from tests.support.world import World

SHOW = """
import json, os, sys
fds = [int(name) for name in os.listdir("/proc/self/fd")]
umask = os.umask(0)
print(json.dumps({
    "argv": sys.argv[1:], "cwd": os.getcwd(), "umask": umask, "fds": fds,
    "group": os.getpgrp() == os.getpid(), "environment": dict(os.environ),
}))
"""


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes.make(redirect_stderr=False)
    yield made
    with contextlib.suppress(OSError):
        made.close_child_ends()
    made.close_parent_ends()


def plan(pipes: Pipes, **changes: Any) -> SpawnPlan:
    values = {
        "name": "p",
        "executable": sys.executable,
        "argv": (sys.executable, "-c", SHOW, "one", "two words"),
        "environment": {"A": "b"},
        "directory": None,
        "umask": None,
        "uid": None,
        "stdin": pipes.child_stdin,
        "stdout": pipes.child_stdout,
        "stderr": pipes.child_stderr,
    }
    return SpawnPlan(**(values | changes))


def output(pipes: Pipes, pid: int) -> bytes:
    """Return what the child wrote to stdout, once it has ended."""
    pipes.close_child_ends()
    assert os.waitpid(pid, 0)[0] == pid
    os.set_blocking(pipes.stdout, True)
    with open(os.dup(pipes.stdout), "rb") as file:
        return file.read()


def test_the_child_gets_what_the_plan_says(pipes: Pipes, tmp_path: Path) -> None:
    pid = launch(plan(pipes, directory=str(tmp_path), umask=0o027))
    seen = json.loads(output(pipes, pid))
    assert seen["argv"] == ["one", "two words"]
    assert seen["cwd"] == str(tmp_path.resolve())
    assert seen["umask"] == 0o027
    assert {0, 1, 2} <= set(seen["fds"])
    assert not {pipes.stdin, pipes.stdout, pipes.stderr} & set(seen["fds"])
    assert seen["group"] is True
    assert seen["environment"].items() >= {"A": "b"}.items()


@pytest.mark.parametrize(
    ("text", "symbol"), [("echo no interpreter line\n", "ENOEXEC"), ("#!/nowhere\n", "ENOENT")]
)
def test_exec_failures_are_explained(pipes: Pipes, tmp_path: Path, text: str, symbol: str) -> None:
    script = tmp_path / "script"
    script.write_text(text)
    script.chmod(0o755)
    with pytest.raises(SpawnError) as raised:
        launch(plan(pipes, executable=str(script), argv=(str(script),)))
    assert str(raised.value) == f"couldn't exec {script}: {symbol}"
    assert raised.value.in_child


def test_a_directory_that_cannot_be_entered_is_explained(pipes: Pipes) -> None:
    with pytest.raises(SpawnError) as raised:
        launch(plan(pipes, directory="/nowhere/at/all"))
    assert str(raised.value) == "couldn't chdir to /nowhere/at/all: ENOENT"


def test_a_nul_byte_is_explained(pipes: Pipes) -> None:
    with pytest.raises(SpawnError, match="embedded null byte"):
        launch(plan(pipes, argv=(sys.executable, "a\0b")))


def test_a_user_that_may_not_be_taken_is_explained(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(SpawnError) as raised:
        launch(plan(pipes, uid=1))
    assert str(raised.value) == "couldn't setuid to 1: Can't drop privilege as nonroot user"


def test_failing_launches_leak_no_fd(pipes: Pipes) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with pytest.raises(SpawnError):
            launch(plan(pipes, directory="/nowhere/at/all"))
    assert os.listdir("/proc/self/fd") == before


def test_a_launch_without_fds_has_the_text_of_pipes_without_fds(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipes of the child may take the last fds, and leave none for its launch."""

    def pipe() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(SpawnError) as raised:
        launch(plan(pipes))
    assert str(raised.value) == "too many open files to spawn 'p'"


def test_pipes_that_cannot_all_be_made_leave_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/proc/self/fd")
    made: list[int] = []
    real = os.pipe

    def pipe() -> tuple[int, int]:
        if len(made) == 2:
            raise OSError(24, "Too many open files")
        made.append(1)
        return real()

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        Pipes.make(redirect_stderr=False)
    assert os.listdir("/proc/self/fd") == before


class TestPlan:
    """What is decided before the child exists."""

    def environment(self, world: World, pipes: Pipes, **options: Any) -> dict[str, str]:
        config = ProcessConfig("p", "/bin/cat", **options)
        made = plan_spawn(config, ("/bin/cat", ["/bin/cat"]), "g", world.context, pipes)
        return dict(made.environment)

    def test_children_know_who_they_are(self, world: World, pipes: Pipes) -> None:
        world.context.serverurl = "unix:///x"
        environment = self.environment(world, pipes)
        identity = {
            "SUPERVISOR_ENABLED": "1",
            "SUPERVISOR_GROUP_NAME": "g",
            "SUPERVISOR_PROCESS_NAME": "p",
            "SUPERVISOR_SERVER_URL": "unix:///x",
        }
        assert environment.items() >= identity.items()
        assert environment["PATH"] == os.environ["PATH"]

    def test_the_program_has_the_last_word(self, world: World, pipes: Pipes) -> None:
        environment = self.environment(
            world, pipes, environment={"PATH": "/own"}, serverurl="http://elsewhere"
        )
        assert environment["PATH"] == "/own"
        assert environment["SUPERVISOR_SERVER_URL"] == "http://elsewhere"
