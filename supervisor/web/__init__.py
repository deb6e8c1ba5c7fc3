"""The web interface (floor 5): pages, their actions, and what keeps them alive.

The names that plugins import from `supervisor.web` are here; `supervisord` takes the
handler.  `handler` finds the view of a request, `views` says what a view is, `status` and
`tail` are ours, `actions` does what their buttons say, `rows` renders, `changes` and
`follow` are the streams that the pages' scripts listen to.
"""

from supervisor.web.changes import ChangesView
from supervisor.web.follow import DownloadView, FollowView
from supervisor.web.handler import supervisor_ui_handler
from supervisor.web.status import StatusView
from supervisor.web.tail import TailView
from supervisor.web.views import VIEWS, MeldView, OKView, ViewContext

__all__ = [
    "VIEWS",
    "MeldView",
    "OKView",
    "StatusView",
    "TailView",
    "ViewContext",
    "supervisor_ui_handler",
]

# Page -> its template and view; plugins put pages of their own here, and replace ours.
VIEWS.update(
    {
        "index.html": {"template": "ui/status.html", "view": StatusView},
        "tail.html": {"template": "ui/tail.html", "view": TailView},
        "ok.html": {"template": None, "view": OKView},
        "changes": {"template": "ui/status.html", "view": ChangesView},
        "follow": {"template": None, "view": FollowView},
        "download": {"template": None, "view": DownloadView},
    }
)
