"""The shutdown: stopping group by group, and serving the last clients.

The group with the highest priority number stops first; the next one only when all processes of
the previous one are down.  With `shutdown_timeout`, all that is alive after it is killed.
"""

from __future__ import annotations

import signal
from functools import partial

from supervisor.common.namespec import make_namespec
from supervisor.common.text import in_seconds
from supervisor.process.stop_order import StopOrder
from supervisor.states import STOPPED_STATES, ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from supervisor.engine.loop import Loop, Timer
    from supervisor.http.server import HTTPServer
    from supervisor.process.child import Subprocess
    from supervisor.process.groups import ProcessGroupBase
    from supervisor.process.runtime import Runtime

GRACE_SECONDS = 1.0
"""Grace period of a busy event listener before it is stopped, in seconds."""

REPORT_SECONDS = 3.0
"""Interval between log lines that name the processes still running, in seconds."""

HELPER_SECONDS = 1.0
"""Time for the death of helpers that have been killed, in seconds; one may be uninterruptible."""

DRAIN_SECONDS = 1.0
"""Timeout of requests and responses that are in progress when everything has stopped."""

FIRST_REQUEST_SECONDS = 0.1
"""Timeout of the first byte of a client that has connected by then."""


def drain_servers(servers: Iterable[HTTPServer], loop: Loop) -> None:
    """Serve the connected clients, and accept no new ones.

    Closing a socket with an unread request resets the connection.  A client that polls until the
    daemon is gone must get responses first, and then a refused connection.  Unix sockets are
    removed late: jobflow-remote regards a daemon with a pid file but without its socket as broken.
    """
    servers = list(servers)
    began = loop.clock.monotonic()
    for seconds in (FIRST_REQUEST_SECONDS, DRAIN_SECONDS):
        loop.call_later(seconds, lambda: None)  # ends a wait
    is_public = True
    while (elapsed := loop.clock.monotonic() - began) < DRAIN_SECONDS:
        new = elapsed < FIRST_REQUEST_SECONDS
        has_clients = any(server.has_clients(new=new) for server in servers)
        if is_public and not (has_clients and new):
            is_public = False
            for server in servers:
                server.withdraw()
        elif has_clients:
            loop.run_once()
        else:
            break


class Shutdown:
    """One shutdown; `advance` is called after each iteration of the loop."""

    def __init__(self, groups: Iterable[ProcessGroupBase], runtime: Runtime) -> None:
        self._runtime = runtime
        self._groups = sorted(groups)
        everyone = [p for group in self._groups for p in group.processes.values()]
        self._order = StopOrder(everyone, runtime.loop)
        self._programs = dict.fromkeys(everyone)
        self._is_hurried = False
        self._deadline: Timer | None = None
        self._helpers_end: float | None = None
        self._held: list[Subprocess] = []
        self._dying: list[Subprocess] = []
        self._timer: Timer | None = None
        self._grace_ends: float | None = None
        timeout = runtime.settings.shutdown_timeout
        if timeout:
            reason = f"still running {in_seconds(timeout)} after the start of the shutdown"
            self._deadline = runtime.loop.call_later(timeout, partial(self.kill, reason))
        self.advance()
        self._report()

    def advance(self) -> bool:
        """Stop the next group when the previous one is down; return True when all are."""
        while True:
            while self._dying and self._dying[-1].get_state() in STOPPED_STATES:
                self._dying.pop()
            if self._dying:
                return False
            if not self._groups:
                if not self._held:
                    break
                self._dying, self._held = self._held, []
                continue
            if not self._may_stop(self._groups[-1]):
                return False
            self._stop_next_group()
        if self._has_helpers():
            return False
        for timer in (self._timer, self._deadline):
            if timer is not None:
                timer.cancel()
        return True

    def kill(self, reason: str) -> None:
        """Kill all processes that are not down, with SIGKILL, and wait for no order any more.

        `reason` is for the log.  Helpers of programs are killed with these.
        """
        if self._is_hurried:
            return
        self._is_hurried = True
        alive = [each for each in self._programs if each.get_state() not in STOPPED_STATES]
        names = [make_namespec(each.group_name, each.name) for each in alive]
        if not alive:
            names = [hook.name for hook in self._hooks_in_progress()]
        if names:
            self._runtime.logger.warn(f"{reason}, killing with SIGKILL: {', '.join(names)}")
        for process in self._programs:
            if process.hooks is not None:
                self._runtime.run_guarded(process.hooks.abandon, f"the hooks of {process.name}")
        for process in alive:
            self._runtime.run_guarded(partial(_kill, process), f"killing {process.name}")

    def _hooks_in_progress(self) -> list[Any]:
        """Return the helpers that have not been killed: hooks, if all processes are down."""
        children: Iterable[object] = self._runtime.children.values()
        return [each for each in children if getattr(each, "is_in_progress", False)]

    def _has_helpers(self) -> bool:
        """Whether helpers are still to be reaped; the daemon after a reload would not know them.

        Hooks go on to their ends or deadlines.  All others, those of programs and of logs, have
        been killed.
        """
        self._runtime.services.close_log_maintenance()
        children: Iterable[object] = self._runtime.children.values()
        if all(child in self._programs for child in children):
            return False
        if self._hooks_in_progress():
            return True
        now = self._runtime.clock.monotonic()
        if self._helpers_end is None:
            self._helpers_end = now + HELPER_SECONDS
            self._runtime.loop.call_later(HELPER_SECONDS, lambda: None)  # checks again
        return now < self._helpers_end

    def _may_stop(self, group: ProcessGroupBase) -> bool:
        """Whether a group may be stopped: busy event listeners get a grace period first."""
        if self._is_hurried or not group.has_pending_events():
            return True
        now = self._runtime.clock.monotonic()
        if self._grace_ends is None:
            self._grace_ends = now + GRACE_SECONDS
            self._runtime.loop.call_later(GRACE_SECONDS, lambda: None)  # checks again
        return now >= self._grace_ends

    def _stop_next_group(self) -> None:
        self._grace_ends = None
        group = self._groups.pop()
        held = [process for process in group.processes.values() if self._order.holds(process)]
        if held:
            self._stop_in_order(group, held)
        else:
            self._runtime.run_guarded(group.stop_all, f"stopping {group.config.name}")
        self._dying = [each for each in group.get_unstopped_processes() if each not in held]

    def _stop_in_order(self, group: ProcessGroupBase, held: list[Subprocess]) -> None:
        """Stop a group without those whose dependents are up; these follow when they are down."""
        processes = sorted(group.processes.values())
        processes.reverse()
        for process in processes:
            stop = partial(
                self._runtime.run_guarded, process.stop_or_give_up, f"stopping {process.name}"
            )
            if process in held:
                self._order.stop_later(process, stop)
            else:
                stop()
        self._held += held

    def _report(self) -> None:
        later = [p for group in self._groups for p in group.get_unstopped_processes()]
        names = [p.name for p in (*later, *self._dying) if p.get_state() not in STOPPED_STATES]
        names += [hook.name for hook in self._hooks_in_progress()]
        if names:
            self._runtime.logger.info(f"waiting for {', '.join(names)} to die")
            self._timer = self._runtime.loop.call_later(REPORT_SECONDS, self._report)


def _kill(process: Subprocess) -> None:
    """Kill a process, with its process group if it has `killasgroup`."""
    if process.get_state() != ProcessStates.STOPPING:
        process.stop_or_give_up()
    if process.pid:
        process.kill(signal.SIGKILL)
