"""`pidproxy <pidfile> <command>`: passes signals on to the pid in a file (a script).

For programs whose real process is not the one that they were started as: supervisord starts
pidproxy, pidproxy starts the command, and a signal for pidproxy goes to the process whose pid
stands in the file.  `main` is the console script.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from supervisor.output import open_standard_streams, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

USAGE = """\
pidproxy -- run a command, and pass signals on to the pid in its pidfile.

The command is started and waited for.  Each signal that comes meanwhile goes to the process
whose pid stands in the pidfile.

Usage: {} <pidfile name> <command> [<cmdarg1> ...]
"""

PASSED_ON = ("SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGQUIT")
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

MIN_ARGUMENTS = 3

MAX_FILE_BYTES = 64

MAX_PID = 2**31 - 1
"""The largest number that pid_t can hold."""


class PidProxy:
    """The command, and where the signals go.

    `args` are the script's name, the pidfile, the command and its arguments.  Raises
    ValueError if that is too few, and OSError if the pidfile is relative to a directory that
    no longer exists.
    """

    def __init__(self, args: Sequence[str]) -> None:
        if len(args) < MIN_ARGUMENTS:
            raise ValueError("a pidfile and a command are needed")
        self.pidfile = os.path.abspath(args[1])
        self.command = list(args[2:])
        self.pid = 0

    def go(self) -> None:
        """Start the command and return when it has ended; exits with 1 if there is none."""
        for name in PASSED_ON:
            signal.signal(getattr(signal, name), self.passtochild)
        try:
            self.pid = os.posix_spawnp(self.command[0], self.command, os.environ)
        except OSError as error:
            sys.exit(f"Can't run {self.command[0]}: {error.strerror}")
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def passtochild(self, sig: int, _frame: FrameType | None) -> None:
        """Pass a signal on; those that end a process end this one too."""
        pid = read_pid(self.pidfile)
        if pid is None:
            _say(f"Can't read child pidfile {self.pidfile}!")
            return
        try:
            os.kill(pid, sig)
        except ProcessLookupError:  # it has ended, and left its file
            pass
        except OSError as error:
            _say(f"Can't signal process {pid}: {error.strerror}")
        if sig in ENDING:
            sys.exit(0)


def read_pid(path: str) -> int | None:
    """Return the pid in a file, None if it is not that of another process.

    kill(2) takes 0 and negative numbers for groups of processes, and -1 for all of them.  Neither
    init, nor pidproxy, nor the supervisord that has started it is the process that is meant.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a fifo is no reason to wait
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
    # Not by print: a second signal may interrupt it, and streams are not reentrant.
    with suppress(OSError):
        os.write(1, os.fsencode(f"{line}\n"))


def main() -> None:
    """Run the script; exits with 0, or 1 after the usage."""
    open_standard_streams()
    try:
        proxy = PidProxy(sys.argv)
    except ValueError:
        put(sys.stdout, f"{USAGE.format(sys.argv[0])}\n")
        sys.exit(1)
    except OSError:
        sys.exit(f"Can't find {sys.argv[1]}: the working directory no longer exists")
    proxy.go()


if __name__ == "__main__":
    main()
