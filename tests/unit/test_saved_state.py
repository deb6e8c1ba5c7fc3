"""Saved state: what is known of a process survives in the snapshots of its parts.

Every attribute of the live objects is named in the snapshot of its object, or is declared here,
with the reason why it need not be.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.probes import parse_probe
from supervisor.config.hooks import POST_STOP, PRE_START, PRE_STOP
from supervisor.config.model import Settings
from supervisor.datatypes import RestartUnconditionally
from supervisor.engine.loop import Loop
from supervisor.process.child import Subprocess
from supervisor.process.details import failing_check
from supervisor.process.dispatchers import POutputDispatcher
from supervisor.process.handover import PARTS, restore_process, save_process
from supervisor.process.handover import resume as resume_process
from supervisor.process.probes import ProbeRunner
from supervisor.process.runtime import Runtime
from supervisor.states import ProcessStates
from tests.support.hooked import hook_options
from tests.support.programs import EXIT_0, EXIT_3, Programs
from tests.support.tables import assert_none
from tests.support.world import StillPoller, World

S = ProcessStates

CONFIGURED = "from the configuration"
CONTEXT = "the object's surroundings"
ARMED = "set again by `arm`"
BY_HANDOVER = "`handover.save_process` saves it"

DERIVED: dict[str, dict[str, str]] = {
    "Subprocess": {
        "config": CONTEXT,
        "runtime": CONTEXT,
        "is_plain": CONFIGURED,
        "group": CONTEXT,
        "changed": "its subscribers subscribe again",
        "_timer": ARMED,
        "event": "its pool saves it",
        "orphans": "found again by `finish`, with the status of the leader",
    },
    "POutputDispatcher": dict.fromkeys(("process", "_observe"), CONTEXT)
    | dict.fromkeys(("_config", "_log_options", "events_enabled"), CONFIGURED)
    | dict.fromkeys(("_limits", "_is_formatted", "_buffers"), CONFIGURED)
    | dict.fromkeys(("_log_event", "_communication_event"), "from the channel")
    | {
        "childlog": "opened again; its handlers are saved as `held`, its files by `sinks`",
        "closed": "saved while it is open only",
        "_batcher": "begins again with the first read",
        "_is_delayed": "the next read is not delayed",
    },
    "PInputDispatcher": {
        "process": CONTEXT,
        "closed": "saved while it is open only",
        "_is_blocked": "from the bytes that are waiting",
    },
    "Starts": {
        "_process": CONTEXT,
        "_request_reason": "a text for the history",
        "held_by": "from the leftovers in the state file",
        "is_replaced": "an update ends with its daemon",
        "is_queued": "a start that is due is queued by `arm`",
    },
    "History": dict.fromkeys(("_next_reason", "_is_restart"), "set just before a transition"),
    "RestartPolicy": {},
    "RestartLimits": {"options": CONFIGURED, "_random_share": CONTEXT},
    "StartGate": {
        "conditions": CONFIGURED,
        "timeout": CONFIGURED,
        "is_hopeless": "from the processes that it waits for",
        "_index": CONTEXT,
        "_loop": CONTEXT,
        "_on_change": CONTEXT,
        "watches": CONTEXT,
        "_outlook": "`restore` decides anyway",
        "_is_due": "`restore` decides anyway",
    },
    "DependencyWatch": {
        "_watches": CONTEXT,
        "_requeue": CONTEXT,
        "_follows_restarts": CONFIGURED,
        "_stops_before": "of this daemon, see `was_stopped`",
    },
    "Startup": {
        "_process": CONTEXT,
        "_is_held": "no start is queued in a new daemon",
        "follows_queue": "no start is queued in a new daemon",
    },
    "StopDeadline": {},
    "PlannedStop": {"_process": CONTEXT},
    "HealthMonitor": {
        "_process": CONTEXT,
        "_random_share": CONTEXT,
    },
    "LivenessMonitor": {
        "_process": CONTEXT,
        "_script": CONFIGURED,
        "_runner": "a probe in progress is started again",
        "_command_runner": "its helper ends at its deadline",
    },
    "WatchdogMonitor": {"_process": CONTEXT},
    "LivenessCheck": {"options": CONFIGURED},
    "PeriodicTask": {"period": CONFIGURED, "begun_at": "in `due`: the task is begun again"},
    "Watchdog": {"_configured": CONFIGURED},
    "MemoryLimit": {"_limit": CONFIGURED, "_memory": "a text for the log"},
    "ReadinessMonitor": {
        "_owner": CONTEXT,
        "channels": "open during a spawn only",
        "_pipe_fd": "open during a spawn only",
        "_timer": ARMED,
        "_runner": "a probe in progress is started again",
    },
    "Readiness": {"kind": CONFIGURED},
    "ReadinessCheck": {"schedule": CONFIGURED, "_started": "in `due`: the probe is started again"},
    "ReadyLineMatcher": {"_search": CONFIGURED},
    "Hooks": dict.fromkeys(
        ("_process", "_start_child", "_send_stop_signal", "_fail_start"), CONTEXT
    ),
    "HookSequence": {"_names": CONFIGURED},
    "RunningHook": {"log": "opened again", "report": "an exec that fails later has a status too"},
    "HelperChild": {
        "name": CONFIGURED,
        "is_reaped": "saved while it is running only",
        "_on_end": CONTEXT,
        "_output": "from its fd",
        "_timer": "from its deadline",
    },
    "NotifySocket": {
        "_socket": "from its fd",
        "loop": CONTEXT,
        "closed": "saved while it is open only",
        "_accept_all": CONFIGURED,
        "_on_notification": CONTEXT,
        "_on_problem": CONTEXT,
        "_is_paused": "a flood begins with a pause again",
    },
    "NotificationFd": {
        "loop": CONTEXT,
        "closed": "saved while it is open only",
        "_on_ready": CONTEXT,
        "_on_failed": CONTEXT,
        "_is_paused": "never paused",
    },
}

NOT_WALKED = {
    "Probe": CONFIGURED,
    "ReadLimits": CONFIGURED,
    "ReadBatcher": "begins again with the first read",
    "TcpAddress": CONFIGURED,
    "HookLog": "opened again",
    "HookOutput": "made for the same fd; a line that is not complete is written before",
    "HooksConfig": CONFIGURED,
    "Runtime": CONTEXT,
    "ProcessIndex": CONTEXT,
    "ProcessGroup": CONTEXT,
    "ProbeRunner": "a probe in progress is started again",
    "Condition": CONFIGURED,
    "ConditionWatch": "`restore` looks at all processes",
    "CheckSchedule": CONFIGURED,
    "ChildChannels": "open during a spawn only",
}

MODULES = ("supervisor.process.", "supervisor.common.")


def parts(thing: object, seen: set[int]) -> Iterator[object]:
    """Yield an object and those that it holds, as far as they belong to the processes."""
    if isinstance(thing, (list, tuple, set, deque)):
        for each in thing:
            yield from parts(each, seen)
    elif isinstance(thing, dict):
        yield from parts(list(thing.values()), seen)
    elif type(thing).__module__.startswith(MODULES) and id(thing) not in seen:
        seen.add(id(thing))
        if type(thing).__name__ not in NOT_WALKED:
            yield thing
            yield from parts(attributes(thing), seen)


def attributes(thing: object) -> dict[str, Any]:
    """Return the attributes of an object, which may have slots."""
    names = getattr(type(thing), "__slots__", None) or vars(thing)
    return {name: getattr(thing, name) for name in names}


class Walk:
    """The attributes that have been seen, and those that would be lost."""

    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = {}
        self.lost: set[str] = set()

    def look_at(self, process: Subprocess) -> None:
        """Walk over the objects of one process."""
        for each in parts(process, set()):
            name = type(each).__name__
            saved: set[str] = set()
            if isinstance(each, Subprocess):
                state = save_process(each)
                saved = {*state, *state["attributes"], *PARTS}
            elif hasattr(each, "snapshot"):
                saved = set(json.loads(json.dumps(each.snapshot())))
            else:  # the parts that have one are saved beside it
                saved = {
                    key for key, value in attributes(each).items() if hasattr(value, "snapshot")
                }
            for attribute in attributes(each):
                self.seen.setdefault(name, set()).add(attribute)
                key = re.sub(r"^_?(is_|has_)?", "", attribute)
                is_saved = bool({attribute, attribute.lstrip("_"), key} & saved)
                if is_saved == (attribute in DERIVED.get(name, {})):
                    self.lost.add(f"{name}.{attribute}")


ALL_OPTIONS = {
    "depends_on": "db",
    "on_dependency_failure": "restart",
    "dependency_timeout": 30.0,
    "restartpause": 4.0,
    "startlimit_burst": 5,
    "autorestart": RestartUnconditionally,
    "readiness_check_script": parse_probe("tcp://127.0.0.1:1"),
    "readiness_check_initial_delay": 20.0,
    "ready_timeout": 50.0,
    "startsecs": 1,
    "liveness_check_script": parse_probe("tcp://127.0.0.1:1"),
    "watchdog": 30.0,
    "max_memory_restart": 2**40,
    "max_runtime": 1000.0,
}

MESSAGES: dict[str, dict[str, Any]] = {
    "notify": {"notify": "all"},
    "fd": {"notification_fd": 5},
    "line": {"ready_log_line": re.compile("ready")},
}


@pytest.fixture
def programs(world: World, directory: Path) -> Iterator[Programs]:
    directory.chmod(0o700)
    world.runtime.settings = Settings(configfile=None, here=None, runtimedir=str(directory))
    made = Programs(world)
    yield made
    close(made)


def close(programs: Programs) -> None:
    """Leave nothing of the readiness of all processes."""
    for group in programs.groups.values():
        for process in group.processes.values():
            if process.startup.readiness is not None:
                process.startup.readiness.close()


def test_every_attribute_is_saved_or_derived(programs: Programs) -> None:
    db = programs.add("db", autostart=False, max_runtime=1e6)
    processes = [programs.add(name, **ALL_OPTIONS | options) for name, options in MESSAGES.items()]
    hooked = programs.add("hooked", **hook_options(PRE_START, autostart=False, max_runtime=1e6))
    walk = Walk()

    def look() -> None:
        for each in [db, hooked, *processes]:
            walk.look_at(each)

    look()
    programs.boot()
    look()  # waiting
    programs.start("db")
    programs.world.pass_time(1)
    assert {each.state for each in processes} == {S.STARTING}
    look()
    for each in processes:
        programs.die(each, EXIT_3)
    look()  # BACKOFF
    hooked.spawn()
    look()  # a hook is running
    hooked.stop()
    programs.world.pass_time(10)
    for each in processes:
        each.stop()
    look()  # STOPPING
    assert_none(walk.lost)
    assert {name: set(table) - walk.seen[name] for name, table in DERIVED.items()} == {
        name: set() for name in DERIVED
    }


# -- the next daemon ---------------------------------------------------------------------------


def with_own_fds(value: Any) -> Any:
    """Return a snapshot whose fds are copies: here both daemons are one process."""
    if isinstance(value, list):
        return list(map(with_own_fds, value))
    if not isinstance(value, dict):
        return value
    return {
        key: os.dup(each) if key == "fd" else with_own_fds(each) for key, each in value.items()
    } | {"unknown": 1}


def without_fds(value: Any) -> Any:
    """Return a snapshot without fds, for a comparison."""
    if isinstance(value, list):
        return list(map(without_fds, value))
    if not isinstance(value, dict):
        return value
    return {key: without_fds(each) for key, each in value.items() if key not in {"fd", "unknown"}}


Resume = Callable[[], Programs]


def hand_over(before: Subprocess, after: Subprocess) -> dict[str, Any]:
    """Restore the state of one process in another daemon; return what has been saved."""
    saved = save_process(before)
    restore_process(after, with_own_fds(json.loads(json.dumps(saved))))
    assert without_fds(save_process(after)) == without_fds(saved)
    return saved


@pytest.fixture
def resume(programs: Programs) -> Iterator[Resume]:
    """A function that returns a second daemon, which has taken over the state of the first.

    All processes are there before the first is restored, and timers are set at the end, as when a
    daemon executes itself.  The loop of the first is not run any more.
    """
    made: list[Programs] = []

    def make() -> Programs:
        old, runtime = programs.world, programs.world.runtime
        loop = Loop(old.clock, StillPoller())
        new = replace(old, runtime=Runtime(loop, runtime.logger, runtime.settings))
        made.append(Programs(new))
        for name, group in programs.groups.items():
            made[0].add_group(name, [each.config for each in group.processes.values()])
        pairs = [(programs.process(name), made[0].process(name)) for name in programs.groups]
        saved = [(after, hand_over(before, after)) for before, after in pairs]
        for after, state in saved:
            resume_process(after, state)
        return made[0]

    yield make
    for each in made:
        close(each)
        for name in each.groups:
            each.process(name)._close_dispatchers()
        each.world.close()


def test_a_pause_goes_on(programs: Programs, resume: Resume) -> None:
    options = {"autorestart": RestartUnconditionally, "startsecs": 0, "restartpause": 4.0}
    web = programs.add("web", **options)
    programs.boot()
    programs.die(web)
    programs.world.pass_time(1.5)
    later = resume()
    later.world.pass_time(2.4)
    assert later.process("web").state == S.EXITED
    later.world.pass_time(0.1)
    assert later.process("web").state == S.RUNNING


def test_a_hook_goes_on_and_ends_in_time(programs: Programs, resume: Resume) -> None:
    """Its child is a child of the next daemon, which kills it at the same time."""
    web = programs.add("web", **hook_options(PRE_START, autostart=False, hook_timeout=30.0))
    web.spawn()
    (pid,) = programs.world.runtime.children
    programs.world.pass_time(10)
    later = resume()
    restored = later.process("web")
    assert restored.hooks is not None
    assert (restored.state, restored.hooks.running) == (S.STARTING, PRE_START)
    later.world.pass_time(19.9)
    assert restored.state == S.STARTING
    later.world.pass_time(0.1)
    assert programs.world.signals == [(-pid, signal.SIGKILL)]
    reason = "pre_start_hook failed: timed out after 30 seconds"
    assert (restored.state, restored.spawnerr) == (S.BACKOFF, reason)


def test_the_steps_after_a_hook_follow(programs: Programs, resume: Resume) -> None:
    """The signal after the hook of a stop, and the hook after the exit with its variables."""
    web = programs.add("web", **hook_options(PRE_STOP, POST_STOP, autostart=False))
    web.spawn()
    child = web.pid
    web.stop()
    web.finish(child, EXIT_3)
    later = resume()
    (hook,) = later.world.runtime.children.values()
    hook.finish(later.world.runtime.children.popitem()[0], EXIT_0)
    restored = later.process("web")
    assert restored.hooks is not None
    assert (restored.state, restored.hooks.running) == (S.STOPPED, POST_STOP)
    assert programs.world.plans[-1].environment["EXIT_STATUS"] == "3"
    assert programs.world.signals == []


def test_restarts_are_still_counted(programs: Programs, resume: Resume) -> None:
    options = {"startlimit_burst": 2, "startlimit_interval": 100.0}
    web = programs.add("web", autorestart=RestartUnconditionally, startsecs=0, **options)
    programs.boot()
    for _ in range(2):
        programs.die(web)
        programs.world.pass_time(1)
    assert web.state == S.RUNNING
    later = resume()
    later.die(later.process("web"))
    later.world.pass_time(1)
    assert later.process("web").state == S.FATAL


def test_a_retry_keeps_its_delay(programs: Programs, resume: Resume) -> None:
    web = programs.add("web", startretries=5)
    programs.boot()
    programs.die(web, EXIT_3)
    programs.world.pass_time(1)
    programs.die(web, EXIT_3)
    later = resume()
    later.world.pass_time(1.9)
    assert later.process("web").state == S.BACKOFF
    later.world.pass_time(0.1)
    assert later.process("web").state == S.STARTING


def test_a_wait_goes_on_and_ends_in_time(programs: Programs, resume: Resume) -> None:
    programs.add("web", "db", dependency_timeout=30.0)
    programs.add("db", startsecs=100)
    programs.boot()
    programs.world.pass_time(10)
    later = resume()
    web = later.process("web")
    later.world.pass_time(19.9)
    assert (web.state, later.waits(web)) == (S.STOPPED, ["db (STARTING)"])
    later.world.pass_time(0.1)
    assert (web.state, web.spawnerr) == (S.FATAL, "waited 30 seconds for db (STARTING)")


def test_a_wait_ends_when_the_dependency_is_up(programs: Programs, resume: Resume) -> None:
    """The process that waits is restored before the one that it waits for."""
    programs.add("web", "db")
    programs.add("db", startsecs=5)
    programs.boot()
    later = resume()
    later.world.pass_time(4.9)
    assert later.process("web").state == S.STOPPED
    later.world.pass_time(0.1)
    assert later.process("web").state == S.STARTING


def test_a_stop_of_a_waiting_program_is_remembered(programs: Programs, resume: Resume) -> None:
    web = programs.add("web", "db")
    programs.add("db", startsecs=5)
    programs.boot()
    web.stop()
    later = resume()
    later.world.pass_time(5)
    assert later.process("db").state == S.RUNNING
    assert later.process("web").state == S.STOPPED


def test_a_removed_process_stays_down(programs: Programs, resume: Resume) -> None:
    web = programs.add("web", "db", autorestart=RestartUnconditionally, startsecs=0)
    programs.add("db", startsecs=5)
    programs.boot()
    web.retire()
    later = resume()
    later.world.pass_time(5)
    assert later.process("web").state == S.STOPPED


def test_dependencies_are_still_watched(programs: Programs, resume: Resume) -> None:
    programs.add("db", startsecs=0)
    programs.add("web", "db", startsecs=0, on_dependency_failure="stop")
    programs.boot()
    programs.world.pass_time(0)
    assert set(programs.states().values()) == {S.RUNNING}
    later = resume()
    later.process("db").stop()
    later.die(later.process("db"))
    assert later.process("web").state == S.STOPPING


def say(programs: Programs, kind: str, text: bytes) -> None:
    """Let the child of `web` send a message, and the daemon read it."""
    web = programs.process("web")
    monitor = web.startup.readiness
    assert monitor is not None
    if kind == "line":
        (stdout,) = (each for each in web.dispatchers.values() if each.channel == "stdout")
        assert isinstance(stdout, POutputDispatcher)
        stdout.output_arrived(text)
    elif kind == "fd":
        assert monitor._pipe is not None
        writer = os.open(f"/proc/self/fd/{monitor._pipe.fileno()}", os.O_WRONLY)
        os.write(writer, text)
        monitor._pipe.handle_read_event()
        os.close(writer)
    else:
        assert monitor._socket is not None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(monitor._socket.path)
            sender.send(text)
        monitor._socket.handle_read_event()
    programs.world.pass_time(0)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [("notify", b"STATUS=soon", b"READY=1"), ("fd", b"x", b"\n"), ("line", b"rea", b"dy\n")],
)
def test_a_message_makes_the_program_ready(
    *, programs: Programs, resume: Resume, kind: str, before: bytes, after: bytes
) -> None:
    """A part of it may have been read before."""
    web = programs.add("web", startsecs=1, **MESSAGES[kind])
    programs.boot()
    programs.world.pass_time(3)
    assert web.startup.readiness is not None
    say(programs, kind, before)
    later = resume()
    web = later.process("web")
    assert web.state == S.STARTING
    say(later, kind, after)
    assert web.state == S.RUNNING
    assert web.startup.readiness is not None
    assert web.startup.readiness.status_text == ("soon" if kind == "notify" else "")


def test_a_program_that_was_not_ready_in_time_is_still_killed(
    programs: Programs, resume: Resume
) -> None:
    programs.add("web", ready_timeout=5.0, stopwaitsecs=10, **MESSAGES["line"])
    programs.boot()
    programs.world.pass_time(5)
    programs.world.signals.clear()
    later = resume()
    web = later.process("web")
    later.world.pass_time(9.9)
    assert later.world.signals == []
    later.world.pass_time(0.1)
    assert later.world.signals == [(web.pid, signal.SIGKILL)]
    later.die(web, signal.SIGKILL)
    assert (web.state, web.spawnerr) == (S.BACKOFF, "not ready after 5 seconds")


def test_the_time_until_ready_goes_on(programs: Programs, resume: Resume) -> None:
    programs.add("web", ready_timeout=5.0, **MESSAGES["line"])
    programs.boot()
    programs.world.pass_time(3)
    later = resume()
    later.world.pass_time(1.9)
    assert later.world.signals == []
    later.world.pass_time(0.1)
    assert later.world.signals == [(later.process("web").pid, signal.SIGTERM)]


def test_a_check_goes_on(programs: Programs, resume: Resume) -> None:
    """The next probe is due when it would have been."""
    programs.add(
        "web",
        readiness_check_script=parse_probe("tcp://127.0.0.1:1"),
        readiness_check_initial_delay=20.0,
    )
    programs.boot()
    programs.world.pass_time(15)
    monitor = resume().process("web").startup.readiness
    assert monitor is not None
    assert monitor._timer is not None
    assert monitor._timer.when == programs.world.clock.monotonic() + 5


def test_the_reason_of_a_failing_check_is_kept(
    programs: Programs, resume: Resume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of readiness before the program is RUNNING, of liveness then, with the time."""
    answers: list[Any] = []
    monkeypatch.setattr(ProbeRunner, "start", lambda *call: answers.append(call[-1]))
    probe = parse_probe("tcp://127.0.0.1:1")
    health = {"liveness_check_initial_delay": 0.0, "liveness_check_period": 100.0}
    live = programs.add("live", startsecs=0, liveness_check_script=probe, **health)
    programs.boot()
    ready = programs.add("ready", startsecs=0, readiness_check_script=probe)
    programs.boot()
    reasons = ["connection refused", "HTTP 500"]
    for answer, reason in zip(answers, reasons, strict=True):
        answer(reason)
    before = [failing_check(each) for each in (live, ready)]
    now = programs.world.clock.time()
    assert before == [(reason, now) for reason in reasons]
    programs.world.pass_time(5)
    later = resume()
    assert [failing_check(later.process(name)) for name in ("live", "ready")] == before


# -- running programs --------------------------------------------------------------------------


def test_a_restart_that_the_daemon_has_decided_goes_on(programs: Programs, resume: Resume) -> None:
    web = programs.add("web", startsecs=0, max_runtime=50.0, restartpause=5.0)
    programs.boot()
    programs.world.pass_time(40)
    later = resume()
    web = later.process("web")
    later.world.pass_time(10)
    assert web.state == S.STOPPING
    later.die(web)
    later.world.pass_time(5)
    assert (web.state, web.history.restarts) == (S.RUNNING, 1)


def test_a_plan_for_a_process_that_is_stopping(programs: Programs, resume: Resume) -> None:
    programs.add("web", startsecs=0, max_runtime=50.0)
    programs.boot()
    programs.world.pass_time(50)
    later = resume()
    web = later.process("web")
    assert web.state == S.STOPPING
    later.die(web)
    later.world.pass_time(1)
    assert web.state == S.RUNNING


def test_a_watchdog_goes_on(programs: Programs, resume: Resume) -> None:
    programs.add("web", startsecs=0, watchdog=10.0, **MESSAGES["notify"])
    programs.boot()
    say(programs, "notify", b"READY=1")
    programs.world.pass_time(6)
    programs.world.signals.clear()
    later = resume()
    web = later.process("web")
    later.world.pass_time(3.9)
    assert later.world.signals == []
    later.world.pass_time(0.1)
    assert later.world.signals == [(web.pid, signal.SIGABRT)]


def test_a_program_that_was_aborted_is_still_killed(programs: Programs, resume: Resume) -> None:
    programs.add("web", startsecs=0, watchdog=10.0, autorestart=False, **MESSAGES["notify"])
    programs.boot()
    say(programs, "notify", b"READY=1")
    programs.world.pass_time(10)
    programs.world.signals.clear()
    later = resume()
    web = later.process("web")
    later.world.pass_time(10)
    assert later.world.signals == [(web.pid, signal.SIGKILL)]
    later.die(web, signal.SIGKILL)
    assert web.spawnerr == "watchdog: no WATCHDOG=1 for 10 seconds"
