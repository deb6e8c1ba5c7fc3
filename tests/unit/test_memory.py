"""The memory of the daemon: when it writes, and what the next daemon does with it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.saved_state import Identity
from supervisor.config.model import Settings
from supervisor.config.scales import Scales
from supervisor.daemon import memory, statefile
from supervisor.daemon.memory import MAX_LINES, RETRY_SECONDS, Memory
from supervisor.engine.loop import Loop
from supervisor.process.details import process_info
from supervisor.process.runtime import Runtime
from supervisor.rpc import control
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.programs import EXIT_3, Programs
from tests.support.world import StillPoller, World

S = ProcessStates


class Daemons:
    """Daemons with one state file, one after the other."""

    def __init__(self, world: World, path: Path) -> None:
        self.first = world
        self.path = path
        self.writes: list[bytes] = []
        self.memories: list[Memory] = []
        self.loops: list[Loop] = []

    def begin(self, *programs: str, **options: Any) -> Programs:
        """Return the programs of a daemon that has read the file and has started them."""
        loop = Loop(self.first.clock, StillPoller())
        self.loops.append(loop)
        runtime = Runtime(loop, self.first.runtime.logger, Settings(configfile=None, here=None))
        world = replace(self.first, runtime=runtime)
        made = Programs(world)
        for name in programs:
            made.add(name, **{"autostart": "remember"} | options)
        self.scales = Scales()
        found = Memory(world.runtime, made.groups, self.scales, str(self.path))
        self.memories.append(found)
        found.restore()
        made.boot()
        return made

    def end(self, programs: Programs) -> None:
        """Stop everything as a daemon does that exits."""
        programs.world.runtime.daemon_state = SupervisorStates.SHUTDOWN
        self.memories[-1].stopping()
        for group in programs.groups.values():
            group.stop_all()
            for process in group.processes.values():
                if process.pid:
                    programs.die(process)
        self.memories[-1].close()

    def saved(self) -> dict[str, dict[str, Any]]:
        """Return the values of each process in the file."""
        found = json.loads(self.path.read_bytes())
        return {each.pop("name"): each for each in found["processes"]}


@pytest.fixture
def daemons(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemons]:
    made = Daemons(world, tmp_path / "state")
    write = statefile.replace

    def record(path: str, contents: bytes, *, is_last: bool = False) -> None:
        made.writes.append(contents)
        write(path, contents, is_last=is_last)

    monkeypatch.setattr(statefile, "replace", record)
    monkeypatch.setattr(memory, "identity_of", lambda pid: Identity(pid, 7))
    monkeypatch.setattr(memory, "machine", lambda: "this machine")
    yield made
    for loop in made.loops:
        loop.close()


def states(programs: Programs) -> list[int]:
    """Return the states of all processes."""
    return list(programs.states().values())


def test_a_stop_on_request_is_remembered_until_a_start(daemons: Daemons) -> None:
    one = daemons.begin("web", "db")
    one.world.pass_time(2)
    control.stop(one.process("web"), "web", wait=False)
    one.die(one.process("web"))
    daemons.end(one)
    two = daemons.begin("web", "db")
    assert states(two) == [S.STOPPED, S.STARTING]
    text = "web stays stopped, as requested before supervisord was started"
    assert two.world.lines("info").count(text) == 1
    reasons = [reason for _, _, reason in two.process("web").history.transitions]
    assert reasons == ["stop requested before supervisord was started"]
    daemons.end(two)
    three = daemons.begin("web", "db")
    assert states(three) == [S.STOPPED, S.STARTING]
    three.start("web")
    daemons.end(three)
    assert states(daemons.begin("web", "db")) == [S.STARTING, S.STARTING]


def stop(process: Any) -> None:
    control.stop(process, "p", wait=False)


def restart(process: Any) -> None:
    stop(process)
    control.start(process, "p", wait=False)


def crash_out(process: Any) -> None:
    process.give_up()


CASES: dict[str, tuple[Callable[[Any], object], dict[str, Any], bool]] = {
    "never stopped": (lambda _: None, {}, True),
    "stopped": (stop, {}, False),
    "a start is requested before the end of the stop": (restart, {}, True),
    "failed": (crash_out, {}, True),
    "autostart=true": (stop, {"autostart": True}, True),
    "autostart=false": (lambda _: None, {"autostart": False}, False),
}


def test_which_programs_the_next_daemon_starts(daemons: Daemons) -> None:
    found = {}
    for case, (act, options, _) in CASES.items():
        daemons.path.unlink(missing_ok=True)
        one = daemons.begin("p", **options)
        act(one.process("p"))
        daemons.end(one)
        two = daemons.begin("p", **options)
        found[case] = states(two) == [S.STARTING]
        daemons.end(two)
    assert found == {case: is_started for case, (_, _, is_started) in CASES.items()}


def test_counters_go_on(daemons: Daemons) -> None:
    one = daemons.begin("web")
    one.world.pass_time(2)
    one.die(one.process("web"), EXIT_3)
    one.world.pass_time(2)
    history = one.process("web").history
    assert (history.starts, history.restarts) == (2, 1)
    daemons.end(one)
    history = daemons.begin("web").process("web").history
    assert (history.starts, history.restarts) == (3, 1)


def test_numbers_of_processes_are_kept(daemons: Daemons) -> None:
    one = daemons.begin("web")
    one.world.pass_time(2)
    daemons.scales.set("program:web", 3)
    for numprocs in (1, 1):
        daemons.scales.begin_reading()
        daemons.scales.count("program:web", numprocs, is_numbered=True)
        daemons.scales.end_reading()
    one.world.runtime.services.processes.groups_changed()
    one.world.pass_time(2)
    daemons.begin("web")
    assert daemons.scales.snapshot() == {"program:web": {"count": 3, "configured": 1}}
    contents = daemons.path.read_bytes()
    daemons.path.write_bytes(contents.replace(b'"count": 3', b'"count": 3000000'))
    daemons.begin("web")
    assert daemons.scales.snapshot() == {}


def test_children_are_in_the_file(daemons: Daemons) -> None:
    programs = daemons.begin("web", stopwaitsecs=3, stopasgroup=True, killasgroup=True)
    programs.world.pass_time(0.1)
    child = {
        "pid": programs.process("web").pid,
        "started": 7,
        "stopsignal": 15,
        "stopwaitsecs": 3,
        "stopasgroup": True,
        "killasgroup": True,
    }
    values = {"stopped": False, "starts": 1, "restarts": 0}
    assert daemons.saved() == {"web": values | child}
    programs.world.pass_time(2)
    programs.process("web").stop()
    programs.die(programs.process("web"))
    programs.world.pass_time(2)
    assert daemons.saved() == {"web": values | {"stopped": True}}


def test_writes_are_rare(daemons: Daemons) -> None:
    programs = daemons.begin("web", "db")
    loop = programs.world.runtime.loop
    programs.world.pass_time(0.1)
    assert len(daemons.writes) == 1
    programs.world.pass_time(2)  # RUNNING
    programs.world.pass_time(2)
    assert len(daemons.writes) == 2
    for _ in range(20):
        programs.process("web").changed.notify()
        programs.world.pass_time(0.1)
    assert len(daemons.writes) in {4, 5}
    programs.world.pass_time(2)
    written = len(daemons.writes)
    assert [timer for timer in loop._timers if not timer.cancelled] == []
    programs.world.pass_time(1000)
    assert len(daemons.writes) == written


def test_many_lines_are_made_in_many_iterations(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2 * MAX_LINES + 1
    made = []
    update = memory.Entry.update
    monkeypatch.setattr(
        memory.Entry, "update", lambda *args, **values: made.append(update(*args, **values))
    )
    programs = daemons.begin(*(f"p{number}" for number in range(count)), autostart=False)
    programs.world.clock.advance(0.1)
    steps = []
    while not daemons.writes:
        before = len(made)
        programs.world.runtime.loop.run_once(0)
        steps.append(len(made) - before)
    assert max(steps) == MAX_LINES
    assert sum(steps) == count


def test_groups_that_are_added_and_removed(daemons: Daemons) -> None:
    programs = daemons.begin("web")
    programs.world.pass_time(2)
    programs.add("db")
    programs.world.pass_time(2)
    assert list(daemons.saved()) == ["web", "db"]
    removed = programs.groups.pop("web")
    programs.world.runtime.services.processes.groups_changed()
    programs.world.pass_time(2)
    assert list(daemons.saved()) == ["db"]
    (process,) = removed.processes.values()
    assert not process.changed


def test_a_file_that_cannot_be_written(daemons: Daemons, monkeypatch: pytest.MonkeyPatch) -> None:
    write, attempts = statefile.replace, []

    def fail(*_: object, **__: object) -> None:
        attempts.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(statefile, "replace", fail)
    programs = daemons.begin("web", autostart=False)
    path = daemons.path
    problem = f"cannot write the state file {path}: No space left on device"
    programs.world.pass_time(0.1)
    assert programs.world.lines("warn") == [problem]
    programs.world.pass_time(RETRY_SECONDS + 2)
    assert programs.world.lines("warn") == [problem]
    assert len(attempts) == 2
    monkeypatch.setattr(statefile, "replace", write)
    programs.world.pass_time(RETRY_SECONDS + 2)
    assert programs.world.lines("info")[-1:] == [f"the state file {path} is written again"]
    assert list(daemons.saved()) == ["web"]


def test_a_file_that_cannot_be_read_is_replaced(daemons: Daemons) -> None:
    daemons.path.write_bytes(b"{")
    programs = daemons.begin("web")
    text = f"the state file {daemons.path} is ignored: it is not complete JSON"
    assert programs.world.lines("warn") == [text]
    assert states(programs) == [S.STARTING]
    programs.world.pass_time(0.1)
    assert list(daemons.saved()) == ["web"]


def test_the_file_of_a_daemon_that_runs_is_not_touched(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemons.end(daemons.begin("web"))
    contents = daemons.path.read_bytes()
    mine = f'"pid": {os.getpid()}'.encode()
    assert mine in contents
    contents = contents.replace(mine, b'"pid": 77')
    daemons.path.write_bytes(contents)
    monkeypatch.setattr(memory, "is_alive", lambda identity: identity == Identity(77, 7))
    programs = daemons.begin("web")
    programs.world.pass_time(2)
    daemons.end(programs)
    assert daemons.path.read_bytes() == contents
    text = f"the state file {daemons.path} is ignored: supervisord with pid 77 uses it"
    assert programs.world.lines("warn")[-1:] == [text]


# -- a hold ------------------------------------------------------------------------------------


def description(programs: Programs, name: str) -> str:
    process = programs.process(name)
    found: str = process_info(programs.groups[name], process)["description"]
    return found


@pytest.fixture
def held(world: World) -> Programs:
    programs = Programs(world)
    for name, autostart in (("web", True), ("idle", False)):
        programs.add(name, autostart=autostart).starts.hold("pid 7 (stopping)")
    programs.boot()
    return programs


def test_a_hold_delays_a_start(held: Programs) -> None:
    assert states(held) == [S.STOPPED, S.STOPPED]
    assert description(held, "web") == "waiting for pid 7 (stopping)"
    assert description(held, "idle") == "Not started"
    held.world.pass_time(1000)
    assert states(held) == [S.STOPPED, S.STOPPED]
    for name in held.groups:
        held.process(name).starts.hold("")
    held.world.pass_time(0)
    assert states(held) == [S.STARTING, S.STOPPED]
    assert held.process("web").is_plain  # from now on, its row is as cheap as any other


@pytest.mark.parametrize("alone", [False, True])
def test_a_request_waits_for_the_end_of_a_hold(held: Programs, *, alone: bool) -> None:
    poll = held.start("idle", alone=alone)
    assert description(held, "idle") == "waiting for pid 7 (stopping)"
    held.process("idle").starts.hold("")
    held.world.pass_time(2)
    assert poll() is True


def test_a_stop_withdraws_a_start_that_is_held(held: Programs) -> None:
    control.stop(held.process("web"), "web", wait=False)
    held.process("web").starts.hold("")
    held.world.pass_time(2)
    assert states(held) == [S.STOPPED, S.STOPPED]
    assert description(held, "web") == "Not started"


def test_dependents_wait_for_a_program_that_is_held(world: World) -> None:
    programs = Programs(world)
    programs.add("db").starts.hold("pid 7 (stopping)")
    programs.add("web", "db")
    programs.boot()
    assert description(programs, "web") == "waiting for db (STOPPED)"
    programs.process("db").starts.hold("")
    programs.world.pass_time(2)
    programs.world.pass_time(2)
    assert states(programs) == [S.RUNNING, S.RUNNING]
