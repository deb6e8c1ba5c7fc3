"""Journey (a): from a configuration file to running processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon

SLEEPER = child("sleeper")


@pytest.mark.slow
def test_a_program_goes_from_the_file_to_running(directory: Path) -> None:
    config = f"[program:cat]\ncommand={SLEEPER}\nstartsecs=1"
    with Daemon(directory, config) as daemon:
        info = daemon.wait_for_state("cat", "RUNNING")
        assert Path(f"/proc/{info['pid']}").exists()
    log = daemon.log_text()
    steps = [
        "RPC interface 'supervisor' initialized",
        "supervisord started with pid",
        "spawned: 'cat' with pid",
        "success: cat entered RUNNING state, process has stayed up for > than 1 seconds",
        "received SIGTERM indicating exit request",
        "waiting for cat to die",
        "stopped: cat (terminated by SIGTERM)",
    ]
    places = [log.find(step) for step in steps]
    assert places == sorted(places), log
    assert places[0] >= 0, log


def test_a_relative_command_is_found_in_the_directory_of_the_program(directory: Path) -> None:
    script = directory / "opt" / "bin" / "hello"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\nexec {SLEEPER}\n", encoding="ascii")
    script.chmod(0o755)
    config = "[program:hello]\ncommand=bin/hello\ndirectory=%(here)s/opt\nstartsecs=0"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("hello", "RUNNING")
        daemon.wait_for_child("hello", Path("sleeper"))


def test_a_script_from_windows_is_explained(directory: Path) -> None:
    """In `status`, in the activity log and in the log of the program."""
    script = directory / "script"
    script.write_bytes(b"#!/bin/sh\r\nexit\r\n")
    script.chmod(0o755)
    with Daemon(directory, f"[program:x]\ncommand={script}\nstartretries=0\n") as daemon:
        info = daemon.wait_for_state("x", "FATAL")
        reason = (
            f"couldn't exec {script}: ENOENT"
            r" (its interpreter /bin/sh\r does not exist; its first line ends with CR LF)"
        )
        assert daemon.ctl("status").stdout.split(maxsplit=2) == ["x", "FATAL", f"{reason}\n"]
        assert f"spawnerr: {reason}\n" in daemon.log_text()
        assert reason in Path(info["stderr_logfile"]).read_text(encoding="utf-8")


def test_files_of_a_conf_d_directory_are_included(directory: Path) -> None:
    """As Debian's /etc/supervisor: one main file, one file for each program."""
    for name in ("web", "queue"):
        (directory / "conf.d").mkdir(exist_ok=True)
        text = f"[program:{name}]\ncommand={SLEEPER}\nstartsecs=0\n"
        (directory / "conf.d" / f"{name}.conf").write_text(text, encoding="utf-8")
    (directory / "conf.d" / "not-this.txt").write_text("[program:no]\ncommand=no\n", "utf-8")
    with Daemon(directory, "[include]\nfiles=conf.d/*.conf") as daemon:
        for name in ("web", "queue"):
            daemon.wait_for_state(name, "RUNNING")
        assert [info["name"] for info in daemon.rpc.supervisor.getAllProcessInfo()] == [
            "queue",
            "web",
        ]


def test_numprocs_makes_a_group_of_numbered_processes(directory: Path) -> None:
    config = f"""
        [program:worker]
        command={child("report")} %(process_num)d
        process_name=%(program_name)s-%(process_num)02d
        numprocs=3
        numprocs_start=7
        startsecs=0
        environment=NUMBER="%(process_num)d"
    """
    with Daemon(directory, config) as daemon:
        for number in (7, 8, 9):
            log = daemon.wait_for_state(f"worker:worker-0{number}", "RUNNING")["stdout_logfile"]
            report = json.loads(daemon.wait_for_text(log, "}\n"))
            assert report["environment"]["NUMBER"] == str(number)
            assert report["environment"]["SUPERVISOR_GROUP_NAME"] == "worker"


def test_groups_start_by_priority_and_stop_in_the_opposite_order(directory: Path) -> None:
    config = "".join(
        f"[program:{name}]\ncommand={SLEEPER}\nstartsecs=0\npriority={priority}\n"
        for name, priority in [("last", 30), ("first", 10), ("middle", 20)]
    )
    with Daemon(directory, config) as daemon:
        for name in ("first", "middle", "last"):
            daemon.wait_for_state(name, "RUNNING")
    log = daemon.log_text()
    started = [log.find(f"spawned: '{name}'") for name in ("first", "middle", "last")]
    stopped = [log.find(f"stopped: {name}") for name in ("last", "middle", "first")]
    assert started == sorted(started)
    assert stopped == sorted(stopped)
    assert min(*started, *stopped) >= 0


def test_a_program_without_autostart_waits_for_a_request(directory: Path) -> None:
    config = f"[program:idle]\ncommand={SLEEPER}\nautostart=false\nstartsecs=0"
    with Daemon(directory, config) as daemon:
        assert daemon.info("idle")["description"] == "Not started"
        assert daemon.rpc.supervisor.startProcess("idle") is True
        assert daemon.info("idle")["statename"] == "RUNNING"
