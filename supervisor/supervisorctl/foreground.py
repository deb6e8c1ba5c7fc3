"""`fg`: connects the terminal to a process's output and stdin."""

from __future__ import annotations

import threading

from supervisor.client import proxy
from supervisor.client.tailing import LogTail
from supervisor.common.faults import Faults
from supervisor.http_client import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.supervisorctl.controller import Controller

FAULT_TEXTS = {
    Faults.NOT_RUNNING: "Process got killed",
    Faults.NO_FILE: "Process stdin closed",
}


def run_foreground(ctl: Controller, program: str) -> None:
    """Print a process's output and send it each input line, until Ctrl-C or end of input."""
    follower = fgthread(program, ctl)
    follower.start()
    supervisor = ctl.get_supervisor()
    try:
        while True:
            supervisor.sendProcessStdin(program, f"{input()}\n")
    except proxy.Fault as fault:
        ctl.output(FAULT_TEXTS.get(fault.faultCode, f"ERROR: {fault}"))
        ctl.output("Exiting foreground")
    except (KeyboardInterrupt, EOFError):
        ctl.output("Exiting foreground")
    finally:
        follower.kill()
        follower.join()


class fgthread(threading.Thread):  # noqa: N801 - the name that scripts know
    """A thread that prints a process's stdout and stderr until `kill` is called."""

    def __init__(self, program: str, ctl: Controller) -> None:
        super().__init__(name=f"fg {program}", daemon=True)
        self.program = program
        self.ctl = ctl
        options = ctl.options
        self._url: str = options.serverurl
        self._tails = [
            LogTail(Listener(), options.username, options.password) for _ in ("out", "err")
        ]
        for tail in self._tails:
            tail.trusted_uids = getattr(options, "trusted_uids", frozenset)

    def run(self) -> None:
        """Follow both logs."""
        stdout, stderr = self._tails
        path = f"/logtail/{self.program}"
        other = threading.Thread(target=stderr.get, args=(self._url, f"{path}/stderr"), daemon=True)
        other.start()
        stdout.get(self._url, f"{path}/stdout")
        other.join()

    def kill(self) -> None:
        """Make the thread end soon."""
        for tail in self._tails:
            tail.close()
