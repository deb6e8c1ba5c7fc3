"""The hooks of one process: commands that run before and after its starts and stops.

`hook_sequence` decides on the order; here are the children.  A hook runs as the program's user, in
its environment and directory, as the leader of a process group that is killed at the deadline.
"""

from __future__ import annotations

import re
from functools import partial

from supervisor.common.text import in_seconds
from supervisor.config.hooks import POST_STOP, PRE_START, STOP_COMMAND
from supervisor.config.process_config import full_config
from supervisor.engine import posix
from supervisor.process.forking import LaunchReport
from supervisor.process.helper_child import HelperChild
from supervisor.process.helper_launch import launch_as_program
from supervisor.process.hook_output import HookLog, HookOutput
from supervisor.process.hook_sequence import LAUNCH, SIGNAL, HookSequence
from supervisor.process.run_result import (
    EXIT_CODE,
    KILLED,
    RESOURCES,
    SUCCESS,
    TIMEOUT,
    exit_variables,
    result_variables,
)
from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.config.hooks import HookCommand
    from supervisor.engine.loop import Loop
    from supervisor.process.helper_child import HelperEnd
    from supervisor.process.lifecycle import Lifecycle

_main_pid = re.compile(r"\$(?:MAINPID\b|\{MAINPID\})")


class RunningHook:
    """The child of a hook, its log, and the report of a child that has been forked."""

    def __init__(
        self,
        process: Lifecycle,
        name: str,
        started: tuple[int, int],
        timeout: float,
        on_end: Callable[[HelperEnd], object],
    ) -> None:
        """Take the name of the hook, its pid, and the reading end of the pipe of its output."""
        pid, runtime = started[0], process.runtime
        self.report: LaunchReport | None = None
        self.log = HookLog(process, name, lambda: pid)

        def make_output(fd: int, loop: Loop) -> HookOutput:
            return HookOutput(fd, loop, self.log, strip_ansi=runtime.settings.strip_ansi)

        title = f"{name} of {process.name}"
        self.child = HelperChild(
            title, started, runtime.loop, timeout, on_end, make_output=make_output
        )
        runtime.children[pid] = self.child

    def failure(self, end: HelperEnd, timeout: float) -> tuple[str, str] | None:
        """Return the result (as in `run_result`) and the reason of a failure, None for success."""
        reason = None
        if self.report is not None:
            reason = self.report.failure()
        if end.status is None:
            return TIMEOUT, f"timed out after {in_seconds(timeout)}"
        if reason is not None:
            return RESOURCES, reason
        code, text = posix.decode_wait_status(end.status)
        return None if code == 0 else (EXIT_CODE if code > 0 else KILLED, text)

    def kill(self) -> None:
        """Kill the hook; its end is not reported."""
        self.child.cancel()
        self.close()

    def close(self) -> None:
        """Close the log and the report."""
        self.log.close()
        if self.report is not None:
            self.report.close()


class Hooks:
    """The hooks of one process, and the steps of its starts and stops that they delay."""

    def __init__(
        self,
        process: Lifecycle,
        start_child: Callable[[], object],
        send_stop_signal: Callable[..., object],
        fail_start: Callable[[str], object],
    ) -> None:
        """Take the process and its methods that only `child.Subprocess` has."""
        self._process = process
        self._start_child = start_child
        self._send_stop_signal = send_stop_signal
        self._fail_start = fail_start
        self._sequence = HookSequence(full_config(process.config).hooks.names)
        self._running: RunningHook | None = None
        self._result: dict[str, str] = {}

    @property
    def running(self) -> str:
        """The name of the hook that is running, "" if none is."""
        return self._sequence.running or ""

    @property
    def delays_start(self) -> bool:
        """Whether a start has been requested, but the child is still to be started."""
        return self._sequence.delays_start

    # -- the life of the process ----------------------------------------------------

    def start(self) -> None:
        """Start the process, which is STARTING, when its hooks allow it."""
        self._sequence.start()
        self._advance()

    def entered_running(self) -> None:
        """Run the hook that follows a successful start."""
        if self._process.state == ProcessStates.RUNNING:  # a subscriber may have stopped it
            self._sequence.entered_running()
            self._advance()

    def stop(self) -> bool:
        """Stop the process; return False if hooks do not matter, so a signal has to do it."""
        process = self._process
        if self.delays_start:
            self._abort_start()
            return True
        if self._sequence.delays_signal:
            return True
        is_stop = process.state != ProcessStates.STOPPING and process.pid
        if not is_stop or process.is_launching or not self._sequence.precedes_signal:
            return False
        process.killing = True
        process.stop_deadline.await_signal()
        process.change_state(ProcessStates.STOPPING)
        self._take(self._sequence.stop)
        return True

    def signalled(self) -> None:
        """Note that the child gets a signal to stop at once."""
        self._take(self._sequence.signalled)

    def _abort_start(self) -> None:
        """Stop a process whose child has not been started yet."""
        process = self._process
        process.change_state(ProcessStates.STOPPING)
        self._result = result_variables(SUCCESS)
        self._take(self._sequence.abort_start)
        process.laststop = process.runtime.clock.time()
        process.history.explain("stopped before the program was started")
        process.runtime.logger.info(f"stopped: {process.name} (before the program was started)")
        process.change_state(ProcessStates.STOPPED)

    def child_exited(self, status: int, *, is_stop: bool) -> None:
        """Run the hook that follows a run, after an exit with a status of `waitpid`.

        `is_stop` is true if the exit was requested.
        """
        process = self._process
        self._result = exit_variables(
            status,
            process.config.exitcodes,
            process.config.stopsignal if is_stop else None,
            timed_out=process.startup.timed_out,
        )
        self._take(self._sequence.run_ended)

    def start_failed(self) -> None:
        """Run the hook that follows a run, after a start that has failed."""
        self._result = self._result or result_variables(RESOURCES)
        self._take(self._sequence.run_ended)

    def abandon(self) -> None:
        """Kill the hook that is running, and run no further one: everything is being killed."""
        self._sequence.disable()
        if self.delays_start:
            self._abort_start()
        self._take(lambda: self._running is not None)

    # -- steps --------------------------------------------------------------------

    def _take(self, event: Callable[[], bool]) -> None:
        """Pass an event to the sequence, kill the hook that it interrupts, and go on."""
        if event():
            self._process.runtime.logger.info(
                f"killing {self.running} of '{self._process.name}', which is interrupted"
            )
            if self._running is not None:
                self._running.kill()
                self._running = None
            self._sequence.hook_ended()
        self._advance()

    def _advance(self) -> None:
        """Take the steps that are due."""
        while (step := self._sequence.next_step()) is not None:
            if step == LAUNCH:
                self._result = {}
                self._start_child()
            elif step == SIGNAL:
                config = self._process.config
                self._send_stop_signal(config.stopsignal, whole_group=config.stopasgroup)
            else:
                self._run(step)
        self._process.arm()
        self._process.runtime.services.description_changed(self._process)

    def _run(self, name: str) -> None:
        """Start a hook."""
        process, command = self._process, self._command(name)
        pid = process.pid
        variables = {"SUPERVISOR_HOOK": name}
        argv = command.argv
        if pid:
            variables["MAINPID"] = str(pid)
            argv = tuple([_main_pid.sub(str(pid), word) for word in argv])
        if name == POST_STOP:
            variables |= self._result
        try:
            launched, output = launch_as_program(
                process.config, process.group_name, process.runtime, argv, variables
            )
        except posix.ProcessException as error:
            self._failed_to_start(name, str(error))
            return
        except OSError as error:
            self._failed_to_start(name, posix.error_reason(error))
            return
        self._running = self._adopt(name, (launched.pid, output), self._timeout(name))
        if launched.report is not None:
            loop = process.runtime.loop
            self._running.report = LaunchReport(launched.report, loop, lambda: None)
        process.runtime.logger.info(f"started {name} of '{process.name}' with pid {launched.pid}")

    def _adopt(self, name: str, started: tuple[int, int], timeout: float) -> RunningHook:
        return RunningHook(self._process, name, started, timeout, partial(self._ended, name))

    def _ended(self, name: str, end: HelperEnd) -> None:
        """Handle the end of the hook that is running."""
        running, self._running = self._running, None
        self._sequence.hook_ended()
        failure = None if running is None else running.failure(end, self._timeout(name))
        if failure is not None:
            self._failed(name, *failure, running)
        if running is not None:
            running.close()
        self._advance()

    def _failed_to_start(self, name: str, reason: str) -> None:
        self._sequence.hook_ended()
        self._failed(name, RESOURCES, reason)

    def _failed(
        self, name: str, result: str, reason: str, running: RunningHook | None = None
    ) -> None:
        """Report the failure of a hook; that of the first one is a failed start."""
        process, text = self._process, f"{name} failed: {reason}"
        is_failed_start = name == PRE_START and not self._command(name).is_optional
        if running is not None:
            end = ["child process was not spawned"] if is_failed_start else []
            running.log.write_own(text, *end)
        if is_failed_start:
            self._result = result_variables(result)
            self._fail_start(text)
        elif self._command(name).is_optional:
            process.runtime.logger.info(f"{process.name}: {text} (ignored)")
        else:
            process.runtime.logger.warn(f"{process.name}: {text}")

    def _command(self, name: str) -> HookCommand:
        command: HookCommand = getattr(full_config(self._process.config).hooks, name)
        return command

    def _timeout(self, name: str) -> float:
        """Return the seconds that a hook may take."""
        config = full_config(self._process.config)
        return config.stopwaitsecs if name == STOP_COMMAND else config.hooks.hook_timeout

    # -- logs -----------------------------------------------------------------------

    def reopenlogs(self) -> list[str]:
        """Reopen the log of the running hook; return a line for each failure."""
        return [] if self._running is None else self._running.log.reopen()

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; a running hook goes on under the next daemon."""
        return {
            "sequence": self._sequence.snapshot(),
            "running": None if self._running is None else self._running.child.snapshot(),
            "result": self._result,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._sequence.restore(saved.get("sequence") or {})
        self._result = saved.get("result") or {}
        running = saved.get("running")
        if running is not None:
            timeout = running["deadline"] - self._process.runtime.clock.monotonic()
            started = (running["pid"], running["fd"])
            self._running = self._adopt(self.running, started, timeout)
