"""Journey: plans of updates, and changes of the configuration while programs run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

SLEEPER = child("sleeper")
BEFORE = f"""
    [program:web]
    command={SLEEPER}
    process_name=w%(process_num)d
    numprocs=2
    startsecs=0
    [program:job]
    command={SLEEPER}
    startsecs=0
    environment=KEY=hunter1
    [program:old]
    command={SLEEPER}
    startsecs=0
"""
AFTER = (
    BEFORE.replace("numprocs=2", "numprocs=3\n    stopwaitsecs=30")
    .replace("hunter1", "hunter2")
    .replace("program:old", "program:new")
)
PLAN = """\
~ restart job (environment)
+ add new
= apply web:w0 (stopwaitsecs 10 -> 30)
= apply web:w1 (stopwaitsecs 10 -> 30)
+ add web:w2 (numprocs 2 -> 3)
- remove old
"""


def pids(daemon: Daemon) -> dict[str, int]:
    """Return the pids of all processes by name."""
    return {each["name"]: each["pid"] for each in daemon.rpc.supervisor.getAllProcessInfo()}


def running_pids(daemon: Daemon) -> dict[str, int]:
    """Return the pids when each process has one."""
    wait_until(lambda: all(pids(daemon).values()), what=daemon.log_text)
    return pids(daemon)


def test_a_plan_changes_nothing(directory: Path) -> None:
    with Daemon(directory, BEFORE) as daemon:
        before = running_pids(daemon)
        planned = daemon.ctl("update", "--plan")
        assert (planned.stdout, planned.returncode) == ("No config updates to processes\n", 0)
        daemon.write_config(AFTER)
        for _ in range(2):
            planned = daemon.ctl("update", "--plan")
            assert (planned.stdout, planned.stderr, planned.returncode) == (PLAN, "", 2)
        as_json = daemon.ctl("update", "--plan", "--json", "web")
        names = [step["name"] for step in json.loads(as_json.stdout)["steps"]]
        assert (names, as_json.returncode) == (["w0", "w1", "w2"], 2)
        assert "new " in daemon.ctl("avail").stdout  # it has read the file, as `reread` does
        assert pids(daemon) == before
        daemon.write_config(AFTER.replace("startsecs=0", "startsecs=x"))
        broken = daemon.ctl("update", "--plan")
        assert broken.stdout.startswith("ERROR: CANT_REREAD: ")
        assert broken.returncode == 1


DONE = """\
job: restarted (environment)
new: added
web:w0: changed (stopwaitsecs 10 -> 30)
web:w1: changed (stopwaitsecs 10 -> 30)
web:w2: added (numprocs 2 -> 3)
old: removed
"""


def test_a_minimal_update_restarts_only_what_the_plan_says(directory: Path) -> None:
    with Daemon(directory, BEFORE) as daemon:
        before = running_pids(daemon)
        daemon.write_config(AFTER)
        updated = daemon.ctl("update", "--minimal")
        assert (updated.stdout, updated.returncode) == (DONE, 0)
        after = running_pids(daemon)
        assert after.keys() == {"job", "new", "w0", "w1", "w2"}
        assert {name for name in after if after[name] == before.get(name)} == {"w0", "w1"}
        assert daemon.ctl("reread").stdout == "No config updates to processes\n"
        again = daemon.ctl("update", "--minimal")
        assert (again.stdout, again.returncode) == ("No config updates to processes\n", 0)
        daemon.write_config(AFTER.replace("numprocs=3", "numprocs=1"))
        assert daemon.ctl("update", "--minimal", "web").stdout == (
            "web:w1: removed (numprocs 3 -> 1)\nweb:w2: removed (numprocs 3 -> 1)\n"
        )
        assert pids(daemon)["w0"] == before["w0"]


def test_options_of_a_log_change_while_its_program_writes(directory: Path) -> None:
    """No line is lost between the old log and the new one."""
    lines = f"""
        [program:web]
        command={child("steady", directory / "end")}
        startsecs=0
        stdout_logfile=%(here)s/web.log
        stdout_logfile_maxbytes=0
    """
    with Daemon(directory, f"{lines}stopwaitsecs=3") as daemon:
        daemon.wait_for_text("web.log", "99\n")
        pid = daemon.info("web")["pid"]
        daemon.write_config(f"{lines}stdout_logfile_format=%(process_name)s %(message)s")
        assert daemon.ctl("update", "--minimal").stdout == (
            "web: changed (stopwaitsecs 3 -> 10,"
            " stdout_logfile_format raw -> %(process_name)s %(message)s)\n"
        )
        daemon.wait_for_text("web.log", "web ")
        (directory / "end").touch()
        text = daemon.wait_for_text("web.log", "END")
        written = [line.removeprefix("web ") for line in text.splitlines()]
        assert written[:-1] == [str(number) for number in range(len(written) - 1)]
        assert daemon.info("web")["pid"] == pid


def test_a_program_is_scaled(directory: Path) -> None:
    with Daemon(directory, BEFORE) as daemon:
        before = running_pids(daemon)
        assert daemon.ctl("scale", "web", "3").stdout == "web:w2: added\n"
        assert daemon.ctl("scale", "web", "1").stdout == "web:w2: removed\nweb:w1: removed\n"
        assert daemon.ctl("update").stdout == ""
        assert {**before, **pids(daemon)} == before
        assert pids(daemon).keys() == {"w0", "job", "old"}
        for name, reason in {
            "job": "job needs %(process_num)d in its process_name for several processes",
            "nope": "no such program",
        }.items():
            refused = daemon.ctl("scale", name, "2")
            assert (refused.stdout, refused.returncode) == (f"{name}: ERROR ({reason})\n", 1)
        daemon.write_config(BEFORE.replace("numprocs=2", "numprocs=4"))
        assert daemon.ctl("update", "--plan", "web").stdout == (
            "".join(f"+ add web:w{number} (numprocs 1 -> 4)\n" for number in (1, 2, 3))
        )
