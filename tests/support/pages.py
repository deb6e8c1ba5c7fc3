"""Programs, and the address of their pages, for tests in a browser."""

from __future__ import annotations

from tests.support.children import child
from tests.support.daemon import Daemon

PROGRAMS = f"""
[program:stays]
command={child("sleeper")}
startsecs=0
[program:speaks]
command={child("echo")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:cannot]
command=/nonexistent/program
autostart=false
[group:team]
programs=first,second
[program:first]
command={child("sleeper")}
startsecs=0
[program:second]
command={child("sleeper")}
startsecs=0
"""


class Site:
    """A daemon and the address of its pages."""

    def __init__(self, daemon: Daemon, url: str) -> None:
        self.daemon = daemon
        self.url = url
