"""Stops of process trees, on a machine whose processes are a table."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from supervisor.common.proc_stat import ProcessStat
from supervisor.common.process_table import ProcessTable
from supervisor.common.records import replace
from supervisor.engine import posix
from supervisor.process import process_tree
from supervisor.process.child import tree_to_stop
from supervisor.process.child_environment import child_environment
from supervisor.states import ProcessStates
from tests.support.world import World

S = ProcessStates
CHILD, OTHER = 1001, 2001
WORKER, DAEMON, GRANDCHILD, ORPHAN, STRANGER = 11, 12, 13, 14, 15
STRANGERS_PARENT = 900
TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Machine:
    """The processes by pid, the marks of orphans, and what has been signalled."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.processes: dict[int, ProcessStat] = {}
        self.marks: dict[int, str] = {}
        self.reads = 0
        self.refused: set[int] = set()
        self.process = world.process(killmode="tree", stopasgroup=True, killasgroup=True)
        self.process.transition()
        self.add(CHILD, os.getpid())
        monkeypatch.setattr(posix, "read_processes", self._read_all)
        monkeypatch.setattr(posix, "read_stat", self.processes.get)
        monkeypatch.setattr(posix, "is_leaderless_group", self._is_leaderless)
        monkeypatch.setattr(process_tree, "read_mark", lambda pid: self.marks.get(pid, ""))
        monkeypatch.setattr(os, "kill", self._kill)

    def add(self, pid: int, parent: int, pgid: int | None = None, started: int = 5) -> None:
        """Add a process, by default the leader of a group."""
        self.processes[pid] = ProcessStat(pid, "S", parent, pgid or pid, 0, started, 0)

    def family(self) -> None:
        """Add descendants of each kind: in the group, outside, and without a parent."""
        self.add(WORKER, CHILD, CHILD)
        self.add(DAEMON, CHILD)
        self.add(GRANDCHILD, DAEMON)
        self.add(ORPHAN, os.getpid())
        self.marks[ORPHAN] = self.mark

    @property
    def mark(self) -> str:
        """The mark of the process."""
        return self.world.runtime.services.trees.mark("p", "p")["SUPERVISOR_TREE"]

    def exit(self, *pids: int) -> None:
        """End processes; their children become the daemon's."""
        for pid in pids:
            del self.processes[pid]
            for each in list(self.processes.values()):
                if each.parent == pid:
                    self.processes[each.pid] = replace(each, parent=os.getpid())

    def reap(self) -> None:
        """End the child, as the daemon sees it."""
        self.exit(CHILD)
        del self.world.runtime.children[CHILD]
        self.process.finish(CHILD, TERM)

    def signalled(self) -> list[tuple[int, int]]:
        """Return and forget the signals that have been sent, a moment later."""
        for _ in range(5):
            self.world.pass_time(0)
        sent, self.world.signals[:] = sorted(self.world.signals), []
        return sent

    def _read_all(self) -> Iterator[ProcessStat]:
        for stat in list(self.processes.values()):
            self.reads += 1
            yield stat

    def _is_leaderless(self, pgid: int) -> bool:
        return pgid not in self.processes and any(
            each.pgid == pgid for each in self.processes.values()
        )

    def _kill(self, pid: int, signum: int) -> None:
        if pid in self.refused:
            raise PermissionError(1, "Operation not permitted")
        self.world.signals.append((pid, signum))


@pytest.fixture
def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(world, monkeypatch)


def test_a_stop_signals_each_member_once(machine: Machine) -> None:
    """The group in one call; what is in no group of the program, one by one."""
    machine.family()
    assert machine.process.stop() is None
    assert machine.process.state == S.STOPPING
    assert machine.signalled() == [
        (-CHILD, TERM),
        (DAEMON, TERM),
        (GRANDCHILD, TERM),
        (ORPHAN, TERM),
    ]
    assert machine.signalled() == []
    assert f"killing p (pid {CHILD}) process tree with signal SIGTERM" in machine.world.lines()


def test_a_stop_ends_when_the_tree_is_gone(machine: Machine) -> None:
    machine.family()
    machine.process.stop()
    machine.signalled()
    machine.reap()
    for pid in (WORKER, ORPHAN, DAEMON):
        machine.world.pass_time(0.2)
        assert machine.process.state == S.STOPPING
        machine.exit(pid)
    machine.add(GRANDCHILD + 100, GRANDCHILD)  # forked meanwhile
    machine.world.pass_time(0.2)
    machine.exit(GRANDCHILD)
    machine.world.pass_time(0.2)
    assert machine.process.state == S.STOPPING
    machine.exit(GRANDCHILD + 100)
    for _ in range(4):
        machine.world.pass_time(0.2)
    assert machine.process.state == S.STOPPED
    assert machine.world.lines("warn")[-1] == "stopped: p (terminated by SIGTERM)"
    assert machine.world.runtime.services.trees._trees == {}
    reads = machine.reads
    machine.world.pass_time(60)
    assert machine.reads == reads


def test_what_is_left_at_the_deadline_is_killed_whenever_it_is_found(machine: Machine) -> None:
    machine.family()
    machine.process.stop()
    machine.signalled()
    machine.reap()
    machine.exit(WORKER, DAEMON)
    machine.world.pass_time(0.2)
    assert machine.signalled() == []
    machine.world.pass_time(10)
    assert set(machine.signalled()) == {(GRANDCHILD, KILL), (ORPHAN, KILL)}
    machine.add(99, ORPHAN)
    machine.marks[99] = machine.mark
    machine.exit(GRANDCHILD, ORPHAN)
    machine.world.pass_time(0.2)
    assert set(machine.signalled()) == {(99, KILL)}
    machine.exit(99)
    for _ in range(4):
        machine.world.pass_time(0.2)
    assert machine.process.state == S.STOPPED


@pytest.mark.parametrize(
    "kind", ["another program", "its child", "an orphan", "an orphan of another", "a helper"]
)
def test_strangers_are_left_alone(machine: Machine, kind: str) -> None:
    machine.family()
    machine.add(OTHER, os.getpid())
    machine.world.runtime.children[OTHER] = machine.process
    if kind == "its child":
        machine.add(STRANGER, OTHER)
    elif kind == "an orphan":
        machine.add(STRANGER, os.getpid())
    elif kind == "an orphan of another":
        machine.add(STRANGER, os.getpid())
        machine.marks[STRANGER] = machine.mark + "2"
    elif kind == "a helper":  # it has the environment of its program
        machine.marks[OTHER] = machine.mark
    machine.process.stop()
    assert {pid for pid, _ in machine.signalled()} == {-CHILD, DAEMON, GRANDCHILD, ORPHAN}
    machine.reap()
    machine.exit(WORKER, DAEMON, GRANDCHILD, ORPHAN)
    for _ in range(4):
        machine.world.pass_time(0.2)
    assert machine.process.state == S.STOPPED
    assert machine.signalled() == []


@pytest.mark.parametrize("what", ["its own pid", "the pid of its parent", "it has exited"])
def test_a_pid_that_is_reused_during_the_scan_is_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The scan has read the member before, and the signal is sent after it."""
    machine.add(DAEMON, CHILD)
    machine.add(GRANDCHILD, DAEMON)
    changed = dict(machine.processes)
    if what == "its own pid":
        changed[GRANDCHILD] = replace(changed[GRANDCHILD], started=9)
    elif what == "the pid of its parent":  # a stranger's, and it has a child of its own
        changed[DAEMON] = replace(changed[DAEMON], parent=STRANGERS_PARENT, started=9)
    else:
        del changed[GRANDCHILD]
    monkeypatch.setattr(posix, "read_stat", changed.get)
    machine.process.stop()
    sent = {pid for pid, _ in machine.signalled()}
    assert sent == {-CHILD, DAEMON} - ({DAEMON} if what == "the pid of its parent" else set())


def test_a_child_that_dies_of_the_signal_hides_none(machine: Machine) -> None:
    """Without a subreaper, its descendants then belong to init, and look like strangers."""
    machine.add(DAEMON, CHILD)
    send = machine.process.send_signal

    def die(signum: int, doing: str, *, whole_group: bool) -> None:
        send(signum, doing, whole_group=whole_group)
        machine.processes[DAEMON] = replace(machine.processes[DAEMON], parent=1)

    machine.process.send_signal = die  # type: ignore[method-assign, assignment]
    machine.process.stop()
    assert machine.signalled() == [(-CHILD, TERM), (DAEMON, TERM)]


def test_a_child_that_dies_during_the_scan_is_scanned_for_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descendants have become orphans, which that scan has not seen as such."""
    monkeypatch.setattr(process_tree, "READS_PER_STEP", 1)
    machine.add(DAEMON, CHILD)
    machine.marks[DAEMON] = machine.mark
    machine.process.stop()
    machine.world.runtime.loop.run_once(0)
    machine.reap()
    for _ in range(20):
        machine.world.pass_time(0.01)
    assert machine.signalled() == [(DAEMON, TERM)]


def test_a_member_that_may_not_be_killed_is_reported_and_not_waited_for(machine: Machine) -> None:
    machine.add(DAEMON, CHILD)
    machine.refused.add(DAEMON)
    machine.process.stop()
    machine.signalled()
    machine.reap()
    machine.world.pass_time(10)
    for _ in range(6):
        machine.world.pass_time(0.2)
    assert machine.process.state == S.STOPPED
    assert machine.world.lines("critical") == [
        f"cannot kill process {DAEMON} of the tree of pid {CHILD}: Operation not permitted"
    ]


def test_a_death_without_a_stop_leaves_the_tree_alone(machine: Machine) -> None:
    """As with `killasgroup`."""
    machine.family()
    machine.world.pass_time(1)
    machine.reap()
    machine.world.pass_time(0.1)
    assert machine.world.lines("warn") == ["exited: p (terminated by SIGTERM; not expected)"]
    assert machine.signalled() == []
    assert machine.reads == 0


def test_scans_and_signals_of_a_large_machine_are_taken_in_steps(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "READS_PER_STEP", 10)
    monkeypatch.setattr(process_tree, "MEMBERS_PER_STEP", 10)
    for number in range(50):
        machine.add(3000 + number, CHILD)
    machine.process.stop()
    loop = machine.world.runtime.loop
    steps = []
    for _ in range(14):
        before = (machine.reads, len(machine.world.signals))
        loop.run_once(0)
        steps.append(max(machine.reads - before[0], len(machine.world.signals) - before[1]))
    assert max(steps) <= 21  # an iteration may have two steps
    assert len(machine.world.signals) == 51


def test_several_stops_share_a_scan(machine: Machine) -> None:
    second = machine.world.process(name="q", killmode="tree", stopasgroup=True, killasgroup=True)
    second.transition()
    machine.add(CHILD + 1, os.getpid())
    machine.process.stop()
    second.stop()
    assert {pid for pid, _ in machine.signalled()} == {-CHILD, -CHILD - 1}
    assert machine.reads == len(machine.processes)


def test_only_programs_with_a_tree_are_marked(machine: Machine) -> None:
    found = child_environment(machine.process.config, "p", machine.world.runtime)
    assert found["SUPERVISOR_TREE"] == machine.mark
    plain = machine.world.process(name="plain")
    assert "SUPERVISOR_TREE" not in child_environment(plain.config, "g", machine.world.runtime)


def test_a_table_has_the_trees_of_roots_that_have_exited_as_well() -> None:
    rows = [(2, 1, 2), (3, 2, 2), (4, 3, 4), (5, 1, 9), (6, 5, 6), (7, 1, 7)]
    table = ProcessTable(ProcessStat(pid, "S", up, pgid, 0, 0, 0) for pid, up, pgid in rows)
    assert set(table.tree([2])) == {2, 3, 4}
    assert set(table.tree([9])) == {5, 6}
    assert set(table.tree([4, 9])) == {4, 5, 6}
    assert table.tree([8]) == {}
    loop = ProcessTable([ProcessStat(2, "S", 3, 2, 0, 0, 0), ProcessStat(3, "S", 2, 3, 0, 0, 0)])
    assert set(loop.tree([2])) == {2, 3}


# -- in the next daemon, which has executed itself -----------------------------------------


def hand_over(machine: Machine) -> None:
    """Give the state of the tree to another one, which knows nothing else."""
    process, before = machine.process, machine.process.tree
    assert before is not None
    saved = json.loads(json.dumps(before.snapshot()))
    before.close()
    process.tree = tree_to_stop(process)
    assert process.tree is not None
    process.tree.restore(saved)


def test_a_signal_that_is_still_to_be_sent_is_sent(machine: Machine) -> None:
    machine.family()
    machine.process.stop()
    hand_over(machine)
    assert machine.signalled() == [
        (-CHILD, TERM),
        (DAEMON, TERM),
        (GRANDCHILD, TERM),
        (ORPHAN, TERM),
    ]
    assert machine.signalled() == []


def test_a_member_that_cannot_be_found_again_is_remembered(machine: Machine) -> None:
    """It has left the group, and has lost its parent and its mark."""
    machine.family()
    machine.process.stop()
    machine.signalled()
    machine.marks.clear()
    machine.exit(DAEMON)
    machine.add(GRANDCHILD, 1)
    hand_over(machine)
    machine.process.kill(KILL)
    assert (GRANDCHILD, KILL) in machine.signalled()
