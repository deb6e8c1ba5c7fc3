"""Process groups without a leader: real processes in a real loop, with and without pidfds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from supervisor.engine import posix
from supervisor.engine.loop import Loop
from supervisor.process import process_group
from supervisor.process.process_group import GroupWatcher, LeaderlessGroup
from tests.support import proctable
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLEEP = "signal.pause()"

# Starts one process for each argument, a line of Python, in its own process group, writes their
# pids on a line and ends.
LEADER = """
import os, subprocess, sys
code = "import os, signal, subprocess, sys, time; {}"
kin = [subprocess.Popen([sys.executable, "-Sc", code.format(line)]) for line in sys.argv[1:]]
print(*[each.pid for each in kin], flush=True)
os._exit(0)
"""


class Site:
    """A loop, a watcher in it, and the groups that a test has made."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.watcher = GroupWatcher(self.loop)
        self.empty: list[int] = []
        self.members: list[int] = []

    def leaderless(self, *lines: str) -> tuple[int, list[int]]:
        """Start a group whose leader dies; return its number and its members."""
        leader = subprocess.Popen(
            [sys.executable, "-Sc", LEADER, *lines],
            process_group=0,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert leader.stdout is not None
        with leader.stdout as stdout:
            pids = [int(word) for word in stdout.readline().split()]
        leader.wait()
        self.members += pids
        return leader.pid, pids

    def watch(self, pgid: int) -> LeaderlessGroup | None:
        """Watch a group; its number goes to `empty` when it is."""
        return self.watcher.watch(pgid, lambda _group: self.empty.append(pgid))

    def turn_until(self, predicate: Callable[[], object]) -> None:
        """Turn the loop until something is true."""

        def reached() -> object:
            self.loop.run_once(0.01)
            return predicate()

        wait_until(reached)

    def turns(self, seconds: float = 0) -> int:
        """Return how often the loop wakes up within some time."""
        over: list[int] = []
        self.loop.call_later(seconds, lambda: over.append(1))
        count = 0
        while not over:
            self.loop.run_once()
            count += 1
        return count


@pytest.fixture(params=["pidfd", "timer"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """With pidfds, and as on a system that has none."""
    if request.param == "timer":
        monkeypatch.setattr(posix, "open_pidfd", lambda _pid: None)
    made = Site()
    yield made
    for pid in made.members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    made.loop.close()


def test_an_empty_group_is_not_watched(site: Site) -> None:
    pgid, _ = site.leaderless()
    assert site.watch(pgid) is None


def test_the_end_of_the_last_member_is_reported_once(site: Site) -> None:
    pgid, (first, second) = site.leaderless(SLEEP, SLEEP)
    assert site.watch(pgid) is not None
    os.kill(first, signal.SIGKILL)
    site.turns(0.3)
    assert site.empty == []
    os.kill(second, signal.SIGKILL)
    site.turn_until(lambda: site.empty)
    site.turns(0.3)
    assert site.empty == [pgid]


def test_one_that_is_forked_while_the_group_is_watched_is_waited_for(
    site: Site, tmp_path: os.PathLike[str]
) -> None:
    path = os.path.join(tmp_path, "kin")
    fork = (
        "atexit = __import__('atexit');"
        " atexit.register(lambda: open(r'{}', 'w').write(str("
        "subprocess.Popen(['/bin/sleep', '1000']).pid)));"
        " signal.signal(signal.SIGTERM, lambda *_: sys.exit());"
        f" open('{path}.ready', 'w');"
        " [time.sleep(0.05) for _ in iter(int, 1)]"  # pause() may miss a signal just before it
    ).replace("{}", path)
    pgid, (member,) = site.leaderless(fork)
    group = site.watch(pgid)
    assert group is not None
    site.turn_until(lambda: os.path.exists(f"{path}.ready"))
    group.signal(signal.SIGTERM)
    site.turn_until(lambda: not proctable.is_alive(member))
    with open(path, encoding="ascii") as file:
        site.members.append(int(file.read()))
    site.turns(0.3)
    assert site.empty == []
    group.signal(signal.SIGKILL)
    site.turn_until(lambda: site.empty == [pgid])


def test_a_zombie_that_is_never_reaped_is_no_member(site: Site) -> None:
    """Its parent has left the group for one of its own and does not look after it."""
    parent = "child = subprocess.Popen(['/bin/true']); os.setpgid(0, 0); signal.pause()"
    pgid, (parent_pid,) = site.leaderless(parent)
    wait_until(
        lambda: (
            os.getpgid(parent_pid) != pgid
            and [row.state for row in proctable.children(parent_pid)] == ["Z"]
        )
    )
    assert site.watch(pgid) is not None
    site.turn_until(lambda: site.empty == [pgid])


def test_one_that_leaves_the_group_is_not_signalled(site: Site, tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "go")
    leave = (
        "exec('while not os.path.exists(' + repr('{}') + '): time.sleep(0.01)');"
        " os.setpgid(0, 0); signal.pause()"
    ).replace("{}", path)
    pgid, (member,) = site.leaderless(leave)
    group = site.watch(pgid)
    assert group is not None
    site.turns(0.2)
    with open(path, "wb"):
        wait_until(lambda: os.getpgid(member) != pgid)
    group.signal(signal.SIGKILL)
    site.turn_until(lambda: site.empty == [pgid])
    assert proctable.is_alive(member)


def test_a_group_that_got_the_number_later_is_not_signalled(site: Site) -> None:
    """A reused number has a leader again, as every new group does at first."""
    pgid, (member,) = site.leaderless(SLEEP)
    group = site.watch(pgid)
    assert group is not None
    stranger = subprocess.Popen(["/bin/sleep", "1000"], process_group=0)
    try:
        os.kill(member, signal.SIGKILL)
        group.pgid = stranger.pid
        group.signal(signal.SIGKILL)
        site.turn_until(lambda: site.empty == [pgid])
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_nothing_is_reported_of_a_group_that_is_no_longer_watched(site: Site) -> None:
    pgid, (member,) = site.leaderless(SLEEP)
    group = site.watch(pgid)
    assert group is not None
    site.turns(0.2)
    site.watcher.unwatch(group)
    os.kill(member, signal.SIGKILL)
    wait_until(lambda: not proctable.is_alive(member))
    site.turns(0.2)
    assert site.empty == []


def test_many_members_are_watched_a_few_at_a_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_group, "MAX_PIDFDS", 2)
    fds = len(proctable.open_fds(os.getpid()))
    pgid, members = site.leaderless(*[SLEEP] * 5)
    assert site.watch(pgid) is not None
    site.turns(0.2)
    assert len(proctable.open_fds(os.getpid())) <= fds + 2
    for member in members:
        assert site.empty == []
        os.kill(member, signal.SIGKILL)
    site.turn_until(lambda: site.empty == [pgid])
    assert len(proctable.open_fds(os.getpid())) == fds


def test_a_scan_takes_several_turns_and_finds_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_group, "PIDS_PER_STEP", 7)
    pgid, (member,) = site.leaderless(SLEEP)
    other, _ = site.leaderless(SLEEP)
    assert site.watch(pgid) is not None
    assert site.watch(other) is not None
    site.turns(0.3)
    assert site.empty == []
    os.kill(member, signal.SIGKILL)
    site.turn_until(lambda: site.empty == [pgid])


@pytest.mark.slow
def test_without_proc_the_group_is_looked_at_by_its_number(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_proc() -> Iterator[tuple[int, int]]:
        raise FileNotFoundError(2, "No such file or directory", "/proc")
        yield 0, 0

    monkeypatch.setattr(posix, "scan_processes", no_proc)
    pgid, (member,) = site.leaderless(SLEEP)
    assert site.watch(pgid) is not None
    site.turns(0.3)
    assert site.empty == []
    os.kill(member, signal.SIGKILL)
    site.turn_until(lambda: site.empty == [pgid])


def test_with_pidfds_nothing_polls() -> None:
    site = Site()
    try:
        pgid, (member,) = site.leaderless(SLEEP)
        assert site.watch(pgid) is not None
        site.turns(0.2)
        assert site.turns(0.5) <= 3
        os.kill(member, signal.SIGKILL)
        site.turn_until(lambda: site.empty == [pgid])
    finally:
        site.loop.close()


REUSE = """
import os, signal, subprocess, sys, time
from supervisor.engine.loop import Loop
from supervisor.process.orphans import OrphanCleanup

leader = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!"], process_group=0,
                          stdout=subprocess.PIPE, text=True)
member = int(leader.stdout.readline())
leader.wait()
loop = Loop()
OrphanCleanup(loop).kill_group_later(leader.pid, 0.5)
if sys.argv[1] == "noticed":
    for _ in range(20):
        loop.run_once(0.01)
os.kill(member, signal.SIGKILL)
os.waitpid(member, 0)
if sys.argv[1] == "noticed":
    for _ in range(5):
        loop.run_once(0.01)
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(leader.pid - 1))
stranger = subprocess.Popen(["sleep", "1000"], process_group=0)
assert stranger.pid == leader.pid, (stranger.pid, leader.pid)
over = []
loop.call_later(1, lambda: over.append(1))
while not over:
    loop.run_once()
print(stranger.poll())
stranger.kill()
"""


@needs_root
@pytest.mark.parametrize("empty", ["noticed", "not noticed"])
def test_a_number_that_was_reused_is_not_killed(empty: str) -> None:
    """In a PID namespace, whose next number can be chosen; the script is its init."""
    result = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSE, empty],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("None\n", "")
