"""Logs: no byte is lost, none is doubled, and nothing makes the daemon wait."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until


def steady(directory: Path, *options: str) -> str:
    """Return the section of a program that counts until it is told to end."""
    lines = (
        "[program:counts]",
        f"command={child('steady', directory / 'enough')}",
        "startsecs=0",
        *options,
        "",
    )
    return "\n".join(lines)


def all_lines(daemon: Daemon, files: list[Path]) -> list[str]:
    """End the counting; return all lines of the files, once the last one is there."""
    (daemon.directory / "enough").touch()

    def text() -> str:
        return "".join(path.read_text() for path in files if path.exists())

    wait_until(lambda: "END" in text(), what=daemon.log_text)
    return text().splitlines()


def assert_complete(lines: list[str]) -> None:
    """Each number must be there, once and in its place."""
    count = int(lines[-1].removeprefix("END "))
    assert lines[:-1] == [str(number) for number in range(count)]


def test_moved_and_reopened_under_load(directory: Path) -> None:
    """As logrotate does it: rename, then SIGUSR2."""
    log = directory / "counts.log"
    with Daemon(directory, steady(directory, "stdout_logfile=%(here)s/counts.log")) as daemon:
        moved = []
        for number in range(5):
            wait_until(lambda: log.exists() and log.stat().st_size > 20_000)
            moved.append(directory / f"moved.{number}")
            log.rename(moved[-1])
            daemon.signal(signal.SIGUSR2)
            wait_until(log.exists)
        assert_complete(all_lines(daemon, [*moved, log]))


def test_rotated_under_load(directory: Path) -> None:
    options = (
        "stdout_logfile=%(here)s/counts.log",
        "stdout_logfile_maxbytes=20KB",
        "stdout_logfile_backups=1000",
    )
    log = directory / "counts.log"
    with Daemon(directory, steady(directory, *options)) as daemon:
        wait_until((directory / "counts.log.10").exists)
        numbers = range(1000, 0, -1)
        files = [directory / f"counts.log.{number}" for number in numbers]
        assert_complete(all_lines(daemon, [*files, log]))


def test_emptied_by_somebody_else(directory: Path) -> None:
    """`copytruncate`: what is written afterwards begins at the beginning, without a hole."""
    log = directory / "counts.log"
    with Daemon(directory, steady(directory, "stdout_logfile=%(here)s/counts.log")) as daemon:
        wait_until(lambda: log.exists() and log.stat().st_size > 20_000)
        os.truncate(log, 0)
        wait_until(lambda: log.stat().st_size > 1_000)
        lines = all_lines(daemon, [log])
        first = int(lines[1])  # the line before it may have been cut
        numbers = [str(number) for number in range(first, int(lines[-1].split()[1]))]
        assert "\0" not in "".join(lines)
        assert lines[-1 - len(numbers) : -1] == numbers


def test_a_disk_that_is_full_for_a_while(directory: Path) -> None:
    """A note takes the place of what is missing and counts it to the byte."""
    log = directory / "counts.log"
    with Daemon(directory, steady(directory, "stdout_logfile=%(here)s/counts.log")) as daemon:
        wait_until(lambda: log.exists() and log.stat().st_size > 5_000)
        before = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
        size = log.stat().st_size + 10_000
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, before[1]))
        daemon.wait_for_log("cannot write to log")
        assert daemon.rpc.supervisor.getState()
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, before)
        lines = all_lines(daemon, [log])
    text = "\n".join(lines) + "\n"
    begin, note, end = text.partition("supervisor: ")
    missing, _, end = (note + end).removeprefix("supervisor: ").partition(" ")
    end = end.partition("\n")[2]
    whole = "".join(f"{number}\n" for number in range(int(lines[-1].split()[1])))
    assert whole.startswith(begin)
    assert begin.endswith("\n"), "the last line before the note is whole"
    assert f"\n{end}".startswith(tuple(f"\n{number}\n" for number in range(len(whole))))
    assert whole.endswith(end.rpartition("END")[0])
    assert len(begin) + int(missing) + len(end.rpartition("END")[0]) == len(whole)


@pytest.mark.parametrize("kind", ["a fifo that nobody reads", "a terminal that has stalled"])
def test_a_log_that_takes_nothing_more(directory: Path, kind: str) -> None:
    """The daemon answers, and the program runs on; its output waits, then is dropped."""
    if kind.startswith("a fifo"):
        name, held = str(directory / "fifo"), []
        os.mkfifo(name)
    else:
        main, side = os.openpty()
        name, held = os.ttyname(side), [main, side]
    config = f"""
[program:flood]
command={child("flood", 800_000)}
startsecs=0
stdout_logfile={name}
stdout_logfile_maxbytes=0
[program:other]
command={child("sleeper")}
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("its reader has stalled", seconds=30)
        assert daemon.rpc.supervisor.stopProcess("other")
        assert daemon.info("flood")["statename"] == "RUNNING"
    for fd in held:
        os.close(fd)


def test_a_reader_that_is_late_gets_everything(directory: Path) -> None:
    """Megabytes wait for it, more than any pipe holds."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    config = f"""
[program:flood]
command={child("flood", 100_000)}
startsecs=0
stdout_logfile={fifo}
stdout_logfile_maxbytes=0
[program:said]
command={child("sleeper")}
startsecs=0
"""
    with Daemon(directory, config) as daemon:
        for _ in range(3):
            assert daemon.rpc.supervisor.getState()
        with fifo.open("rb") as reader:
            got = b""
            while not got.endswith(b"READY\n"):
                got += reader.read1(65536)
    assert got == b"".join(b"%015d\n" % number for number in range(100_000)) + b"READY\n"


def test_a_line_without_end(directory: Path) -> None:
    """Twenty megabytes of it, with capture and without colours."""
    script = "import sys; sys.stdout.write('x' * 20_000_000 + chr(10)); sys.stdout.flush()"
    config = f"""
strip_ansi=true
[program:long]
command=python3 -c "{script}"
startsecs=0
autorestart=false
stdout_logfile=%(here)s/long.log
stdout_logfile_maxbytes=0
stdout_capture_maxbytes=1KB
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("long", "EXITED", seconds=30)
        assert (directory / "long.log").stat().st_size == 20_000_001


def test_what_a_grandchild_says_late(directory: Path) -> None:
    """The child is dead, but somebody still holds its pipe."""
    config = """
[program:leaves]
command=/bin/sh -c "(sleep 0.3; echo late) & echo early"
startsecs=0
autorestart=false
stdout_logfile=%(here)s/leaves.log
"""
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("leaves", "EXITED")
        daemon.wait_for_text("leaves.log", "early\nlate\n")
        wait_until(lambda: not list(Path(f"/proc/{daemon.pid}/fd").glob("pipe*")))


def test_half_an_escape_sequence_and_half_a_token_at_the_end(directory: Path) -> None:
    """What was held back because more might have come is written when nothing does."""
    config = r"""
strip_ansi=true
[program:cut]
command=/bin/sh -c "printf 'text\033'"
startsecs=0
autorestart=false
stdout_logfile=%(here)s/cut.log
[program:half]
command=/bin/sh -c "printf 'text<!--XSUPERVISOR:BEG'"
startsecs=0
autorestart=false
stdout_capture_maxbytes=1KB
stdout_logfile=%(here)s/half.log
"""
    with Daemon(directory, config) as daemon:
        for name in ("cut", "half"):
            daemon.wait_for_state(name, "EXITED")
        assert (directory / "half.log").read_text() == "text<!--XSUPERVISOR:BEG"
        assert (directory / "cut.log").read_bytes() == b"text\x1b"


def test_mode_and_owner_survive_a_rotation(directory: Path) -> None:
    log = directory / "counts.log"
    log.touch()
    log.chmod(0o640)
    options = ("stdout_logfile=%(here)s/counts.log", "stdout_logfile_maxbytes=5KB")
    with Daemon(directory, steady(directory, *options)) as daemon:
        wait_until((directory / "counts.log.1").exists)
        wait_until(lambda: log.exists() and log.stat().st_mode & 0o777 == 0o640)
        assert daemon.rpc.supervisor.getState()
