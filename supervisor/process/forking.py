"""The launcher that does not block: fork, and a report from the child.

The child takes the steps to exec in the order of Supervisor 4 and writes an error to a pipe.  The
pipe is close-on-exec, so its end of file means that exec has succeeded; `LaunchReport` reads it in
the loop.  `launchers.launch` decides when this is needed.
"""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress

from supervisor.common.text import bytes_as_text, text_as_bytes
from supervisor.engine import posix
from supervisor.process.interpreters import exec_failure
from supervisor.process.plan import (
    Launched,
    no_directory,
    no_exec,
    no_fork,
    no_user,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from supervisor.engine.loop import Loop
    from supervisor.engine.posix import Identity
    from supervisor.process.child_limits import LimitSteps
    from supervisor.process.plan import SpawnPlan

STANDARD_FDS = 3
"""Number of the standard fds, which are the first."""

REPORT_BYTES = 65536
"""Upper bound of a report: the capacity of a pipe."""

FAILED_STATUS = 127
"""Exit status of a child that failed before or in exec, as in Supervisor 4."""

NO_MEMORY = b"couldn't exec: ENOMEM (a limit of its memory is too low)"
"""The report of a child without memory, which can format none."""

LEASE_HELD = "EAGAIN (a lease is held on the file)"


def fork(plan: SpawnPlan, identity: Identity | None) -> Launched:
    """Start the child, which executes the program on its own and reports errors.

    Signals are blocked around the fork: a signal that reached the child before it has reset the
    handlers would be handled as the daemon's, and be lost to the child.
    """
    limits = _limit_steps(plan, identity)
    try:
        reader, writer = os.pipe()
    except OSError as error:
        raise no_fork(plan, error) from None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = _fork_quietly()
        if pid == 0:
            _go_to_exec(plan, identity, limits, writer, mask)
    except OSError as error:
        os.close(reader)
        raise no_fork(plan, error) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(writer)
    with suppress(OSError):  # also here: a `stop` may follow before the child has done it
        os.setpgid(pid, pid)
    os.set_blocking(reader, False)
    return Launched(pid, reader)


def _limit_steps(plan: SpawnPlan, identity: Identity | None) -> LimitSteps | None:
    if plan.limits is None:
        return None
    from supervisor.process.child_limits import LimitSteps  # few programs have limits

    return LimitSteps(plan.limits, keeps_user=identity is None)


def _fork_quietly() -> int:
    """Fork without Python's warning about threads: this child takes no lock before exec."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _go_to_exec(
    plan: SpawnPlan,
    identity: Identity | None,
    limits: LimitSteps | None,
    report: int,
    mask: set[int | signal.Signals],
) -> NoReturn:
    """Execute the program (in the child), or report the error and exit."""
    try:
        try:
            _leave_daemon(plan, report, mask)
            report = _report_fd(plan)
            _become_program(plan, identity, limits)
        except posix.ProcessException as error:
            os.write(report, os.fsencode(str(error)))
        except (OSError, ValueError) as error:
            os.write(report, os.fsencode(str(no_exec(plan, error))))
        except MemoryError:  # the limits are too low even for the way to exec
            os.write(report, NO_MEMORY)
    finally:
        os._exit(FAILED_STATUS)


def _report_fd(plan: SpawnPlan) -> int:
    """Return the fd of the report in the child: the first one that the program does not get."""
    fd = STANDARD_FDS
    while fd in plan.extra_fds:
        fd += 1
    return fd


def _leave_daemon(plan: SpawnPlan, report: int, mask: set[int | signal.Signals]) -> None:
    """Drop what the child inherits from the daemon: fds, signal handlers, process group."""
    report_fd = _report_fd(plan)
    wanted = {0: plan.stdin, 1: plan.stdout, 2: plan.stderr, **plan.extra_fds, report_fd: report}
    end = max(wanted) + 1
    above = {target: fcntl.fcntl(fd, fcntl.F_DUPFD, end) for target, fd in wanted.items()}
    for target, fd in above.items():
        os.dup2(fd, target, inheritable=target != report_fd)
    # A child that hangs would keep connections open and the pid file locked.
    for fd in range(STANDARD_FDS, end):
        if fd not in wanted:
            with suppress(OSError):
                os.close(fd)
    os.closerange(end, os.sysconf("SC_OPEN_MAX"))
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals():
        if signal.getsignal(signum) not in (signal.SIG_DFL, signal.SIG_IGN):
            with suppress(OSError, ValueError):
                signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _become_program(
    plan: SpawnPlan, identity: Identity | None, limits: LimitSteps | None
) -> NoReturn:
    """Take the steps to exec in the order of Supervisor 4; raises `ProcessException`."""
    environment = plan.environment if plan.files is None else plan.files.complete(plan.environment)
    if plan.pid_variable:
        environment = {**environment, plan.pid_variable: str(os.getpid())}
    executable = posix.find_executable(plan.executable, plan.environment)
    if limits is not None:
        limits.take_before()
    if identity is not None:
        reason = posix.become(identity)
        if reason is not None:
            raise no_user(identity.uid, reason)
    if limits is not None:
        limits.take_after()
    if plan.directory is not None:
        try:
            os.chdir(plan.directory)
        except OSError as error:
            raise no_directory(plan, error) from None
    if plan.umask is not None:
        os.umask(plan.umask)
    _keep_leases_off(plan, executable)
    try:
        os.execve(executable, plan.argv, environment)
    except OSError as error:
        raise exec_failure(plan, executable, error) from None


def _keep_leases_off(plan: SpawnPlan, executable: str) -> None:
    """Keep the executable open until exec, so that exec cannot wait for a lease."""
    try:
        os.open(executable, os.O_RDONLY | os.O_NONBLOCK)
    except BlockingIOError:
        raise no_exec(plan, LEASE_HELD) from None
    except OSError:
        pass  # it may be executable but not readable, or exec reports the same error


class LaunchReport:
    """The report of a forked child, as a channel of the loop.

    It ends when exec has succeeded, and `exec_succeeded` is called.  Or it ends with the child's
    death; then `failure` is the error that the child has reported.
    """

    def __init__(self, fd: int, loop: Loop, exec_succeeded: Callable[[], object]) -> None:
        self.closed = False
        self._fd = fd
        self._loop = loop
        self._exec_succeeded = exec_succeeded
        self._text = b""
        loop.watch(self)

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {"fd": self._fd, "text": bytes_as_text(self._text)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; the constructor takes its `fd`."""
        self._text = text_as_bytes(saved.get("text"))

    def fileno(self) -> int:
        """Return the daemon's end of the pipe."""
        return self._fd

    def readable(self) -> bool:
        """Whether the report has not ended."""
        return not self.closed

    def writable(self) -> bool:
        """Whether to write (never)."""
        return False

    def handle_read_event(self) -> None:
        """Read a part of the report, or its end of file."""
        self._read()
        if self.closed and not self._text:
            self._exec_succeeded()

    def handle_write_event(self) -> None:
        """Do nothing: reports are only read."""

    def handle_error(self) -> None:
        """Close the pipe; the loop logs the exception."""
        self.close()
        raise  # noqa: PLE0704 - called while the exception is being handled

    def failure(self) -> str | None:
        """Return why the dead child failed before exec; None if it reported no error."""
        while not self.closed and self._read():
            pass
        self.close()
        return os.fsdecode(self._text) if self._text else None

    def _read(self) -> bool:
        """Read once; return whether there were any bytes."""
        try:
            part = os.read(self._fd, REPORT_BYTES)
        except BlockingIOError:
            return False
        self._text += part
        if not part:
            self.close()
        return bool(part)

    def close(self) -> None:
        """Leave the loop and close the fd."""
        if not self.closed:
            self.closed = True
            self._loop.unwatch(self)
            os.close(self._fd)
