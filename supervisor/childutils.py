"""Helpers for event listeners and programs that run under supervisord (for children).

A typical listener:

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

from supervisor.client.transport import SupervisorTransport
from supervisor.common import capture
from supervisor.common.listener_protocol import READY_LINE
from supervisor.common.text import local_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

# Output of a program between these tokens is sent to listeners as an event.
BEGIN_TOKEN, END_TOKEN = capture.BEGIN_TOKEN.decode(), capture.END_TOKEN.decode()


# -- calls to supervisord ---------------------------------------------------------------


def getRPCTransport(env: Mapping[str, str]) -> SupervisorTransport:
    """Return a transport to the supervisord that started us.

    `env` is `os.environ`, or a mapping with SUPERVISOR_SERVER_URL and, if the server requires
    them, SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD.  Raises KeyError without a URL.
    """
    return SupervisorTransport(
        env.get("SUPERVISOR_USERNAME", ""),
        env.get("SUPERVISOR_PASSWORD", ""),
        env["SUPERVISOR_SERVER_URL"],
    )


def getRPCInterface(env: Mapping[str, str]) -> xmlrpc.client.ServerProxy:
    """Return a proxy for the supervisord that started us; see `getRPCTransport`."""
    # The transport has the real address; xmlrpc.client only requires a valid URL.
    return xmlrpc.client.ServerProxy("http://127.0.0.1", getRPCTransport(env))  # type: ignore[arg-type]


# -- events -----------------------------------------------------------------------------


def get_headers(line: str) -> dict[str, str]:
    """Parse `key:value key:value` into a dict; raises ValueError if malformed."""
    return dict(_pair(field) for field in line.split())


def _pair(field: str) -> tuple[str, str]:
    key, value = field.split(":")
    return key, value


def eventdata(payload: str) -> tuple[dict[str, str], str]:
    """Split a payload into header fields and data; raises ValueError without a data line."""
    headerinfo, data = payload.split("\n", 1)
    return get_headers(headerinfo), data


def get_asctime(now: float | None = None) -> str:
    """Return the local time, now or of `now` (seconds), as `2030-01-31 12:00:00,123`."""
    return local_time(time.time() if now is None else now)


class EventListenerProtocol:
    """Listener side of the READY/RESULT protocol; the streams are stdin and stdout."""

    def wait(
        self, stdin: IO[str] | None = None, stdout: IO[str] | None = None
    ) -> tuple[dict[str, str], str]:
        """Send READY, and return headers and payload of the next event.

        Raises KeyError at the end of stdin: supervisord has exited.
        """
        self.ready(stdout)
        stdin = sys.stdin if stdin is None else stdin
        headers = get_headers(stdin.readline())
        return headers, stdin.read(int(headers["len"]))

    def ready(self, stdout: IO[str] | None = None) -> None:
        """Send READY to request the next event."""
        _write(READY_LINE.decode(), stdout)

    def ok(self, stdout: IO[str] | None = None) -> None:
        """Report that the event was processed."""
        self.send("OK", stdout)

    def fail(self, stdout: IO[str] | None = None) -> None:
        """Report a failure, so that supervisord sends the event again."""
        self.send("FAIL", stdout)

    def send(self, data: str, stdout: IO[str] | None = None) -> None:
        """Send a result, which supervisord passes to the pool's result handler."""
        _write(f"RESULT {len(data)}\n{data}", stdout)


def _write(text: str, stream: IO[str] | None) -> None:
    stream = sys.stdout if stream is None else stream
    stream.write(text)
    stream.flush()


listener = EventListenerProtocol()


# -- communication events -----------------------------------------------------------------


class ProcessCommunicationsProtocol:
    """Sender of PROCESS_COMMUNICATION events from a program to the listeners."""

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
