"""`pidproxy <pidfile> <command>`: forward signals to the pid in a file (a script).

For programs that daemonize: supervisord starts pidproxy, pidproxy starts the command and
forwards each signal to the process whose pid the file contains.  `main` is the console script.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

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

MIN_ARGUMENTS = 3

MAX_FILE_BYTES = 64

MAX_PID = 2**31 - 1
"""Maximum value of pid_t."""


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

    def go(self) -> None:
        """Start the command and return when it exits; exit with 1 if it cannot run."""
        for name in PASSED_ON:
            signal.signal(getattr(signal, name), self.passtochild)
        try:
            self.pid = os.posix_spawnp(self.command[0], self.command, os.environ)
        except OSError as error:
            sys.exit(f"Can't run {self.command[0]}: {error.strerror}")
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def passtochild(self, sig: int, _frame: FrameType | None) -> None:
        """Forward a signal; exit as well if it is a terminating signal."""
        pid = read_pid(self.pidfile)
        if pid is None:
            _say(f"Can't read child pidfile {self.pidfile}!")
            return
        try:
            os.kill(pid, sig)
        except ProcessLookupError:  # exited and left a stale pidfile
            pass
        except OSError as error:
            _say(f"Can't signal process {pid}: {error.strerror}")
        if sig in ENDING:
            sys.exit(0)


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
    """Run the script; exit with 0, or with 1 after printing the usage."""
    open_standard_streams()
    try:
        proxy = PidProxy(sys.argv)
    except ValueError:
        write_stdout(sys.stdout, f"{USAGE.format(sys.argv[0])}\n")
        sys.exit(1)
    except OSError:
        sys.exit(f"Can't find {sys.argv[1]}: the working directory no longer exists")
    proxy.go()


if __name__ == "__main__":
    main()
