"""`os_filesystem`, for Supvisors, which serves a folder of its own."""

from __future__ import annotations


class os_filesystem:
    """A folder of files."""

    def __init__(self, root: str, wd: str = "/") -> None:
        self.root = root
        self.wd = wd
