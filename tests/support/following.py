"""A supervisorctl that follows a log, as a test reads it."""

from __future__ import annotations

import subprocess
import threading
from queue import Queue

from tests.support.daemon import Daemon

WAIT_SECONDS = 20


class Follower:
    """A supervisorctl that follows a log; `seen` are the lines that a test has waited for."""

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        command = daemon.implementation.command("supervisorctl")
        self.process = subprocess.Popen(
            [*command, "-c", str(daemon.config_path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=daemon.directory,
            env=daemon.environment,
        )
        self.lines: Queue[str] = Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def sees(self, text: str) -> None:
        """Wait for a line with a text; the queue raises Empty when it does not come."""
        line = ""
        while text not in line:
            line = self.lines.get(timeout=WAIT_SECONDS)
            self.seen.append(line)

    def ends(self, signum: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if there is to be one; return status and stderr."""
        if signum is not None:
            self.process.send_signal(signum)
        status = self.process.wait(WAIT_SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        complaints = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, complaints
