"""Responses, as values that handlers return, and their framing.

A handler returns a `Response`, or a `DeferredReply` if the response is not known yet; `exchange`
sends it.
"""

from __future__ import annotations

from supervisor.common.records import record
from supervisor.http import http1
from supervisor.http.bodies import Stream, close_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Final, TypeAlias

    from supervisor.engine.deferred import Deferred
    from supervisor.http.bodies import Part
    from supervisor.http.request import Request

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

LINE_BREAKS: Final = frozenset("\r\n\0")


@record(frozen=True)
class Incident:
    """A log line that a client has caused; `kind` names the kind in the plural (see `throttle`)."""

    kind: str
    text: str


class Response:
    """A response: status code, header fields, and a body of bytes and producers.

    The length, the date and the fields about the connection are added when it is sent.
    `error` is the message of an error page, None if the body is anything else.
    """

    error: str | None = None

    def __init__(
        self,
        status: int,
        fields: dict[str, str],
        parts: Sequence[Part],
        incident: Incident | None = None,
    ) -> None:
        self.status = status
        self.fields = fields
        self.parts = parts
        self.incident = incident

    def close(self) -> None:
        """Close the producers of a response that is not sent."""
        for part in self.parts:
            close_part(part)


class DeferredReply:
    """A response that is not known yet."""

    def __init__(
        self,
        poll: Deferred,
        on_result: Callable[[Any], Reply],
        on_error: Callable[[Exception], Reply],
        on_cancel: Callable[[], None] | None = None,
    ) -> None:
        """`poll` is a deferred function (see `engine.deferred`).

        `on_result` makes the reply from its result.  If one of the two raises, `on_error` makes
        the reply inside the `except` block.  `on_cancel` is called instead if the client
        disconnects first.
        """
        self.poll = poll
        self.on_result = on_result
        self.on_error = on_error
        self.on_cancel = on_cancel


Reply: TypeAlias = "Response | DeferredReply"


def error_response(
    code: int,
    message: str | None = None,
    fields: Mapping[str, str] | None = None,
    incident: Incident | None = None,
) -> Response:
    """Return a response with an error page, and further header fields."""
    phrase = http1.RESPONSES.get(code, "Unknown")
    page = ERROR_PAGE.format(code=code, phrase=phrase, message=message or phrase).encode()
    merged = dict(fields or {})
    merged.pop("Transfer-Encoding", None)
    if code in BODYLESS_CODES:
        return Response(code, merged, [], incident)
    merged["Content-Length"] = str(len(page))
    merged["Content-Type"] = "text/html"
    response = Response(code, merged, [page], incident)
    response.error = message or phrase
    return response


def field_value(name: str, value: object) -> str:
    """Return a header field's value as text; raises `ValueError` for one with a line break."""
    text = str(value)
    if not text.isprintable() and not LINE_BREAKS.isdisjoint(text):
        raise ValueError(f"line break in header field {name!r}")
    return text


def frame(
    request: Request, response: Response, date: str, *, keep_alive: bool
) -> tuple[list[bytes], Stream | None, bool]:
    """Return a response as it is sent: (pieces to send at once, the stream after them, keep_alive).

    `date` is the current time in HTTP's format.  The pieces are the header and, unless it is a
    stream, the body; neither is copied.  The connection must be closed after the response unless
    `keep_alive` is still true.
    """
    status, version = response.status, request.version
    fields = {"Server": SERVER, "Date": date, **response.fields}
    whole = _joined(response.parts)
    is_chunked = False
    if "Content-Length" not in fields and status not in BODYLESS_CODES:
        if whole is not None:
            fields["Content-Length"] = str(len(whole))
        elif version == "1.1":
            fields["Transfer-Encoding"] = "chunked"
            is_chunked = True
        else:
            keep_alive = False  # closing the connection ends the body
    if fields.get("Connection", "").lower() == "close":
        keep_alive = False
    elif not keep_alive:
        if version == "1.1":
            fields["Connection"] = "close"
    elif version == "1.0":
        fields["Connection"] = "Keep-Alive"
    head = http1.response_head(version, status, fields)
    if request.command == "HEAD" or status in BODYLESS_CODES:
        response.close()
        return [head], None, keep_alive
    if whole is not None:
        return [head, whole], None, keep_alive
    return [head], Stream([*response.parts], chunked=is_chunked), keep_alive


def _joined(parts: Sequence[Part]) -> bytes | None:
    """Return a complete body in one piece, None if it contains a producer."""
    try:
        return b"".join(parts)  # type: ignore[arg-type]
    except TypeError:
        return None
