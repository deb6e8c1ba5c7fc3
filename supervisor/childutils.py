"""What event listeners and programs under supervisord use to talk to it (for children).

A listener is written like this:

    while True:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        ...
        childutils.listener.ok(sys.stdout)
"""

from __future__ import annotations

import sys
import time
import xmlrpc.client
from collections.abc import Mapping

from supervisor.transport import SupervisorTransport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

# Between these, what a program writes to stdout or stderr is sent to listeners as an event.
BEGIN_TOKEN = "<!--XSUPERVISOR:BEGIN-->"  # noqa: S105 - no password
END_TOKEN = "<!--XSUPERVISOR:END-->"  # noqa: S105 - no password


# -- calls to supervisord ---------------------------------------------------------------


def getRPCTransport(env: Mapping[str, str]) -> SupervisorTransport:
    """Return a transport to the supervisord that started us.

    `env` is `os.environ`, or has SUPERVISOR_SERVER_URL and, where the server wants them,
    SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD.  Raises KeyError without the first.
    """
    return SupervisorTransport(
        env.get("SUPERVISOR_USERNAME", ""),
        env.get("SUPERVISOR_PASSWORD", ""),
        env["SUPERVISOR_SERVER_URL"],
    )


def getRPCInterface(env: Mapping[str, str]) -> xmlrpc.client.ServerProxy:
    """Return a proxy of the supervisord that started us; see `getRPCTransport`."""
    # The address is that of the transport; xmlrpc.client only wants to see one.
    return xmlrpc.client.ServerProxy("http://127.0.0.1", getRPCTransport(env))  # type: ignore[arg-type]


# -- events -----------------------------------------------------------------------------


def get_headers(line: str) -> dict[str, str]:
    """Return the fields of `key:value key:value`; raises ValueError for anything else."""
    return dict(_pair(field) for field in line.split())


def _pair(field: str) -> tuple[str, str]:
    key, value = field.split(":")
    return key, value


def eventdata(payload: str) -> tuple[dict[str, str], str]:
    """Return header fields and data of a payload; raises ValueError if it has no data line."""
    headerinfo, data = payload.split("\n", 1)
    return get_headers(headerinfo), data


def get_asctime(now: float | None = None) -> str:
    """Return local time, or that of `now` (seconds), as `2030-01-31 12:00:00,123`."""
    seconds = time.time() if now is None else now
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{stamp},{int(seconds % 1 * 1000):03d}"


class EventListenerProtocol:
    """The listener's side of the READY/RESULT protocol; streams are stdin and stdout."""

    def wait(
        self, stdin: IO[str] | None = None, stdout: IO[str] | None = None
    ) -> tuple[dict[str, str], str]:
        """Say that we are ready, and return headers and payload of the next event.

        Raises KeyError when stdin has ended: supervisord is gone.
        """
        self.ready(stdout)
        stdin = sys.stdin if stdin is None else stdin
        headers = get_headers(stdin.readline())
        return headers, stdin.read(int(headers["len"]))

    def ready(self, stdout: IO[str] | None = None) -> None:
        """Ask for the next event."""
        _write("READY\n", stdout)

    def ok(self, stdout: IO[str] | None = None) -> None:
        """The event is dealt with."""
        self.send("OK", stdout)

    def fail(self, stdout: IO[str] | None = None) -> None:
        """The event could not be dealt with: it is to come again."""
        self.send("FAIL", stdout)

    def send(self, data: str, stdout: IO[str] | None = None) -> None:
        """Send a result; supervisord hands it to the pool's result handler."""
        _write(f"RESULT {len(data)}\n{data}", stdout)


def _write(text: str, stream: IO[str] | None) -> None:
    stream = sys.stdout if stream is None else stream
    stream.write(text)
    stream.flush()


listener = EventListenerProtocol()


# -- communication events -----------------------------------------------------------------


class ProcessCommunicationsProtocol:
    """Sends PROCESS_COMMUNICATION events from a program to the listeners."""

    def send(self, msg: str, fp: IO[str] | None = None) -> None:
        """Send a text as an event, through stdout or stderr."""
        _write(f"{BEGIN_TOKEN}{msg}{END_TOKEN}", fp)

    def stdout(self, msg: str) -> None:
        """Send a text as a PROCESS_COMMUNICATION_STDOUT event."""
        self.send(msg, sys.stdout)

    def stderr(self, msg: str) -> None:
        """Send a text as a PROCESS_COMMUNICATION_STDERR event."""
        self.send(msg, sys.stderr)


pcomm = ProcessCommunicationsProtocol()
