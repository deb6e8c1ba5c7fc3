"""A probe that may take time, in a child of its own (a script).

Looking up a name, a TLS handshake and a path on a slow file system all block.  `command` runs
`main` in an isolated interpreter, without site-packages: 20 ms of CPU, 50 ms with TLS, where
`http.client` alone takes 40 ms.  The daemon kills the child at the deadline.
"""

from __future__ import annotations

import importlib
import math
import signal
import socket
import sys
import time

from supervisor.common.probes import (
    HTTPS,
    NO_RESPONSE,
    StatusReader,
    failure_text,
    judge_status,
    parse_probe,
)
from supervisor.engine import child_interpreter
from supervisor.engine.probe_socket import (
    MAX_LINGER_BYTES,
    RECV_BYTES,
    is_connected_to_itself,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor.common.probes import Probe

REPORTED_STATUS = 3
"""Exit status of a probe that has failed and whose output is the reason."""

ALARM_SECONDS = 5
"""Time after the deadline at which the child ends by itself, because the daemon has not."""

REST_SECONDS = 0.1
"""Time for the rest of a response, which delays the result."""


def command(probe: Probe, timeout: float) -> tuple[str, ...]:
    """Return the command line of the child for a probe; `timeout` is in seconds."""
    return child_interpreter.command(__name__, probe.text, str(timeout))


def main(arguments: Sequence[str]) -> int:
    """Run a probe, given its text and the timeout in seconds; return the exit status."""
    text, timeout = arguments[0], float(arguments[1])
    signal.alarm(math.ceil(timeout) + ALARM_SECONDS)
    failure = run(parse_probe(text))
    if failure is None:
        return 0
    sys.stdout.write(f"{failure}\n")
    return REPORTED_STATUS


def run(probe: Probe) -> str | None:
    """Return why the probe failed, None if it succeeded; this may take any time."""
    try:
        with _connect(probe) as connection:
            return _status(connection, probe.request) if probe.request else None
    except OSError as error:
        return failure_text(error)
    except ValueError as error:  # no HTTP, or a host name that cannot be encoded
        return str(error).partition("\n")[0]


def _connect(probe: Probe) -> socket.socket:
    if probe.address is None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(probe.path)
        return connection
    host = probe.address.host
    connection = socket.create_connection((host, probe.address.port))
    if is_connected_to_itself(connection):
        raise ConnectionRefusedError("connection refused")
    if probe.scheme != HTTPS:
        return connection
    # Not an `import`: the daemon would load ssl in advance, and never use it.
    context = importlib.import_module("ssl").create_default_context()
    secured: socket.socket = context.wrap_socket(connection, server_hostname=host)
    return secured


def _status(connection: socket.socket, request: bytes) -> str | None:
    """Send a request; return why its response means failure, None if it means success."""
    connection.sendall(request)
    reader = StatusReader()
    status = None
    while status is None:
        data = connection.recv(RECV_BYTES)
        if not data:
            return NO_RESPONSE
        status = reader.feed(data)
    _discard_rest(connection)
    return judge_status(status)


def _discard_rest(connection: socket.socket) -> None:
    """Read the rest of a response, so that the server can write it all."""
    deadline = time.monotonic() + REST_SECONDS
    discarded = 0
    try:
        while discarded < MAX_LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            data = connection.recv(RECV_BYTES)
            if not data:
                return
            discarded += len(data)
    except OSError:
        return
