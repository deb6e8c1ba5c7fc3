"""`pidproxy <pidfile> <command>`: forward signals to the pid in a file (a script).

For programs that daemonize: supervisord starts pidproxy, pidproxy starts the command and
forwards each signal to the process whose pid the file contains.  `main` is the console script.

pidproxy ends with its command.  After a terminating signal it also waits for the process that
has received the signal, because supervisord regards the program as stopped when pidproxy ends.
A process that does not end is no reason to give up: supervisord kills pidproxy after
`stopwaitsecs`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from supervisor.common.pids import MAX_PID
from supervisor.common.stdio import open_standard_streams, write_stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

USAGE = """\
pidproxy -- run a command, and forward signals to the pid in its pidfile.

pidproxy starts the command and waits for it to exit.  Meanwhile, it forwards each signal to the
process whose pid the pidfile contains.

Usage: {} <pidfile name> <command> [<cmdarg1> ...]
"""

PASSED_ON = ("SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGQUIT")
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

KILLED_STATUS = 128
"""Offset of a signal in the exit status of a killed command, as in a shell."""

COMMAND_SECONDS = 1.0
"""Time for the command to end as well, after the process that received a terminating signal."""

CHECK_SECONDS = 0.5
"""Interval between checks of a process where the kernel has no pidfd."""

MIN_ARGUMENTS = 3

MAX_FILE_BYTES = 64

MAX_WAKEUPS = 4096


class PidProxy:
    """A running command and the pidfile of the process that receives its signals.

    `args` holds the script's name, the pidfile, the command and its arguments.  Raises
    ValueError if some are missing, and OSError if the pidfile is relative to a directory that
    no longer exists.
    """

    def __init__(self, args: Sequence[str]) -> None:
        if len(args) < MIN_ARGUMENTS:
            raise ValueError("a pidfile and a command are needed")
        self.pidfile = os.path.abspath(args[1])
        self.command = list(args[2:])
        self.pid = 0
        self._stopping: _Stopping | None = None

    def go(self) -> int:
        """Start the command and return an exit status when it exits.

        The status is the command's own, or 128 plus the signal that has killed it.  It is 0 if
        only the process that received a terminating signal has ended.  Exit with 1 if the
        command cannot run.
        """
        wakeup = _catch_signals(self.passtochild)
        try:
            self.pid = os.posix_spawnp(self.command[0], self.command, os.environ)
        except OSError as error:
            sys.exit(f"Can't run {self.command[0]}: {error.strerror}")
        status: int | None = None
        while True:
            if status is None:
                status = self._reap()
            stopping = self._stopping
            if status is not None and (stopping is None or stopping.has_ended):
                return status
            if stopping is not None and stopping.is_over:
                return 0
            poll = select.poll()
            poll.register(wakeup, select.POLLIN)
            poll.poll(None if stopping is None else stopping.wait_on(poll))
            with suppress(BlockingIOError):
                os.read(wakeup, MAX_WAKEUPS)

    def _reap(self) -> int | None:
        """Return the exit status of the command, None while it runs."""
        pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(wait_status)
        return code if code >= 0 else KILLED_STATUS - code

    def passtochild(self, sig: int, _frame: FrameType | None) -> None:
        """Forward a signal; after a terminating one `go` waits for the process as well."""
        pid = read_pid(self.pidfile)
        if pid is None:
            _say(f"Can't read child pidfile {self.pidfile}!")
            return
        if sig in ENDING and (self._stopping is None or self._stopping.pid != pid):
            self._stopping = _Stopping(pid)  # now, while the pid is certainly that of the process
        try:
            os.kill(pid, sig)
        except OSError as error:
            if not isinstance(error, ProcessLookupError):  # else exited and left a stale pidfile
                _say(f"Can't signal process {pid}: {error.strerror}")
            if sig in ENDING and self._stopping is not None:
                self._stopping.give_up()


class _Stopping:
    """A process that has received a terminating signal and is expected to end.

    It need not be a child of pidproxy, so its end is seen by a pidfd (pidfd_open(2)), or by
    checks of its pid where there is none.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended_at: float | None = None
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):  # no pidfd here, or no such process
            self._fd = None

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, or will not because it was not signalled."""
        if self._ended_at is None and not self._is_alive():
            self.give_up()
        return self._ended_at is not None

    @property
    def is_over(self) -> bool:
        """Whether the process has ended and the command has had time to end as well."""
        return self.has_ended and self._seconds_left() <= 0

    def give_up(self) -> None:
        """Wait for the process no longer."""
        self._ended_at = time.monotonic()

    def wait_on(self, poll: select.poll) -> float | None:
        """Register with `poll`; return the timeout of the next wait, in milliseconds."""
        if self._ended_at is not None:
            return max(self._seconds_left(), 0) * 1000
        if self._fd is None:
            return CHECK_SECONDS * 1000
        poll.register(self._fd, select.POLLIN)
        return None

    def _seconds_left(self) -> float:
        return (self._ended_at or 0) + COMMAND_SECONDS - time.monotonic()

    def _is_alive(self) -> bool:
        if self._fd is not None:
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            return not poll.poll(0)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it has changed its user
            pass
        return True


def _catch_signals(forward: Callable[[int, FrameType | None], None]) -> int:
    """Forward signals; return an fd that is readable after each signal and SIGCHLD."""
    wakeup, sender = os.pipe()
    for fd in (wakeup, sender):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _sig, _frame: None)
    for name in PASSED_ON:
        signal.signal(getattr(signal, name), forward)
    return wakeup


def read_pid(path: str) -> int | None:
    """Return the pid in a file, or None if signalling it would be unsafe.

    To kill(2), 0 and negative numbers are process groups, and -1 means all processes.  The pid
    of init, of pidproxy or of its parent supervisord cannot be the intended process either.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # do not block on a FIFO
    except OSError:
        return None
    try:
        digits = os.read(fd, MAX_FILE_BYTES).strip()
    except OSError:
        return None
    finally:
        os.close(fd)
    pid = int(digits) if digits.isdigit() else 0
    return pid if 1 < pid <= MAX_PID and pid not in {os.getpid(), os.getppid()} else None


def _say(line: str) -> None:
    # Not print: a second signal may interrupt it, and streams are not reentrant.
    with suppress(OSError):
        os.write(1, os.fsencode(f"{line}\n"))


def main() -> None:
    """Run the script; exit with the status of `PidProxy.go`, or with 1 after printing the usage."""
    open_standard_streams()
    try:
        proxy = PidProxy(sys.argv)
    except ValueError:
        write_stdout(sys.stdout, f"{USAGE.format(sys.argv[0])}\n")
        sys.exit(1)
    except OSError:
        sys.exit(f"Can't find {sys.argv[1]}: the working directory no longer exists")
    sys.exit(proxy.go())


if __name__ == "__main__":
    main()
