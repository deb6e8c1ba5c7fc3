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
        try:
            with open(self.pidfile, encoding="ascii") as file:
                pid = int(file.read().strip())
        except (OSError, ValueError):
            # Not by print: a second signal may interrupt it, and streams are not reentrant.
            os.write(1, os.fsencode(f"Can't read child pidfile {self.pidfile}!\n"))
            return
        with suppress(ProcessLookupError):  # it has ended, and left its file
            os.kill(pid, sig)
        if sig in ENDING:
            sys.exit(0)


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
