"""Limits of real, short-lived children, which set them between fork and exec."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shlex
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisor.common.limit_values import UNLIMITED, Rlimit, parse_ioprio
from supervisor.config.limits import LimitsConfig
from supervisor.config.process_config import ProcessConfig
from supervisor.engine import limits, posix
from supervisor.engine.loop import Loop
from supervisor.process import launchers
from supervisor.process.child_limits import LimitSteps
from supervisor.process.forking import LaunchReport
from supervisor.process.plan import Pipes, SpawnError, SpawnPlan, plan_spawn
from tests.support.children import child
from tests.support.strangers import needs_root
from tests.support.tables import assert_none
from tests.support.world import World

NOBODY = 65534
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CPU = min(os.sched_getaffinity(0))

Start = Callable[..., dict[str, Any] | str]


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that starts a child; it returns its limits, or the reason of a failure."""
    loop = Loop()

    def run(uid: int | None = None, command: str = child("limits"), **options: Any) -> Any:
        pipes = Pipes.make(redirect_stderr=False)
        argv = tuple(shlex.split(command))
        limit = LimitsConfig(**options)
        plan = SpawnPlan(
            name="p",
            executable=argv[0],
            argv=argv,
            environment=dict(os.environ),
            directory=None,
            umask=None,
            uid=uid,
            stdin=pipes.child_stdin,
            stdout=pipes.child_stdout,
            stderr=pipes.child_stderr,
            limits=limit,
        )
        try:
            launched = launchers.launch(plan)
        except SpawnError as error:
            return str(error)
        finally:
            pipes.close_child_ends()
        assert launched.report is not None, "the launcher that cannot set limits"
        os.waitpid(launched.pid, 0)
        report = LaunchReport(launched.report, loop, lambda: None)
        failure = report.failure()
        os.set_blocking(pipes.stdout, True)
        with open(os.dup(pipes.stdout), "rb") as file:
            text = file.read()
        pipes.close_parent_ends()
        return failure or json.loads(text)

    yield run
    loop.close()


def test_each_limit_arrives(start: Start) -> None:
    """As far as no privileges are needed."""
    options: dict[str, Any] = {
        "rlimit_nofile": Rlimit(100, 200),
        "rlimit_core": Rlimit(0, 0),
        "rlimit_cpu": Rlimit(100, None),
        "rlimit_as": Rlimit(2**40, UNLIMITED),
        "rlimit_stack": Rlimit(2**22, None),
        "nice": 7,
        "ioprio": parse_ioprio("best-effort:6"),
        "oom_score_adj": 900,
        "cpu_affinity": (CPU,),
        "pdeathsig": signal.SIGUSR1,
    }
    hard_cpu = resource.getrlimit(resource.RLIMIT_CPU)[1]
    hard_stack = resource.getrlimit(resource.RLIMIT_STACK)[1]
    expected = options | {
        "rlimit_nofile": [100, 200],
        "rlimit_core": [0, 0],
        "rlimit_cpu": [100, hard_cpu],
        "rlimit_as": [2**40, -1],
        "rlimit_stack": [2**22, hard_stack],
        "cpu_affinity": [CPU],
    }
    found = start(**options)
    assert isinstance(found, dict)
    assert {name: found[name] for name in options} == expected


def test_limits_of_this_process_stay() -> None:
    """Of the daemon, that is: a step is taken by the child alone."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    LimitSteps(LimitsConfig(rlimit_nofile=Rlimit(5, 5), nice=19), keeps_user=True)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_a_failure_names_its_option(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The patched call fails in the child."""
    cases: list[tuple[dict[str, Any], object, str]] = [
        ({"rlimit_nofile": Rlimit(HARD, None)}, (resource, "setrlimit", ValueError()), "EPERM"),
        ({"nice": -5}, (os, "setpriority", PermissionError(13, "")), "EACCES"),
        ({"oom_score_adj": -5}, (os, "open", PermissionError(13, "")), "EACCES"),
        ({"cpu_affinity": (8191,)}, None, "EINVAL"),
        ({"ioprio": 5 << 13}, None, "EINVAL"),
        ({"pdeathsig": 200}, None, "EINVAL"),
        ({"gid": 7}, (os, "setgid", PermissionError(1, "")), "EPERM"),
        ({"supplementary_groups": (7,)}, (os, "setgroups", PermissionError(1, "")), "EPERM"),
    ]
    names = {"gid": "group"}
    failures = []
    for options, patch, symbol in cases:
        with monkeypatch.context() as context:
            if isinstance(patch, tuple):
                refuse(context, *patch)
            found = start(**options)
        (option,) = options
        if found != f"couldn't set {names.get(option, option)}: {symbol}":
            failures.append(f"{options}: {found}")
    assert_none(failures)


def refuse(context: pytest.MonkeyPatch, module: Any, name: str, error: Exception) -> None:
    """Make a call fail."""

    def refused(*_: object, **__: object) -> None:
        raise error

    context.setattr(module, name, refused)


def test_a_soft_limit_above_the_hard_one(start: Start) -> None:
    """The hard limit that the daemon has is known only at the start."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, HARD))
    assert start(rlimit_nofile=Rlimit(HARD + 1, None)) == "couldn't set rlimit_nofile: EINVAL"


def test_limits_too_low_for_exec_are_a_failure(start: Start) -> None:
    """A child that cannot even report it is killed by the kernel, in exec."""
    found = start(command="/bin/sh -c 'echo {}'", rlimit_nofile=Rlimit(0, 0), oom_score_adj=1000)
    assert found == "couldn't set oom_score_adj: EMFILE"


def test_a_child_without_memory_reports_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, limits, "set_rlimit", MemoryError())
    text = "couldn't exec: ENOMEM (a limit of its memory is too low)"
    assert start(rlimit_as=Rlimit(5, 5)) == text


@needs_root
def test_limits_of_a_program_of_another_user_are_set_by_root(start: Start) -> None:
    """That is, before the user changes; and the death signal after it, which would clear it."""
    options: dict[str, Any] = {
        "rlimit_nofile": Rlimit(50, 60),
        "nice": -5,
        "ioprio": parse_ioprio("realtime:7"),
        "pdeathsig": signal.SIGTERM,
    }
    found = start(uid=NOBODY, **options)
    assert isinstance(found, dict)
    expected = options | {"rlimit_nofile": [50, 60], "uid": NOBODY}
    assert {name: found[name] for name in expected} == expected


@needs_root
def test_groups(start: Start) -> None:
    inherited = sorted(os.getgroups())
    of_user = posix.identity_of(NOBODY).gid
    cases: list[tuple[int | None, dict[str, Any], tuple[int, list[int]]]] = [
        (None, {"gid": 7}, (7, inherited)),
        (None, {"supplementary_groups": (8, 9)}, (0, [8, 9])),
        (None, {"supplementary_groups": ()}, (0, [])),
        (None, {"gid": 7, "supplementary_groups": (8,)}, (7, [8])),
        (os.getuid(), {"gid": 7, "supplementary_groups": (8,)}, (7, [8])),
        (NOBODY, {"nice": 1}, (of_user, [of_user])),
        (NOBODY, {"gid": 7}, (7, [7])),
        (NOBODY, {"gid": 7, "supplementary_groups": (9, 8)}, (7, [7, 8, 9])),
        (NOBODY, {"supplementary_groups": ()}, (of_user, [of_user])),
        (54321, {"gid": 7}, (7, [7])),
    ]
    failures = []
    for uid, options, expected in cases:
        found = start(uid=uid, **options)
        seen = (found["gid"], found["groups"]) if isinstance(found, dict) else found
        if seen != expected or (isinstance(found, dict) and found["uid"] != (uid or 0)):
            failures.append(f"{uid} {options}: {found}")
    assert_none(failures)


def test_a_death_signal_reaches_a_child_whose_parent_has_died_before() -> None:
    """It would wait for the death of its new parent, which is init."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        with contextlib.suppress(BaseException):
            set_death_signal = limits.prepare_death_signal(signal.SIGKILL)
            middle = os.getpid()
            if os.fork() == 0:
                while os.getppid() == middle:
                    pass
                set_death_signal()
                os.write(writer, b"alive")
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as file:
        assert file.read() == b""


def test_the_plan_of_a_program_without_limits_has_none(world: World) -> None:
    """Such a program has the fast launcher."""
    pipes = Pipes.make(redirect_stderr=False)
    try:
        for options, expected in (({}, None), ({"nice": 3}, LimitsConfig(nice=3))):
            config = ProcessConfig("p", "/bin/cat", **options)
            made = plan_spawn(config, ("/bin/cat", ["cat"]), "p", world.runtime, pipes)
            assert made.limits == expected
            assert launchers._has_to_fork(made, None, []) is (expected is not None)
    finally:
        pipes.close_child_ends()
        pipes.close_parent_ends()
