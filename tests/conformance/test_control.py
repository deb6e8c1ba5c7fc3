"""A daemon's whole life, told by supervisorctl: all processes, new configurations, the end."""

from __future__ import annotations

import re
from typing import Any

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

SLEEPER = f"command={child('sleeper')}\nstartsecs=0\n"

CONFIG = f"""
[program:alone]
{SLEEPER}
[program:idle]
{SLEEPER}
autostart=false
[program:one]
{SLEEPER}
[program:two]
{SLEEPER}
[group:both]
programs=one,two
"""

SETTLED = {"alone": "RUNNING", "both:one": "RUNNING", "both:two": "RUNNING"}

# A program goes, one comes, one changes, one stays.
CHANGED = f"""
[program:alone]
{SLEEPER}
priority=5
[program:new]
{SLEEPER}
[program:one]
{SLEEPER}
[program:two]
{SLEEPER}
[group:both]
programs=one,two
"""

BROKEN = CONFIG.replace("autostart=false", "startretries=many")


def ctl(daemon: Daemon, *commands: str) -> list[Any]:
    """Run commands in sequence; lines that come in the order of exits are sorted."""
    results = []
    for command in commands:
        result = daemon.ctl(*command.split())
        # An error in the file: ours also names the option (see docs/differences.md).
        text = re.sub(r"\), option '\w+'$", ")", result.stdout, flags=re.MULTILINE)
        result.stdout = "".join(sorted(text.splitlines(keepends=True)))
        results.append([command, result])
    return results


def test_a_life(pair: Pair) -> None:
    """One test, because each step needs the one before."""

    def life(daemon: Daemon) -> list[Any]:
        told = ctl(daemon, "status", "status all", "pid", "pid all", "pid alone", "start all")
        told += ctl(daemon, "signal CONT all", "stop all", "status", "start both:*", "restart all")
        told += ctl(daemon, "clear all", "update", "update all", "reread")
        daemon.write_config(CHANGED)
        told += ctl(daemon, "reread", "avail", "add new", "add new", "remove both", "update")
        told += ctl(daemon, "status", "update", "reread", "update both", "add idle")
        told += ctl(daemon, "stop both:*", "remove both", "reread", "update both", "status")
        daemon.write_config(BROKEN)
        told += ctl(daemon, "reread", "status")
        daemon.write_config(CONFIG)
        told += ctl(daemon, "reload")
        daemon.wait_for_start(2)
        for name, state in SETTLED.items():
            daemon.wait_for_state(name, state)
        told += ctl(daemon, "status", "shutdown")
        daemon.close_rpc()
        daemon.wait_for_exit()
        wait_until(lambda: not daemon.socket_path.exists())
        return [told, ctl(daemon, "status", "shutdown"), daemon.pid_path.exists()]

    pair.same(life)
