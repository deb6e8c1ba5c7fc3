"""The HTTP server, one floor below its users.

The names that plugins import from `supervisor.http` are here; our own code imports the
modules.
"""

from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.http.bodies import tail_f_producer
from supervisor.http.handlers import (
    default_handler,
    logtail_handler,
    mainlogtail_handler,
    supervisor_auth_handler,
)
from supervisor.http.server import open_http_servers

__all__ = [
    "NOT_DONE_YET",
    "default_handler",
    "logtail_handler",
    "mainlogtail_handler",
    "open_http_servers",
    "supervisor_auth_handler",
    "tail_f_producer",
]
