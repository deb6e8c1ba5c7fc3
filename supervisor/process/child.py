"""One supervised process and its life (floor 4).

`transition()` is the rule: look at the clock and act.  It may be called at any time and
by anyone; a timer, armed for `next_look()`, makes sure that it is called when there is
something to do.  `change_state()` is the only writer of `state`.
"""

from __future__ import annotations

import errno
import os
import signal

from supervisor import events
from supervisor.datatypes import RestartUnconditionally
from supervisor.deferred import Waiters
from supervisor.dispatchers import (
    PInputDispatcher,
    POutputDispatcher,
    leave_reason,
    make_dispatchers,
)
from supervisor.loggers import exception_text
from supervisor.process.spawn import (
    Pipes,
    SpawnError,
    launch,
    pipe_failure,
    plan_spawn,
    resolve_command,
)
from supervisor.states import (
    RUNNING_STATES,
    SIGNALLABLE_STATES,
    TRANSITIONS,
    EventListenerStates,
    ProcessStates,
    getProcessStateDescription,
)
from supervisor.unix import ProcessException, decode_wait_status, signame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.model import ProcessConfig
    from supervisor.dispatchers import Dispatcher
    from supervisor.loop import Timer
    from supervisor.process.context import Context
    from supervisor.process.groups import ProcessGroupBase

RESTART_SECONDS = 1.0
"""At most one start in this time, so that a program that flaps does not spin."""

SPAWN_LOOK_SECONDS = 0.05
"""How soon to look again whether a `spawn` in another thread has come to an end."""

REPORT_SECONDS = 2.0
"""How often a process that takes its time to stop is mentioned in the activity log."""


class Subprocess:
    """A process that the daemon starts, watches, restarts and stops.

    Plugins read and assign the public attributes, so they keep the names of
    Supervisor 4: `laststart` and `laststop` are wall-clock seconds (0: never), `backoff`
    counts the failed starts in a row, `killing` says that a stop has been asked for.
    """

    def __init__(self, config: ProcessConfig, context: Context | None = None) -> None:
        """Without a context (tests of plugins) it is that of the door: `config.options`."""
        self.config = config
        self.context: Context = context or config.options.context  # type: ignore[attr-defined]
        self.group: ProcessGroupBase | None = None
        self.state = ProcessStates.STOPPED
        self.pid = 0
        self._laststart = 0.0
        self.laststop = 0.0
        self.laststopreport = 0.0
        self.backoff = 0
        self.killing = False
        self.system_stop = False
        self.administrative_stop = False
        self.exitstatus: int | None = None
        self.spawnerr: str | None = None
        self.dispatchers: dict[int, Dispatcher] = {}
        self.changed = Waiters()
        self.listener_state: int = EventListenerStates.ACKNOWLEDGED
        self.event: events.Event | None = None
        self.kept_row: tuple[tuple[object, ...], bytes, bytes, bytes, int | None] | None = None
        self._started = -RESTART_SECONDS
        self._retry_at = 0.0
        self._kill_at = 0.0
        self._timer: Timer | None = None

    def __repr__(self) -> str:
        name, state = self.config.name, getProcessStateDescription(self.get_state())
        return f"<Subprocess at {id(self)} with name {name} in state {state}>"

    def __lt__(self, other: Subprocess) -> bool:
        return self.config.priority < other.config.priority

    @property
    def name(self) -> str:
        """The name without its group."""
        return self.config.name

    @property
    def group_name(self) -> str:
        """The name of the group, or the process's own while it has none."""
        return self.config.name if self.group is None else self.group.config.name

    @property
    def laststart(self) -> float:
        """When it was last started; who assigns it moves the monotonic clock's start along.

        Supvisors sets it to 0 for a start like the first, knot-resolver to a time to come.
        """
        return self._laststart

    @laststart.setter
    def laststart(self, when: float) -> None:
        if when and self._laststart:
            self._started += when - self._laststart
        self._laststart = when

    def get_state(self) -> int:
        """Return the state, one of `ProcessStates`."""
        return self.state

    # -- the rule ---------------------------------------------------------------

    def transition(self) -> None:
        """Look at the clock and do what is due; harmless when nothing is."""
        now = self.context.clock.monotonic()
        state = self.state
        if state == ProcessStates.STARTING:
            # Without a pid, `spawn` is still at work: multivisor calls it from a thread.
            if self.pid and now >= self._started + self.config.startsecs:
                self._stayed_up()
        elif state == ProcessStates.STOPPING:
            if now >= self._kill_at:
                self.context.logger.warn(f"killing '{self.name}' ({self.pid}) with SIGKILL")
                self.kill(signal.SIGKILL)
            elif self.laststopreport:
                self.stop_report()
        elif state == ProcessStates.BACKOFF and self.backoff > self.config.startretries:
            self.give_up()
            text = "entered FATAL state, too many start retries too quickly"
            self.context.logger.info(f"gave up: {self.name} {text}")
        elif self._wants_start() and now >= self._start_at():
            self.spawn()
        self.arm()

    def next_look(self) -> float | None:
        """Return when `transition` will next have something to do (monotonic seconds)."""
        state = self.state
        if state == ProcessStates.STARTING:
            due = self._started + self.config.startsecs
            if self.pid:
                return due
            return max(due, self.context.clock.monotonic() + SPAWN_LOOK_SECONDS)
        if state == ProcessStates.STOPPING:
            if self.laststopreport:
                return min(self._kill_at, self.context.clock.monotonic() + REPORT_SECONDS)
            return self._kill_at
        if state == ProcessStates.BACKOFF and self.backoff > self.config.startretries:
            return 0.0
        return self._start_at() if self._wants_start() else None

    def _wants_start(self) -> bool:
        """Whether the process should be started without anybody asking."""
        if not self.context.may_start:
            return False
        if self.state == ProcessStates.EXITED:
            if self.administrative_stop:
                return False
            wish = self.config.autorestart
            if wish is RestartUnconditionally:
                return True
            return bool(wish) and self.exitstatus not in self.config.exitcodes
        if self.state == ProcessStates.STOPPED:
            return self.config.autostart and not self.laststart
        return self.state == ProcessStates.BACKOFF

    def _start_at(self) -> float:
        once_a_second = self._started + RESTART_SECONDS
        if self.state == ProcessStates.BACKOFF:
            return max(self._retry_at, once_a_second)
        return 0.0 if not self.laststart else once_a_second

    def arm(self) -> None:
        """Set the timer for the next look."""
        when = self.next_look()
        if self._timer is None or self._timer.when != when:
            self.disarm()
            if when is not None:
                self._timer = self.context.loop.call_at(when, self._look)

    def disarm(self) -> None:
        """Do nothing on its own accord: its group has been removed, say."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        # supervisor_twiddler takes single processes out of their groups.
        if self.group is None or self.group.processes.get(self.name) is self:
            self.transition()

    def _assertInState(self, *states: int) -> None:
        if self.state not in states:  # knot-resolver asks before it changes a state
            names = " ".join(getProcessStateDescription(code) or "" for code in states)
            raise AssertionError(f"{self!r} is not in {names}")

    def _stayed_up(self) -> None:
        self.backoff = 0
        self.change_state(ProcessStates.RUNNING)
        self.context.logger.info(
            f"success: {self.name} entered RUNNING state, process has stayed up for"
            f" > than {self.config.startsecs} seconds (startsecs)"
        )

    def change_state(self, new_state: int, expected: bool = True) -> bool:  # noqa: FBT001, FBT002 - plugins call it
        """Enter a state: announce it, wake whoever waits, arm the timer.

        Returns False when the process was in that state already.  A step that
        `TRANSITIONS` does not know is taken, but logged: plugins assign states.
        """
        old_state = self.state
        if new_state == old_state:
            return False
        if new_state not in TRANSITIONS.get(old_state, ()):
            names = [getProcessStateDescription(code) for code in (old_state, new_state)]
            self.context.logger.debug(f"{self.name}: unusual transition {names[0]} to {names[1]}")
        if new_state == ProcessStates.BACKOFF:
            self.backoff += 1
            self._retry_at = self.context.clock.monotonic() + self.backoff
        self.state = new_state
        self.arm()
        event_type = events.PROCESS_STATE_EVENTS[new_state]
        if events.has_subscribers(event_type):
            self.context.announce(event_type(self, old_state, expected))
        self.changed.wake()
        return True

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
            self._spawn_failed(f"unknown error making dispatchers for '{self.name}': {error}")
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

    def stop_for_good(self) -> None:
        """Stop, or give up trying to start, whatever the state."""
        if self.get_state() == ProcessStates.BACKOFF:
            self.give_up()
        elif self.is_running or self.awaits_restart:
            self.stop()

    @property
    def awaits_restart(self) -> bool:
        """Whether the process has exited and will be started again without being asked for."""
        return self.state == ProcessStates.EXITED and self._wants_start()

    def stop_report(self) -> None:
        """Log now and then that the process is still stopping."""
        if self.state == ProcessStates.STOPPING:
            now = self.context.clock.monotonic()
            if not self.laststopreport or now >= self.laststopreport + REPORT_SECONDS:
                self.context.logger.info(f"waiting for {self.name} to stop")
                self.laststopreport = now
                self.arm()

    def give_up(self) -> None:
        """Stop trying to start the process."""
        self.backoff = 0
        self.system_stop = True
        self.change_state(ProcessStates.FATAL)

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

    @property
    def is_running(self) -> bool:
        """Whether a start would be refused because the process is up, or coming up."""
        return self.get_state() in RUNNING_STATES

    @property
    def is_signallable(self) -> bool:
        """Whether there is a process to which a signal could be sent."""
        return self.get_state() in SIGNALLABLE_STATES
