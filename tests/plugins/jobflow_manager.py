"""jobflow-remote's daemon manager, driven by a test that runs in another environment.

    python jobflow_manager.py DIRECTORY FD

FD is a connection of `multiprocessing`.  Each message is the name of a method and its keyword
arguments; the response is the result, a status as text, or an exception as text.

The project has its files in DIRECTORY.  Its database is the in-memory store of maggma, which
jobflow-remote builds on: the lock on the runner and the record of it are the real ones.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from jobflow_remote.config.base import Project
from jobflow_remote.jobs.daemon import DaemonManager

POLLERS = 4
LAST_STATUS = "SHUT_DOWN"


class Manager(DaemonManager):
    """The daemon manager with two more methods for tests."""

    def recorded_runner(self) -> Any:
        """Return the database's record of the runner, None when none runs."""
        return self.job_controller.get_running_runner()

    def shut_down_while_polling(self) -> dict[str, int]:
        """Shut down while threads poll the status without a pause; return their responses, counted.

        Each polls until the daemon is shut down.
        """

        def poll() -> Counter[str]:
            responses: Counter[str] = Counter()
            while not responses[LAST_STATUS]:
                responses[call(self.check_status, raise_on_shutdown=False)] += 1
            return responses

        with ThreadPoolExecutor(POLLERS) as pool:
            pollers = [pool.submit(poll) for _ in range(POLLERS)]
            self.shut_down(raise_on_error=True)
            return dict(sum((poller.result() for poller in pollers), Counter()))


def call(method: Callable[..., Any], **arguments: Any) -> Any:
    """Call a method; return its result, or the exception as text."""
    try:
        result = method(**arguments)
    except Exception as error:  # noqa: BLE001 - the test judges it
        return f"{type(error).__name__}: {error}"
    return result.value if isinstance(result, Enum) else result


def main(directory: Path, connection: Connection) -> None:
    """Serve calls until the test closes the connection."""
    project = Project(
        name="project",
        base_dir=str(directory / "project"),
        queue={"store": {"type": "MemoryStore"}},
    )
    manager = Manager.from_project(project)
    # The one document that `jf admin reset` puts into an empty database for the manager.
    manager.job_controller.auxiliary.insert_one({"running_runner": None})
    while True:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return
        connection.send(call(getattr(manager, name), **arguments))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Connection(int(sys.argv[2])))
