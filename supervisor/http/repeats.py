"""Answers that are kept for requests which come again, byte for byte (floor 5).

The special form of the road from a request to its answer, which `channel` and the handlers
are: 16 instead of 43 microseconds for a monitor that asks `getState`, with the system calls on
both sides.  What is sent was made by the general form, less than a second ago, and is sent
only if that would make the same now.
"""

from __future__ import annotations

from supervisor.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 1024
"""Bytes of a request; longer ones are not asked often."""

MOST = 16
"""Answers kept by a server: there are few questions that are asked so often."""


@record(frozen=True)
class _Kept:
    """An answer, and what it holds for."""

    handler: Any
    holds: Callable[[], bool]
    date: str
    answer: bytes


class Repeats:
    """The answers that one server keeps."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def keep(
        self, request: bytes, handler: Any, holds: Callable[[], bool], date: str, answer: bytes
    ) -> None:
        """Keep what `handler` has answered to a whole request; `holds` says whether it would again.

        `date` is the one in the answer.
        """
        if len(request) <= LONGEST:
            while len(self._kept) >= MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[request] = _Kept(handler, holds, date, answer)

    def answer(self, request: bytes, handlers: list[Any], date: Callable[[], str]) -> bytes | None:
        """Return the answer to a whole request, None if it has to be made.

        It is not kept behind another handler: that one has to be asked whether it matches.
        """
        kept = self._kept.get(request) if len(request) <= LONGEST else None
        if kept is None:
            return None
        if kept.date == date() and handlers and handlers[0] is kept.handler and kept.holds():
            return kept.answer
        del self._kept[request]
        return None
