"""`default_handler`, for Supvisors, which replaces ours with a handler of its own."""

from __future__ import annotations

from supervisor.http import handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.medusa.filesys import os_filesystem


class default_handler(handlers.default_handler):
    """Our handler of static files, constructed with a filesystem."""

    def __init__(self, filesystem: os_filesystem) -> None:
        super().__init__(filesystem.root)
