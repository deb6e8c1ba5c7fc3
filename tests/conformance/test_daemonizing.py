"""A daemon in the background, or not: session, directory, umask, fds, signals, files, log."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.comparison import running_pair
from tests.support.daemon import Daemon

SECONDS = 30

PROGRAM = f"""
[program:x]
command={child("report")}
stdout_logfile=%(here)s/report
startsecs=0
"""

# name -> options of [supervisord] and of the command line
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "in the background": ("", ()),
    "in the foreground": ("", ("-n",)),
    "in the foreground by the file": ("nodaemon=true", ()),
    "in the foreground by the file, silent": ("nodaemon=true\nsilent=true", ()),
    "in the foreground, silent": ("", ("-n", "-s")),
    "umask": ("umask=027", ()),
    "umask in the foreground": ("umask=027", ("-n",)),
    "umask on the command line": ("umask=027", ("-m", "077")),
    "directory": ("directory=/", ()),
    "directory in the foreground": ("directory=/", ("-n",)),
    "directory on the command line": ("directory=/", ("-d", "/usr")),
    "names on the command line": ("", ("-j", "other.pid", "-l", "other.log", "-i", "other")),
    "names and a directory": ("directory=/", ("-j", "other.pid", "-l", "other.log")),
    "loglevel on the command line": ("loglevel=debug", ("-e", "warn")),
    "logs of children are kept": ("nocleanup=true", ("-t",)),
}

VARYING = re.compile(r" waiting for |^$")


def facts_of(pid: int) -> dict[str, Any]:
    """Return what the kernel knows of a daemon."""
    found = proctable.status(pid)
    assert found is not None
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    rows = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return {
        "leads a session": os.getsid(pid) == pid,
        "leads a group": os.getpgid(pid) == pid,
        "child of the tests": found.parent == os.getpid(),
        "directory": os.readlink(f"/proc/{pid}/cwd"),
        "fds": [proctable.open_fds(pid)[fd] for fd in range(3)],
        **{key: rows[key].strip() for key in ("Umask", "SigIgn", "SigCgt", "SigBlk")},
    }


def files(directory: Path) -> list[tuple[str, str]]:
    """Return names and modes of the files of a directory."""
    return [
        (path.name, stat.filemode(path.lstat().st_mode)) for path in sorted(directory.iterdir())
    ]


def log(daemon: Daemon) -> list[str]:
    """Return the lines of the activity log, wherever it is."""
    text = daemon.log_text() + daemon.text("other.log")
    return [line for line in text.splitlines() if not VARYING.search(line)]


@pytest.mark.parametrize(
    "name",
    [
        # Only the warnings of a replacement are in that log, and not where it begins and ends.
        pytest.param(
            name, marks=[pytest.mark.as_started] if name == "loglevel on the command line" else []
        )
        for name in CASES
    ],
)
def test_a_life_in_the_background(name: str) -> None:
    options, arguments = CASES[name]

    def life(daemon: Daemon) -> list[Any]:
        report = json.loads(daemon.wait_for_text("report", "}\n", SECONDS))
        daemon.wait_for_state("x", "RUNNING", seconds=SECONDS)
        pid_files = [path.read_text("ascii") for path in daemon.directory.glob("*.pid")]
        told = [
            facts_of(daemon.pid),
            pid_files == [f"{daemon.pid}\n"],
            files(daemon.directory),
            report,
        ]
        daemon.close_rpc()
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit(SECONDS)
        return [*told, files(daemon.directory), log(daemon), daemon.output_text().splitlines()]

    with running_pair(options + PROGRAM, arguments=arguments) as pair:
        pair.same(life)
