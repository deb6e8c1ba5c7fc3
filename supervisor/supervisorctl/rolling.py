"""Rolling restarts: a few processes at a time, the next ones when these run again.

`restart --rolling` uses this.  The daemon stops and starts single processes and reports when they
run, so this works with every server.
"""

from __future__ import annotations

import time

from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.states import ProcessStates
from supervisor.supervisorctl.commands import CommandGroup, lasting_call
from supervisor.supervisorctl.results import (
    STOP_RESULTS,
    LSBInitExitStatuses,
    result_of,
    result_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Sequence
    from typing import Any

    from supervisor.supervisorctl.controller import Controller


class Restart:
    """The restart of one process: its result lines, and whether it runs again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopped: dict[str, Any] | None = None
        self.started: dict[str, Any] | None = None
        self.error: Exception | None = None

    def run(self, ctl: Controller) -> None:
        """Stop the process and start it; keep an exception for the caller's thread."""
        try:
            self.stopped = self._call(ctl, "stop")
            if self.stopped["status"] in {Faults.SUCCESS, Faults.NOT_RUNNING}:
                self.started = self._call(ctl, "start")
        except Exception as error:  # noqa: BLE001 - raised again by `RollingRestart`
            self.error = error

    def _call(self, ctl: Controller, verb: str) -> dict[str, Any]:
        """Start or stop the process; return the result."""

        def call() -> list[dict[str, Any]]:
            return [result_of(getattr(ctl.get_supervisor(), f"{verb}Process"), self.name)]

        (result,) = lasting_call(ctl, verb, self.name, call)
        return result

    @property
    def has_succeeded(self) -> bool:
        """Whether the process runs again."""
        return self.started is not None and self.started["status"] == Faults.SUCCESS


class RollingRestart(CommandGroup):
    """A restart of several processes, some at a time."""

    def run(self, names: Sequence[str], size: int, pause: float) -> None:
        """Restart processes, `size` at a time; stop after a failure and list what was done.

        `pause` is in seconds, between two batches.  After it, the first of them must still run.
        """
        names = self._known(names)
        done: list[str] = []
        batch: Sequence[str] = []
        try:
            while len(done) < len(names):
                batch = names[len(done) : len(done) + size]
                failed = self._restart(batch)
                if pause and not failed and len(done) + len(batch) < len(names):
                    time.sleep(pause)
                    failed = self._no_longer_running(batch)
                done += [name for name in batch if name not in failed]
                if failed:
                    self._summarize(names, done, failed)
                    return
        except BaseException:  # also Ctrl-C, and a daemon that has gone
            self._summarize(names, done, batch, "interrupted")
            raise

    def _known(self, names: Sequence[str]) -> list[str]:
        """Return the processes that names mean, in their order; none if a name is unknown."""
        infos = self._selected(self.ctl.get_supervisor().getAllProcessInfo(), names)
        if self.ctl.exitstatus != LSBInitExitStatuses.SUCCESS:
            self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
            return []
        return list(dict.fromkeys(make_namespec(each["group"], each["name"]) for each in infos))

    def _restart(self, names: Sequence[str]) -> list[str]:
        """Restart processes at the same time; return those that failed."""
        restarts = [Restart(name) for name in names]
        if len(restarts) == 1:
            restarts[0].run(self.ctl)
        else:
            self._run_in_threads(restarts)
        for each in restarts:
            self._show(each)
        return [each.name for each in restarts if not each.has_succeeded]

    def _run_in_threads(self, restarts: Iterable[Restart]) -> None:
        """Let each wait on a connection of its own: the daemon responds when a process runs."""
        import threading

        threads = [
            threading.Thread(target=each.run, args=(self.ctl,), daemon=True) for each in restarts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _show(self, restart: Restart) -> None:
        """Print the results as `restart` does; raise the exception of a thread."""
        stopped, started = restart.stopped, restart.started
        if stopped is not None and stopped["status"] != Faults.NOT_RUNNING:
            self.ctl.output(result_text(stopped, STOP_RESULTS))
        if started is not None:
            self.ctl.output(self.plugin._startresult(started))  # noqa: SLF001 - as in `start`
        if restart.error is not None:
            raise restart.error

    def _no_longer_running(self, names: Sequence[str]) -> list[str]:
        """Return the processes that do not run, after printing them."""
        failed = []
        for info in self.ctl.get_supervisor().getAllProcessInfo():
            name = make_namespec(info["group"], info["name"])
            if name in names and info["state"] != ProcessStates.RUNNING:
                self.ctl.output(f"{name}: ERROR (not running: {info['statename']})")
                failed.append(name)
        return failed

    def _summarize(
        self,
        names: Sequence[str],
        done: Sequence[str],
        failed: Sequence[str],
        reason: str = "failed",
    ) -> None:
        """Print what was and what was not done."""
        self.ctl.exitstatus = LSBInitExitStatuses.GENERIC
        rest = [name for name in names if name not in done and name not in failed]
        for title, found in (("restarted", done), (reason, failed), ("not restarted", rest)):
            if found:
                self.ctl.output(f"{title}: {', '.join(found)}")
