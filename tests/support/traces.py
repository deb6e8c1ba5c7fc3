"""Traces of a process that two daemons are compared by: log lines and recorded events."""

from __future__ import annotations

import re

from tests.support.daemon import Daemon

# "waiting for" depends on when the daemon looks; the other lines name fds, or are output.
DETAILS = re.compile(
    r" connection from pid | waiting for \S+ to stop$| DEBG fd| TRAC | BLAT |output:|^READY|^$"
)
RECORDED = re.compile(r"(?P<header>ver:[^\n]*)\n(?P<payload>.*?)\n<end>\n", re.DOTALL)


def lines(daemon: Daemon, name: str) -> list[str]:
    """Return the lines about a program."""
    found = re.compile(rf"(?<![\w-]){name}(?![\w-])")
    return [
        line
        for line in daemon.log_text().splitlines()
        if found.search(line) and not DETAILS.search(line)
    ]


def recorded(daemon: Daemon, name: str) -> list[tuple[str, str]]:
    """Return what a listener has read, as (header, payload), with proven lengths."""
    events = []
    for found in RECORDED.finditer(daemon.text(name)):
        header, payload = found["header"], found["payload"]
        length = re.search(r" len:(\d+)$", header)
        assert length is not None, header
        assert int(length[1]) == len(payload), (header, payload)
        varying = "pid:" in payload or "when:" in payload
        events.append((re.sub(r"len:\d+", "len:<length>", header) if varying else header, payload))
    return events


def without_serials(events: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return events whose serials, which depend on what else happens, are left out."""
    return [(re.sub(r"serial:\d+", "serial:<number>", header), text) for header, text in events]
