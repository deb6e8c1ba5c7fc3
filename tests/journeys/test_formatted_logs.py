"""Formats of log lines, with real children, and the commands that read such logs."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

ECHO = f"""
[program:echo]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/echo.log
"""

LINES = 20_000


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a log in JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_lines_get_a_prefix_and_readers_show_it(directory: Path) -> None:
    with Daemon(directory, f"childlog_format=prefix\n{ECHO}") as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        daemon.rpc.supervisor.sendProcessStdin("echo", "one\ntw")
        daemon.rpc.supervisor.sendProcessStdin("echo", "o\n")
        text = daemon.wait_for_text("echo.log", "two\n")
        assert re.fullmatch(rf"(?:{STAMP} \[echo\] (?:READY|one|two)\n){{3}}", text)
        assert daemon.rpc.supervisor.readProcessStdoutLog("echo", 0, 0) == text
        assert daemon.rpc.supervisor.tailProcessStdoutLog("echo", 0, 9) == [
            text[-9:],
            len(text),
            True,
        ]
        assert daemon.ctl("tail", "echo").stdout == f"{text}\n"


def test_a_flood_in_json_loses_no_line_across_rotation(directory: Path) -> None:
    config = f"""
        [program:flood]
        command={child("flood", LINES)}
        stdout_logfile=%(here)s/flood.log
        stdout_logfile_format=json
        stdout_logfile_maxbytes=200KB
        stdout_logfile_backups=1000
        startsecs=0
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: "READY" in "".join(p.read_text() for p in directory.glob("flood.log*")))
        daemon.rpc.supervisor.getState()  # the last rotation is complete
        pid = daemon.info("flood")["pid"]
    paths = sorted(directory.glob("flood.log.*"), key=lambda path: -int(path.suffix[1:]))
    files = [path.read_text(encoding="utf-8") for path in (*paths, directory / "flood.log")]
    found = [each for file in files for each in objects(file)]
    assert [each["message"] for each in found] == [f"{n:015d}" for n in range(LINES)] + ["READY"]
    assert {each["pid"] for each in found} == {pid}
    assert all(path.stat().st_size >= 200 * 1024 for path in paths)


def test_each_process_is_named(directory: Path) -> None:
    config = f"""
        [program:pool]
        command={child("echo")}
        process_name=%(program_name)s_%(process_num)d
        numprocs=2
        numprocs_start=5
        startsecs=0
        stdout_logfile=%(here)s/pool.log
        stdout_logfile_format=%(group_name)s %(process_name)s %(process_num)03d %(pid)d %(message)s
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: daemon.text("pool.log").count("READY") == 2)
        pids = [daemon.info(f"pool:pool_{number}")["pid"] for number in (5, 6)]
        assert sorted(daemon.text("pool.log").splitlines()) == [
            f"pool pool_5 005 {pids[0]} READY",
            f"pool pool_6 006 {pids[1]} READY",
        ]


def test_a_log_is_reopened_and_cleared_in_the_middle_of_a_line(directory: Path) -> None:
    config = f"{ECHO}stdout_logfile_format=<%(message)s>\n"
    with Daemon(directory, config) as daemon:
        send = daemon.rpc.supervisor.sendProcessStdin
        daemon.wait_for_text("echo.log", "<READY>\n")
        send("echo", "one\ntw")
        daemon.wait_for_text("echo.log", "<one>\n")
        (directory / "echo.log").rename(directory / "old.log")
        daemon.signal(signal.SIGUSR2)
        wait_until((directory / "echo.log").exists)
        send("echo", "o\nthr")
        assert daemon.wait_for_text("echo.log", "o") == "<two>\n"
        assert daemon.ctl("clear", "echo").stdout == "echo: cleared\n"
        send("echo", "ee\nfou")
        assert daemon.wait_for_text("echo.log", "ee") == "<three>\n"
        daemon.rpc.supervisor.stopProcess("echo")
        assert daemon.text("echo.log") == "<three>\n<fou>\n"
        assert daemon.text("old.log") == "<READY>\n<one>\n"


def test_output_of_a_listener_and_of_both_streams(directory: Path) -> None:
    config = f"""
        [eventlistener:hears]
        command={child("listener", "%(here)s/heard")}
        events=PROCESS_STATE_RUNNING
        stdout_logfile=%(here)s/hears.log
        stdout_logfile_format=json
        [program:streams]
        command={child("two_streams", "a", "b")}
        startsecs=0
        stdout_logfile=%(here)s/out.log
        stderr_logfile=%(here)s/err.log
        stdout_logfile_format=%(stream)s: %(message)s
        stderr_logfile_format=%(stream)s: %(message)s
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("hears.log", '"RESULT 2"')
        found = objects(daemon.text("hears.log"))
        assert {each["name"] for each in found} == {"hears"}
        assert found[0]["message"] == "READY"
        assert daemon.wait_for_text("out.log", "READY\n") == "stdout: a\nstdout: READY\n"
        assert daemon.wait_for_text("err.log", "b\n") == "stderr: b\n"


def test_a_line_makes_ready_as_it_was_written(directory: Path) -> None:
    config = f"{ECHO}stdout_logfile_format=json\nready_log_line=^READY$\n"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("echo", "RUNNING")
        assert objects(daemon.text("echo.log"))[0]["message"] == "READY"


def test_a_failed_start_is_explained_in_the_format(directory: Path) -> None:
    (directory / "script").write_text("no program\n", encoding="ascii")
    (directory / "script").chmod(0o755)
    config = """
        [program:bad]
        command=%(here)s/script
        startretries=0
        stdout_logfile=%(here)s/bad.log
        redirect_stderr=true
        stdout_logfile_format=json
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("bad", "FATAL")
        found = objects(daemon.text("bad.log"))
        assert found[-1]["message"] == "supervisor: child process was not spawned"


def test_the_last_lines_of_a_dead_process_are_in_its_log(directory: Path) -> None:
    config = f"""
        [program:flood]
        command={child("flood", LINES, 16, 3)}
        stdout_logfile=%(here)s/flood.log
        stdout_logfile_format=%(pid)d %(message)s
        stdout_logfile_maxbytes=0
        startsecs=0
        autorestart=false
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("exited: flood (exit status 3; not expected)")
        lines = daemon.text("flood.log").splitlines()
        pid = lines[0].split()[0]
        assert f"with pid {pid}" in daemon.log_text()
        assert lines == [f"{pid} {number:015d}" for number in range(LINES)]


def test_the_activity_log_in_json(directory: Path) -> None:
    with Daemon(directory, f"logfile_format=json\nloglevel=debug\n{ECHO}") as daemon:
        daemon.wait_for_state("echo", "RUNNING")
        daemon.rpc.supervisor.stopProcess("echo")
        daemon.rpc.supervisor.getState()
        found = objects(daemon.log_text())
        events = [(each["process"], each["event"]) for each in found if "event" in each]
        assert events == [("echo", each) for each in ("spawned", "success", "killing", "stopped")]
        last = daemon.ctl("maintail").stdout.rstrip().splitlines()[-1]
        assert objects(last)[0].keys() >= {"time", "level", "message"}
    on_stdout = [line for line in daemon.output_text().splitlines() if line.startswith("{")]
    assert objects(daemon.log_text()) == objects("\n".join(on_stdout))


def test_an_update_applies_a_changed_format(directory: Path) -> None:
    with Daemon(directory, ECHO) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        daemon.write_config(f"childlog_format=<%(message)s>\n{ECHO}")
        assert "echo: updated process group" in daemon.ctl("update").stdout
        daemon.wait_for_text("echo.log", "<READY>\n")
        assert daemon.text("echo.log") == "READY\n<READY>\n"
