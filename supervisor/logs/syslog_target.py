"""Syslog as a target of programs' output, without blocking.

syslog(3) waits while the reader of /dev/log is busy, and so would the daemon.  Here, all programs
share a `SyslogSocket` that queues messages for a slow reader, up to a bound, and counts the others.
Messages have the form of syslog(3): `<PRI>Mon dd hh:mm:ss TAG: TEXT` (RFC 3164).
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections import deque
from functools import lru_cache

from supervisor import loggers
from supervisor.common.text import bytes_as_text, text_as_bytes
from supervisor.logs import backlog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from socket import socket
    from typing import Any

DEV_LOG = "/dev/log"

MAX_MESSAGES = 500
"""Upper bound of the messages sent in one iteration of the loop (4 us each)."""

MESSAGE_OVERHEAD_BYTES = 64
"""Memory of a queued message, beside its bytes."""

DROPPED_PRI = 1 << 3 | 4
"""PRI of the message about dropped ones: user, warning."""

_socket: SyslogSocket | None = None


def syslog_socket() -> SyslogSocket:
    """Return the socket of all programs, with one more user."""
    global _socket  # noqa: PLW0603 - the daemon has one
    if _socket is None:
        _socket = SyslogSocket(DEV_LOG)
    _socket.users += 1
    return _socket


def snapshot() -> dict[str, Any]:
    """Return the messages that are waiting or have been dropped, as JSON values."""
    return {} if _socket is None else _socket.snapshot()


def restore(saved: Mapping[str, Any]) -> None:
    """Send the messages of a snapshot."""
    connection = syslog_socket()
    connection.restore(saved)
    connection.close()  # when they have been sent


def daemon_tag() -> str:
    """Return the tag that syslog(3) uses by default."""
    return os.path.basename(sys.argv[0] or sys.executable)


class SyslogSocket:
    """The connection to the syslog daemon, and the queue of messages for it.

    It is a channel of the loop while messages are waiting; see `logs.backlog`.  Without a syslog
    daemon messages are dropped, and each one tries to connect again.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.users = 0
        self._dropped_messages = 0
        self._is_reported = False
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._sent_bytes = 0  # of the first message, on a connection of streams
        self._socket: socket | None = None
        self._is_stream = False

    def send(self, messages: Iterable[bytes]) -> None:
        """Send or queue messages; those beyond the bound of the queue are dropped and counted."""
        was_empty = not self._queue
        for message in messages:
            size = len(message) + MESSAGE_OVERHEAD_BYTES
            if self._queued_bytes + size > backlog.MAX_WAITING_BYTES:
                self._drop(1, backlog.STALLED)
            else:
                self._queued_bytes += size
                self._queue.append(message)
        if was_empty and self._queue:
            self.handle_write_event()

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; the next daemon connects again."""
        return {
            "queue": [bytes_as_text(message) for message in self._queue],
            "dropped_messages": self._dropped_messages,
            "is_reported": self._is_reported,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._dropped_messages = saved.get("dropped_messages", 0)
        self._is_reported = saved.get("is_reported") is True
        self.send(map(text_as_bytes, saved.get("queue") or ()))

    def _drop(self, messages: int, reason: str) -> None:
        self._dropped_messages += messages
        if not self._is_reported:
            self._is_reported = True
            loggers.report_error(f"cannot write to syslog: {reason}")

    def _append_note(self) -> None:
        """Queue a message about the dropped ones."""
        number = self._dropped_messages
        text = f"supervisor: {number} line{'' if number == 1 else 's'} dropped (write failed)"
        self._dropped_messages = 0
        self._is_reported = False
        self.send([header(DROPPED_PRI, daemon_tag(), time.time()) + text.encode()])

    def _send_first(self) -> bool:
        """Send the first message or a part of it; return False if the reader is too slow.

        Raises `OSError`.
        """
        try:
            is_sent = self._send_once()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self._drop(1, "a message is too long")
            is_sent = True
        if is_sent:
            self._sent_bytes = 0
            self._queued_bytes -= len(self._queue.popleft()) + MESSAGE_OVERHEAD_BYTES
        return True

    def _send_once(self) -> bool:
        """Send the first message; return False if a part remains, on a connection of streams.

        Raises `BlockingIOError` if the reader is too slow, and another `OSError` if there is none.
        """
        if self._socket is not None:
            try:
                return self._send_rest(self._socket)
            except OSError as error:
                if isinstance(error, BlockingIOError) or error.errno == errno.EMSGSIZE:
                    raise
                self._disconnect()  # the syslog daemon has been restarted
        return self._send_rest(self._connect())

    def _send_rest(self, connection: socket) -> bool:
        message = self._queue[0]
        if not self._is_stream:
            connection.send(message)
            return True
        wire = message + b"\0"
        self._sent_bytes += connection.send(wire[self._sent_bytes :])
        return self._sent_bytes == len(wire)

    def _connect(self) -> socket:
        import socket

        self._is_stream = False
        try:
            self._socket = _connected(self.path, socket.SOCK_DGRAM)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
            self._socket = _connected(self.path, socket.SOCK_STREAM)
            self._is_stream = True
        return self._socket

    def _disconnect(self) -> None:
        backlog.stop_waiting(self)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._sent_bytes = 0

    # -- as a channel -------------------------------------------------------------

    @property
    def fd(self) -> int:
        """The fd, -1 without a connection."""
        return -1 if self._socket is None else self._socket.fileno()

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def readable(self) -> bool:
        """Whether to read (never)."""
        return False

    def writable(self) -> bool:
        """Whether messages are waiting for the reader."""
        return bool(self._queue)

    def handle_read_event(self) -> None:
        """Do nothing; never called, see `readable`."""

    def handle_write_event(self) -> None:
        """Send as many messages as the reader accepts, up to a bound."""
        try:
            for _ in range(MAX_MESSAGES):
                if not self._queue or not self._send_first():
                    break
                if not self._queue and self._dropped_messages:
                    self._append_note()
        except OSError as error:
            self._disconnect()
            self._drop(len(self._queue), error.strerror or str(error))
            self._clear()
        if self._queue:
            backlog.start_waiting(self)
        else:
            self._flushed()

    def _flushed(self) -> None:
        backlog.stop_waiting(self)
        if not self.users:
            self._disconnect()

    def _clear(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def handle_error(self) -> None:
        """Drop the queue; the next message connects again."""
        self._clear()
        self._disconnect()

    def close(self) -> None:
        """Remove a user; after the last one, the connection is closed once it has been flushed."""
        self.users -= 1
        if not self._queue:
            self._flushed()

    def give_up(self) -> int:
        """Drop the queued messages and return the number of their bytes."""
        dropped_bytes = sum(map(len, self._queue))
        self._clear()
        self._flushed()
        return dropped_bytes


def _connected(path: str, kind: int) -> socket:
    """Return a connected socket; raises `OSError`, but never `BlockingIOError`."""
    import socket

    made = socket.socket(socket.AF_UNIX, kind)
    made.setblocking(False)
    try:
        made.connect(path)
    except BlockingIOError:  # a socket of streams whose queue of connections is full
        made.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, backlog.STALLED) from None
    except OSError:
        made.close()
        raise
    return made


def header(pri: int, tag: str, now: float) -> bytes:
    """Return the text before a message, as syslog(3) writes it; `now` is in seconds."""
    return f"<{pri}>{_stamp(int(now))} {tag}: ".encode()


@lru_cache(maxsize=2)
def _stamp(second: int) -> str:
    return time.strftime("%b %e %H:%M:%S", time.localtime(second))


class SyslogTarget:
    """Syslog as the target of one stream.

    `tag` is None for that of the daemon, `pri` the PRI of RFC 3164; `start` begins each message.
    """

    line_passes = 1

    def __init__(self, pri: int, tag: str | None, start: str, now: Callable[[], float]) -> None:
        self._pri = pri
        self._tag = tag or daemon_tag()
        self._start = start.encode()
        self._now = now
        self._socket = syslog_socket()

    def write(self, data: bytes, writer: str) -> None:  # noqa: ARG002 - lines are messages anyway
        """Send a message for each line."""
        head = header(self._pri, self._tag, self._now()) + self._start
        lines = data.replace(b"\0", b"\\x00").removesuffix(b"\n").split(b"\n")
        self._socket.send([head + line for line in lines])

    def reopen(self) -> None:
        """Do nothing: a connection that has ended is made again anyway."""

    def close(self) -> None:
        """Stop using syslog."""
        self._socket.close()
