"""The snapshot of a real daemon, and the page that describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from supervisor.common.resume_format import SNAPSHOT_FORMAT
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.meddler import SECTION as MEDDLER
from tests.support.tables import assert_none
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "snapshot.md"

OPAQUE = {
    "config",
    "settings",
    "servers",
    "rpcinterfaces",
    "scales",
    "result",
    "copies",
    "signals",
    "matchers",
}
"""Keys whose values have keys that are names, or options."""

NAMES = {"fastcgi_sockets", "in_flight", "parts"}
"""Keys whose values have names as keys, but values of the format."""

CONFIG = f"""
[program-default]
startsecs=0
[program:plain]
command={child("echo")}
[program:capture]
command={child("sleeper")}
stdout_capture_maxbytes=1KB
stdout_logfile_format=prefix
stdout_tee=%(here)s/copy
[program:ready]
command=/bin/sh -c "exec sleep 1000"
notify=true
ready_timeout=1000
watchdog=1000
[program:told]
command=/bin/sh -c "exec sleep 1000"
notification_fd=3
ready_timeout=1000
[program:line]
command=/bin/sh -c "exec sleep 1000"
ready_log_line=never
ready_timeout=1000
[program:checked]
command=/bin/sh -c "exec sleep 1000"
liveness_check_script=/bin/false
liveness_check_period=1000
max_memory_restart=100MB
[program:limited]
command=/bin/false
autorestart=true
startlimit_burst=5
[program:dependent]
command={child("sleeper")}
depends_on=plain
[program:hooked]
command={child("sleeper")}
pre_start_hook=/bin/sleep 1000
[program:tree]
command={child("stubborn")}
stdout_logfile=%(here)s/tree.log
killmode=tree
stopwaitsecs=100
[fcgi-program:f]
command={child("sleeper")}
socket=unix://%(here)s/f.sock
[eventlistener:busy]
command={child("listener", "/dev/null")}
events=EVENT
buffer_size=100
"""

SAVE = """
import json
from supervisor.common import resume_format
encode = resume_format.encode
def save(head, state):
    data = encode(head, state)
    open({path!r}, "wb").write(data)
    return data
resume_format.encode = save
"""


def keys(value: object, *, are_names: bool = False) -> Iterator[str]:
    """Yield all keys in a snapshot."""
    if isinstance(value, dict):
        for key, each in value.items():
            if not are_names:
                yield key
            if key not in OPAQUE or are_names:
                yield from keys(each, are_names=key in NAMES and not are_names)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def documented() -> set[str]:
    """Return the keys in the tables of the page, and in the paragraphs below them."""
    return set(re.findall(r"`([a-z_]+)`", PAGE.read_text(encoding="utf-8")))


def test_the_page_describes_every_key(directory: Path) -> None:
    saved = directory / "snapshot"
    with Daemon(directory, f"{CONFIG}{MEDDLER}", environment={"PYTHONPATH": str(ROOT)}) as daemon:
        daemon.wait_for_state("plain", "RUNNING")
        daemon.wait_for_text("tree.log", "READY")
        daemon.rpc.supervisor.stopProcess("tree", False)
        daemon.rpc.meddler.before(SAVE.format(path=str(saved)))
        assert daemon.rpc.supervisor.reexec() is True
        wait_until(lambda: "INFO resumed " in daemon.log_text(), what=daemon.log_text)
        daemon.close_rpc()
        daemon.rpc.supervisor.signalProcess("tree", "KILL")
        assert "unknown option" not in daemon.log_text()
    head, state = map(json.loads, saved.read_text(encoding="utf-8").splitlines())
    assert head["format"] == SNAPSHOT_FORMAT
    assert f"This version writes format {SNAPSHOT_FORMAT}." in PAGE.read_text(encoding="utf-8")
    found = {*keys(head), *keys(state)}
    assert_none(f"{key} is not described" for key in sorted(found - documented()))
    parts = {"starts", "startup", "history", "hooks", "health", "stop_deadline", "tree", "pool"}
    assert parts <= found | {
        part for group in state["groups"] for each in group["processes"] for part in each["parts"]
    }


def test_the_page_describes_no_other_key() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "supervisor").rglob("*.py")
    )
    tables = "\n".join(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    )
    named = set(re.findall(r"`([a-z_]+)`", tables)) - {"update", "status"}
    assert_none(f"{key} does not exist" for key in sorted(named) if f'"{key}"' not in source)
