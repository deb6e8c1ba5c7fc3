"""A server for tests of clients: answers each HTTP request with the bytes that a test gives."""

from __future__ import annotations

import re
import socket
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Answer = Callable[[bytes], bytes | None]
"""Request -> answer; None closes the connection without one."""


class Last(bytes):
    """An answer after which the server closes the connection without notice."""


class FakeServer:
    """Serves one connection after the other on `url`; keeps the requests."""

    def __init__(self, answer: Answer, path: Path | None = None) -> None:
        self._listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listening.bind(str(path) if path else ("127.0.0.1", 0))
        self._listening.listen()
        port = self._listening.getsockname()[1]
        self.url = f"unix://{path}" if path else f"http://127.0.0.1:{port}"
        self.connections = 0
        self.requests: list[bytes] = []
        self._answer = answer
        self._open = [self._listening]

    def serve(self) -> None:
        """Accept until the listening socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                with connection:
                    self._converse(connection)

    def close(self) -> None:
        """End the threads that serve."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _converse(self, connection: socket.socket) -> None:
        buffer = b""
        while data := connection.recv(65536):
            buffer += data
            if not _is_complete(buffer):
                continue
            self.requests.append(buffer)
            buffer = b""
            answer = self._answer(self.requests[-1])
            if answer is not None:
                connection.sendall(answer)
            if answer is None or isinstance(answer, Last) or b"Connection: close" in answer:
                return


def _is_complete(request: bytes) -> bool:
    head, blank, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(blank) and len(body) >= (int(length[1]) if length else 0)


@contextmanager
def serving(
    answer: Answer, path: Path | None = None, *, connections: int = 1
) -> Iterator[FakeServer]:
    """Serve in threads, on a unix socket at `path` or on a free port.

    `connections` is the number of those that are served at the same time.
    """
    server = FakeServer(answer, path)
    threads = [threading.Thread(target=server.serve) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.close()
        for thread in threads:
            thread.join()


def rpc_answer(value: object, *fields: str) -> bytes:
    """Return an HTTP answer that carries an XML-RPC value or fault, with more header fields."""
    content = value if isinstance(value, xmlrpc.client.Fault) else (value,)
    body = xmlrpc.client.dumps(content, methodresponse=True).encode()
    head = ["HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body
