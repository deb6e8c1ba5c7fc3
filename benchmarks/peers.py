"""Other installed supervisors, with the same programs: `--peers COUNT`.

runit, s6 and daemontools are Debian packages, circus is from PyPI, pm2 from npm.  Each is run as
in its manual, with its defaults, and measured by the reports of its programs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bench import Stamps, child, cpu_seconds, head, memory_mib, programs, short, wait_for
from tests.support import proctable
from tests.support.daemon import Daemon, Implementation

SETTLE_SECONDS = 7
"""Longer than the poll interval of the supervisors that poll, which is five seconds."""

IDLE_SECONDS = 20
DEATHS = 9
STARTS = 5
LIFE_SECONDS = 1.05
LOG_LINES = 1_000_000
LINE_BYTES = 100

FIGURES = (
    "up [ms]",
    "CPU in 20 s idle [ms]",
    "memory, PSS [MiB]",
    "processes",
    "crash to restart, median [ms]",
    "shutdown [ms]",
)


@dataclass(frozen=True)
class Peer:
    """A supervisor: `prepare` creates its files and returns its command, `end` stops it."""

    name: str
    tool: str
    prepare: Callable[[Path, str, int], list[str]]
    end: Callable[[int, Path], object]


# -- configuration of each -------------------------------------------------------


def supervisor(
    implementation: Implementation, directory: Path, command: str, count: int
) -> list[str]:
    """Ours, or 4.3.0."""
    daemon = Daemon(
        directory, head(count) + programs(count, command), implementation=implementation
    )
    return [*implementation.command("supervisord"), "-n", "-c", str(daemon.config_path)]


def scanned(tool: tuple[str, ...], directory: Path, command: str, count: int) -> list[str]:
    """Create a directory with a `run` script for each program: the family of daemontools."""
    services = directory / "services"
    for number in range(count):
        run = services / str(number) / "run"
        run.parent.mkdir(parents=True)
        run.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
        run.chmod(0o755)
    return [*tool, str(services)]


def s6(directory: Path, command: str, count: int) -> list[str]:
    """Create such a directory for s6, whose default limit is 500 programs."""
    return scanned(("s6-svscan", "-c", str(count + 100)), directory, command, count)


def circus(directory: Path, command: str, count: int) -> list[str]:
    """One watcher with many processes."""
    (directory / "circus.ini").write_text(
        f"[circus]\nendpoint=ipc://{directory}/c\npubsub_endpoint=ipc://{directory}/p\n"
        f"[watcher:many]\ncmd={command}\nnumprocesses={count}\n",
        encoding="utf-8",
    )
    return ["circusd", "--log-level", "error", str(directory / "circus.ini")]


def pm2(directory: Path, command: str, count: int) -> list[str]:
    """Define an application for each program, in the foreground as in a container."""
    script, arguments = command.split(maxsplit=1)
    applications = [
        {"name": str(number), "script": script, "args": arguments, "interpreter": "none"}
        for number in range(count)
    ]
    path = directory / "many.config.json"
    path.write_text(json.dumps({"apps": applications}), encoding="utf-8")
    return ["pm2-runtime", "start", str(path)]


# -- shutdown of each ------------------------------------------------------------


def by(signum: int) -> Callable[[int, Path], object]:
    """Return a function that ends a supervisor by one signal."""
    return lambda pid, _directory: os.kill(pid, signum)


def by_svc(pid: int, directory: Path) -> None:
    """End daemontools as in its manual: the scanner first, then each supervisor."""
    os.kill(pid, signal.SIGTERM)
    subprocess.run(["svc", "-dx", *(directory / "services").iterdir()], check=True)


PEERS = (
    Peer("runit", "runsvdir", partial(scanned, ("runsvdir", "-P")), by(signal.SIGHUP)),
    Peer("s6", "s6-svscan", s6, by(signal.SIGTERM)),
    Peer("daemontools", "svscan", partial(scanned, ("svscan",)), by_svc),
    Peer("circus", "circusd", circus, by(signal.SIGTERM)),
    Peer("pm2", "pm2-runtime", pm2, by(signal.SIGINT)),
)


# -- measuring -------------------------------------------------------------------


def compare(both: dict[str, Implementation], directory: Path, count: int) -> None:
    """Print two tables: `count` programs, and the cost of a log."""
    peers = [
        Peer(name, "", partial(supervisor, implementation), by(signal.SIGTERM))
        for name, implementation in both.items()
    ]
    peers += [peer for peer in PEERS if shutil.which(peer.tool)]
    print(f"| {count} programs | " + " | ".join(FIGURES) + " |")
    print("|" + " --- |" * (1 + len(FIGURES)))
    ups: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(STARTS - 1):
        for peer in peers:
            with _running(peer, Path(tempfile.mkdtemp(dir=directory)), count) as run:
                ups[peer.name].append(run.up)
    for peer in peers:
        figures = _measured(peer, Path(tempfile.mkdtemp(dir=directory)), count)
        figures["up [ms]"] = median([*ups[peer.name], figures["up [ms]"]])
        cells = [short(figures[figure]) for figure in FIGURES]
        print(f"| {peer.name} | " + " | ".join(cells) + " |", flush=True)
    print("\n| a log of lines of 100 bytes | rate [MB/s] | CPU [s/GB] |\n| --- | --- | --- |")
    for name, (rate, cpu) in _loggers(directory):
        print(f"| {name} | {rate:.0f} | {cpu:.3g} |", flush=True)


@dataclass(frozen=True)
class Run:
    """A supervisor whose programs are all up, which took `up` milliseconds."""

    root: int
    stamps: Stamps
    up: float


@contextmanager
def _running(peer: Peer, directory: Path, count: int) -> Iterator[Run]:
    """Start a supervisor and its programs; processes that remain at the end are killed."""
    with closing(Stamps(directory)) as stamps:
        command = peer.prepare(directory, f"{child('stamp')} {stamps.path}", count)
        environment = {**os.environ, "PM2_HOME": str(directory)}
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        pids: set[int] = set()
        try:
            up = (stamps.take(count) - began) * 1e3
            pids = set(_tree(process.pid))
            yield Run(process.pid, stamps, up)
        finally:
            for pid in filter(proctable.is_alive, [*_tree(process.pid), *pids]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _measured(peer: Peer, directory: Path, count: int) -> dict[str, float]:
    with _running(peer, directory, count) as run:
        figures = {"up [ms]": run.up}
        time.sleep(SETTLE_SECONDS)
        figures |= _resting([pid for pid in _tree(run.root) if not _is_child(pid)])
        figures["crash to restart, median [ms]"] = _restart(run.root, run.stamps)
        pids = set(_tree(run.root))
        ended = time.monotonic()
        peer.end(run.root, directory)
        wait_for(lambda: _are_gone(pids), pause=0.005)
        figures["shutdown [ms]"] = (time.monotonic() - ended) * 1e3
    return figures


def _resting(pids: list[int]) -> dict[str, float]:
    """Measure them while idle, then their memory."""
    cpu = sum(map(cpu_seconds, pids))
    time.sleep(IDLE_SECONDS)
    return {
        "CPU in 20 s idle [ms]": (sum(map(cpu_seconds, pids)) - cpu) * 1e3,
        "memory, PSS [MiB]": sum(map(memory_mib, pids)),
        "processes": len(pids),
    }


def _restart(root: int, stamps: Stamps) -> float:
    """Kill a program repeatedly; each new one reports when it runs."""
    pid = next(pid for pid in _tree(root) if _is_child(pid))
    waits = []
    for _ in range(DEATHS):
        time.sleep(LIFE_SECONDS)
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        at, pid = stamps.next()
        waits.append((at - killed) * 1e3)
    return median(waits)


def _loggers(directory: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the cost of a log for programs that only write logs."""
    commands = (
        ("runit's svlogd", ["svlogd"]),
        ("s6-log", ["s6-log", "n10", "s50000000"]),
        ("daemontools' multilog", ["multilog", "s16000000"]),
        ("runit's svlogd, time stamps", ["svlogd", "-ttt"]),
        ("s6-log, time stamps", ["s6-log", "T", "n10", "s50000000"]),
        ("daemontools' multilog, time stamps", ["multilog", "t", "s16000000"]),
    )
    for name, command in commands:
        if shutil.which(command[0]):
            folder = Path(tempfile.mkdtemp(dir=directory))
            flood = subprocess.Popen(
                [child("flood"), str(LINE_BYTES), str(LOG_LINES)], stdout=subprocess.PIPE
            )
            began = time.monotonic()
            logger = subprocess.Popen([*command, str(folder)], stdin=flood.stdout)
            if flood.stdout is not None:
                flood.stdout.close()
            wait_for(partial(_has_written, flood.pid, LINE_BYTES * LOG_LINES))
            flood.kill()
            flood.wait()
            _, _, usage = os.wait4(logger.pid, 0)
            seconds = time.monotonic() - began
            megabytes = LINE_BYTES * LOG_LINES / 1e6
            yield name, (megabytes / seconds, (usage.ru_utime + usage.ru_stime) * 1e3 / megabytes)


def _has_written(pid: int, count: int) -> bool:
    fields = Path(f"/proc/{pid}/io").read_text(encoding="ascii").split()
    return int(fields[fields.index("wchar:") + 1]) >= count


# -- processes -------------------------------------------------------------------


def _tree(root: int) -> list[int]:
    """Return a process and all of its descendants."""
    pids = [root]
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += map(int, task.read_text(encoding="ascii").split())
    return pids


def _is_child(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8") == "stamp\n"


def _are_gone(pids: set[int]) -> bool:
    """Remove processes that have ended; return whether none is left."""
    pids -= {pid for pid in pids if not proctable.is_alive(pid)}
    return not pids
