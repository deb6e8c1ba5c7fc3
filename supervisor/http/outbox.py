"""Bytes of one connection that wait until the kernel takes them (floor 5)."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


class Outbox:
    """The unsent part of answers, in order; nothing is copied."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._unsent)

    @property
    def held_bytes(self) -> int:
        """Memory that the unsent bytes keep: a piece is freed once all of it has been sent."""
        return sum([memoryview(piece.obj).nbytes for piece in self._unsent])

    def send(self, data: bytes) -> None:
        """Send what the kernel takes at once and keep the rest.  Raises `OSError`."""
        sent = 0 if self._unsent else self._write(data)
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])
            self.unsent_bytes += len(data) - sent

    def flush(self) -> int:
        """Send until the kernel takes no more; return how many bytes.  Raises `OSError`."""
        before = self.unsent_bytes
        unsent = self._unsent
        while unsent:
            data = unsent[0]
            sent = self._write(data)
            self.unsent_bytes -= sent
            if sent < len(data):
                unsent[0] = data[sent:]
                break
            unsent.popleft()
        return before - self.unsent_bytes

    def clear(self) -> None:
        """Drop what was not sent."""
        self._unsent.clear()
        self.unsent_bytes = 0

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
