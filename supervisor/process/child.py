"""One supervised process: its child, pipes, signals and logs (floor 4).

`lifecycle.Lifecycle` decides when to start, kill and give up; this class carries it out.
"""

from __future__ import annotations

import errno
import os

from supervisor import events
from supervisor.dispatchers import (
    PInputDispatcher,
    POutputDispatcher,
    leave_reason,
    make_dispatchers,
)
from supervisor.loggers import exception_text
from supervisor.process.lifecycle import Lifecycle
from supervisor.process.spawn import (
    Pipes,
    SpawnError,
    launch,
    pipe_failure,
    plan_spawn,
    resolve_command,
)
from supervisor.states import EventListenerStates, ProcessStates
from supervisor.unix import ProcessException, decode_wait_status, errname, signame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.model import ProcessConfig
    from supervisor.dispatchers import Dispatcher
    from supervisor.process.context import Context


class Subprocess(Lifecycle):
    """A process that the daemon starts, watches, restarts and stops."""

    def __init__(self, config: ProcessConfig, context: Context | None = None) -> None:
        """Use the context of `config.options` when there is none (plugins' own tests)."""
        super().__init__(config, context or config.options.context)  # type: ignore[attr-defined]
        self.dispatchers: dict[int, Dispatcher] = {}
        self.listener_state: int = EventListenerStates.ACKNOWLEDGED
        self.event: events.Event | None = None
        self.kept_row: tuple[tuple[object, ...], bytes, bytes, bytes, int | None] | None = None

    # -- starting -----------------------------------------------------------------

    def get_execv_args(self) -> tuple[str, list[str]]:
        """Return (executable, argv); raises `ProcessException` with the reason."""
        return resolve_command(self.config)

    def spawn(self) -> int | None:
        """Start the process; return its pid, or None when that failed (`spawnerr` says why)."""
        if self.pid:
            self.context.logger.warn(f"process '{self.name}' already running")
            return None
        self.killing = self.system_stop = self.administrative_stop = False
        self.spawnerr = self.exitstatus = None
        self._laststart = self.context.clock.time()
        self._started = self.context.clock.monotonic()
        self.change_state(ProcessStates.STARTING)
        try:
            command = self.get_execv_args()
            pipes = self._make_pipes()
        except ProcessException as error:
            self._spawn_failed(str(error))
            return None
        except OSError as error:
            self._spawn_failed(pipe_failure(self.name, error))
            return None
        return self._spawn_as_child(*command, pipes)

    def _make_pipes(self) -> Pipes:
        return Pipes.make(redirect_stderr=self.config.redirect_stderr)

    def _spawn_as_child(self, filename: str, argv: list[str], pipes: Pipes) -> int | None:
        # The name of Supervisor 4: knot-resolver wraps it to set `config.environment`.
        try:
            self.dispatchers = make_dispatchers(self, pipes)
            plan = plan_spawn(self.config, (filename, argv), self.group_name, self.context, pipes)
            pid = launch(plan)
        except SpawnError as error:
            if error.in_child:
                leave_reason(self.dispatchers.values(), str(error))
            self._spawn_failed(str(error))
            return None
        except OSError as error:
            symbol = errname(error.errno)
            self._spawn_failed(f"unknown error making dispatchers for '{self.name}': {symbol}")
            return None
        finally:
            pipes.close_child_ends()
        self.pid = pid
        self.context.children[pid] = self
        for dispatcher in self.dispatchers.values():
            self.context.loop.watch(dispatcher)
        self.context.logger.info(f"spawned: '{self.name}' with pid {pid}")
        self.spawnerr = None
        self.listener_state = EventListenerStates.ACKNOWLEDGED
        self.arm()
        return pid

    def _spawn_failed(self, reason: str) -> None:
        self._close_dispatchers()
        self.record_spawnerr(reason)
        self.change_state(ProcessStates.BACKOFF)

    def record_spawnerr(self, reason: str) -> None:
        """Keep the reason for the status description and log it."""
        self.spawnerr = reason
        self.context.logger.info(f"spawnerr: {reason}")

    # -- stopping and signalling ------------------------------------------------

    def stop(self) -> str | None:
        """Ask the process to stop; return None, or the reason why that failed.

        One that is about to be started again needs only not to be.
        """
        is_down = self.awaits_restart
        self.administrative_stop = True
        if is_down:
            self.disarm()
            return None
        self.laststopreport = 0.0
        return self.kill(self.config.stopsignal)

    def kill(self, signum: int) -> str | None:
        """Send a signal that is meant to end the process; return None or the failure.

        A process in BACKOFF has nothing to be killed and is just STOPPED.  SIGKILL
        follows `stopwaitsecs` later.
        """
        logger = self.context.logger
        if self.state == ProcessStates.BACKOFF:
            logger.debug(f"Attempted to kill {self.name}, which is in BACKOFF state.")
            self.change_state(ProcessStates.STOPPED)
            return None
        if not self.pid:
            text = f"attempted to kill {self.name} with sig {signame(signum)} but it wasn't running"
            logger.debug(text)
            return text
        whole_group = (
            self.config.killasgroup
            if self.state == ProcessStates.STOPPING
            else self.config.stopasgroup
        )
        scope = "process group " if whole_group else ""
        logger.debug(f"killing {self.name} (pid {self.pid}) {scope}with signal {signame(signum)}")
        self.killing = True
        self._kill_at = self.context.clock.monotonic() + self.config.stopwaitsecs
        if not self.change_state(ProcessStates.STOPPING):
            self.arm()
        return self._send(-self.pid if whole_group else self.pid, signum, "killing")

    def signal(self, signum: int) -> str | None:
        """Send a signal without meaning to end the process; return None or the failure."""
        logger = self.context.logger
        if not self.pid:
            text = f"attempted to send {self.name} sig {signame(signum)} but it wasn't running"
            logger.debug(text)
            return text
        logger.debug(f"sending {self.name} (pid {self.pid}) sig {signame(signum)}")
        return self._send(self.pid, signum, f"sending sig {signame(signum)} to")

    def _send(self, pid: int, signum: int, doing: str) -> str | None:
        try:
            os.kill(pid, signum)
        except ProcessLookupError as error:
            self.context.logger.debug(
                f"unable to signal {self.name} (pid {self.pid}), it probably just exited"
                f" on its own: {error}"
            )
        except OSError:
            text = f"unknown problem {doing} {self.name} ({self.pid}):{exception_text()}"
            self.context.logger.critical(text)
            self.killing = False
            self.change_state(ProcessStates.UNKNOWN)
            return text
        return None

    def write(self, chars: bytes) -> None:
        """Queue bytes for the child's stdin; raises `OSError` (EPIPE) when nobody reads."""
        if self.pid and not self.killing:
            for dispatcher in reversed(self.dispatchers.values()):  # stdin comes last
                if isinstance(dispatcher, PInputDispatcher) and not dispatcher.closed:
                    dispatcher.write(chars)
                    return
        raise BrokenPipeError(errno.EPIPE, "Process already closed stdin")

    # -- the end ------------------------------------------------------------------

    def finish(self, pid: int, status: int) -> None:  # noqa: ARG002 - plugins wrap it so
        """The process has died: `status` is what `waitpid` said of `pid`."""
        self.context.attempt(self.drain, f"reading the last output of {self.name}")
        exit_status, text = decode_wait_status(status)
        self.laststop = self.context.clock.time()
        lived = self.context.clock.monotonic() - self._started
        too_quickly = lived < self.config.startsecs and self.state == ProcessStates.STARTING
        expected = exit_status in self.config.exitcodes
        self._close_dispatchers(read_on=True)
        if self.killing:
            self._stopped(exit_status, text, expected=expected)
        elif too_quickly:
            self.exitstatus = None
            self.spawnerr = "Exited too quickly (process log may have details)"
            self.context.logger.warn(f"exited: {self.name} ({text}; not expected)")
            self.change_state(ProcessStates.BACKOFF)
        else:
            self._exited(exit_status, text, expected=expected)
        self.pid = 0  # only now: the events name the pid that the process had
        if self.event is not None:
            event, self.event = self.event, None
            self.context.announce(events.EventRejectedEvent(self, event))

    def _stopped(self, exit_status: int, text: str, *, expected: bool) -> None:
        self.killing = False
        self.exitstatus = exit_status
        if self.config.killasgroup:
            patience = max(self._kill_at - self.context.clock.monotonic(), 0.0)
            self.context.leftovers.kill_group_later(self.pid, patience)
        log = self.context.logger.info if expected else self.context.logger.warn
        log(f"stopped: {self.name} ({text})")
        self.change_state(ProcessStates.STOPPED)

    def _exited(self, exit_status: int, text: str, *, expected: bool) -> None:
        if self.state == ProcessStates.STARTING:
            self._stayed_up()
        self.backoff = 0
        self.exitstatus = exit_status
        logger = self.context.logger
        if expected:
            logger.info(f"exited: {self.name} ({text}; expected)")
        else:
            self.spawnerr = f"Bad exit code {exit_status}"
            logger.warn(f"exited: {self.name} ({text}; not expected)")
        self.change_state(ProcessStates.EXITED, expected)

    def drain(self) -> None:
        """Read what the child has written before it died."""
        for dispatcher in list(self.dispatchers.values()):
            dispatcher.drain()

    def _close_dispatchers(self, *, read_on: bool = False) -> None:
        """Close the pipes, or read those for a moment that a grandchild still holds."""
        dispatchers, self.dispatchers = self.dispatchers, {}
        for dispatcher in dispatchers.values():
            if read_on and isinstance(dispatcher, POutputDispatcher) and not dispatcher.closed:
                self.context.leftovers.read_on(dispatcher)
            else:
                self.context.attempt(dispatcher.close, f"closing a pipe of {self.name}")

    # -- logs -----------------------------------------------------------------------

    def removelogs(self) -> None:
        """Remove and reopen the logs: what `clear` asks for."""
        for dispatcher in self.dispatchers.values():
            dispatcher.removelogs()

    def reopenlogs(self) -> None:
        """Close and open the logs again: what SIGUSR2 asks for."""
        for dispatcher in self.dispatchers.values():
            dispatcher.reopenlogs()
