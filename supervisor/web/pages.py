"""The table of pages, for `handler` and plugins."""

from supervisor.web.event_stream import ChangesView
from supervisor.web.follow import DownloadView, EarlierView, FollowLogsView, FollowView
from supervisor.web.process import ProcessView
from supervisor.web.status import StatusView
from supervisor.web.tail import TailView
from supervisor.web.views import VIEWS, MeldView, OKView, ViewContext

__all__ = ["VIEWS", "MeldView", "OKView", "StatusView", "TailView", "ViewContext"]

VIEWS.update(
    {
        "index.html": {"template": "ui/status.html", "view": StatusView},
        "tail.html": {"template": "ui/tail.html", "view": TailView},
        "process.html": {"template": "ui/process.html", "view": ProcessView},
        "ok.html": {"template": None, "view": OKView},
        "changes": {"template": "ui/status.html", "view": ChangesView},
        "follow": {"template": None, "view": FollowView},
        "follow-logs": {"template": None, "view": FollowLogsView},
        "earlier": {"template": None, "view": EarlierView},
        "download": {"template": None, "view": DownloadView},
    }
)
