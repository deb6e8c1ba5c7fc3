"""The replacement of a running daemon by the version that is installed, with the same pid.

The daemon executes itself (execve(2)); its children, sockets and open files stay.  First a helper
checks that the new version starts and reads the configuration, so that a failure leaves everything
as it is.  `snapshot` makes what is handed over, `resume` is the other side.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from threading import get_ident

from supervisor.common import resume_format
from supervisor.common.faults import Faults, RPCError
from supervisor.common.text import in_seconds, one_line
from supervisor.config import standard_input
from supervisor.config.saved_config import encode_configuration, encode_group
from supervisor.daemon.interfaces import unsafe_interface
from supervisor.daemon.snapshot import configured_groups, head_of, state_of
from supervisor.daemon.start import RESUME_VARIABLE
from supervisor.engine import paths
from supervisor.engine.deferred import NOT_DONE_YET, Notifier, deferred
from supervisor.engine.posix import ProcessException, decode_wait_status
from supervisor.loggers import exception_text
from supervisor.process.helper_child import HelperChild, HelperOutput
from supervisor.process.launchers import launch
from supervisor.process.plan import SpawnPlan
from supervisor.states import SupervisorStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final

    from supervisor.daemon.whole_daemon import WholeDaemon
    from supervisor.engine.deferred import Deferred
    from supervisor.engine.loop import Loop
    from supervisor.process.helper_child import HelperEnd
    from supervisor.process.plan import Launched

CHECK_SECONDS: Final = 30.0
"""Time for the new version to read the configuration, in seconds."""

FLUSH_SECONDS: Final = 0.2
"""Time for responses that are being sent, and requests that are being received, in seconds.

New clients wait meanwhile, because of one that stalls.
"""

MAX_SETTLING_TURNS: Final = 20
"""Iterations of the loop, at most, until nothing is due at once."""

MAX_OUTPUT_BYTES: Final = 65536
MAX_REASON_CHARS: Final = 500

UNBLOCKABLE: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
"""Signals of errors in the daemon itself, which a block would make fatal without a trace."""

NOT_REPLACED = "supervisord is not replaced, and goes on: {}"
BUSY = "a replacement of the daemon is in progress"
SHUTTING_DOWN = "supervisord is shutting down"
UPDATING = "an update is in progress"
OTHER_ARGUMENTS = "its arguments are not those of its command line"


class CheckOutput(HelperOutput):
    """The output of the check, which contains its reason."""

    def __init__(self, fd: int, loop: Loop) -> None:
        self._text = b""
        super().__init__(fd, loop)

    def _arrived(self, data: bytes) -> None:
        self._text = (self._text + data)[-MAX_OUTPUT_BYTES:]

    @property
    def first_line(self) -> str:
        """The line with the reason: the last one of a traceback, the first one of all else."""
        text = self._text.decode("utf-8", "replace")
        lines = [line.strip() for line in text.split("\n") if line.strip()] or [""]
        has_traceback = any(line.startswith("Traceback") for line in lines)
        return one_line(lines[-1 if has_traceback else 0], MAX_REASON_CHARS)


class Reexec:
    """The steps from the request to `execve`."""

    def __init__(self, daemon: WholeDaemon) -> None:
        self._daemon = daemon
        self._check: HelperChild | None = None
        self._is_due = False

    # -- the request --------------------------------------------------------------

    def request(self) -> Deferred:
        """Return a deferred function that is true when the check has succeeded.

        Then the daemon is replaced.  Raises `RPCError` FAILED with the reason for which it is not;
        nothing has changed then.
        """
        if self._daemon.runtime.daemon_state != SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        reason = BUSY if self._check is not None or self._is_due else self._obstacle()
        if reason:
            raise RPCError(Faults.FAILED, reason)
        self._try_to_save()
        ended, ends = Notifier(), []

        def on_end(end: HelperEnd) -> None:
            self._check = None
            ends.append(end)
            ended.notify()

        def result() -> Any:
            if not ends:
                return NOT_DONE_YET
            reason = _failure(ends[0])
            if reason:
                raise RPCError(Faults.FAILED, reason)
            self._is_due = True
            return True

        self._check = self._start_check(on_end)
        return deferred(result, wake_sources=[ended])

    def _obstacle(self) -> str:
        """Return why the daemon cannot be replaced now, "" if it can."""
        daemon = self._daemon
        if daemon.runtime.daemon_state != SupervisorStates.RUNNING:
            return SHUTTING_DOWN
        arguments = sys.argv[1:]
        if arguments and sys.orig_argv[-len(arguments) :] != arguments:
            return OTHER_ARGUMENTS  # a program that calls `main` has changed them
        return UPDATING if daemon.has_update_in_progress else unsafe_interface(daemon.interfaces)

    def _try_to_save(self) -> None:
        """Raise `RPCError` if a plugin has put something into a config that cannot be saved."""
        try:
            encode_configuration(self._daemon.options.configuration)
            for group in self._daemon.process_groups.values():
                encode_group(group.config)
            list(configured_groups(self._daemon))
        except ValueError as error:
            raise RPCError(Faults.FAILED, error) from None

    def _start_check(self, on_end: Callable[[HelperEnd], object]) -> HelperChild:
        """Start a helper that reads the configuration with the new version.

        Raises `RPCError` if it cannot be started.
        """
        runtime = self._daemon.runtime
        try:
            launched, reader = self._launch_check()
        except (OSError, ProcessException) as error:
            raise RPCError(Faults.FAILED, f"the new version does not start: {error}") from None
        if launched.report is not None:  # a child that cannot exec reports that by its status
            os.close(launched.report)
        started = (launched.pid, reader)
        title = "the check of the new version"
        helper = HelperChild(
            title, started, runtime.loop, CHECK_SECONDS, on_end, make_output=CheckOutput
        )
        runtime.children[launched.pid] = helper
        return helper

    def _launch_check(self) -> tuple[Launched, int]:
        """Return the child, and the reading end of a pipe with its output.

        Raises `OSError` or `ProcessException`.
        """
        directory = self._daemon.options.start_directory
        can_resume = f"--can-resume={resume_format.SNAPSHOT_FORMAT}"
        with ExitStack() as stack:  # closes what the child has got
            reader, writer = os.pipe()
            stack.callback(os.close, writer)
            on_failure = stack.enter_context(ExitStack())
            on_failure.callback(os.close, reader)
            os.set_blocking(reader, False)
            stdin = self._stdin_of_check()
            stack.callback(os.close, stdin)
            launched = launch(
                SpawnPlan(
                    name="check",
                    executable=sys.executable,
                    argv=(*own_command(directory), "--check", can_resume),
                    environment=dict(os.environ),
                    directory=_usable(directory),
                    umask=None,
                    uid=None,
                    stdin=stdin,
                    stdout=writer,
                    stderr=writer,
                )
            )
            on_failure.pop_all()
        return launched, reader

    def _stdin_of_check(self) -> int:
        """Return an fd with what this daemon has read from standard input; raises `OSError`."""
        options = self._daemon.options
        if options.configfile != standard_input.NAME:
            return os.open(os.devnull, os.O_RDONLY)
        fd = _memory_file(options.settings.runtimedir)
        try:
            _write(fd, standard_input.standard_input().content)
        except OSError:
            os.close(fd)
            raise
        return fd

    # -- the replacement ------------------------------------------------------------

    def advance(self) -> None:
        """Replace the daemon if that is due; called between two iterations of the loop.

        Returns only if nothing is due, or if it has failed: then the daemon goes on.
        """
        if not self._is_due:
            return
        runtime = self._daemon.runtime
        servers = [server for _, server in self._daemon.options.httpservers]
        for server in servers:
            runtime.loop.unwatch(server)  # new clients wait for the next daemon
        try:
            self._flush()
            reason = self._obstacle()
            if reason:
                runtime.logger.error(NOT_REPLACED.format(reason))
            else:
                self._replace()
        except OSError as error:
            runtime.logger.error(NOT_REPLACED.format(error))
        except Exception:  # noqa: BLE001 - the programs must go on
            runtime.logger.critical(NOT_REPLACED.format(exception_text()))
        self._is_due = False
        for server in servers:
            runtime.loop.watch(server)

    def _flush(self) -> None:
        """Complete the exchanges with clients, then all that is due at once."""
        loop, servers = self._daemon.runtime.loop, self._daemon.options.httpservers
        deadline = loop.clock.monotonic() + FLUSH_SECONDS
        loop.call_at(deadline, lambda: None)  # ends a wait
        while loop.clock.monotonic() < deadline and any(
            server.has_clients(new=False, pending=False) for _, server in servers
        ):
            loop.run_once()
        for _ in range(MAX_SETTLING_TURNS):
            if loop.is_settled:
                break
            loop.run_once(0)

    def _replace(self) -> None:
        """Execute the new version; raises `OSError` if that fails."""
        daemon = self._daemon
        # Not later: a line that waits for a slow reader of the log is part of the state.
        daemon.runtime.logger.info("supervisord executes the installed version")
        _flush_standard_streams()
        with _without_collections(), _blocked_signals() as mask:
            head, state = head_of(daemon), state_of(daemon, mask)
            data = resume_format.encode(head, state)
            snapshot = _memory_file(daemon.options.settings.runtimedir)
            kept = {snapshot, *resume_format.fds_in(data)}
            try:
                _write(snapshot, data)
                environment = {
                    **os.environ,
                    **daemon.service_manager.environment(),
                    RESUME_VARIABLE: f"{snapshot}:{os.getpid()}",
                }
                daemon.service_manager.reloading()
                for fd in kept:
                    os.set_inheritable(fd, True)
                _keep_pending(daemon.signals or deque(), len(state["signals"]))
                _execute(daemon.options.start_directory, environment)
            finally:  # only after a failure
                for fd in kept:
                    with suppress(OSError):
                        os.set_inheritable(fd, False)
                os.close(snapshot)
                daemon.service_manager.ready("not replaced")


def _failure(end: HelperEnd) -> str:
    """Return why the check has failed, "" if it has not."""
    if end.status is None:
        return f"the new version has not read the configuration in {in_seconds(CHECK_SECONDS)}"
    if end.status == 0:
        return ""
    return end.first_line or f"the new version fails with {decode_wait_status(end.status)[1]}"


def _usable(directory: str | None) -> str | None:
    """Return a directory, None if the current one has to do.

    It may have been removed, or the user of the daemon may not enter it: root's own, for example.
    """
    try:
        is_there = directory is not None and paths.stat_at_once(directory) is not None
    except paths.MayWait:
        return directory
    return directory if is_there and os.access(directory or "", os.X_OK) else None


def own_command(directory: str | None) -> list[str]:
    """Return the command line of this daemon; a relative path of a script is below `directory`."""
    arguments = sys.argv[1:]
    head = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
    if head[-1] == sys.argv[0] and directory is not None:
        head[-1] = os.path.join(directory, head[-1])
    return [*head, *arguments]


def _execute(directory: str | None, environment: dict[str, str]) -> None:
    """Execute the daemon in the directory of its first start; raises `OSError`.

    Python and its modules may have been found from there.  The new daemon returns to the current
    directory.
    """
    with ExitStack() as after_failure:
        if directory is not None:
            with suppress(OSError):  # it cannot be used, see `_usable`
                current = os.open(".", os.O_PATH)
                after_failure.callback(os.close, current)
                os.chdir(directory)
                after_failure.callback(os.fchdir, current)
        os.execve(sys.executable, own_command(directory), environment)


def _flush_standard_streams() -> None:
    """Write what plugins have printed: the execution drops the buffers of Python."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none, full or closed
            stream.flush()


@contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage: a snapshot has many small objects, and takes half as long then."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _blocked_signals() -> Iterator[list[int]]:
    """Block signals, which then wait for the next daemon; yields the mask before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - UNBLOCKABLE)
    try:
        yield sorted(map(int, before))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _keep_pending(signals: deque[int], saved: int) -> None:
    """Let all but the first `saved` signals wait for the next daemon.

    A thread of a plugin has received them since the snapshot; this one blocks all signals.
    """
    while len(signals) > saved:
        signal.pthread_kill(get_ident(), signals.pop())


def _memory_file(directory: str | None) -> int:
    """Return the fd of a file in memory; of one on disk, without a name, where there is none."""
    try:
        return os.memfd_create("supervisor-snapshot")
    except (AttributeError, OSError):
        import tempfile

        with tempfile.TemporaryFile(dir=directory) as file:
            return os.dup(file.fileno())


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
