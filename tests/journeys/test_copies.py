"""Copies of output with real daemons: on stdout, in files, in syslog, and to slow readers."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.namespaces import private_dev
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

ECHO = f"""
[program:echo]
command={child("echo")}
startsecs=0
stdout_logfile=%(here)s/echo.log
"""

LINES = 20_000


def test_all_programs_on_the_stdout_of_the_daemon(directory: Path) -> None:
    config = f"""
        [program:both]
        command={child("two_streams", "a", "b")}
        startsecs=0
        stdout_tee=stdout
        stderr_tee=stdout
        stderr_tee_format=json
        stdout_logfile=%(here)s/both.log, /dev/stdout, %(here)s/more.log
        [program:merged]
        command={child("two_streams", "c", "d")}
        startsecs=0
        redirect_stderr=true
        stdout_logfile=NONE
        stdout_tee=stdout, %(here)s/more.log
        stdout_tee_format=%(process_name)s %(stream)s %(message)s
    """
    with Daemon(directory, config) as daemon:
        wait_until(lambda: daemon.text("more.log").count("READY") == 2)
        lines = daemon.output_text().splitlines()
        assert {"a", "merged stdout c", "merged stdout d"} <= set(lines)
        (found,) = (json.loads(line) for line in lines if line.startswith("{"))
        assert (found["name"], found["stream"], found["message"]) == ("both", "stderr", "b")
        assert not [line for line in lines if "[both]" in line], "stdout has got the log already"
        assert daemon.text("both.log") == "a\nREADY\n"
        assert daemon.ctl("tail", "both").stdout == "a\nREADY\n\n"
        assert "no log file" in daemon.ctl("tail", "merged").stdout
        infos = {each["name"]: each for each in daemon.rpc.supervisor.getAllConfigInfo()}
        assert infos["both"]["stdout_logfile"] == str(directory / "both.log")


def test_copies_are_reopened_but_not_cleared_or_rotated(directory: Path) -> None:
    config = f"{ECHO}stdout_tee=%(here)s/copy\nstdout_logfile_maxbytes=10\n"
    with Daemon(directory, config) as daemon:
        send = daemon.rpc.supervisor.sendProcessStdin
        daemon.wait_for_text("copy", "READY\n")
        send("echo", "a line of 19 bytes\n")
        daemon.wait_for_text("copy", "bytes\n")
        assert daemon.text("echo.log") == ""
        assert daemon.ctl("clear", "echo").stdout == "echo: cleared\n"
        assert re.fullmatch(rf"(?:{STAMP} \[echo\] .*\n){{2}}", daemon.text("copy"))
        (directory / "copy").rename(directory / "old")
        daemon.signal(signal.SIGUSR2)
        wait_until((directory / "copy").exists)
        send("echo", "two\n")
        daemon.wait_for_text("copy", "] two\n")
        assert "two" not in daemon.text("old")


def test_an_update_applies_changed_targets(directory: Path) -> None:
    with Daemon(directory, ECHO) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        daemon.write_config(f"{ECHO}stdout_tee=%(here)s/copy\nstdout_tee_format=raw\n")
        assert "echo: updated process group" in daemon.ctl("update").stdout
        assert daemon.wait_for_text("copy", "READY\n") == "READY\n"


@pytest.mark.slow
def test_a_reader_of_stdout_that_stalls_and_returns(directory: Path) -> None:
    """The log is complete, the daemon responds, and what is missing on stdout is counted."""
    fifo = directory / "stdout"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_RDWR)
    count = 800_000  # more than two queues, of the activity log and of all copies
    config = f"""
        [program:flood]
        command={child("flood", count)}
        startsecs=0
        stdout_logfile=%(here)s/flood.log
        stdout_logfile_maxbytes=0
        stdout_tee=stdout
        stdout_tee_format=raw
        [program:echo]
        command={child("echo")}
        startsecs=0
        stdout_tee=stdout
    """
    within = ("sh", "-c", f'exec "$@" > {fifo}', "sh")
    with Daemon(directory, config, within=within) as daemon:
        size = 16 * count + len("READY\n")
        wait_until((directory / "flood.log").exists)
        wait_until(lambda: (directory / "flood.log").stat().st_size == size, 30)
        daemon.wait_for_log("cannot write to log /dev/stdout: its reader has stalled")
        began = time.monotonic()
        assert daemon.rpc.supervisor.getState()["statename"] == "RUNNING"
        assert time.monotonic() - began < 5
        os.set_blocking(held, False)
        text = b""

        def read() -> bytes:
            nonlocal text
            try:
                text += os.read(held, 1 << 20)
            except BlockingIOError:
                daemon.rpc.supervisor.sendProcessStdin("echo", "end\n")
            return text

        wait_until(lambda: b"[echo] end\n" in read(), 30)
        assert daemon.log_text().count("has stalled") == 1
    os.close(held)
    lines = text.decode().splitlines()
    (note,) = (line for line in lines if line.startswith("supervisor: "))
    assert re.fullmatch(r"supervisor: \d+ bytes dropped \(write failed\)", note)
    numbers = [line for line in lines if re.fullmatch(r"\d{15}", line)]
    assert numbers == [f"{number:015d}" for number in range(len(numbers))]


def test_copies_are_flushed_when_the_daemon_exits(directory: Path) -> None:
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    config = f"""
        [program:flood]
        command={child("flood", LINES)}
        startsecs=0
        stdout_logfile=%(here)s/flood.log
        stdout_tee={fifo}
        stdout_tee_format=raw
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_text("flood.log", "READY\n")
        reader = os.open(fifo, os.O_RDONLY)
        daemon.signal(signal.SIGTERM)
        text = b""
        while data := os.read(reader, 1 << 16):
            text += data
        os.close(reader)
        daemon.wait_for_exit()
    assert text == (directory / "flood.log").read_bytes()


def test_a_stdout_that_is_gone(directory: Path) -> None:
    """The reader has ended: the failure is reported once, and the programs run on."""
    within = ("sh", "-c", 'exec "$@" | true', "sh")
    config = f"{ECHO}stdout_tee=stdout\n"
    with Daemon(directory, f"silent=true\n{config}", within=within) as daemon:
        daemon.wait_for_text("echo.log", "READY\n")
        for number in range(3):
            daemon.rpc.supervisor.sendProcessStdin("echo", f"{number}\n")
            daemon.wait_for_text("echo.log", f"{number}\n")
        assert daemon.log_text().count("cannot write to log /dev/stdout: Broken pipe") == 1


@needs_root
def test_messages_in_syslog(directory: Path) -> None:
    config = f"""
        [program:syslogd]
        command={child("syslogd", "%(here)s/messages")}
        priority=1
        startsecs=0
        ready_log_line=^READY
        [program:default]
        command={child("two_streams", "a", "b")}
        depends_on=syslogd
        startsecs=0
        stdout_syslog=true
        stderr_syslog=true
        [program:tagged]
        command={child("two_streams", "c", "d")}
        depends_on=syslogd
        startsecs=0
        stdout_syslog=true
        stderr_tee=syslog
        stderr_tee_format=[%(stream)s] %(message)s
        syslog_tag=app-%(process_num)d
        syslog_facility=local3
        syslog_stderr_priority=err
    """
    with Daemon(directory, config, within=private_dev()) as daemon:
        daemon.wait_for_state("syslogd", "RUNNING")
        wait_until(lambda: len(daemon.text("messages").splitlines()) == 6)
        lines = daemon.text("messages").splitlines()
    stamp = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    assert sorted(re.sub(rf"^(<\d+>){stamp} ", r"\1", line) for line in lines) == [
        "<14>supervisord.py: default READY",
        "<14>supervisord.py: default a",
        "<14>supervisord.py: default b",
        "<155>app-0: [stderr] d",
        "<158>app-0: READY",
        "<158>app-0: c",
    ]
