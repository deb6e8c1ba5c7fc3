"""The client on whose behalf code runs, so that the history of a process can name it.

A request is handled in a context of its own (`contextvars`), and so are the polls of its deferred
response and the starts that it puts in the queue.  Other code runs on behalf of no client.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_requester: ContextVar[Callable[[], str] | None] = ContextVar("requester", default=None)


def context_of(describe: Callable[[], str]) -> Context:
    """Return a context for the requests of one client; `describe` is called when it is named."""
    context = copy_context()
    context.run(_requester.set, describe)
    return context


def requester() -> str:
    """Return the description of the client, "" if code runs on behalf of no client."""
    describe = _requester.get()
    return "" if describe is None else describe()
