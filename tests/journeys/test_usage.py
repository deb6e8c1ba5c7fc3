"""Journey: what clients see of the use of CPU and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

BUSY = """sh -c 'while :; do :; done & sleep 60 & wait'"""


def test_a_program_is_shown_with_its_descendants(directory: Path) -> None:
    programs = f"""
        [program:idle]
        command={child("sleeper")}
        startsecs=0
        [program:busy]
        command={BUSY}
        stopasgroup=true
        startsecs=0
        [program:down]
        command={child("sleeper")}
        autostart=false
    """
    with Daemon(directory, programs) as daemon:
        daemon.wait_for_state("busy", "RUNNING")
        daemon.wait_for_state("idle", "RUNNING")

        def usage(name: str) -> dict[str, Any]:
            found: Any = daemon.rpc.supervisor.getProcessDetails(name, True)
            return dict(found)

        wait_until(lambda: usage("busy")["processes"] == 3)
        wait_until(lambda: usage("busy")["cpu_percent"] > 5 and usage("busy")["cpu_seconds"] > 0.1)
        idle, down = usage("idle"), usage("down")
        assert idle["processes"] == 1
        assert idle["memory_bytes"] > 1e5
        assert (down["processes"], down["memory_bytes"], down["cpu_percent"]) == (0, 0, 0)
        every: Any = daemon.rpc.supervisor.getAllProcessDetails(True)
        assert {each["name"]: each["processes"] for each in every} == {
            "busy": 3,
            "down": 0,
            "idle": 1,
        }
