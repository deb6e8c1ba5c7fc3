"""One request and its answer, in the vocabulary of medusa (floor 5).

Handlers, ours and those of plugins, read `command`, `uri`, `header` and `body`, set
header fields with `request["Name"] = value`, `push` the body and end with `done()` or
`error(code)`.  `channel` makes requests and sends what they answer.
"""

from __future__ import annotations

import re

from supervisor.http import wire
from supervisor.http.bodies import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from supervisor.deferred import Question
    from supervisor.http.bodies import Producer
    from supervisor.http.channel import HTTPChannel

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
    """What a client asks, and what it will be answered."""

    responses: Final = wire.RESPONSES

    def __init__(self, channel: HTTPChannel, head: wire.Head) -> None:
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
        self.fields: Mapping[str, str] = head.fields  # kept for the next request with this head

    # -- what was asked -----------------------------------------------------------

    def get_header(self, name: str) -> str | None:
        """Return the value of a header field of the request, whatever its case."""
        return self.fields.get(name.lower())

    def split_uri(self) -> tuple[str, str | None, str | None, str | None]:
        """Return (path, params, query, fragment); each but the path keeps its delimiter."""
        match = re.fullmatch(URI, self.uri)
        if match is None:
            raise ValueError("Broken URI")
        path, params, query, fragment = match.groups()
        return path, params, query, fragment

    # -- what is answered ---------------------------------------------------------

    def __setitem__(self, name: str, value: object) -> None:
        """Set a header field of the answer; raises `ValueError` for one with a line break."""
        text = str(value)
        if not text.isprintable() and not LINE_BREAKS.isdisjoint(text):
            raise ValueError(f"line break in header field {name!r}")
        self.reply_headers[name] = text

    def __getitem__(self, name: str) -> str:
        return self.reply_headers[name]

    def has_key(self, name: str) -> bool:
        """Whether a header field of the answer has been set."""
        return name in self.reply_headers

    __contains__ = has_key

    def push(self, part: bytes | str | Producer) -> None:
        """Add to the body: bytes, text (sent as UTF-8) or a producer."""
        self.outgoing.append(part.encode() if isinstance(part, str) else part)

    def error(self, code: int, message: str | None = None) -> None:
        """Answer with an error page, in place of all that was pushed."""
        phrase = wire.RESPONSES.get(code, "Unknown")
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
        """Send the answer."""
        self.channel.reply(self)

    def wait_for(
        self,
        question: Question,
        answered: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Ask a deferred function until it has an answer, then call `answered` with it.

        What it or `answered` raises is given to `failed`, inside the `except` block.
        """
        self.channel.wait_for(question, answered, failed)

    def take_reply(self, date: str) -> tuple[list[bytes], Stream | None]:
        """Return the bytes to send at once, and the stream that follows, if any.

        `date` is the time as HTTP writes it.  The bytes are the header and, unless it is a
        stream, the body; neither is copied.
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
                self.keep_alive = False  # the end of the connection is the end of the body
        self._say_what_becomes_of_the_connection(fields)
        head = wire.answer_head(self.version, self.reply_code, fields)
        if not has_body:
            self.drop_body()
            return [head], None
        if whole is not None:
            self.outgoing = []
            return [head, whole], None
        # The list stays: Supvisors looks for the followed file in it to set where it begins.
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
        """Let go of what was pushed, unless it is being sent."""
        if not self._is_handed_over:
            Stream(self.outgoing, chunked=False).close()
        self.outgoing = []


def _joined(parts: list[bytes | Producer]) -> bytes | None:
    """Return a body that is all there in one piece, None if some of it is yet to come."""
    try:
        return b"".join(parts)  # type: ignore[arg-type]
    except TypeError:
        return None
