"""Send buffer of one connection."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence


class Outbox:
    """The unsent parts of responses, in order; no bytes are copied."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._unsent)

    @property
    def held_bytes(self) -> int:
        """Memory that the unsent bytes occupy: a piece is freed once all of it has been sent."""
        return sum([memoryview(piece.obj).nbytes for piece in self._unsent])

    def send(self, *pieces: bytes) -> None:
        """Send as much as the kernel accepts now and queue the rest.  Raises `OSError`.

        One system call sends all pieces, so a header need not be joined with its body.
        """
        sent = 0 if self._unsent else self._write(pieces)
        for piece in pieces:
            size = len(piece)
            if sent < size:
                self._unsent.append(memoryview(piece)[sent:])
                self.unsent_bytes += size - sent
            sent = max(sent - size, 0)

    def flush(self) -> int:
        """Send until the kernel's buffer is full; return the number of bytes.  Raises `OSError`."""
        before = self.unsent_bytes
        unsent = self._unsent
        while unsent:
            data = unsent[0]
            sent = self._write([data])
            self.unsent_bytes -= sent
            if sent < len(data):
                unsent[0] = data[sent:]
                break
            unsent.popleft()
        return before - self.unsent_bytes

    def clear(self) -> None:
        """Discard the unsent bytes."""
        self._unsent.clear()
        self.unsent_bytes = 0

    def _write(self, pieces: Sequence[bytes | memoryview]) -> int:
        try:
            return self._socket.sendmsg(pieces)
        except BlockingIOError:
            return 0
