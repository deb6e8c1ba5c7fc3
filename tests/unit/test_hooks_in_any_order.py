"""Starts, stops, deaths, ends of hooks and time in any order: the rules of hooks always hold."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.common.faults import RPCError
from supervisor.config.hooks import HOOKS, POST_STOP, PRE_START
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.process.helper_child import HelperChild
from supervisor.rpc import control
from supervisor.states import STOPPED_STATES, ProcessStates
from tests.support.hooked import Hooked
from tests.support.programs import EXIT_0, EXIT_3
from tests.support.world import make_world

S = ProcessStates

CHILD = "child"
LETTERS = dict(zip("PLORSX", (PRE_START, CHILD, *HOOKS[1:]), strict=True))

names = st.sets(st.sampled_from(HOOKS), min_size=1)
policies = st.sampled_from([False, RestartUnconditionally, RestartWhenExitUnexpected])
steps = st.lists(
    st.one_of(
        st.sampled_from(["start", "stop", "kill", "succeed", "fail"]),
        st.tuples(st.just("hook"), st.sampled_from([EXIT_0, EXIT_3, signal.SIGKILL])),
        st.tuples(st.just("time"), st.sampled_from([0.0, 0.5, 1.0, 5.0, 70.0])),
    ),
    min_size=10,
    max_size=50,
)


class Rules:
    """A program with hooks, and a check of each child that is started."""

    def __init__(self, web: Hooked, names: set[str]) -> None:
        self.web = web
        self.names = names
        self.started: list[str] = []
        self.seen_plans = 0

    def take(self, step: Any) -> None:
        """Take one step."""
        web = self.web
        step, argument = step if isinstance(step, tuple) else (step, None)
        try:
            if step == "start":
                control.start(web.process, "web", wait=False)
                web.world.pass_time(0)
            elif step == "stop":
                control.stop(web.process, "web", wait=False)
        except RPCError:
            return
        if step == "time":
            web.world.pass_time(argument)
        elif step == "hook" and web.hook:
            web.end_hook(argument)
        elif step == "kill" and web.process.pid:
            web.process.kill(signal.SIGKILL)
        elif step in {"succeed", "fail"} and web.process.pid:
            web.die(EXIT_0 if step == "succeed" else EXIT_3)

    def check(self) -> None:
        """Check what must hold between two steps."""
        web, process = self.web, self.web.process
        for plan in web.world.plans[self.seen_plans :]:
            self.started.append(plan.environment.get("SUPERVISOR_HOOK", CHILD))
        self.seen_plans = len(web.world.plans)
        children = web.world.runtime.children.values()
        running = [
            each for each in children if isinstance(each, HelperChild) and each.is_in_progress
        ]
        assert len(running) == bool(web.hook)
        has_child = process.state not in {*STOPPED_STATES, S.BACKOFF}
        is_early = process.state == S.STARTING and process.is_launching
        assert bool(process.pid) == (has_child and not is_early)
        if web.hook == PRE_START:
            assert is_early
        if web.hook == POST_STOP:
            assert not process.pid
        if is_early:
            assert web.hook

    def check_order(self) -> None:
        """Check the order in which hooks and children have been started, at the end.

        A start may be stopped before the child, and the child may die or be killed at any time.
        """
        life = "P(LO?R?S?)?X" if PRE_START in self.names else "LO?R?S?X"
        for letter, name in LETTERS.items():
            if name not in {*self.names, CHILD}:
                life = life.replace(f"{letter}?", "").replace(letter, "")
        letters = {name: letter for letter, name in LETTERS.items()}
        text = "".join([letters[each] for each in self.started])
        assert re.fullmatch(f"({life})*", text), (text, life)

    def check_rest(self) -> None:
        """Check that nothing is forgotten, and nothing keeps the loop busy."""
        web = self.web
        if control.is_to_be_stopped(web.process):
            control.stop(web.process, "web", wait=False)
        for _ in range(10):
            if web.hook:
                web.end_hook()
            elif web.process.pid:
                web.die(signal.SIGTERM)
            self.check()
        assert (web.hook, web.process.pid) == ("", 0)
        assert web.process.state in STOPPED_STATES
        for _ in range(5):
            web.world.runtime.loop.run_once(0)
        assert web.world.runtime.loop._poll_timeout(None) != 0


@pytest.mark.slow
@settings(max_examples=300)
@given(names, policies, steps)
def test_any_sequence(names: set[str], policy: Any, steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = make_world(monkeypatch)
        try:
            rules = Rules(Hooked(world, *sorted(names), autorestart=policy), names)
            for step in steps:
                rules.take(step)
                rules.check()
            rules.check_rest()
            rules.check_order()
            assert not [line for line in world.lines("critical") if "Traceback" in line]
        finally:
            world.close()
