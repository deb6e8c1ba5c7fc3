"""Starts, stops, deaths and time in any order: the rules of dependencies hold at each moment."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.common.faults import RPCError
from supervisor.datatypes import RestartUnconditionally
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.process.child import Subprocess
from supervisor.rpc import control
from supervisor.states import STOPPED_STATES, ProcessStates
from tests.support.programs import EXIT_0, EXIT_3, Programs
from tests.support.world import make_world

S = ProcessStates

NAMES = ["disk", "db", "setup", "web", "edge"]
DEPENDENCIES: dict[str, dict[str, Any]] = {
    "disk": {"autorestart": RestartUnconditionally, "restartpause": 3.0, "startsecs": 0},
    "db": {"depends_on": "disk", "ready_log_line": re.compile("x"), "ready_timeout": 20.0},
    "setup": {"depends_on": "db", "autorestart": False},
    "web": {
        "depends_on": "db, -disk",
        "depends_on_completed": "setup",
    },
    "edge": {"depends_on": "web", "dependency_timeout": 30.0, "startlimit_burst": 3},
}

policies = st.fixed_dictionaries(
    {name: st.sampled_from(["ignore", "stop", "restart"]) for name in NAMES}
)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["start", "alone", "stop", "ready"]), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["succeed", "fail"]), st.sampled_from(NAMES)),
        st.tuples(st.just("time"), st.sampled_from([0.0, 0.5, 1.0, 5.0, 40.0])),
    ),
    min_size=20,
    max_size=60,
)


class Rules:
    """The programs, and what must hold at each moment."""

    def __init__(self, programs: Programs, policies: dict[str, str]) -> None:
        self.programs = programs
        self.alone: set[str] = set()  # to be started without their dependencies
        self.unwanted: set[str] = set()
        self.waiting: list[Any] = []
        self.violations: list[str] = []
        for name, options in DEPENDENCIES.items():
            programs.add(name, **{"on_dependency_failure": policies[name], **options})
        programs.boot()

    def spawning(self, process: Subprocess) -> None:
        """Note a start against the rules: of a stopped program, or with a closed gate."""
        gate = process.starts.gate
        is_free = process.name in self.alone or gate is None or gate.is_open
        if process.name in self.unwanted or not is_free:
            self.violations.append(process.name)  # the loop would only log an exception
        self.alone.discard(process.name)

    def take(self, step: str, name: Any) -> None:
        """Take one step."""
        if step == "time":
            self.programs.world.pass_time(name)
            return
        process = self.programs.process(name)
        if step in {"start", "alone"}:
            self.start(process, alone=step == "alone")
        elif step == "stop":
            self.stop(process)
        elif not process.pid:
            return
        elif step == "ready":
            if process.startup.readiness is not None:
                process.startup.readiness._message_arrived()
        else:
            self.programs.die(process, EXIT_0 if step == "succeed" else EXIT_3)

    def start(self, process: Subprocess, *, alone: bool) -> None:
        self.unwanted -= set(NAMES)  # it pulls its dependencies in
        if alone:
            self.alone.add(process.name)  # possibly after a stop in progress
        try:
            result = control.start(process, process.name, wait=True, alone=alone)
        except RPCError:
            self.alone.discard(process.name)
            return
        if callable(result):
            self.waiting.append(result)
            self.check_second_start(process)

    @staticmethod
    def check_second_start(process: Subprocess) -> None:
        """Check that a start in progress has been requested: a second request is an error."""
        if process.state != S.STOPPING:
            with pytest.raises(RPCError, match="ALREADY_STARTED"):
                control.start(process, process.name, wait=True)

    def stop(self, process: Subprocess) -> None:
        try:
            control.stop(process, process.name, wait=False)
        except RPCError:
            return
        self.unwanted.add(process.name)
        self.alone.discard(process.name)

    def check(self) -> None:
        """Check what must hold between two steps."""
        assert self.violations == []
        programs = self.programs
        for name in NAMES:
            process = programs.process(name)
            assert bool(process.pid) == (process.state not in {*STOPPED_STATES, S.BACKOFF})
            self.check_conditions(process)
        pending = []
        for function in self.waiting:
            try:
                if function() is NOT_DONE_YET:
                    pending.append(function)
            except RPCError:
                continue
        self.waiting = pending

    @staticmethod
    def check_conditions(process: Subprocess) -> None:
        """Check what the gate knows of its conditions: it looks at changes only."""
        gate = process.starts.gate
        for watch in () if gate is None else gate.watches:
            targets = gate.targets(watch.condition)
            unmet = {each for each in targets if not watch.condition.is_met_by(each)}
            assert set(watch.unmet_targets()) == unmet

    def check_rest(self) -> None:
        """Check that nothing is forgotten, and nothing keeps the loop busy."""
        loop, index = (
            self.programs.world.runtime.loop,
            self.programs.world.runtime.services.processes,
        )
        for _ in range(20):
            loop.run_once(0)
        assert loop._poll_timeout(None) != 0
        for name in NAMES:
            starts = self.programs.process(name).starts
            if starts.is_wanted:
                assert self.programs.process(name)._timer or starts.gate in index.waiting
            else:
                assert starts.gate not in index.waiting


@pytest.mark.slow
@settings(max_examples=200)
@given(policies, steps)
def test_any_sequence(policies: dict[str, str], steps: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = make_world(monkeypatch)
        rules: Rules | None = None
        spawn = Subprocess.spawn

        def checked(process: Subprocess) -> int | None:
            if rules is not None:
                rules.spawning(process)
            return spawn(process)

        monkeypatch.setattr(Subprocess, "spawn", checked)
        try:
            rules = Rules(Programs(world), policies)
            for step, argument in steps:
                rules.take(step, argument)
                rules.check()
            rules.check_rest()
            rules.check()
            assert not [line for line in world.lines("critical") if "Traceback" in line]
        finally:
            for process in world.runtime.children.values():
                process._close_dispatchers()
            world.runtime.loop.close()
