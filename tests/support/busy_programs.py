"""Fifty programs that do everything at the same time, and an exact account of what they did.

busy = BusyPrograms(directory, port)
with Daemon(directory, busy.config, within=busy.within, ...) as daemon:
    ...
    busy.end(daemon)
    busy.check(daemon)
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

FAST, SLOW = 10_000, 50
"""Lines per second of a writer."""

LOG = "stdout_logfile=%(here)s/{name}.log\nstdout_logfile_maxbytes={size}\n"
SMALL, LARGE = "5KB", "1MB"


@dataclass(frozen=True)
class Writer:
    """A program that writes: the options of its streams, and those of the child."""

    count: int
    streams: str
    flags: tuple[str, ...] = ()
    rate: int = SLOW
    size: str = SMALL


TORN = ("torn",)

WRITERS = {
    "fast": Writer(2, LOG, rate=FAST, size=LARGE),
    "raw": Writer(5, LOG),
    "torn": Writer(4, LOG, TORN),
    "prefix": Writer(4, f"{LOG}stdout_logfile_format=prefix", TORN),
    "json": Writer(4, f"{LOG}stdout_logfile_format=json", TORN),
    "piped": Writer(4, "stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0"),
    "copied": Writer(
        3,
        "stdout_logfile=NONE\nstdout_tee=stdout, %(here)s/{name}.log\nstdout_tee_format=raw",
        TORN,
    ),
    "stderr": Writer(3, "stdout_logfile=NONE\nstderr_logfile=%(here)s/{name}.log", ("stderr",)),
    "merged": Writer(2, f"{LOG}redirect_stderr=true", ("stderr",)),
    "captured": Writer(2, f"{LOG}stdout_capture_maxbytes=1MB", ("captured",)),
    "published": Writer(1, "stdout_logfile=NONE\nstdout_events_enabled=true", TORN),
}

EXPECTED = "0,3"

CRASHERS = tuple(f"crasher_{number}" for number in range(5))
FLAPPING = ("flapping_0", "flapping_1")
"""They exit before they have been up for `startsecs`, or after that."""
TOGGLED = tuple(f"toggled_{number}" for number in range(3))

SLEEP_FOREVER = 10**6

REST = f"""
[program:crasher]
command={child("accounted", "crasher_%(process_num)d", 1, 0, 1, 3)}
process_name=%(program_name)s_%(process_num)d
numprocs={len(CRASHERS)}
startsecs=0
autorestart=true
exitcodes={EXPECTED}
[program:flapping]
command={child("accounted", "flapping_%(process_num)d", 2, 1)}
process_name=%(program_name)s_%(process_num)d
numprocs={len(FLAPPING)}
startretries=1000
autorestart=true
[program:toggled]
command={child("accounted", "toggled_%(process_num)d", SLEEP_FOREVER, 0)}
process_name=%(program_name)s_%(process_num)d
numprocs={len(TOGGLED)}
startsecs=0
[program:hooked]
command={child("accounted", "hooked", SLEEP_FOREVER, 0)}
startsecs=0
pre_start_hook=sh -c 'echo pre >> hooked.hooks'
post_stop_hook=sh -c 'echo post >> hooked.hooks'
[program:tcp]
command={child("pid_server", "<port>")}
startsecs=0
liveness_check_script=tcp://127.0.0.1:<port>
liveness_check_initial_delay=1s
liveness_check_period=200ms
liveness_check_timeout=10s
[program:checked]
command={child("sleeper")}
startsecs=0
liveness_check_script=true
liveness_check_initial_delay=0
liveness_check_period=200ms
liveness_check_timeout=10s
[fcgi-program:fastcgi]
command={child("pid_server")}
socket=unix://%(here)s/fastcgi.sock
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
"""

LISTENERS = f"""
[eventlistener:quick]
command={child("listener", "quick.events")}
events=PROCESS_STATE,PROCESS_COMMUNICATION,PROCESS_LOG,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE
buffer_size=100000
startsecs=0
[eventlistener:late]
command={child("listener", "late.events", "OK", 0.03)}
events=PROCESS_STATE
buffer_size=100000
startsecs=0
"""

PIPE_BYTES = 4096
"""Capacity of the pipe that is the daemon's stdout: the smallest one."""

SECONDS = 60
"""Upper bound of each wait."""


def _section(name: str, writer: Writer) -> str:
    process = f"{name}_%(process_num)d"
    return f"""
[program:{name}]
command={child("numbered", process, writer.rate, "end", *writer.flags)}
process_name=%(program_name)s_%(process_num)d
numprocs={writer.count}
startsecs=0
stdout_logfile_backups=1000
stderr_logfile_backups=1000
{writer.streams.format(name=process, size=writer.size)}
"""


def _pairs(text: str) -> dict[str, str]:
    """Return the pairs `name:value` of a line."""
    return dict(pair.split(":") for pair in text.split())


def _difference(name: str, found: list[Any], expected: list[Any]) -> Iterator[str]:
    """Yield the first place at which two lists differ."""
    for number, (one, other) in enumerate(zip_longest(found, expected)):
        if one != other:
            part = slice(max(number - 2, 0), number + 3)
            yield f"{name}: {found[part]} instead of {expected[part]} at {number}"
            return


class SlowReader(threading.Thread):
    """The reader of the FIFO that is the daemon's stdout: it pauses at random."""

    def __init__(self, path: Path, random: Random) -> None:
        super().__init__(daemon=True)
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._random = random
        self._data = bytearray()
        self._is_closed = False

    def run(self) -> None:
        """Read until the end."""
        os.set_blocking(self._fd, False)
        while not self._is_closed:
            with suppress(BlockingIOError):
                self._data += os.read(self._fd, PIPE_BYTES)
            if self._random.random() < 1 / 500:
                time.sleep(1)
            time.sleep(0.002)

    @property
    def text(self) -> str:
        """All that has been read."""
        return self._data.decode()

    def close(self) -> None:
        """End the thread and close the FIFO."""
        self._is_closed = True
        self.join()
        os.close(self._fd)


class BusyPrograms:
    """The programs in a directory, the reader of the daemon's stdout, and all accounts."""

    def __init__(self, directory: Path, port: int, random: Random) -> None:
        self._directory = directory
        self._port = port
        self._restarts: dict[str, int] = {}
        self._reader = SlowReader(directory / "stdout", random)
        self._reader.start()
        writers = "".join(_section(name, writer) for name, writer in WRITERS.items())
        self.config = writers + REST.replace("<port>", str(port)) + LISTENERS
        redirection = f'exec "$@" > {directory / "stdout"}'
        self.within = ("sh", "-c", redirection, "sh")

    # -- the end --------------------------------------------------------------------

    def end(self, daemon: Daemon) -> None:
        """Let the writers write their last lines, stop the others, wait for the last event."""
        (self._directory / "end").touch()
        for name in self._writers():
            wait_until(
                lambda name=name: self._lines(name)[-1:] and " END " in self._lines(name)[-1],
                SECONDS,
                what=lambda name=name: f"end of {name}: {self._lines(name)[-3:]}",
            )
        for name in ("crasher", "flapping", "toggled"):
            daemon.rpc.supervisor.stopProcessGroup(name)
        if daemon.info("hooked")["pid"]:
            daemon.rpc.supervisor.stopProcess("hooked")
        for name in CRASHERS:
            details: Any = daemon.rpc.supervisor.getProcessDetails(f"crasher:{name}")
            self._restarts[name] = details["restarts"]
        last = self._last_change("quick")
        wait_until(lambda: self._last_change("late") >= last, SECONDS)

    def _last_change(self, listener: str) -> int:
        """Return the serial of the last state change that a listener has got."""
        return max(
            int(header["serial"])
            for header, _ in self.events(listener)
            if header["eventname"].startswith("PROCESS_STATE")
        )

    def close(self) -> None:
        """Close the FIFO, when the daemon has ended."""
        self._reader.close()

    # -- accounts ---------------------------------------------------------------------

    def _writers(self) -> list[str]:
        return [
            f"{name}_{number}" for name, writer in WRITERS.items() for number in range(writer.count)
        ]

    def _lines(self, name: str) -> list[str]:
        """Return all lines of a writer, from its log, its events or the daemon's stdout."""
        program = name.rpartition("_")[0]
        if program == "piped":
            return self._lines_on_stdout(name)
        if program == "published":
            return "".join(self._published(name)).splitlines()
        text = "".join(self._logs(name))
        if program == "json":
            return [json.loads(line)["message"] for line in text.splitlines()]
        if program == "prefix":
            text = re.sub(r"(?m)^\S+ \[\S+\] ", "", text)
        if program == "captured":
            return list(self._with_captured(text.splitlines(), self._published(name)))
        return text.splitlines()

    def _lines_on_stdout(self, name: str) -> list[str]:
        return re.findall(rf"(?m)^{name} (?:END )?\d+$", self._reader.text)

    def _with_captured(self, lines: list[str], captured: Iterator[str]) -> Iterator[str]:
        """Yield the lines of a log with those that have been captured in between."""
        for line in lines:
            if line.endswith("0") and not line.endswith(" 0"):
                yield next(captured, "missing").removesuffix("\n")
            yield line

    def _logs(self, name: str) -> Iterator[str]:
        """Yield the text of the log of a process, the oldest file first."""
        paths = self._directory.glob(f"{name}.log.*")
        for path in sorted(paths, key=lambda path: -int(path.suffix[1:])):
            yield path.read_text(encoding="utf-8")
        with suppress(FileNotFoundError):
            yield (self._directory / f"{name}.log").read_text(encoding="utf-8")

    def _published(self, name: str) -> Iterator[str]:
        for header, payload in self.events("quick"):
            head, _, text = payload.partition("\n")
            is_output = header["eventname"].startswith(("PROCESS_LOG", "PROCESS_COMM"))
            if is_output and _pairs(head)["processname"] == name:
                yield text

    def events(self, listener: str) -> list[tuple[dict[str, str], str]]:
        """Return headers and payload of each complete event that a listener has got."""
        text = (self._directory / f"{listener}.events").read_text(encoding="utf-8")
        found = []
        while text:
            head, newline, rest = text.partition("\n")
            if not newline:
                break
            header = _pairs(head)
            length = int(header["len"])
            if len(rest) <= length:
                break
            found.append((header, rest[:length]))
            text = rest[length + 1 :]
        return found

    def account(self, name: str) -> list[list[str]]:
        """Return kind, pid and status of the starts and ends that a process has written."""
        path = self._directory / f"{name}.account"
        return [line.split(" ") for line in path.read_text(encoding="ascii").splitlines()]

    # -- the result -------------------------------------------------------------------

    def problems(self) -> Iterator[str]:
        """Yield all that is missing, double or out of order."""
        for path in self._directory.glob("*.double"):
            yield f"{path.stem} ran twice at the same time"
        for name in self._writers():
            yield from self._wrong_lines(name, self._lines(name))
        for number in range(WRITERS["copied"].count):
            name = f"copied_{number}"
            yield from self._wrong_lines(name, self._lines_on_stdout(name))
        yield from self._wrong_events()
        yield from self._wrong_exits()
        yield from self._wrong_hooks()

    def _wrong_lines(self, name: str, lines: list[str]) -> Iterator[str]:
        """Yield the first line that is not the expected one."""
        total = int(lines[-1].rpartition(" ")[2]) if lines and " END " in lines[-1] else 0
        expected = [*(f"{name} {number}" for number in range(total)), f"{name} END {total}"]
        yield from _difference(name, lines, expected)

    def _wrong_events(self) -> Iterator[str]:
        for listener in ("quick", "late"):
            events = self.events(listener)
            numbers = [int(header["poolserial"]) for header, _ in events]
            if numbers != list(range(len(numbers))):
                wrong = next(i for i, number in enumerate(numbers) if number != i)
                yield f"{listener}: poolserials {numbers[max(wrong - 2, 0) : wrong + 3]}"
            serials = [int(header["serial"]) for header, _ in events]
            if serials != sorted(set(serials)):
                yield f"{listener}: its serials are not in order"
            states: dict[str, str] = {}
            for header, payload in events:
                event = header["eventname"]
                if not event.startswith("PROCESS_STATE_"):
                    continue
                words = _pairs(payload)
                name, before = words["processname"], states.get(words["processname"], "STOPPED")
                if words["from_state"] != before:
                    yield f"{listener}: {name} went from {before}, not {words['from_state']}"
                states[name] = event.removeprefix("PROCESS_STATE_")

    def _wrong_exits(self) -> Iterator[str]:
        """Compare the accounts of processes with the events about them."""
        for name in ("hooked", *CRASHERS, *TOGGLED):
            account = self.account(name)
            exits = [
                [pid, str(int(status in EXPECTED.split(",")))]
                for kind, pid, status in account
                if kind == "exit"
            ]
            found = [[each["pid"], each["expected"]] for each in self._changes(name, "EXITED")]
            yield from _difference(f"{name}: exits", found, exits)
            restarts = self._restarts.get(name, len(exits))
            if restarts not in {len(exits), len(exits) - 1}:  # its stop may prevent the last one
                yield f"{name}: {restarts} restarts after {len(exits)} exits"
            starts = {pid for kind, pid, _ in account if kind == "start"}
            # A process that is stopped at once does not write anything.
            stops = [
                each["pid"] for each in self._changes(name, "STOPPED") if each["pid"] in starts
            ]
            written = [pid for kind, pid, _ in account if kind == "stop"]
            yield from _difference(f"{name}: stops", stops, written)

        for name in FLAPPING:
            exits = [pid for kind, pid, _ in self.account(name) if kind == "exit"]
            events = self._changes(name, "EXITED") + self._changes(name, "BACKOFF")
            if len(events) != len(exits):
                yield f"{name}: {len(events)} events of {len(exits)} exits"

    def _changes(self, name: str, state: str) -> list[dict[str, str]]:
        """Return the payloads of the events that a process has entered a state."""
        payloads = (
            _pairs(payload)
            for header, payload in self.events("quick")
            if header["eventname"] == f"PROCESS_STATE_{state}"
        )
        return [payload for payload in payloads if payload["processname"] == name]

    def _wrong_hooks(self) -> Iterator[str]:
        words = (self._directory / "hooked.hooks").read_text(encoding="ascii").split()
        stops = len(self._changes("hooked", "STOPPED"))
        yield from _difference("hooked: hooks", words, ["pre", "post"] * stops)

    def servers(self) -> set[str]:
        """Return the pids that the FastCGI program and the one with a port respond."""
        found = set()
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", self._port)),
            (socket.AF_UNIX, str(self._directory / "fastcgi.sock")),
        ):
            with socket.socket(family) as client:
                client.settimeout(SECONDS)
                client.connect(address)
                found.add(client.makefile().readline().strip())
        return found
