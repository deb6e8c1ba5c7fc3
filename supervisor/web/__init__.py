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

__all__ = ["supervisor_ui_handler"]

PAGE_NAMES = frozenset({"VIEWS", "MeldView", "OKView", "StatusView", "TailView", "ViewContext"})


def __getattr__(name: str) -> Any:
    """Return one of the names of `pages`."""
    if name in PAGE_NAMES:
        return getattr(import_module("supervisor.web.pages"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
