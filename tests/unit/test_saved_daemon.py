"""Saved state: what belongs to the daemon itself, and not to one process, survives as well.

Every attribute of its objects is a key of the snapshot, or is declared here with the reason why it
need not be.  `test_saved_state` does the same for the processes.
"""

from __future__ import annotations

import ast
import inspect
import json
import socket
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon.exit_watch import ExitWatch
from supervisor.daemon.exits import Exits
from supervisor.daemon.leftovers import Leftovers
from supervisor.daemon.memory import Memory
from supervisor.daemon.pidfile import PidFile
from supervisor.daemon.reaping import Reaper
from supervisor.daemon.signals import SignalHandler
from supervisor.daemon.snapshot import head_of, state_of
from supervisor.daemon.ticks import Ticker
from supervisor.daemon.updates import Updates
from supervisor.http.listening import SocketFile
from supervisor.http.server import HTTPServer, open_http_servers
from supervisor.logs import copies, syslog_target
from supervisor.logs.backlog import Backlog, Gap
from supervisor.logs.copies import CopyTarget
from supervisor.logs.maintenance import LogMaintenance, PeriodicRotation
from supervisor.logs.sinks import Sink
from supervisor.logs.syslog_target import SyslogSocket, SyslogTarget
from supervisor.options import ServerOptions
from supervisor.process.event_pools import EventListenerPool, RejectionBackoff, Serials
from supervisor.process.fastcgi import FastCGIProcessGroup, FastCGISubprocess
from supervisor.process.orphans import OrphanCleanup
from supervisor.process.process_group import LeaderlessGroup
from supervisor.process.process_tree import ProcessTree
from supervisor.process.runtime_directory import RuntimeDirectory
from supervisor.process.services import Services
from supervisor.socket_manager import SocketManager
from supervisor.supervisord import Supervisor
from tests.support.tables import assert_none
from tests.support.world import World

CONTEXT = "the object's surroundings"
CONFIGURED = "from the configuration"
MEASURED = "from the open file"
AGAIN = "begins again"
BUSY = "a daemon with that is not replaced"

SAVED: dict[type[Any], dict[str, str]] = {
    Supervisor: {
        "options": "configuration",
        "process_groups": "groups",
        "pidfile": "pidfile",
        "ticker": "ticks",
        "exits": "exits",
        "memory": "leftovers",
        "signals": "signals",
    },
    EventListenerPool: {
        "event_buffer": "event_buffer",
        "_poolserials": "next_poolserial",
        "_backoff": "backoff",
    },
    Serials: {"next": "event_serial"},
    RejectionBackoff: {"_rejections": "rejections", "_timer": "is_paused"},
    FastCGIProcessGroup: {"socket_manager": "fastcgi_sockets"},
    SocketManager: {"_socket": "fd"},
    OrphanCleanup: {"_kill_timers": "kill_at", "_pipes": "pipes"},
    LeaderlessGroup: {"pgid": "pgid"},
    ProcessTree: {
        "_signals": "signals",
        "_is_killed": "is_killed",
        "_members": "members",
        "_unkillable": "unkillable",
    },
    RuntimeDirectory: {"_made": "notify_directory"},
    PidFile: {"path": "path", "_fd": "fd", "_is_written": "is_written"},
    Ticker: {"_last": "ticks"},
    Exits: {"_watch": "exits"},
    ExitWatch: {"_changed": "exits", "_considered": "exits"},
    Memory: {"_scales": "scales", "_leftovers": "leftovers"},
    Leftovers: {"pending": "leftovers"},
    Sink: {"fd": "fd", "path": "path", "_backlog": "backlog"},
    Backlog: {
        "fd": "fd",
        "path": "path",
        "_shared": "shared",
        "whole_lines": "whole_lines",
        "_waiting": "waiting",
        "_gap": "gap",
        "_last_byte": "last_byte",
    },
    Gap: {"dropped_bytes": "dropped_bytes", "_head": "head", "_ends_in_line": "ends_in_line"},
    CopyTarget: {
        "path": "copies",
        "_last_writer": "last_writer",
        "_ends_in_line": "ends_in_line",
    },
    SyslogSocket: {
        "_queue": "queue",
        "_dropped_messages": "dropped_messages",
        "_is_reported": "is_reported",
    },
    HTTPServer: {"_socket": "fd", "file": "file", "config": "options"},
    SocketFile: {"path": "path", "_identity": "identity"},
}
"""Attribute -> key of the snapshot."""

DERIVED: dict[type[Any], dict[str, str]] = {
    Supervisor: {
        "service_manager": "passed on in the environment",
        "_shutdown": BUSY,
        "_reexec": BUSY,
        "interfaces": "plugins are made again",
        "reaper": CONTEXT,
        "signal_handler": CONTEXT,
    },
    Reaper: {
        "_runtime": CONTEXT,
        "_is_postponed": "a new daemon reaps at once",
        "_is_subreaper": CONFIGURED,
    },
    SignalHandler: {"_daemon": CONTEXT, "_runtime": CONTEXT, "exit_requests": BUSY},
    RejectionBackoff: {"_loop": CONTEXT, "_resume": CONTEXT},
    SocketManager: {
        "config": CONFIGURED,
        "_logger": CONTEXT,
        "_users": "the processes that hold the socket",
    },
    OrphanCleanup: {"_loop": CONTEXT, "groups": "each group is watched again"},
    LeaderlessGroup: dict.fromkeys(("on_empty", "_watcher"), CONTEXT)
    | dict.fromkeys(("is_polled", "empty_scans", "_members"), "found again by a scan"),
    ProcessTree: dict.fromkeys(("_mark", "_watcher", "_signal_child", "_logger"), CONTEXT)
    | dict.fromkeys(("_channels", "_is_polled", "_empty_scans"), "found again by a scan")
    | {
        "pid": "that of the process",
        "on_empty": "set by `finish`, when the child has been reaped",
        "closed": "saved while it is open only",
    },
    RuntimeDirectory: {"_configured": CONFIGURED},
    Services: dict.fromkeys(("_loop", "_children", "_runtimedir", "processes"), CONTEXT)
    | {
        "description_subscribers": "the streams of changes end with their connections",
        "_log_maintenance": "made by the first log that needs it",
    },
    Ticker: {"_loop": CONTEXT, "_supervisord": CONTEXT, "_timer": "from the clock"},
    Exits: {"_daemon": CONTEXT, "_has_begun": "set by `resume`"},
    ExitWatch: {
        "_daemon": CONTEXT,
        "_watches_all": CONFIGURED,
        "_policy": "from the states of the processes",
        "_members": "from the options of the processes",
        "_callbacks": CONTEXT,
        "_is_scheduled": "`resume` schedules a decision",
        "_is_beginning": "the first decision has been made",
        "_verdict": BUSY,
        "exit_status": BUSY,
    },
    Memory: dict.fromkeys(("_runtime", "_groups", "_path", "_machine", "_daemon"), CONTEXT)
    | dict.fromkeys(("_entries", "_stale", "_has_new_groups"), "made again, and written")
    | {
        "_is_stopping": BUSY,
        "_is_enabled": "from the file",
        "_is_failing": "a failure is reported again",
        "_timer": "set by `resume`",
        "_earliest": AGAIN,
        "_saved": "the running daemon knows better",
    },
    Leftovers: {
        "_runtime": CONTEXT,
        "_on_change": CONTEXT,
        "_waiting": "in `pending`",
        "_stopping": "in `pending`; the time until SIGKILL begins again",
    },
    Sink: {
        "_policies": "those of its writers",
        "_users": "its writers open it again",
        "_whole_lines": "set by its writers",
        "is_inherited": "while the logs are opened only",
        "_is_regular": MEASURED,
        "is_file": MEASURED,
        "size": MEASURED,
    },
    Backlog: {"_on_flushed": "set when its sink is closed; a replaced log is closed then"},
    CopyTarget: {"_users": "its writers open it again", "_sink": "opened by its first writer"},
    SyslogSocket: {
        "path": "always the same",
        "users": "its writers open it again",
        "_queued_bytes": "from the queue",
        "_sent_bytes": "another connection begins with the whole message",
        "_socket": "connects again",
        "_is_stream": "connects again",
    },
    SyslogTarget: dict.fromkeys(("_pri", "_tag", "_start"), CONFIGURED)
    | dict.fromkeys(("_now", "_socket"), CONTEXT),
    LogMaintenance: dict.fromkeys(("_loop", "_clock", "_start_helper", "_report"), CONTEXT)
    | dict.fromkeys(("_helper", "_job"), "ended; the backup is found again when its log is opened")
    | {
        "_periods": "its logs are opened again",
        "_waiting": "backups are looked for when a log is opened",
        "_is_search_postponed": AGAIN,
        "_is_closed": BUSY,
    },
    PeriodicRotation: dict.fromkeys(("_loop", "_rotate"), CONTEXT)
    | dict.fromkeys(("_sinks", "_due", "_timer"), "its logs are opened again")
    | {"_pending": "a log whose period has ended is rotated when it is opened"},
    HTTPServer: dict.fromkeys(("loop", "logger", "limits", "socket", "_is_unix"), CONTEXT)
    | dict.fromkeys(("guards", "handlers", "error_page"), "made again, also by plugins")
    | dict.fromkeys(
        ("received", "unsent", "_throttles", "_connections", "_is_paused"),
        "its connections end",
    ),
    SocketFile: {"_renewed_at": AGAIN},
    Updates: {
        "_daemon": CONTEXT,
        "_id": "a plan of the daemon before is refused, and made again",
        "_basis": "as `_id`",
        "_running": BUSY,
    },
}
"""Attribute -> why it is not part of the snapshot."""


def assigned(kind: type[Any]) -> set[str]:
    """Return the attributes of `self` that the methods of a class assign."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def keys(value: object) -> Iterator[str]:
    """Yield all keys of JSON values."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from keys(each)


CONFIG = """\
[supervisord]
statefile={here}/state
exit_when_all_exited=true
[unix_http_server]
file={here}/s.sock
[program:x]
command=/bin/cat
stdout_logfile={here}/x.log
stdout_tee={here}/copy
[fcgi-program:f]
command=/bin/cat
socket=unix://{here}/f.sock
[eventlistener:l]
command=/bin/cat
events=TICK_5
"""


@pytest.fixture
def daemon(world: World, directory: Path) -> Iterator[Supervisor]:
    """A daemon with one part of each kind, and with children."""
    (directory / "c.conf").write_text(CONFIG.format(here=directory), encoding="utf-8")
    options = ServerOptions()
    options.runtime = world.runtime
    options.arguments = ["-c", str(directory / "c.conf")]
    options.process_config()
    world.runtime.settings = options.settings
    made = Supervisor(options)
    for config in options.process_group_configs:
        made.add_process_group(config)
    logger = world.runtime.logger
    options.httpservers = open_http_servers(options.server_configs, world.runtime.loop, logger)
    made.memory = Memory(world.runtime, made.process_groups, options.scales, f"{directory}/state")
    made.pidfile = PidFile(f"{directory}/pid")
    made.ticker = Ticker(world.runtime.loop, made)
    for group in made.process_groups.values():
        group.transition()
    world.pass_time(0)
    syslog_target.syslog_socket()._queue.append(b"waits")
    yield made
    syslog_target._socket = None
    made.ticker.stop()
    options.close_httpservers()
    for group in made.process_groups.values():
        group.before_remove()
        for process in group.processes.values():
            if isinstance(process, FastCGISubprocess):
                process._release_socket()
    copies._targets.clear()


def test_every_attribute_is_saved_or_derived() -> None:
    kinds = SAVED.keys() | DERIVED.keys()
    assert_none(
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name in assigned(kind) ^ {*SAVED.get(kind, ()), *DERIVED.get(kind, ())}
    )


def test_what_is_saved_is_a_key_of_the_snapshot(daemon: Supervisor) -> None:
    """Or of the snapshot of an object that this daemon does not have just now."""
    others = [
        Backlog(1, "x").snapshot(),
        RejectionBackoff(daemon.runtime.loop, print).snapshot(),
        {"kill_at": 0.0, "pgid": 1},  # of an orphan
        ProcessTree(1, "", None, print, daemon.runtime.logger).snapshot(),  # type: ignore[arg-type]
    ]
    found = set(keys(json.loads(json.dumps([head_of(daemon), state_of(daemon, []), others]))))
    assert_none(
        f"{kind.__name__}.{name}: {key}"
        for kind, table in SAVED.items()
        for name, key in table.items()
        if key not in found
    )


def test_a_replaced_log_that_may_block_is_still_polled() -> None:
    """Its fd is shared with other processes."""
    before = Backlog(1, "x", shared=True)
    before.whole_lines = True
    after = Backlog(1, "x")
    after.restore(before.snapshot())
    assert after
    assert after.snapshot() == before.snapshot()


def test_dropped_messages_are_reported_later(tmp_path: Path) -> None:
    """The next daemon sends what was waiting, and then how much was lost."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        before = SyslogSocket(str(tmp_path / "log"))
        before.users = 1
        before.send([b"lost"])
        before._queue.append(b"waits")
        reader.bind(str(tmp_path / "log"))
        after = SyslogSocket(before.path)
        after.restore(json.loads(json.dumps(before.snapshot())))
        assert reader.recv(100) == b"waits"
        assert reader.recv(100).endswith(b"supervisor: 1 line dropped (write failed)")
