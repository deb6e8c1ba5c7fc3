"""The processes of a machine, related by parents and process groups: pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.common.proc_stat import ProcessStat


class ProcessTable:
    """Processes by pid; it may be filled in steps."""

    def __init__(self, processes: Iterable[ProcessStat] = ()) -> None:
        self.by_pid: dict[int, ProcessStat] = {}
        self._related: dict[int, list[int]] = {}
        for stat in processes:
            self.add(stat)

    def add(self, stat: ProcessStat) -> None:
        """Add a process."""
        self.by_pid[stat.pid] = stat
        for pid in {stat.parent, stat.pgid} - {stat.pid}:
            self._related.setdefault(pid, []).append(stat.pid)

    def tree(self, roots: Iterable[int]) -> dict[int, ProcessStat]:
        """Return processes by pid, with their descendants and the members of their groups.

        A root that is not in the table adds its group and its children all the same.
        """
        found: dict[int, ProcessStat] = {}
        wanted = list(roots)
        seen = set(wanted)
        while wanted:
            pid = wanted.pop()
            if pid in self.by_pid:
                found[pid] = self.by_pid[pid]
            for each in self._related.get(pid, ()):
                if each not in seen:
                    seen.add(each)
                    wanted.append(each)
        return found
