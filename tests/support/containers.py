r"""The daemon as pid 1 of a container that has nothing but its configuration (Linux, root).

with running(directory, "[supervisord]\n[program:x]\ncommand=...", "--container") as started:
    started.wait_for("[x] hello")
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import proctable
from tests.support.daemon import OURS, clean_environment
from tests.support.namespaces import container
from tests.support.waiting import wait_until

UID = 12345


class Container:
    """A container that has been started; its log is `output`."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.output = directory / "output"

    def text(self) -> str:
        """Return the log, as the engine gets it."""
        return self.output.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete lines of a log in JSON."""
        return [json.loads(line) for line in self.text().rpartition("\n")[0].splitlines()]

    def messages(self, name: str) -> list[str]:
        """Return the lines of one program."""
        return [line["message"] for line in self.lines() if line.get("name") == name]

    def wait_for(self, text: str) -> None:
        """Wait until a text is in the log."""
        wait_until(lambda: text in self.text(), 20, what=self.text)

    def main_process(self) -> proctable.ProcessStatus:
        """Return the status of pid 1, as it is outside."""
        (found,) = proctable.children(self._process.pid)
        return found

    def signal(self, signum: int) -> None:
        """Send a signal to pid 1."""
        os.kill(self.main_process().pid, signum)

    def wait(self, seconds: float = 20) -> int:
        """Wait until the container has ended; return its exit status."""
        return self._process.wait(seconds)


@contextmanager
def running(directory: Path, config: str, *arguments: str) -> Iterator[Container]:
    """Run a container without HOME and without a standard input."""
    file = directory / "c.conf"
    file.write_text(config, encoding="utf-8")
    os.chown(directory, UID, UID)
    environment = clean_environment(directory)
    environment.pop("HOME", None)
    without_stdin = ("sh", "-c", 'exec "$@" <&-', "sh")
    command = (*without_stdin, *OURS.command("supervisord"), *arguments, "-c", str(file))
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(
            [*container(directory, UID), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        ) as process,
    ):
        try:
            yield Container(directory, process)
        finally:
            process.kill()
