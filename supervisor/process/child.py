"""One supervised process: its child, pipes, signals and logs.

`lifecycle.Lifecycle` decides when to start, kill and give up; this class does it.
"""

from __future__ import annotations

import errno
import os
from functools import partial

from supervisor import events
from supervisor.config.conversions import TREE
from supervisor.config.process_config import full_config
from supervisor.engine.posix import ProcessException, decode_wait_status, signame
from supervisor.loggers import exception_text
from supervisor.logs import sinks
from supervisor.process.dispatchers import (
    POutputDispatcher,
    log_spawn_failure,
    make_dispatchers,
)
from supervisor.process.forking import LaunchReport
from supervisor.process.launchers import launch
from supervisor.process.lifecycle import Lifecycle
from supervisor.process.log_files import log_policy
from supervisor.process.plan import (
    Pipes,
    SpawnError,
    dispatcher_failure,
    pipe_failure,
    plan_spawn,
    resolve_command,
)
from supervisor.process.streams import PInputDispatcher
from supervisor.states import EventListenerStates, ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.config.model import ProcessConfig
    from supervisor.process.hooks import Hooks
    from supervisor.process.process_group import LeaderlessGroup
    from supervisor.process.process_tree import ProcessTree
    from supervisor.process.runtime import Runtime
    from supervisor.process.streams import Dispatcher


class Subprocess(Lifecycle):
    """A process that the daemon starts, watches, restarts and stops."""

    def __init__(self, config: ProcessConfig, runtime: Runtime | None = None) -> None:
        """Fall back to the context of `config.options` (plugins' own tests pass none)."""
        super().__init__(config, runtime or config.options.runtime)  # type: ignore[attr-defined]
        self.dispatchers: dict[int, Dispatcher] = {}
        self.tree: ProcessTree | None = None
        """The process tree that is being stopped."""
        self.orphans: LeaderlessGroup | ProcessTree | None = None
        """The processes that a stop still waits for: the child has been reaped."""
        self.leader_status = 0
        """Status of that child from `waitpid`."""
        self.launch_report: LaunchReport | None = None
        """The report of a forked child that has not executed the program yet."""
        self.hooks: Hooks | None = _make_hooks(self)

    # -- starting -----------------------------------------------------------------

    def get_execv_args(self) -> tuple[str, list[str]]:
        """Return (executable, argv); raises `ProcessException` with the reason."""
        return resolve_command(self.config)

    def spawn(self) -> int | None:
        """Start the process; return its pid, or None if that failed (see `spawnerr`)."""
        if self.pid or self.is_launching:
            self.runtime.logger.warn(f"process '{self.name}' already running")
            return None
        self.killing = self.administrative_stop = False
        self.start_requested = False
        self.starts.spawning()
        self.startup.timed_out = False
        self.spawnerr = self.exitstatus = None
        self.restart_clock()
        self.change_state(ProcessStates.STARTING)
        if self.hooks is None:
            return self.start_child()
        self.hooks.start()
        return self.pid or None

    def start_child(self) -> int | None:
        """Start the child of a process in STARTING; see `spawn`."""
        try:
            command = self.get_execv_args()
            self.startup.begin()
            pipes = self._make_pipes()
        except ProcessException as error:
            self.fail_start(str(error))
            return None
        except OSError as error:
            self.fail_start(pipe_failure(self.name, error))
            return None
        return self._spawn_as_child(*command, pipes)

    def _make_pipes(self) -> Pipes:
        return Pipes.make(redirect_stderr=self.config.redirect_stderr)

    def _spawn_as_child(self, filename: str, argv: list[str], pipes: Pipes) -> int | None:
        # Named as in Supervisor 4: knot-resolver wraps it to set `config.environment`.
        try:
            self.dispatchers = make_dispatchers(self, pipes)
            channels = None if self.startup.readiness is None else self.startup.readiness.channels
            plan = plan_spawn(
                self.config,
                (filename, argv),
                self.group_name,
                self.runtime,
                pipes,
                channels=channels,
            )
            launched = launch(plan)
        except SpawnError as error:
            if error.in_child:
                log_spawn_failure(self.dispatchers.values(), str(error))
            self.fail_start(str(error))
            return None
        except OSError as error:
            self.fail_start(dispatcher_failure(self.name, error))
            return None
        finally:
            pipes.close_child_ends()
            if self.startup.readiness is not None:
                self.startup.readiness.channels.close()
        self.pid = launched.pid
        if self.startup.readiness is not None:
            self.startup.readiness.started(self.pid, self.started_at)
        self.runtime.children[self.pid] = self
        self.spawnerr = None
        self.listener_state = EventListenerStates.ACKNOWLEDGED
        if launched.report is None:
            self._spawned()
        else:
            loop = self.runtime.loop
            self.launch_report = LaunchReport(launched.report, loop, self.exec_succeeded)
            self.arm()
        return self.pid

    def _spawned(self) -> None:
        # Not watched earlier: if exec fails, the logs must still be open for the reason.
        for dispatcher in self.dispatchers.values():
            self.runtime.loop.watch(dispatcher)
        if not self.killing:  # else it has most likely died before exec
            self.runtime.logger.info(f"spawned: '{self.name}' with pid {self.pid}")
        self.arm()

    @property
    def is_launching(self) -> bool:
        """Whether the program has not been executed yet: by its child, or because of its hooks."""
        return self.launch_report is not None or (
            self.hooks is not None and self.hooks.delays_start
        )

    def exec_succeeded(self) -> None:
        """Note that the child has executed the program."""
        self.launch_report = None
        self.restart_clock()
        self._spawned()

    def _launch_failure(self) -> str | None:
        """Return why the dead child did not execute the program; None if it did."""
        if self.launch_report is None:
            return None
        failure = self.launch_report.failure()
        self.launch_report = None
        if failure is None:
            self.exec_succeeded()
        return failure

    def fail_start(self, reason: str) -> None:
        """End a start that has failed."""
        self._close_dispatchers()
        if self.startup.readiness is not None:
            self.startup.readiness.close()
        self.record_spawnerr(reason)
        if self.hooks is not None:
            self.hooks.start_failed()
        self.change_state(ProcessStates.BACKOFF)

    def record_spawnerr(self, reason: str) -> None:
        """Keep the reason for the status description and log it."""
        self.spawnerr = reason
        self.runtime.logger.info(f"spawnerr: {reason}")

    # -- stopping and signalling ------------------------------------------------

    def stop(self) -> str | None:
        """Start to stop the process; return None, or the reason of a failure.

        If it is down and about to be restarted, the restart is cancelled.
        """
        is_down = self.awaits_start
        self.administrative_stop = True
        self.start_requested = False
        if is_down:
            self.starts.withdraw()
            self.arm()
            self.changed.notify()  # those that depend on it need not wait
            return None
        self.laststopreport = 0.0
        if self.hooks is not None and self.hooks.stop():
            return None
        return self.kill(self.config.stopsignal)

    def kill(self, signum: int) -> str | None:
        """Send a signal that is meant to end the process; return None or the error text.

        A process in BACKOFF has no child and enters STOPPED at once.  SIGKILL follows after
        `stopwaitsecs`, and is repeated until the process is gone.
        """
        logger = self.runtime.logger
        if self.state == ProcessStates.BACKOFF:
            logger.debug(f"Attempted to kill {self.name}, which is in BACKOFF state.")
            self.change_state(ProcessStates.STOPPED)
            return None
        if not self.pid:
            text = f"attempted to kill {self.name} with sig {signame(signum)} but it wasn't running"
            logger.debug(text)
            return text
        whole_group = (
            self.config.killasgroup or self.orphans is not None
            if self.state == ProcessStates.STOPPING
            else self.config.stopasgroup
        )
        if self.hooks is not None:
            self.hooks.signalled()
        return self.send_stop_signal(signum, whole_group=whole_group)

    def send_stop_signal(self, signum: int, *, whole_group: bool) -> str | None:
        """Send a signal that is meant to end the child; return None or the error text."""
        logger = self.runtime.logger
        tree = self.tree = self.tree or tree_to_stop(self)
        scope = "" if not whole_group else "process group " if tree is None else "process tree "
        logger.debug(f"killing {self.name} (pid {self.pid}) {scope}with signal {signame(signum)}")
        self.killing = True
        now = self.runtime.clock.monotonic()
        self.stop_deadline.signalled(signum, self.config.stopwaitsecs, now)
        if not self.change_state(ProcessStates.STOPPING):
            self.arm()
        if tree is not None:
            tree.signal(signum)
            return None
        return self.send_signal(signum, "killing", whole_group=whole_group)

    def signal(self, signum: int) -> str | None:
        """Send a signal that is not a stop request; return None or the error text."""
        logger = self.runtime.logger
        if not self.pid:
            text = f"attempted to send {self.name} sig {signame(signum)} but it wasn't running"
            logger.debug(text)
            return text
        logger.debug(f"sending {self.name} (pid {self.pid}) sig {signame(signum)}")
        return self.send_signal(signum, f"sending sig {signame(signum)} to", whole_group=False)

    def send_signal(self, signum: int, doing: str, *, whole_group: bool) -> str | None:
        """Send a signal to the child or its group; return None or the error text."""
        if self.orphans is not None:
            if whole_group:
                self._signal_orphans(self.orphans, signum)
            return None
        try:
            os.kill(-self.pid if whole_group else self.pid, signum)
        except ProcessLookupError as error:
            self.runtime.logger.debug(
                f"unable to signal {self.name} (pid {self.pid}), it probably just exited"
                f" on its own: {error}"
            )
        except OSError:
            text = f"unknown problem {doing} {self.name} ({self.pid}):{exception_text()}"
            self.runtime.logger.critical(text)
            self.killing = self.start_requested = False
            self.change_state(ProcessStates.UNKNOWN)
            return text
        return None

    def write(self, chars: bytes) -> None:
        """Queue bytes for the child's stdin.

        Raises `BrokenPipeError` if the child has closed it, `BlockingIOError` if it does not read.
        """
        if self.pid and not self.killing:
            for dispatcher in reversed(self.dispatchers.values()):  # stdin is the last one
                if isinstance(dispatcher, PInputDispatcher) and not dispatcher.closed:
                    dispatcher.write(chars)
                    return
        raise BrokenPipeError(errno.EPIPE, "Process already closed stdin")

    # -- the end ------------------------------------------------------------------

    def finish(self, pid: int, status: int) -> None:  # noqa: ARG002 - plugins wrap it so
        """Handle the death of the child, which `waitpid` reported with `status`.

        A stop of the whole process group is complete when the group is empty.
        """
        failure = self._launch_failure()
        if failure is not None and not self.killing:
            log_spawn_failure(self.dispatchers.values(), failure)
            self.pid = 0
            self.fail_start(failure)
            return
        if self.killing and self.config.stopasgroup:
            tree = self.tree = self.tree or tree_to_stop(self)
            watch = self.runtime.services.orphans.groups.watch if tree is None else tree.watch
            self.leader_status = status
            self.orphans = watch(self.pid, lambda _orphans: self._ended(status))
        if self.orphans is None:
            self._ended(status)
            return
        for dispatcher in self.dispatchers.values():
            if isinstance(dispatcher, PInputDispatcher):
                dispatcher.close()
        scope = "group" if self.tree is None else "tree"
        self.runtime.logger.debug(
            f"{self.name} (pid {self.pid}) has exited, waiting for its process {scope}"
        )

    def _signal_orphans(self, orphans: LeaderlessGroup | ProcessTree, signum: int) -> None:
        """Send a signal to the orphans of the group; give up if that is not permitted."""
        try:
            orphans.signal(signum)
        except OSError as error:
            self.runtime.logger.critical(
                f"cannot kill the process group of {self.name} (pid {self.pid}): {error.strerror}"
            )
            orphans.abandon()

    def _ended(self, status: int) -> None:
        """Enter the state after the exit; nothing in the group is waited for any more."""
        self.orphans = None
        if self.tree is not None:
            self.tree.close()
            self.tree = None
        self.runtime.run_guarded(self.drain, f"reading the last output of {self.name}")
        self.laststop = self.runtime.clock.time()
        is_stop = self.killing
        self.history.exited(status, self.laststop, is_stop=is_stop)
        self._close_dispatchers(drain_later=True)
        if self.killing and self.config.killasgroup and not self.config.stopasgroup:
            seconds = self.stop_deadline.remaining(self.runtime.clock.monotonic())
            self.runtime.services.orphans.kill_group_later(self.pid, seconds)
        if self.startup.readiness is not None:
            self.startup.readiness.drain()
        self._exited(*decode_wait_status(status))
        if self.startup.readiness is not None:
            self.startup.readiness.close()
        self.pid = 0  # only now: the events contain the pid of the dead child
        if self.hooks is not None:
            self.hooks.child_exited(status, is_stop=is_stop)
        if self.event is not None:
            event, self.event = self.event, None
            self.runtime.publish(events.EventRejectedEvent(self, event))

    def drain(self) -> None:
        """Read the output that the child wrote before it died."""
        for dispatcher in list(self.dispatchers.values()):
            dispatcher.drain()

    def _close_dispatchers(self, *, drain_later: bool = False) -> None:
        """Close the pipes; with `drain_later`, drain those that a grandchild holds for a moment."""
        dispatchers, self.dispatchers = self.dispatchers, {}
        for dispatcher in dispatchers.values():
            if drain_later and isinstance(dispatcher, POutputDispatcher) and not dispatcher.closed:
                dispatcher.pid = self.pid
                self.runtime.services.orphans.drain_later(dispatcher)
            else:
                self.runtime.run_guarded(dispatcher.close, f"closing a pipe of {self.name}")

    # -- logs -----------------------------------------------------------------------

    def removelogs(self) -> None:
        """Start new log files, also while no child runs: the command `clear`.

        Every log is tried.  Raises the first `OSError`.
        """
        steps: list[Callable[[], object]]
        steps = [dispatcher.removelogs for dispatcher in self.dispatchers.values()]
        if not steps:
            steps = [
                partial(sinks.clear, stream.logfile, log_policy(stream, self.runtime))
                for stream in (self.config.stdout, self.config.stderr)
                if isinstance(stream.logfile, str)
            ]
        errors = []
        for step in steps:
            try:
                step()
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def reopenlogs(self) -> list[str]:
        """Close and reopen the logs, on SIGUSR2; return a line for each failure."""
        failures = [
            failure
            for dispatcher in self.dispatchers.values()
            for failure in dispatcher.reopenlogs() or ()  # plugins replace it
        ]
        return failures if self.hooks is None else failures + self.hooks.reopenlogs()


def tree_to_stop(process: Subprocess) -> ProcessTree | None:
    """Return the process tree that a stop ends, None for the child or its group alone."""
    if full_config(process.config).killmode != TREE:
        return None
    send = partial(process.send_signal, doing="killing", whole_group=True)
    names = (process.group_name, process.name)
    runtime = process.runtime
    return runtime.services.trees.tree(process.pid, names, send, runtime.logger)


def _make_hooks(process: Subprocess) -> Hooks | None:
    if not full_config(process.config).hooks.names:
        return None
    from supervisor.process.hooks import Hooks  # few programs have any

    def start_child() -> None:
        process.restart_clock()
        process.start_child()

    return Hooks(process, start_child, process.send_stop_signal, process.fail_start)
