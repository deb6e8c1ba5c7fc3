"""Plans, pipes and the two launchers, which start real, short-lived children."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.model import ProcessConfig
from supervisor.engine import paths, posix
from supervisor.engine.loop import Loop
from supervisor.process import launchers
from supervisor.process.forking import LaunchReport
from supervisor.process.plan import Launched, Pipes, SpawnError, SpawnPlan, plan_spawn
from tests.support.leases import leased
from tests.support.strangers import needs_root
from tests.support.world import World

SHOW = """
import json, os, sys
fds = [int(name) for name in os.listdir("/proc/self/fd")]
umask = os.umask(0)
print(json.dumps({
    "argv": sys.argv[1:], "cwd": os.getcwd(), "umask": umask, "fds": fds,
    "group": os.getpgrp() == os.getpid(), "environment": dict(os.environ),
    "signals": [l for l in open("/proc/self/status") if l[:6] in ("SigBlk", "SigIgn", "SigCgt")],
}))
"""

NOBODY = 65534

Launch = Callable[[SpawnPlan], Launched]


@pytest.fixture(params=["vfork", "fork"])
def launch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Launch in one of both ways."""
    forks = request.param == "fork"
    monkeypatch.setattr(launchers, "_has_to_fork", lambda *_: forks)
    return launchers.launch


def failure(launched: Launched) -> str | None:
    """Return what a forked child reports, once it has ended."""
    os.waitpid(launched.pid, 0)
    loop = Loop()
    report = LaunchReport(launched.report or -1, loop, pytest.fail)
    reason = report.failure()
    loop.close()
    return reason


def reason(launch: Launch, plan: SpawnPlan) -> str:
    """Return why a launch fails; both launchers give the same reason."""
    with pytest.raises(SpawnError) as raised:
        raise SpawnError(failure(launch(plan)) or "it did not", in_child=True)
    assert raised.value.in_child
    return str(raised.value)


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


def output(pipes: Pipes, launched: Launched) -> bytes:
    """Return what the child wrote to stdout, once it has ended."""
    pipes.close_child_ends()
    assert os.waitpid(launched.pid, 0) == (launched.pid, 0)
    if launched.report is not None:
        assert os.read(launched.report, 100) == b""
        os.close(launched.report)
    os.set_blocking(pipes.stdout, True)
    with open(os.dup(pipes.stdout), "rb") as file:
        return file.read()


def test_the_child_is_as_planned(launch: Launch, pipes: Pipes, tmp_path: Path) -> None:
    seen = json.loads(output(pipes, launch(plan(pipes, directory=str(tmp_path), umask=0o027))))
    assert seen["argv"] == ["one", "two words"]
    assert seen["cwd"] == str(tmp_path.resolve())
    assert seen["umask"] == 0o027
    assert {0, 1, 2} <= set(seen["fds"])
    assert not {pipes.stdin, pipes.stdout, pipes.stderr} & set(seen["fds"])
    assert seen["group"] is True
    assert seen["environment"].items() >= {"A": "b"}.items()


def test_children_of_both_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals as well: what the daemon catches is not ignored, nothing is blocked."""
    seen = []
    for forks in (False, True):
        monkeypatch.setattr(launchers, "_has_to_fork", lambda *_, forks=forks: forks)
        pipes = Pipes.make(redirect_stderr=False)
        seen.append(json.loads(output(pipes, launchers.launch(plan(pipes)))))
        del seen[-1]["fds"]  # pytest has some that are inherited; a daemon has not
        pipes.close_parent_ends()
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("echo no interpreter line\n", "ENOEXEC"),
        ("#!/nowhere -e\n", "ENOENT (its interpreter /nowhere does not exist)"),
        (
            "#!/bin/sh\r\n",
            r"ENOENT (its interpreter /bin/sh\r does not exist; its first line ends with CR LF)",
        ),
        ("#!/a\x1b[1mb\n", r"ENOENT (its interpreter /a\x1b[1mb does not exist)"),
    ],
)
def test_exec_failures_are_explained(
    launch: Launch, pipes: Pipes, tmp_path: Path, text: str, reported: str
) -> None:
    script = tmp_path / "script"
    script.write_text(text, newline="")
    script.chmod(0o755)
    failing = plan(pipes, executable=str(script), argv=(str(script),))
    assert reason(launch, failing) == f"couldn't exec {script}: {reported}"


def test_a_directory_that_cannot_be_entered_is_explained(launch: Launch, pipes: Pipes) -> None:
    assert reason(launch, plan(pipes, directory="/nowhere/at/all")) == (
        "couldn't chdir to /nowhere/at/all: ENOENT"
    )


def test_a_nul_byte_is_explained(launch: Launch, pipes: Pipes) -> None:
    failing = plan(pipes, argv=(sys.executable, "a\0b"))
    assert reason(launch, failing) == f"couldn't exec {sys.executable}: embedded null byte"


def test_a_user_that_may_not_be_taken_is_explained(
    launch: Launch, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert reason(launch, plan(pipes, uid=1)) == (
        "couldn't setuid to 1: Can't drop privilege as nonroot user"
    )


@pytest.mark.parametrize("changes_user", [False, True])
def test_the_pipes_belong_to_a_user_that_changes(
    launch: Launch, pipes: Pipes, monkeypatch: pytest.MonkeyPatch, *, changes_user: bool
) -> None:
    """And a socket that others share keeps its owner."""
    given = []
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: given.append((fd, uid, gid)))
    uid = NOBODY if changes_user else os.getuid()
    shared, other = socket.socketpair()
    with shared, other:
        launched = launch(plan(pipes, uid=uid, stdin=shared.fileno(), executable="/bin/true"))
        os.waitpid(launched.pid, 0)
        if launched.report is not None:
            os.close(launched.report)
    assert sorted(given) == [
        (fd, NOBODY, -1) for fd in sorted([pipes.child_stdout, pipes.child_stderr]) if changes_user
    ]


@needs_root
@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("setgroups", "Could not set groups of effective user"),
        ("setgid", "Could not set group id of effective user"),
        ("setuid", "EPERM"),
    ],
)
def test_a_step_of_changing_the_user_that_fails_is_explained(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch, step: str, text: str
) -> None:
    """`subprocess` does not say which it was; the patched step fails in the forked child alone."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    def popen(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, refused if name == step else lambda *_: None)
    monkeypatch.setattr(subprocess, "Popen", popen)
    failing = plan(pipes, uid=65534, executable="/bin/cat")
    assert reason(launchers.launch, failing) == f"couldn't setuid to 65534: {text}"


def test_failing_launches_leak_no_fd(launch: Launch, pipes: Pipes) -> None:
    failing = plan(pipes, directory="/nowhere/at/all")
    reason(launch, failing)  # the mount table stays open
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        reason(launch, failing)
    assert os.listdir("/proc/self/fd") == before


def test_a_launch_without_fds_has_the_text_of_pipes_without_fds(
    launch: Launch, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
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


@needs_root
class TestWhichLauncher:
    """The one that forks is for what may wait, and for users whose directories are their own."""

    @pytest.fixture
    def place(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A directory with executables of all kinds; what is in `slow` must not be touched."""
        directory.chmod(0o755)
        for name in ("closed", "slow", "open"):
            (directory / name).mkdir()
        (directory / "closed").chmod(0o700)
        files = {
            "program": "",
            "script": f"#! {directory}/program -x\n",
            "of-a-script": f"#!{directory}/script\n",
            "for-ever": f"#!{directory}/for-ever\n",
            "empty-line": "#!\n",
            "other": "",
            "other-interpreter": f"#!{directory}/other\n",
            "slow-interpreter": f"#!{directory}/slow/sh\n",
            "writable": "",
        }
        for name, text in files.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)
        os.chown(directory / "other", 65534, 65534)
        (directory / "writable").chmod(0o775)

        class Table(paths.MountTable):
            def slow_points(self) -> frozenset[str]:
                return frozenset([str(directory / "slow")])

        monkeypatch.setattr(paths, "mounts", Table())
        return directory

    def forks(
        self, pipes: Pipes, place: Path, executable: str, where: str | None, uid: int | None
    ) -> bool:
        """Return the choice; all fds that are opened for it are closed again."""
        made = plan(
            pipes,
            executable=executable and f"{place}/{executable}",
            directory=where and f"{place}/{where}",
        )
        files: list[int] = []
        identity = None if uid is None else posix.identity_of(uid)
        try:
            return launchers._has_to_fork(made, identity, files)
        finally:
            for fd in files:
                os.close(fd)

    @pytest.mark.parametrize(
        ("executable", "where", "uid", "forks"),
        [
            ("program", None, None, False),
            ("program", "open", 65534, False),
            ("program", "closed", None, False),
            ("script", None, None, False),
            ("of-a-script", None, 65534, False),
            ("for-ever", None, None, False),
            ("empty-line", None, None, False),
            ("closed", None, None, False),
            ("none", None, None, False),
            # 1: what may not answer
            ("program", "slow", None, True),
            ("program", "slow/below", None, True),
            ("slow/program", None, None, True),
            ("slow-interpreter", None, None, True),
            ("", None, None, True),
            # 2: whose order of steps matters
            ("program", "closed", 65534, True),
            ("program", "none", 65534, True),
            # 3: what others may hold up
            ("other", None, None, True),
            ("other", None, 65534, True),
            ("writable", None, None, True),
            ("other-interpreter", None, None, True),
        ],
    )
    def test_the_choice(
        self,
        pipes: Pipes,
        place: Path,
        executable: str,
        where: str | None,
        uid: int | None,
        *,
        forks: bool,
    ) -> None:
        assert self.forks(pipes, place, executable, where, uid) is forks

    def test_only_the_kernel_resolves_a_relative_command(
        self, pipes: Pipes, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is executed in the program's directory, not where the daemon has found it."""
        monkeypatch.chdir("/")
        (place / "open" / "bin").symlink_to("../slow")
        assert launchers._has_to_fork(
            plan(pipes, executable="bin/cat", directory=f"{place}/open"), None, []
        )
        assert not launchers._has_to_fork(plan(pipes, executable="bin/cat"), None, [])

    def test_a_lease_of_roots_own(self, pipes: Pipes, place: Path) -> None:
        """File servers take them for their clients."""
        assert not self.forks(pipes, place, "program", None, None)
        with leased(place / "program"):
            assert self.forks(pipes, place, "program", None, None)
            failing = plan(pipes, executable=str(place / "program"))
            assert reason(launchers.launch, failing) == (
                f"couldn't exec {place}/program: EAGAIN (a lease is held on the file)"
            )

    def test_no_lease_is_given_until_exec(self, pipes: Pipes, place: Path) -> None:
        """While the daemon looks, the file is open."""
        files: list[int] = []
        made = plan(pipes, executable=str(place / "program"))
        assert not launchers._has_to_fork(made, None, files)
        fd = os.open(place / "program", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        for file in (fd, *files):
            os.close(file)


class TestPlan:
    """Decisions before the child exists."""

    def environment(self, world: World, pipes: Pipes, **options: Any) -> dict[str, str]:
        config = ProcessConfig("p", "/bin/cat", **options)
        made = plan_spawn(config, ("/bin/cat", ["/bin/cat"]), "g", world.runtime, pipes)
        return dict(made.environment)

    def test_children_know_who_they_are(self, world: World, pipes: Pipes) -> None:
        world.runtime.serverurl = "unix:///x"
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
