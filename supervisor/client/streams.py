"""Endless responses of a server, read side by side in one thread.

`supervisorctl` follows several logs with `Stream`s, and waits for changes with one.  (To follow
one log it uses `http_client`, whose `Listener` plugins replace.)
"""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress

from supervisor.client.transport import (
    OK,
    RECV_BYTES,
    ResponseParser,
    check_peer,
    connect,
    get_request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable
    from typing import IO, Any, Protocol, TypeVar

    class _HasFd(Protocol):
        def fileno(self) -> int:
            """Return the fd."""

    Readable = TypeVar("Readable", bound=_HasFd)

CONNECT_SECONDS = 30.0
"""Timeout of the connection and the request: a server that does not accept them hangs."""


class Stream:
    """The response to a GET request for a path; `close` ends it.

    `options` is a `ClientOptions`, or has its attributes.  Raises OSError if the server cannot be
    reached, ValueError for an invalid address.
    """

    def __init__(self, options: Any, path: str) -> None:
        self.path = path
        self._parser = ResponseParser()
        self._connection = connect(options.serverurl, CONNECT_SECONDS)
        try:
            if options.username:
                check_peer(self._connection, options.serverurl, options.trusted_uids)
            request = get_request(options.serverurl, path, options.username, options.password)
            self._connection.sendall(request)
            self._connection.setblocking(False)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the fd of the connection."""
        return self._connection.fileno()

    @property
    def status(self) -> int | None:
        """The HTTP status, None until the head of the response has arrived."""
        return self._parser.status

    @property
    def headers(self) -> dict[str, str]:
        """The header fields, with names in lower case."""
        return self._parser.headers

    @property
    def is_complete(self) -> bool:
        """Whether the server has ended the response; else only the connection may have ended."""
        return self._parser.done

    def read(self) -> bytes | None:
        """Return what has arrived of the body, b"" if it is none of it, None at the end.

        The end is that of the response or of the connection, or a status other than 200.
        """
        try:
            data = self._connection.recv(RECV_BYTES)
            if not data:
                return None
            body = self._parser.feed(data)
        except BlockingIOError:
            return b""
        except Exception:  # noqa: BLE001 - OSError, or one of http.client's, which is not imported
            return None
        if self._parser.status not in {None, OK} or (self._parser.done and not body):
            return None
        return body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def ready(
    streams: Iterable[Readable], seconds: float | None = None, output: IO[str] | None = None
) -> list[Readable]:
    """Return the streams that can be read; waits for one, at most `seconds` (None: no limit).

    Raises BrokenPipeError as soon as the reader of `output` has gone.
    """
    by_fd = {stream.fileno(): stream for stream in streams}
    poller = select.poll()  # not select.select, which accepts no fd above 1023
    for fd in by_fd:
        poller.register(fd, select.POLLIN)
    with suppress(ValueError, AttributeError, OSError):  # it need not be a file
        if output is not None:
            poller.register(output.fileno(), 0)
    found = poller.poll(None if seconds is None else max(seconds, 0) * 1000)
    if any(fd not in by_fd for fd, _ in found):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    return [by_fd[fd] for fd, _ in found]
