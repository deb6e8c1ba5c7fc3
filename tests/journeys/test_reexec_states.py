"""Journey: a daemon replaces itself while its processes are in every state.

Each case has programs of its own; one daemon runs those of all the cases of a test.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.tables import assert_none
from tests.support.transport import proxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SLEEPER = f"command={child('sleeper')}\nstartsecs=0\n"
STUBBORN = f"command={child('stubborn')}\nstartsecs=0\n"

LATE_SECONDS = 1.9
"""Longest delay of what is due at a time, on a busy machine."""


def shell(script: str) -> str:
    """Return a command that runs a script."""
    return f'/bin/sh -c "{script}"'


def until(name: str) -> str:
    """Return a script that ends when a file of the directory of the daemon exists."""
    return f"while ! test -e %(here)s/{name}; do sleep 0.02; done"


@dataclass(frozen=True)
class Case:
    """Programs, what happens before the replacement and what must be true afterwards.

    `after` gets what `before` has returned.
    """

    config: str
    before: Callable[[Daemon], Any]
    after: Callable[[Daemon, Any], object]


def run(daemon: Daemon, cases: dict[str, Case]) -> None:
    """Replace the daemon once, between the two halves of all cases."""
    found = {name: case.before(daemon) for name, case in cases.items()}
    before = rows(daemon)
    daemon.reexec()
    assert rows(daemon) == before
    assert_none(failures(daemon, cases, found))
    assert "Traceback" not in daemon.log_text()


def rows(daemon: Daemon) -> dict[str, tuple[Any, ...]]:
    """Return what does not change of itself, by the names of all processes."""
    keys = ("statename", "pid", "start", "stop", "exitstatus", "spawnerr", "stdout_logfile")
    return {
        each["name"]: tuple(each[key] for key in keys)
        for each in daemon.rpc.supervisor.getAllProcessInfo()
    }


def failures(daemon: Daemon, cases: dict[str, Case], found: dict[str, Any]) -> Iterator[str]:
    """Yield a text for each case that has failed."""
    for name, case in cases.items():
        try:
            case.after(daemon, found[name])
        except Exception as error:  # noqa: BLE001 - the other cases are of interest as well
            yield f"{name}: {error!r}"


def details(daemon: Daemon, name: str) -> dict[str, Any]:
    """Return all that the daemon knows of a process."""
    answer: Any = daemon.rpc.supervisor.getProcessDetails(name)
    return dict(answer)


def seconds_at(daemon: Daemon, text: str, number: int = -1) -> float:
    """Return the time at which the activity log has a line with a text; the last one by default."""
    lines = [line for line in daemon.log_text().splitlines() if text in line]
    stamp, milliseconds = lines[number].partition(" DEBG")[0][:23].split(",")
    return time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) + int(milliseconds) / 1000


def is_due_after(daemon: Daemon, begins: str, ends: str, seconds: float, number: int = 1) -> None:
    """Wait for a line of the activity log, which must follow another one by that time.

    It is the last of `number` lines of its kind; the other one is the first.
    """
    wait_until(lambda: daemon.log_text().count(ends) == number, what=daemon.log_text)
    passed = seconds_at(daemon, ends) - seconds_at(daemon, begins, 0)
    assert seconds - 0.1 < passed < seconds + LATE_SECONDS, passed


def pid_of(path: Path) -> int:
    """Wait for a file with a pid; return the pid."""
    wait_until(path.exists, what=lambda: str(path))
    return int(path.read_text())


def spoken(daemon: Daemon, name: str) -> None:
    """Wait until the child of a process runs, and has said so."""
    wait_until(lambda: Path(daemon.info(name)["stdout_logfile"]).stat().st_size > 0)


# -- processes that start --------------------------------------------------------------------


def waiting_start(daemon: Daemon) -> None:
    assert "waiting" in daemon.info("waits")["description"]


def dependency_ready(daemon: Daemon, _: None) -> None:
    assert "waiting" in daemon.info("waits")["description"]
    (daemon.directory / "db.go").touch()
    daemon.wait_for_state("waits", "RUNNING")


def is_fatal(daemon: Daemon) -> dict[str, Any]:
    daemon.wait_for_state("fatal", "FATAL")
    return details(daemon, "fatal")


def is_remembered(daemon: Daemon, before: dict[str, Any]) -> None:
    varying = {"now", "cpu_percent", "cpu_seconds", "memory_bytes"}
    after = details(daemon, "fatal")
    assert before["history"]
    assert before["starts"] == 3
    assert {key for key in after if after[key] != before[key]} <= varying


def crashed(daemon: Daemon) -> None:
    daemon.wait_for_log("exited: pause")


def retried(daemon: Daemon) -> None:
    daemon.wait_for_state("retries", "BACKOFF")
    wait_until(lambda: daemon.log_text().count("exited: retries") == 3)


def retried_later(daemon: Daemon, _: None) -> None:
    wait_until(lambda: daemon.log_text().count("exited: retries") == 4)
    passed = seconds_at(daemon, "exited: retries") - seconds_at(daemon, "exited: retries", -2)
    assert 2.9 < passed < 3 + LATE_SECONDS, passed


STARTS = {
    "a start that waits for a dependency": Case(
        f"[program:db]\ncommand={child('readies', 'notify', '%(here)s/db.go', 'main')}\n"
        f"notify=true\nready_timeout=60\n[program:waits]\n{SLEEPER}depends_on=db\n",
        waiting_start,
        dependency_ready,
    ),
    "a process that has failed": Case(
        f"[program:fatal]\ncommand={child('exits', 3)}\nstartretries=2\nstartsecs=1\n",
        is_fatal,
        is_remembered,
    ),
    "a process that runs": Case(
        f"[program:steady]\n{SLEEPER}",
        lambda daemon: daemon.wait_for_state("steady", "RUNNING"),
        lambda daemon, before: daemon.wait_for_state("steady", before["statename"]),
    ),
    "a pause before a restart": Case(
        f"[program:pause]\ncommand={child('exits', 3)}\nstartsecs=0\nautorestart=true\n"
        "restartpause=6\n",
        crashed,
        lambda daemon, _: is_due_after(daemon, "exited: pause", "spawned: 'pause'", 6, 2),
    ),
    "a delay of BACKOFF": Case(
        f"[program:retries]\ncommand={child('exits', 3)}\nstartretries=10\n",
        retried,
        retried_later,
    ),
}


def test_processes_that_start(directory: Path) -> None:
    with Daemon(directory, "".join(case.config for case in STARTS.values())) as daemon:
        run(daemon, STARTS)


# -- processes that stop ---------------------------------------------------------------------

STOP_SECONDS = 4


def stopping(name: str) -> Callable[[Daemon], None]:
    """Return a function that begins to stop a process."""

    def before(daemon: Daemon) -> None:
        spoken(daemon, name)
        assert daemon.rpc.supervisor.stopProcess(name, False)
        daemon.wait_for_state(name, "STOPPING")

    return before


def killed_in_time(daemon: Daemon, _: object) -> None:
    is_due_after(daemon, "killing stubborn (pid", "killing 'stubborn'", STOP_SECONDS)
    daemon.wait_for_state("stubborn", "STOPPED")


def family_stopping(daemon: Daemon) -> int:
    """Stop a program whose member of the process group ignores that; return the member's pid."""
    pid = pid_of(daemon.directory / "member")
    leader = daemon.wait_for_state("family", "RUNNING")["pid"]
    stopping("family")(daemon)
    wait_until(lambda: not proctable.is_alive(leader))
    return pid


def family_killed(daemon: Daemon, pid: int) -> None:
    is_due_after(daemon, "killing family (pid", "killing 'family'", STOP_SECONDS)
    daemon.wait_for_state("family", "STOPPED")
    wait_until(lambda: not proctable.is_alive(pid))
    assert daemon.log_text().count("stopped: family") == 1


def clan_stopping(daemon: Daemon) -> dict[str, int]:
    """Stop a program of which only descendants remain; return their pids."""
    family: dict[str, int] = json.loads(daemon.wait_for_text("clan.log", "}\n"))
    stopping("clan")(daemon)
    wait_until(lambda: not proctable.is_alive(family["member"]))
    wait_until(lambda: "has exited, waiting for its process tree" in daemon.log_text())
    return {name: pid for name, pid in family.items() if proctable.is_alive(pid)}


def clan_killed(daemon: Daemon, left: dict[str, int]) -> None:
    assert left.keys() >= {"daemon", "grandchild"}
    is_due_after(daemon, "killing clan (pid", "killing 'clan'", STOP_SECONDS)
    daemon.wait_for_state("clan", "STOPPED")
    assert not any(proctable.is_alive(left[name]) for name in ("daemon", "grandchild"))


def hook_runs(name: str, hook: str) -> Callable[[Daemon], None]:
    """Return a function that waits until a hook of a process runs."""

    def before(daemon: Daemon) -> None:
        if hook == "stopcommand":
            spoken(daemon, name)
            daemon.rpc.supervisor.stopProcess(name, False)
        wait_until(lambda: f"running {hook}" in daemon.info(name)["description"])

    return before


def start_follows(daemon: Daemon, _: object) -> None:
    assert "running pre_start_hook" in daemon.info("prepared")["description"]
    (daemon.directory / "prepared.go").touch()
    daemon.wait_for_state("prepared", "RUNNING")
    assert daemon.text("prepared.log").count("[pre_start_hook] begun\n") == 1
    assert daemon.text("prepared.log").count("[pre_start_hook] ended\n") == 1


def stop_follows(daemon: Daemon, _: object) -> None:
    assert "running stopcommand" in daemon.info("commanded")["description"]
    (daemon.directory / "commanded.go").touch()
    daemon.wait_for_state("commanded", "STOPPED")


STOPS = {
    "a stop with a deadline": Case(
        f"[program:stubborn]\n{STUBBORN}stopwaitsecs={STOP_SECONDS}\n",
        stopping("stubborn"),
        killed_in_time,
    ),
    "a stop that waits for the process group": Case(
        f"[program:family]\ncommand={child('parent', '%(here)s/member')}\nstartsecs=0\n"
        f"stopasgroup=true\nstopwaitsecs={STOP_SECONDS}\n",
        family_stopping,
        family_killed,
    ),
    "a stop of a process tree": Case(
        f"[program:clan]\ncommand={child('clan', 'stubborn')}\nstartsecs=0\nkillmode=tree\n"
        f"stdout_logfile=%(here)s/clan.log\nstopwaitsecs={STOP_SECONDS}\n",
        clan_stopping,
        clan_killed,
    ),
    "a hook before the start": Case(
        f"[program:prepared]\n{SLEEPER}stdout_logfile=%(here)s/prepared.log\n"
        f"pre_start_hook={shell('echo begun; ' + until('prepared.go') + '; echo ended')}\n",
        hook_runs("prepared", "pre_start_hook"),
        start_follows,
    ),
    "a command that stops": Case(
        f"[program:commanded]\n{SLEEPER}"
        f"stopcommand={shell(until('commanded.go') + '; kill $MAINPID')}\n",
        hook_runs("commanded", "stopcommand"),
        stop_follows,
    ),
}


def test_processes_that_stop(directory: Path) -> None:
    config = "loglevel=debug\n" + "".join(case.config for case in STOPS.values())
    with Daemon(directory, config) as daemon:
        daemon.may_leave_processes = True  # one that has left the tree before the stop
        run(daemon, STOPS)


def test_orphans_are_still_killed_in_time(directory: Path) -> None:
    """`killasgroup` ends the process group when the time to stop is over."""
    config = (
        f"[program:x]\ncommand={child('parent', '%(here)s/orphan')}\nstartsecs=0\n"
        f"killasgroup=true\nstopwaitsecs={STOP_SECONDS}\n"
    )
    with Daemon(directory, config) as daemon:
        spoken(daemon, "x")
        pid = pid_of(directory / "orphan")
        daemon.rpc.supervisor.stopProcess("x")
        stopped_at = time.monotonic()
        daemon.reexec()
        wait_until(lambda: not proctable.is_alive(pid))
        passed = time.monotonic() - stopped_at
        assert STOP_SECONDS - 0.5 < passed < STOP_SECONDS + LATE_SECONDS


# -- output and input --------------------------------------------------------------------------


def send(daemon: Daemon, name: str, text: str) -> None:
    """Write to the stdin of a process."""
    assert daemon.rpc.supervisor.sendProcessStdin(name, text)


def echo(name: str, options: str) -> str:
    """Return the section of a program that repeats its input in its log."""
    return (
        f"[program:{name}]\ncommand={child('echo')}\nstartsecs=0\n"
        f"stdout_logfile=%(here)s/{name}.log\n{options}\n"
    )


def cut(name: str, options: str, parts: tuple[str, str], expected: str, seen: str = "") -> Case:
    """Return a case of output of which one part comes before and one after the replacement.

    `seen` is in the log after the first part.
    """

    def before(daemon: Daemon) -> None:
        daemon.wait_for_text(f"{name}.log", "READY")
        send(daemon, name, parts[0])
        daemon.wait_for_text(f"{name}.log", seen)

    def after(daemon: Daemon, _: object) -> None:
        send(daemon, name, parts[1])
        daemon.wait_for_text(f"{name}.log", expected)

    return Case(echo(name, options), before, after)


def moved_before(daemon: Daemon) -> None:
    daemon.wait_for_text("moved.log", "READY\nREADY\n")
    os.rename(daemon.directory / "moved.log", daemon.directory / "moved.old")


def same_inode(daemon: Daemon, _: object) -> None:
    for name in ("moved", "shared"):
        send(daemon, name, f"{name}\n")
        daemon.wait_for_text("moved.old", f"{name}\n")
    assert not (daemon.directory / "moved.log").exists()
    daemon.signal(signal.SIGUSR2)
    wait_until((daemon.directory / "moved.log").exists)
    send(daemon, "moved", "new\n")
    daemon.wait_for_text("moved.log", "new\n")


INPUT = "".join(f"{number:09d}\n" for number in range(30_000))


def queue_input(daemon: Daemon) -> None:
    spoken(daemon, "reads")
    for start in range(0, len(INPUT), 50_000):
        send(daemon, "reads", INPUT[start : start + 50_000])


def all_read(daemon: Daemon, _: object) -> None:
    send(daemon, "reads", "end\n")
    (daemon.directory / "reads.go").touch()
    daemon.wait_for_text("reads.log", "end\n")
    assert daemon.text("reads.log") == f"begun\n{INPUT}end\n"


COPIED = "".join(f"{number:09d}\n" for number in range(20_000))


def fill_fifo(daemon: Daemon) -> int:
    """Send more to a copy than its reader takes; return the fd of the reader."""
    fifo = daemon.directory / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    daemon.rpc.supervisor.startProcess("copied")
    send(daemon, "copied", COPIED)
    wait_until(lambda: daemon.text("copied.log").endswith(COPIED))
    return reader


def all_copied(daemon: Daemon, reader: int) -> None:
    send(daemon, "copied", "end\n")
    text = b""

    def read() -> bytes:
        nonlocal text
        with suppress(BlockingIOError):
            text += os.read(reader, 1 << 20)
        return text

    wait_until(lambda: read().endswith(b"end\n"))
    os.close(reader)
    assert text.decode() == f"READY\n{COPIED}end\n"


BEGIN, END = "<!--XSUPERVISOR:BEGIN-->", "<!--XSUPERVISOR:END-->"
CAPTURE = "stdout_capture_maxbytes=1000"


def captured(name: str, parts: tuple[str, str], seen: str) -> Case:
    """Return a case of a captured part that is cut in two."""
    case = cut(name, CAPTURE, parts, f"READY\n{seen}after\n", seen)

    def after(daemon: Daemon, found: object) -> None:
        case.after(daemon, found)
        daemon.wait_for_text("events", f"processname:{name} groupname:{name} pid:")
        wait_until(lambda: f"\ncaptured {name}" in daemon.text("events"))

    return Case(case.config, case.before, after)


def red_without_colour(daemon: Daemon, _: object) -> None:
    (daemon.directory / "colours.go").touch()
    daemon.wait_for_text("colours.log", ">")
    assert daemon.text("colours.log") == "<red>"


def partial_line(writer: str) -> str:
    """Return a line that is so long that it is copied before it ends."""
    return writer * 70_000


def copied_line(daemon: Daemon) -> None:
    send(daemon, "first", partial_line("1"))
    wait_until(lambda: "1" in daemon.text("copies"))


def line_of_another(daemon: Daemon, _: object) -> None:
    send(daemon, "second", "2\n")
    daemon.wait_for_text("copies", "1\n2\n")


OUTPUTS = {
    "a line that is not complete": cut("raw", "", ("on", "e\n"), "READY\none\n", "on"),
    "a line with a prefix": cut(
        "prefixed", "stdout_logfile_format=prefix", ("on", "e\n"), " one\n"
    ),
    "a JSON line": cut("json", "stdout_logfile_format=json", ("on", "e\n"), '"message": "one"'),
    "an escape sequence": Case(
        "[program:colours]\nstartsecs=0\nstdout_logfile=%(here)s/colours.log\ncommand="
        + shell(
            f"printf '<\\033[3'; {until('colours.go')}; printf '1mred\\033[0m>'; exec sleep 1000"
        )
        + "\n",
        lambda daemon: daemon.wait_for_text("colours.log", "<"),
        red_without_colour,
    ),
    "a captured part": captured(
        "captures", (f"text{BEGIN}capt", f"ured captures{END}after\n"), "text"
    ),
    "a token that is cut": captured(
        "tokens", (f"text{BEGIN[:9]}", f"{BEGIN[9:]}captured tokens{END}after\n"), "text"
    ),
    "a log that has been moved": Case(
        echo("moved", "")
        + echo("shared", "stdout_logfile=%(here)s/moved.log").replace(
            "stdout_logfile=%(here)s/shared.log\n", ""
        ),
        moved_before,
        same_inode,
    ),
    "input for a child that does not read": Case(
        f"[program:reads]\ncommand={shell('echo begun; ' + until('reads.go') + '; exec cat')}\n"
        "startsecs=0\nstdout_logfile=%(here)s/reads.log\nstdout_logfile_maxbytes=0\n",
        queue_input,
        all_read,
    ),
    "a copy with a slow reader": Case(
        echo("copied", "autostart=false\nstdout_tee=%(here)s/fifo\nstdout_tee_format=raw"),
        fill_fifo,
        all_copied,
    ),
    "a long line in a copy": Case(
        "".join(
            echo(name, "stdout_tee=%(here)s/copies\nstdout_tee_format=raw")
            for name in ("first", "second")
        ),
        copied_line,
        line_of_another,
    ),
}

RECORDER = f"""
[eventlistener:recorder]
command={child("listener", "%(here)s/events")}
events=PROCESS_COMMUNICATION
startsecs=0
"""


def test_output_and_input(directory: Path) -> None:
    config = "strip_ansi=true\n" + "".join(case.config for case in OUTPUTS.values())
    with Daemon(directory, config + RECORDER) as daemon:
        run(daemon, OUTPUTS)


# -- listeners ---------------------------------------------------------------------------------


def pool(name: str, command: str, options: str = "") -> str:
    """Return the section of an event listener."""
    return (
        f"[eventlistener:{name}]\nevents=REMOTE_COMMUNICATION\nstartsecs=0\ncommand={command}\n"
        f"stdout_logfile=%(here)s/{name}.log\n{options}\n"
    )


def happen(daemon: Daemon, *kinds: str) -> None:
    """Publish events."""
    for kind in kinds:
        assert daemon.rpc.supervisor.sendRemoteCommEvent(kind, "")


def full_buffer(daemon: Daemon) -> None:
    daemon.wait_for_state("full", "RUNNING")
    happen(daemon, "one", "two", "three", "four", "five")


def oldest_are_dropped(daemon: Daemon, _: None) -> None:
    happen(daemon, "six")
    (daemon.directory / "full.go").touch()
    record = daemon.wait_for_text("full", "type:six\n\n<end>")
    assert re.findall(r" poolserial:(\d+) .*\ntype:(\w+)\n", record) == [
        ("3", "four"),
        ("4", "five"),
        ("5", "six"),
    ]
    overflows = re.findall(r"pool full event buffer overflowed, .* (\d+)\n", daemon.log_text())
    assert overflows == ["0", "1", "2"]


def is_busy(name: str) -> Callable[[Daemon], None]:
    """Return a function that waits until a listener handles the first event."""
    return lambda daemon: daemon.wait_for_log(f"event 0 sent to listener {name}")


def goes_on(name: str) -> Callable[[Daemon, object], None]:
    """Return a function that lets a listener answer, and waits for its next event."""

    def after(daemon: Daemon, _: object) -> None:
        (daemon.directory / f"{name}.go").touch()
        daemon.wait_for_log(f"{name}: event was processed")
        daemon.wait_for_log(f"event 1 sent to listener {name}")
        assert f"{name}: has entered the UNKNOWN state" not in daemon.log_text()

    return after


def sent_again(daemon: Daemon, _: object) -> None:
    os.kill(daemon.info("killed")["pid"], signal.SIGKILL)
    daemon.wait_for_log("rebuffering event 0 for pool killed")
    wait_until(lambda: daemon.log_text().count("event 0 sent to listener killed") == 2)


LISTENERS = {
    "a full buffer": Case(
        pool("full", child("recorder", "%(here)s/full", "WAIT"), "buffer_size=3"),
        full_buffer,
        oldest_are_dropped,
    ),
    "an event in flight": Case(
        pool("busy", child("awkward_listener", "slow", "%(here)s/busy.go")),
        is_busy("busy"),
        goes_on("busy"),
    ),
    "a result that is cut": Case(
        pool(
            "cut",
            shell(
                "printf 'READY\\n'; read head; printf 'RESULT 2\\nO';"
                f" {until('cut.go')}; printf 'KREADY\\n'; exec sleep 1000"
            ),
        ),
        lambda daemon: daemon.wait_for_text("cut.log", "RESULT 2\nO"),
        goes_on("cut"),
    ),
    "the death of a listener with an event": Case(
        pool("killed", child("awkward_listener", "slow", "%(here)s/killed.go"), "autorestart=true"),
        is_busy("killed"),
        sent_again,
    ),
}


def test_event_listeners(directory: Path) -> None:
    config = "loglevel=debug\n" + "".join(case.config for case in LISTENERS.values())
    with Daemon(directory, config) as daemon:
        run(daemon, LISTENERS)


# -- sockets and checks ------------------------------------------------------------------------

METHOD = bytes([len("REQUEST_METHOD"), len("GET")]) + b"REQUEST_METHODGET"
REQUEST = b"".join(
    bytes([1, kind, 0, 1, 0, len(content), 0, 0]) + content
    for kind, content in ((1, bytes(8)), (4, METHOD), (4, b""), (5, b""))
)
"""A FastCGI request."""


def queued_client(daemon: Daemon) -> tuple[socket.socket, int]:
    """Connect while the only process is suspended; return the socket, and the inode of its file."""
    spoken(daemon, "fcgi")
    os.kill(daemon.info("fcgi")["pid"], signal.SIGSTOP)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(daemon.directory / "f.sock"))
    client.sendall(REQUEST)
    return client, (daemon.directory / "f.sock").stat().st_ino


def is_served(daemon: Daemon, found: tuple[socket.socket, int]) -> None:
    client, inode = found
    assert (daemon.directory / "f.sock").stat().st_ino == inode
    pid = daemon.info("fcgi")["pid"]
    os.kill(pid, signal.SIGCONT)
    with client:
        client.settimeout(10)
        assert str(pid).encode() in client.recv(65536)
    assert daemon.log_text().count("Creating socket") == 2
    daemon.rpc.supervisor.stopProcess("fcgi")
    assert daemon.log_text().count("Closing socket") == 2


def check_runs(daemon: Daemon) -> None:
    daemon.wait_for_text("checks", "begun\n")


def check_ends(daemon: Daemon, _: object) -> None:
    (daemon.directory / "checked.go").touch()
    wait_until(lambda: details(daemon, "checked")["health"] == "ok")
    assert "liveness check failing" not in daemon.log_text()


def aborted_in_time(daemon: Daemon, _: object) -> None:
    (daemon.directory / "hangs").touch()
    daemon.wait_for_log("aborting 'watched'")
    assert daemon.log_text().partition("aborting")[0].count("spawned: 'watched'") == 1


CHECKS = {
    "a FastCGI socket": Case(
        f"[fcgi-program:fcgi]\ncommand={child('fastcgi')}\nsocket=unix://%(here)s/f.sock\n"
        "startsecs=0\n",
        queued_client,
        is_served,
    ),
    "a check in flight": Case(
        f"[program:checked]\n{SLEEPER}liveness_check_initial_delay=0\nliveness_check_timeout=30s\n"
        f"liveness_check_script={shell('echo begun >>%(here)s/checks; ' + until('checked.go'))}\n",
        check_runs,
        check_ends,
    ),
    "a watchdog": Case(
        f"[program:watched]\ncommand={child('pings', '%(here)s/hangs', 'dies')}\nstartsecs=0\n"
        "notify=true\nwatchdog=2s\n",
        lambda daemon: daemon.wait_for_state("watched", "RUNNING"),
        aborted_in_time,
    ),
    "a probe until ready": Case(
        f"[program:probed]\n{SLEEPER}readiness_check_script=test -e %(here)s/probed.go\n"
        "readiness_check_period=200ms\nready_timeout=60\n",
        lambda daemon: daemon.wait_for_state("probed", "STARTING"),
        lambda daemon, _: (
            (daemon.directory / "probed.go").touch(),
            daemon.wait_for_state("probed", "RUNNING"),
        ),
    ),
    "a line that says ready": Case(
        "[program:line]\nready_log_line=is ready\nready_timeout=60\n"
        "stdout_logfile=%(here)s/line.log\ncommand="
        + shell("printf is; " + until("line.go") + "; echo ' ready'; exec sleep 1000")
        + "\n",
        lambda daemon: daemon.wait_for_text("line.log", "is"),
        lambda daemon, _: (
            (daemon.directory / "line.go").touch(),
            daemon.wait_for_state("line", "RUNNING"),
        ),
    ),
}


def test_sockets_and_checks(directory: Path) -> None:
    with Daemon(directory, "".join(case.config for case in CHECKS.values())) as daemon:
        run(daemon, CHECKS)


# -- signals -----------------------------------------------------------------------------------

EXECUTES = "supervisord executes the installed version"

DELAYS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between the log line before execve(2) and a signal: before, during and after it."""


def begin(daemon: Daemon, number: int = 1) -> None:
    """Let the daemon replace itself, for the nth time, and wait until it is about to."""
    assert daemon.rpc.supervisor.reexec()
    daemon.close_rpc()
    wait_until(lambda: daemon.log_text().count(EXECUTES) == number)


@pytest.mark.parametrize("delay", DELAYS)
def test_a_request_to_exit_or_restart_is_not_lost(directory: Path, delay: float) -> None:
    with Daemon(directory, f"[program:x]\n{SLEEPER}") as daemon:
        daemon.wait_for_state("x", "RUNNING")
        begin(daemon)
        time.sleep(delay)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_start(2)
        daemon.wait_for_state("x", "RUNNING")
        begin(daemon, 2)
        time.sleep(delay)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_for_exit() == 0
        log = daemon.log_text()
        assert log.count("received SIGTERM") == 1
        assert log.count("stopped: x") == 2


def test_exits_and_requests_to_reopen_logs_are_not_lost(directory: Path) -> None:
    config = f"[program:x]\n{SLEEPER}autorestart=true\nstdout_logfile=%(here)s/x.log\n"
    with Daemon(directory, config) as daemon:
        for number, delay in enumerate(DELAYS, 1):
            wait_until(lambda number=number: daemon.text("x.log").count("READY") == number)
            pid = daemon.wait_for_state("x", "RUNNING")["pid"]
            begin(daemon, number)
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            daemon.signal(signal.SIGUSR2)
            wait_until(lambda number=number: daemon.log_text().count("logreopen") == number)
            wait_until(lambda number=number: daemon.log_text().count("spawned: 'x'") == number + 1)
        assert daemon.log_text().count("exited: x (terminated by SIGKILL") == len(DELAYS)


# -- the daemon itself -------------------------------------------------------------------------


def test_what_has_not_been_applied_stays_pending(directory: Path) -> None:
    """And what has been scaled keeps its number of processes."""
    web = f"[program:web]\n{SLEEPER}process_name=w%(process_num)d\nnumprocs=1\n"
    old = f"[program:old]\n{SLEEPER}"
    new = f"[program:new]\n{SLEEPER}"
    with Daemon(directory, web + old) as daemon:
        daemon.wait_for_state("old", "RUNNING")
        assert daemon.ctl("scale", "web", "3").returncode == 0
        daemon.wait_for_state("web:w2", "RUNNING")
        daemon.write_config(web.replace("startsecs=0", "startsecs=0\nstopwaitsecs=33") + new)
        before = rows(daemon)
        daemon.reexec()
        assert rows(daemon) == before
        assert "stopwaitsecs 10 -> 33" in daemon.ctl("update", "--plan").stdout
        daemon.reexec()
        assert rows(daemon) == before
        daemon.ctl("update")
        assert {"w0", "w1", "w2", "new"} == rows(daemon).keys()


def test_relative_paths_stay_below_the_directory_of_the_start(directory: Path) -> None:
    """Also those of the command line, if the daemon has changed its directory since."""
    (directory / "sub").mkdir()
    arguments = ("-d", "sub", "-l", "other.log", "-j", "other.pid")
    with Daemon(directory, f"[program:x]\n{SLEEPER}", arguments=arguments) as daemon:
        before = rows(daemon)
        for _ in range(2):
            daemon.reexec()
        assert os.readlink(f"/proc/{daemon.pid}/cwd") == str(directory / "sub")
        assert rows(daemon) == before
        assert daemon.text("other.log").count("INFO resumed 1 process") == 2
        assert daemon.text("other.pid") == f"{daemon.pid}\n"
        assert " the settings stay " not in daemon.text("other.log")
        assert list((directory / "sub").iterdir()) == []


def test_ticks_come_once(directory: Path) -> None:
    listener = child("listener", "%(here)s/ticks")
    config = f"[eventlistener:ticks]\ncommand={listener}\nevents=TICK_5\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        for number in range(1, 4):
            wait_until(lambda number=number: daemon.text("ticks").count("when:") >= number)
            daemon.reexec()
            daemon.reexec()
        wait_until(lambda: daemon.text("ticks").count("when:") >= 4)
        ticks = list(map(int, re.findall(r"^when:(\d+)$", daemon.text("ticks"), re.MULTILINE)))
        assert ticks == list(range(ticks[0], ticks[-1] + 1, 5))


def test_restarts_of_the_same_minute_are_counted_on(directory: Path) -> None:
    config = (
        f"[program:x]\ncommand={child('exits', 3)}\nstartsecs=0\nautorestart=true\n"
        "restartpause=1\nstartlimit_burst=3\nstartlimit_interval=1h\n"
    )
    with Daemon(directory, config) as daemon:
        wait_until(lambda: daemon.log_text().count("exited: x") == 2)
        daemon.reexec()
        daemon.wait_for_state("x", "FATAL")
        assert daemon.log_text().count("exited: x") == 4
        assert details(daemon, "x")["starts"] == 4


def test_the_end_of_the_last_program_is_seen(directory: Path) -> None:
    """One that has ended before is not considered a second time."""
    config = (
        "exit_when_all_exited=true\n"
        f"[program:first]\ncommand={child('exits', 5)}\nstartsecs=0\nautorestart=false\n"
        f"[program:last]\ncommand={shell(until('go'))}\nstartsecs=0\nautorestart=false\n"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("first", "EXITED")
        daemon.reexec()
        assert daemon.info("last")["statename"] == "RUNNING"
        (directory / "go").touch()
        assert daemon.wait_for_exit() == 5


def test_an_essential_program_that_had_ended_does_not_end_the_daemon_again(
    directory: Path,
) -> None:
    """Its end was no failure; a later failure of the next run is one."""
    config = (
        "[program:x]\nessential=failure\nautorestart=false\nstartsecs=0\n"
        f"command={shell('test ! -e %(here)s/fail')}\n"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "EXITED")
        daemon.reexec()
        assert daemon.info("x")["statename"] == "EXITED"
        (directory / "fail").touch()
        daemon.rpc.supervisor.startProcess("x", False)
        assert daemon.wait_for_exit() == 1


def test_children_are_no_leftovers(directory: Path) -> None:
    config = (
        "statefile=%(here)s/state\nleftovers=kill\n"
        f"[program:x]\n{SLEEPER}[program:stopped]\n{SLEEPER}"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.supervisor.stopProcess("stopped")
        before = rows(daemon)
        daemon.reexec()
        daemon.reexec()
        assert rows(daemon) == before
        assert "earlier supervisord" not in daemon.log_text()


def test_no_fd_is_left(directory: Path) -> None:
    """Neither in the daemon nor in the children of the next one."""
    config = (
        f"[program:x]\n{SLEEPER}stdout_logfile=%(here)s/x.log\n[program:y]\n{SLEEPER}stdout_logfile=%(here)s/y.log\n"
        + pool("listener", child("listener", "%(here)s/record"))
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("listener", "RUNNING")
        daemon.wait_for_state("y", "RUNNING")
        daemon.wait_for_text("x.log", "READY\n")  # while it starts, it reads files
        daemon.reexec()
        before = open_fds(daemon.pid)
        of_child = open_fds(daemon.info("x")["pid"])
        for _ in range(3):
            daemon.reexec()
        assert len(open_fds(daemon.pid)) == len(before)
        daemon.ctl("restart", "x")
        daemon.wait_for_text("x.log", "READY\nREADY\n")
        assert open_fds(daemon.info("x")["pid"]) == of_child


def open_fds(pid: int) -> list[str]:
    """Return the numbers of the open fds of a process."""
    return sorted(os.listdir(f"/proc/{pid}/fd"))


PLUGIN = """
from supervisor import events

def make(supervisord, path):
    def note(when):
        with open(path, "a") as file:
            for group in supervisord.process_groups.values():
                for process in group.processes.values():
                    file.write(f"{when} {process.config.name} {process.state} {process.pid}\\n")
    note("made")
    events.subscribe(events.SupervisorRunningEvent, lambda event: note("running"))
"""


def test_plugins_find_the_processes_as_they_were(directory: Path) -> None:
    """And their heartbeat, which starts what is due, starts none of them a second time."""
    (directory / "noting.py").write_text(PLUGIN, encoding="utf-8")
    config = (
        f"[program:x]\n{SLEEPER}[program:y]\ncommand={child('exits', 0)}\nstartsecs=0\n"
        "[rpcinterface:noting]\nsupervisor.rpcinterface_factory=noting:make\n"
        f"path={directory}/noted\n"
    )
    with Daemon(directory, config, environment={"PYTHONPATH": str(directory)}) as daemon:
        daemon.wait_for_state("y", "EXITED")
        pid = daemon.wait_for_state("x", "RUNNING")["pid"]
        before = len(daemon.text("noted").splitlines())
        daemon.reexec()
        states = [f"x 20 {pid}", "y 100 0"]
        expected = [f"{when} {each}" for when in ("made", "running") for each in states]
        assert daemon.text("noted").splitlines()[before:] == expected
        assert daemon.log_text().count("spawned: 'x'") == 1
        assert len(proctable.children(daemon.pid)) == 1


def test_what_a_grandchild_writes_after_an_exit_in_between_is_logged(directory: Path) -> None:
    """The program exits while no daemon can reap it; its child still holds the pipe."""
    executes = f"until grep -q '{EXECUTES}' {directory}/supervisord.log; do sleep 0.01; done"
    config = (
        "[program:x]\nstartsecs=0\nautorestart=false\nstdout_logfile=%(here)s/x.log\n"
        f"command={shell(f'({executes}; sleep 0.3; echo late) & {executes}; echo last; exit 7')}\n"
    )
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        daemon.reexec()
        assert daemon.wait_for_state("x", "EXITED")["exitstatus"] == 7
        assert daemon.wait_for_text("x.log", "late\n") == "last\nlate\n"


# -- clients -----------------------------------------------------------------------------------


def test_commands_that_wait_are_completed_by_the_next_daemon(directory: Path) -> None:
    """A client in another language sees a connection that closes; xmlrpc.client tries again."""
    config = (
        f"[program:starts]\ncommand={child('sleeper')}\nstartsecs=5\nautostart=false\n"
        f"[program:fails]\ncommand={child('exits', 3, 4)}\nstartsecs=6\nautostart=false\n"
        "startretries=0\n"
        f"[program:stops]\n{STUBBORN}stopwaitsecs=5\n"
        f"[program:restarts]\ncommand={child('lingerer', 5)}\nstartsecs=0\n"
    )
    outputs = {
        ("start", "starts"): "starts: started\n",
        ("start", "fails"): "fails: ERROR (spawn error)\n",
        ("stop", "stops"): "stops: stopped\n",
        ("restart", "restarts"): "restarts: stopped\nrestarts: started\n",
    }
    with Daemon(directory, config) as daemon, ThreadPoolExecutor() as pool:
        spoken(daemon, "stops")
        spoken(daemon, "restarts")
        running = {words: pool.submit(daemon.ctl, *words) for words in outputs}
        for name, state in (
            ("starts", "STARTING"),
            ("fails", "STARTING"),
            ("stops", "STOPPING"),
            ("restarts", "STOPPING"),
        ):
            daemon.wait_for_state(name, state)
        plain = proxy(str(daemon.socket_path))
        stop = pool.submit(plain.supervisor.stopProcess, "stops")
        daemon.reexec()
        assert {words: running[words].result().stdout for words in running} == outputs
        assert stop.result() is True
        plain("close")()
