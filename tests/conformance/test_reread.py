"""What `reread` and `update` make of every kind of change: both must see and do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.children import child
from tests.support.comparison import Pair, call

if TYPE_CHECKING:
    from tests.support.daemon import Daemon

SLEEPER = f"command={child('sleeper')}\nstartsecs=0\n"
LISTENER = f"command={child('sleeper')}\nstartsecs=0\nstdout_logfile=NONE\n"

INCLUDE = "[include]\nfiles=conf.d/*.conf\n"

CONFIG = f"""
[program:same]
{SLEEPER}
[program:priority]
{SLEEPER}
[program:numbered]
{SLEEPER}
numprocs=2
process_name=n%(process_num)d
[program:environment]
{SLEEPER}
environment=A="1"
[program:logfile]
{SLEEPER}
[program:alone]
{SLEEPER}
[program:gone]
{SLEEPER}
[program:member]
{SLEEPER}
[group:joined]
programs=member
[eventlistener:listener]
{LISTENER}
events=TICK_60
[eventlistener:buffer]
{LISTENER}
events=TICK_60
[fcgi-program:socket]
{SLEEPER}
socket=unix://%(here)s/first.sock
[fcgi-program:kept]
{SLEEPER}
socket=unix://%(here)s/kept.sock
"""

SETTLED = {"same": "RUNNING", "joined:member": "RUNNING", "gone": "RUNNING"}

CHANGED = (
    CONFIG.replace("[program:priority]", "[program:priority]\npriority=5")
    .replace("numprocs=2", "numprocs=3")
    .replace('A="1"', 'A="2"')
    .replace("[program:logfile]", "[program:logfile]\nstdout_logfile=%(here)s/own.log")
    .replace("[program:gone]", "[program:new]")
    .replace("programs=member", "programs=member,alone")
    .replace("events=TICK_60\n[eventlistener:buffer]", "events=TICK_5\n[eventlistener:buffer]")
    .replace("[eventlistener:buffer]", "[eventlistener:buffer]\nbuffer_size=20")
    .replace("socket=unix://%(here)s/first.sock", "socket=unix://%(here)s/other.sock")
)


def changes(daemon: Daemon) -> Any:
    """Return what a reread reports."""
    return call(daemon, "supervisor.reloadConfig")


def update(daemon: Daemon) -> list[str]:
    """Return the lines of `update`, which come in the order of exits."""
    return sorted(daemon.ctl("update").stdout.splitlines())


def names(daemon: Daemon) -> list[tuple[Any, ...]]:
    """Return groups, processes and what is configured of them."""
    infos: Any = daemon.rpc.supervisor.getAllConfigInfo()
    keys = ("group", "name", "inuse", "group_prio", "process_prio")
    return [tuple(info[key] for key in keys) for info in infos]


def test_every_kind_of_change(pair: Pair) -> None:
    """One test, because each step needs the one before."""

    def life(daemon: Daemon) -> list[Any]:
        told = [changes(daemon), names(daemon)]
        daemon.write_config(CHANGED)
        told += [changes(daemon), update(daemon), changes(daemon), names(daemon)]
        included = daemon.directory / "conf.d"
        included.mkdir()
        (included / "more.conf").write_text(f"[program:included]\n{SLEEPER}", encoding="utf-8")
        daemon.write_config(CHANGED + INCLUDE)
        told += [changes(daemon), update(daemon)]
        (included / "more.conf").write_text(f"[program:other]\n{SLEEPER}", encoding="utf-8")
        told += [changes(daemon), update(daemon), changes(daemon), names(daemon)]
        daemon.write_config(CONFIG)
        told += [changes(daemon), update(daemon), changes(daemon), names(daemon)]
        return told

    pair.same(life)
