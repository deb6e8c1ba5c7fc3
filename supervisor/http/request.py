"""One request and its response, in the vocabulary of medusa.

Handlers, ours and those of plugins, read `command`, `uri`, `header` and `body`, set
header fields with `request["Name"] = value`, `push` the body and end with `done()` or
`error(code)`.  `connection` creates requests and sends their responses.
"""

from __future__ import annotations

import re

from supervisor.http import http1
from supervisor.http.bodies import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from supervisor.engine.deferred import Deferred
    from supervisor.http.bodies import Producer
    from supervisor.http.connection import HTTPChannel

SERVER: Final = "Supervisor"

BODYLESS_CODES: Final = frozenset({204, 304})

ERROR_PAGE: Final = """\
<!DOCTYPE html>\r
<html>\r
<head><title>{code} {phrase}</title></head>\r
<body>\r
<h1>{phrase}</h1>\r
<p>Error code {code}.</p>\r
<p>Message: {message}.</p>\r
</body>\r
</html>\r
"""

URI: Final = r"([^;?#]*)(;[^?#]*)?(\?[^#]*)?(#.*)?"
LINE_BREAKS: Final = frozenset("\r\n\0")


class Request:
    """One request, and the response to it."""

    responses: Final = http1.RESPONSES

    def __init__(self, channel: HTTPChannel, head: http1.Head) -> None:
        self.channel = channel
        self.command = head.command
        self.uri = head.uri
        self.version = head.version
        self.header = list(head.lines)
        self.request = f"{head.command} {head.uri} HTTP/{head.version}"
        self.body = b""
        self.reply_code = 200
        self.reply_headers: dict[str, str] = {}
        self.outgoing: list[bytes | Producer] = []
        self.keep_alive = head.keep_alive
        self.admitted_by: object = None
        self._is_handed_over = False
        self.fields: Mapping[str, str] = head.fields  # shared by requests with the same head

    # -- request ------------------------------------------------------------------

    def get_header(self, name: str) -> str | None:
        """Return the value of a header field of the request; `name` is case-insensitive."""
        return self.fields.get(name.lower())

    def split_uri(self) -> tuple[str, str | None, str | None, str | None]:
        """Return (path, params, query, fragment); all but the path include their delimiter."""
        match = re.fullmatch(URI, self.uri)
        if match is None:
            raise ValueError("Broken URI")
        path, params, query, fragment = match.groups()
        return path, params, query, fragment

    # -- response -----------------------------------------------------------------

    def __setitem__(self, name: str, value: object) -> None:
        """Set a header field of the response; raises `ValueError` for a value with a line break."""
        text = str(value)
        if not text.isprintable() and not LINE_BREAKS.isdisjoint(text):
            raise ValueError(f"line break in header field {name!r}")
        self.reply_headers[name] = text

    def __getitem__(self, name: str) -> str:
        return self.reply_headers[name]

    def has_key(self, name: str) -> bool:
        """Whether a header field of the response has been set."""
        return name in self.reply_headers

    __contains__ = has_key

    def push(self, part: bytes | str | Producer) -> None:
        """Add to the body: bytes, text (sent as UTF-8) or a producer."""
        self.outgoing.append(part.encode() if isinstance(part, str) else part)

    def error(self, code: int, message: str | None = None) -> None:
        """Respond with an error page; discard the body pushed so far."""
        phrase = http1.RESPONSES.get(code, "Unknown")
        page = ERROR_PAGE.format(code=code, phrase=phrase, message=message or phrase)
        self.reply_code = code
        self.drop_body()
        self.reply_headers.pop("Transfer-Encoding", None)
        if code not in BODYLESS_CODES:
            self["Content-Length"] = len(page.encode())
            self["Content-Type"] = "text/html"
            self.push(page)
        self.done()

    def done(self) -> None:
        """Send the response."""
        self.channel.reply(self)

    def wait_for(
        self,
        question: Deferred,
        answered: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Poll a deferred function until it returns a value, then call `answered` with it.

        If it or `answered` raises, call `failed` with the exception, inside the `except` block.
        """
        self.channel.wait_for(question, answered, failed)

    def take_reply(self, date: str) -> tuple[list[bytes], Stream | None]:
        """Return the bytes to send at once, and the stream that follows, if any.

        `date` is the current time in HTTP's format.  The bytes are the header and, unless it
        is a stream, the body; neither is copied.
        """
        fields = {"Server": SERVER, "Date": date, **self.reply_headers}
        parts = self.outgoing
        has_body = self.command != "HEAD" and self.reply_code not in BODYLESS_CODES
        whole = _joined(parts)
        chunked = False
        if "Content-Length" not in fields and self.reply_code not in BODYLESS_CODES:
            if whole is not None:
                fields["Content-Length"] = str(len(whole))
            elif self.version == "1.1":
                fields["Transfer-Encoding"] = "chunked"
                chunked = True
            else:
                self.keep_alive = False  # closing the connection ends the body
        self._say_what_becomes_of_the_connection(fields)
        head = http1.answer_head(self.version, self.reply_code, fields)
        if not has_body:
            self.drop_body()
            return [head], None
        if whole is not None:
            self.outgoing = []
            return [head, whole], None
        # Keep the list: Supvisors finds the followed file in it and sets its position.
        self._is_handed_over = True
        return [head], Stream(parts.copy(), chunked=chunked)

    def _say_what_becomes_of_the_connection(self, fields: dict[str, str]) -> None:
        if fields.get("Connection", "").lower() == "close":
            self.keep_alive = False
        elif not self.keep_alive:
            if self.version == "1.1":
                fields["Connection"] = "close"
        elif self.version == "1.0":
            fields["Connection"] = "Keep-Alive"

    def drop_body(self) -> None:
        """Close and discard the pushed body, unless it is being sent."""
        if not self._is_handed_over:
            Stream(self.outgoing, chunked=False).close()
        self.outgoing = []


def _joined(parts: list[bytes | Producer]) -> bytes | None:
    """Return a complete body in one piece, None if it contains a producer."""
    try:
        return b"".join(parts)  # type: ignore[arg-type]
    except TypeError:
        return None
