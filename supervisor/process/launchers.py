"""From a plan to a running child: two launchers behind one function (floor 4).

`launch` starts nearly every child through `subprocess.Popen`, which uses vfork where it can:
fast, and what fails between fork and exec is raised at once.  But the daemon stands still until
exec.  (`posix_spawn` takes half of the CPU, but leaves signals ignored in the child that 4.3.0
does not.)

Where exec, or what comes before it, may have to wait for others, `launch` forks.  The child
reports through a pipe what has failed, step by step in the order of Supervisor 4; the pipe is
close-on-exec, so that its end says that exec has succeeded.  `LaunchReport` reads it in the
loop.  See "Starting a child" in docs/development.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from contextlib import suppress

from supervisor import paths, unix
from supervisor.process.plan import SpawnError, close_fds, pipe_failure
from supervisor.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from supervisor.loop import Loop
    from supervisor.process.plan import SpawnPlan
    from supervisor.unix import Identity

REPORT_FD = 3
"""Where a forked child has its end of the report; below are its standard fds."""

REPORT_BYTES = 65536
"""As much as a pipe holds."""

FAILED_STATUS = 127
"""Exit status of a child that did not get to exec, as in Supervisor 4."""

SCRIPT_HEAD_BYTES = 256
"""How much of a script the kernel reads for its `#!` line (execve(2))."""

MAX_INTERPRETERS = 5
"""How many interpreters may be scripts themselves (execve(2))."""

LEASE_HELD = "EAGAIN (a lease is held on the file)"


@record(frozen=True)
class Launched:
    """A child that was started; the process is `pid`.

    `report` is the fd on which it reports the way to exec, None if exec has succeeded.
    """

    pid: int
    report: int | None = None


def launch(plan: SpawnPlan) -> Launched:
    """Start the child; raises `SpawnError` for what is known to have failed by then."""
    identity = _identity(plan.uid)
    files: list[int] = []
    try:
        if _has_to_fork(plan, identity, files):
            return _fork(plan, identity)
        return _vfork(plan, identity)
    finally:
        close_fds(files)


def _identity(uid: int | None) -> Identity | None:
    """Return the user to change to, None if that is not needed."""
    if uid is None:
        return None
    reason = unix.cannot_become(uid)
    if reason is not None:
        raise _no_user(uid, reason)
    return None if os.getuid() == uid else unix.identity_of(uid)


# -- which launcher ------------------------------------------------------------


def _has_to_fork(plan: SpawnPlan, identity: Identity | None, files: list[int]) -> bool:
    """Whether the daemon must not stand still until exec, or the order of the steps matters.

    1. The directory, the executable or its interpreter is on a file system that may not answer.
    2. The user changes and may be unable to enter the directory, or root may: the user has to
       change first.
    3. A user other than root and the daemon's could have put the executable, or its interpreter,
       there, and may hold up whatever executes it with a lease.

    Appends fds to `files`: while a file is open for reading, no write lease is given on it.
    """
    slow_points = paths.mounts.slow_points()
    if plan.directory is not None and (slow_points or identity is not None):
        directory = paths.Route(plan.directory, slow_points)
        if directory.may_wait or (identity is not None and not directory.is_open_to_all):
            return True
    if "/" not in plan.executable:
        return True  # 1: `resolve_command` has left the search to the child
    path: str | None = plan.executable
    if plan.directory is not None:
        path = os.path.join(plan.directory, plan.executable)
    for _ in range(MAX_INTERPRETERS):
        if path is None:
            break
        route = paths.Route(path, slow_points)
        if route.may_wait or not route.is_protected:
            return True
        try:
            path = _open_executable(route, files)
        except BlockingIOError:  # root's own lease (Samba takes them): the child reports it
            return True
    return False


def _open_executable(route: paths.Route, files: list[int]) -> str | None:
    """Open what is to be executed, append the fd; return its interpreter if it is a script.

    Raises `BlockingIOError` if there is a lease on it.
    """
    if route.status is None or not stat.S_ISREG(route.status.st_mode):
        return None  # exec fails at once
    try:
        fd = os.open(route.path, os.O_RDONLY | os.O_NONBLOCK)
    except BlockingIOError:
        raise
    except OSError:
        return None  # to be executed it need not be readable
    files.append(fd)
    return _interpreter(os.read(fd, SCRIPT_HEAD_BYTES))


def _interpreter(head: bytes) -> str | None:
    """Return the interpreter that the head of a file names, None if it is no script."""
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].split(None, 1)
    return os.fsdecode(words[0]) if words else None


# -- vfork ---------------------------------------------------------------------


def _vfork(plan: SpawnPlan, identity: Identity | None) -> Launched:
    """Start the child and wait for exec, in the kernel."""
    import subprocess

    user: dict[str, Any] = {}
    if identity is not None:
        user = {"user": identity.uid, "group": identity.gid, "extra_groups": identity.groups}
    try:
        child: subprocess.Popen[bytes] = subprocess.Popen(
            plan.argv,
            executable=plan.executable,
            stdin=plan.stdin,
            stdout=plan.stdout,
            stderr=plan.stderr,
            env=plan.environment,
            cwd=plan.directory,
            umask=-1 if plan.umask is None else plan.umask,
            close_fds=False,  # every fd of the daemon is close-on-exec
            restore_signals=False,  # children keep SIGPIPE ignored, as in Supervisor 4
            process_group=0,
            **user,
        )
    except OSError as error:
        if error.filename not in (None, plan.directory):
            raise _no_exec(plan, unix.errname(error.errno)) from None
        if identity is not None:  # Popen takes a refused setuid for a chdir, or for a fork
            return _fork(plan, identity)
        if error.filename is not None:
            raise _no_directory(plan, error) from None
        raise _no_fork(plan, error) from None
    except (ValueError, subprocess.SubprocessError) as error:
        raise _no_exec(plan, error) from None
    child.returncode = 0  # reaping is the daemon's: Popen must never wait for this pid
    return Launched(child.pid)


# -- fork ----------------------------------------------------------------------


def _fork(plan: SpawnPlan, identity: Identity | None) -> Launched:
    """Start the child, which goes its way to exec by itself and reports.

    Signals are blocked around the fork: one that came to the child before it has its own
    handlers would be noticed by the daemon, and lost to the child.
    """
    try:
        reader, writer = os.pipe()
    except OSError as error:
        raise SpawnError(pipe_failure(plan.name, error)) from None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = _fork_quietly()
        if pid == 0:
            _go_to_exec(plan, identity, writer, mask)
    except OSError as error:
        os.close(reader)
        raise _no_fork(plan, error) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(writer)
    with suppress(OSError):  # a `stop` may follow before the child has done it
        os.setpgid(pid, pid)
    os.set_blocking(reader, False)
    return Launched(pid, reader)


def _fork_quietly() -> int:
    """Fork without Python's warning about threads: this child takes no lock before exec."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _go_to_exec(
    plan: SpawnPlan, identity: Identity | None, report: int, mask: set[int | signal.Signals]
) -> NoReturn:
    """In the child: become the program, or report why not and end."""
    try:
        try:
            _leave_daemon(plan, report, mask)
            report = REPORT_FD
            _become_program(plan, identity)
        except unix.ProcessException as error:
            os.write(report, os.fsencode(str(error)))
        except (OSError, ValueError) as error:
            os.write(report, os.fsencode(str(_no_exec(plan, error))))
    finally:
        os._exit(FAILED_STATUS)


def _leave_daemon(plan: SpawnPlan, report: int, mask: set[int | signal.Signals]) -> None:
    """Keep nothing of the daemon: no fd, no handler of a signal, no process group."""
    wanted = (plan.stdin, plan.stdout, plan.stderr, report)
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD, len(wanted)) for fd in wanted]
    for target, fd in enumerate(above):
        os.dup2(fd, target, inheritable=target != REPORT_FD)
    # A child that waits would keep connections open and the pid file locked.
    os.closerange(len(wanted), os.sysconf("SC_OPEN_MAX"))
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals():
        if signal.getsignal(signum) not in (signal.SIG_DFL, signal.SIG_IGN):
            with suppress(OSError, ValueError):
                signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _become_program(plan: SpawnPlan, identity: Identity | None) -> NoReturn:
    """Take the steps to exec in the order of Supervisor 4; raises `ProcessException`."""
    executable = unix.find_executable(plan.executable, plan.environment)
    if identity is not None:
        reason = unix.become(identity)
        if reason is not None:
            raise _no_user(identity.uid, reason)
    if plan.directory is not None:
        try:
            os.chdir(plan.directory)
        except OSError as error:
            raise _no_directory(plan, error) from None
    if plan.umask is not None:
        os.umask(plan.umask)
    _keep_leases_off(plan, executable)
    try:
        os.execve(executable, plan.argv, plan.environment)
    except OSError as error:
        raise _no_exec(plan, unix.errname(error.errno)) from None


def _keep_leases_off(plan: SpawnPlan, executable: str) -> None:
    """Hold the executable open until exec, which cannot wait for a lease then."""
    try:
        os.open(executable, os.O_RDONLY | os.O_NONBLOCK)
    except BlockingIOError:
        raise _no_exec(plan, LEASE_HELD) from None
    except OSError:
        pass  # it may be executed and not be read, or exec reports the same


class LaunchReport:
    """The report of a forked child, as a channel of the loop.

    It ends when exec has succeeded, and `exec_succeeded` is called, or with the child's death:
    then `failure` is what the child has said.
    """

    def __init__(self, fd: int, loop: Loop, exec_succeeded: Callable[[], object]) -> None:
        self.closed = False
        self._fd = fd
        self._loop = loop
        self._exec_succeeded = exec_succeeded
        self._text = b""
        loop.watch(self)

    def fileno(self) -> int:
        """Return the daemon's end of the pipe."""
        return self._fd

    def readable(self) -> bool:
        """Whether the report has not ended."""
        return not self.closed

    def writable(self) -> bool:
        """Reports are only read."""
        return False

    def handle_read_event(self) -> None:
        """Read a part of the report, or its end."""
        self._read()
        if self.closed and not self._text:
            self._exec_succeeded()

    def handle_write_event(self) -> None:
        """Reports are only read."""

    def handle_error(self) -> None:
        """Close the pipe and let the loop log the exception."""
        self.close()
        raise  # noqa: PLE0704 - called while the exception is being handled

    def failure(self) -> str | None:
        """Return why the child, which is dead, did not get to exec; None if it may have."""
        while not self.closed and self._read():
            pass
        self.close()
        return os.fsdecode(self._text) if self._text else None

    def _read(self) -> bool:
        """Read once; return whether something was there."""
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
            self._loop.forget(self)
            os.close(self._fd)


# -- texts of Supervisor 4, and the one about fork ------------------------------


def _no_user(uid: int, reason: str) -> SpawnError:
    return SpawnError(f"couldn't setuid to {uid}: {reason}", in_child=True)


def _no_directory(plan: SpawnPlan, error: OSError) -> SpawnError:
    symbol = unix.errname(error.errno)
    return SpawnError(f"couldn't chdir to {plan.directory}: {symbol}", in_child=True)


def _no_exec(plan: SpawnPlan, reason: object) -> SpawnError:
    return SpawnError(f"couldn't exec {plan.executable}: {reason}", in_child=True)


def _no_fork(plan: SpawnPlan, error: OSError) -> SpawnError:
    if error.errno == errno.EAGAIN:
        return SpawnError(f"Too many processes in process table to spawn '{plan.name}'")
    return SpawnError(f"unknown error during fork for '{plan.name}': {unix.errname(error.errno)}")
