"""The logs of programs: which files there are, and what is in them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import suppress

import pytest

from tests.support.children import child
from tests.support.comparison import Pair, call, running_pair
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

CONFIG = f"""
[program:plain]
command={child("two_streams", "out", "err")}
[program:named]
command={child("two_streams", "out", "err")}
stdout_logfile=%(here)s/named.out
stderr_logfile=%(here)s/named.err
[program:redirected]
command={child("two_streams", "out", "err")}
redirect_stderr=true
stdout_logfile=%(here)s/redirected.out
[program:nothing]
command={child("two_streams", "out", "err")}
stdout_logfile=NONE
stderr_logfile=NONE
[program:colourful]
command=/bin/sh -c "printf '\\033[31mred\\033[0m \\033[1;4mx\\033[m\\nREADY\\n'; exec sleep 1000"
strip_ansi=true
stdout_logfile=%(here)s/colourful.out
[program:binary]
command=/bin/sh -c "printf 'gr\\374\\377\\000e\\nREADY\\n'; exec sleep 1000"
stdout_logfile=%(here)s/binary.out
[program:rotated]
command={child("echo")}
stdout_logfile=%(here)s/rotated.out
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=2
[program:exact]
command={child("echo")}
stdout_logfile=%(here)s/exact.out
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=2
[program:full]
command={child("echo")}
stdout_logfile=%(here)s/full.out
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=1
[program:emptied]
command={child("echo")}
stdout_logfile=%(here)s/emptied.out
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=0
[program:cleared]
command={child("echo")}
stdout_logfile=%(here)s/cleared.out
stderr_logfile=NONE
[program:endless]
command={child("echo")}
stdout_logfile=%(here)s/endless.out
stdout_logfile_maxbytes=0
"""

FIXED = ("plain", "named", "redirected", "nothing", "colourful", "binary")


def contents(daemon: Daemon, prefix: str) -> dict[str, str]:
    """Return the files whose names begin so, by name, with what is in them.

    A character that is repeated is written once, with its count.
    """
    found = {}
    for path in sorted(daemon.directory.glob(f"{prefix}*")):
        name = re.sub(r"-\w{8}\.log", "-<random>.log", path.name)
        with suppress(FileNotFoundError):  # it is being rotated
            text = path.read_bytes().decode("latin-1")
            found[name] = re.sub(r"(.)\1{9,}", lambda run: f"{run[1]}*{len(run[0])}", text)
    return found


def settled(daemon: Daemon, prefix: str) -> dict[str, str]:
    """Wait until a program has written all it writes; return its files."""

    def complete() -> bool:
        texts = "".join(contents(daemon, prefix).values())
        return "READY" in texts and ("err" in texts or prefix not in {"plain", "named"})

    wait_until(complete)
    return contents(daemon, prefix)


@pytest.mark.parametrize("name", [name for name in FIXED if name != "nothing"])
def test_the_files_of_a_program(pair: Pair, name: str) -> None:
    pair.same(lambda daemon: settled(daemon, name))


def test_a_program_whose_output_nobody_keeps_has_no_files(pair: Pair) -> None:
    pair.same(lambda daemon: contents(daemon, "nothing"))


@pytest.mark.parametrize(
    ("name", "size"),
    [("rotated", 600), ("exact", 1024), ("emptied", 600), ("endless", 600)],
)
def test_rotation_step_by_step(pair: Pair, name: str, size: int) -> None:
    """Each chunk is read as a whole, so that both rotate at the same bytes."""

    def steps(daemon: Daemon) -> list[object]:
        wait_until(lambda: "READY" in contents(daemon, name).get(f"{name}.out", ""))
        return [send(daemon, name, mark * (size - 1)) for mark in "abcdef"]

    pair.same(steps)


def send(daemon: Daemon, name: str, text: str) -> dict[str, str]:
    """Have a line echoed; return the log and its backups as soon as the line is in there."""
    before = contents(daemon, name)
    call(daemon, "supervisor.sendProcessStdin", name, f"{text}\n")
    wait_until(lambda: contents(daemon, name) != before)
    return wait_until(lambda: unchanging(daemon, name))


def unchanging(daemon: Daemon, prefix: str) -> dict[str, str] | None:
    """Return the files of a program once two calls have found nothing to change in them.

    The write and the rotation after it are one step of the daemon's loop: after an answer of
    the daemon both are done.
    """
    before = contents(daemon, prefix)
    call(daemon, "supervisor.getState")
    after = contents(daemon, prefix)
    return after if after == before else None


def test_clear_leaves_the_backups(pair: Pair) -> None:
    def files(daemon: Daemon) -> list[object]:
        wait_until(lambda: "READY" in contents(daemon, "full").get("full.out", ""))
        before = send(daemon, "full", "x" * 1100)
        return [
            before,
            call(daemon, "supervisor.clearProcessLogs", "full"),
            contents(daemon, "full"),
        ]

    pair.same(files)


def test_clear_of_a_program_that_is_stopped(pair: Pair) -> None:
    def cleared(daemon: Daemon) -> list[object]:
        wait_until(lambda: "READY" in contents(daemon, "cleared").get("cleared.out", ""))
        call(daemon, "supervisor.stopProcess", "cleared")
        return [
            call(daemon, "supervisor.clearProcessLogs", "cleared"),
            contents(daemon, "cleared"),
        ]

    pair.differ(
        cleared,
        entry="Clearing the log of a stopped program",
        theirs=[True, {"cleared.out": "READY\n"}],
        ours=[True, {"cleared.out": ""}],
    )


def test_clear_leaves_an_empty_activity_log(pair: Pair) -> None:
    """What is logged of it goes to the file that is removed."""

    def cleared(daemon: Daemon) -> list[object]:
        rpc = daemon.rpc.supervisor  # the end of a start would be logged meanwhile
        wait_until(lambda: "STARTING" not in {p["statename"] for p in rpc.getAllProcessInfo()})
        return [call(daemon, "supervisor.clearLog"), daemon.log_text()]

    pair.same(cleared)


def test_the_activity_log_is_reopened_after_a_rename(pair: Pair) -> None:
    def renamed(daemon: Daemon) -> list[list[str]]:
        old = daemon.directory / "old-activity"
        daemon.log_path.rename(old)
        daemon.signal(signal.SIGUSR2)
        wait_until(daemon.log_path.exists)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_log("logreopen")
        texts = (old.read_text("utf-8"), daemon.log_text())
        return [[line for line in text.splitlines() if "reopen" in line] for text in texts]

    pair.same(renamed)


COLOURS = """strip_ansi=true
[program:coloured]
command=/bin/sh -c "printf '\\033[31mred\\033[0m\\nREADY\\n'; exec sleep 1000"
stdout_logfile=%(here)s/coloured.out
[eventlistener:listener]
command=/bin/sh -c "printf 'READY\\n\\033[31mred\\033[0m\\n'; exec sleep 1000"
events=TICK_3600
stdout_logfile=%(here)s/listener.out
"""


def test_colours_are_stripped_from_all_logs() -> None:
    """Also from that of a listener, which is read as it is."""
    with running_pair(COLOURS) as pair:
        for name in ("coloured", "listener"):
            pair.same(lambda daemon, name=name: settled(daemon, name))  # type: ignore[misc]


ON_A_SOCKET = f"""
[supervisord]
logfile=%(here)s/log
pidfile=%(here)s/pid
[program:talks]
command={child("two_streams", "to the socket", "")}
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
"""


def test_stdout_that_is_a_socket(pair: Pair) -> None:
    """As it is under systemd, which connects a service to the journal."""

    def said_first(daemon: Daemon) -> str:
        directory = daemon.directory / "on-a-socket"
        directory.mkdir()
        config = directory / "supervisord.conf"
        config.write_text(ON_A_SOCKET, encoding="utf-8")
        reader, writer = socket.socketpair()
        reader.settimeout(20)
        command = [*daemon.implementation.command("supervisord"), "-n", "-c", str(config)]
        with (
            reader.makefile(encoding="utf-8") as lines,
            subprocess.Popen(command, stdout=writer, env=daemon.environment) as started,
        ):
            writer.close()
            found = (re.search("to the socket|spawnerr: .*", line) for line in lines)
            said = next(filter(None, found))[0]
            started.terminate()
        reader.close()
        return said

    pair.differ(
        said_first,
        entry="Standard output that is a socket",
        theirs="spawnerr: unknown error making dispatchers for 'talks': ENXIO",
        ours="to the socket",
    )
