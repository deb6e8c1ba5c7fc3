"""The web interface: pages, their actions and their live updates.

`handler` looks up the view of a request in `pages`, `views` defines views in general, `status`,
`process` and `tail` are our views, `actions` implements their buttons, `rows` and `templates`
render, `language` takes their texts from the table in `texts`, `search` searches logs,
`event_stream` and `follow` are the streams that the pages' scripts read.

The names that plugins import from `supervisor.web` are here.  They are imported on first use:
a daemon that serves no page does not load most of this package.
"""

from __future__ import annotations

from importlib import import_module

from supervisor.web.handler import supervisor_ui_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.http.request import Request
    from supervisor.http.response import Response

__all__ = ["error_page", "supervisor_ui_handler"]

FIRST_ERROR_CODE = 400


def error_page(request: Request, response: Response) -> Response:
    """Return the response with an error page, as a page for people if the client accepts HTML."""
    accepts_html = "text/html" in (request.get_header("accept") or "")
    if response.status < FIRST_ERROR_CODE or not accepts_html:
        return response
    try:
        from supervisor.web.error_pages import page_for
    except ImportError:  # Python itself has been replaced or removed
        return response
    return page_for(request, response)


PAGE_NAMES = frozenset({"VIEWS", "MeldView", "OKView", "StatusView", "TailView", "ViewContext"})


def __getattr__(name: str) -> Any:
    """Return one of the names of `pages`."""
    if name in PAGE_NAMES:
        return getattr(import_module("supervisor.web.pages"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
