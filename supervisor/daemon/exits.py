"""The exit of the daemon because of its programs, as far as every daemon needs it.

`exit_watch` has the rest, and is imported by the first option that needs it.
"""

from __future__ import annotations

from supervisor.config.process_config import full_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.daemon.exit_watch import ExitWatch
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.process.groups import ProcessGroupBase


class Exits:
    """The exit status of the daemon, and the watch over its programs, if an option needs one."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._watch: ExitWatch | None = None
        self._has_begun = False

    @property
    def status(self) -> int:
        """Exit status of a daemon that has shut down: 0, unless an option demands another."""
        return 0 if self._watch is None else self._watch.exit_status

    def begin(self) -> None:
        """Begin to watch: the groups have been added, and may be started."""
        self._has_begun = True
        settings = self._daemon.runtime.settings
        is_needed = settings.exit_when_all_exited or settings.exit_code_from is not None
        if is_needed or any(map(_is_essential, self._daemon.process_groups.values())):
            self._start()

    def group_added(self, group: ProcessGroupBase) -> None:
        """Watch a group too, if it counts; before `begin`, do nothing."""
        if self._watch is not None:
            self._watch.group_added(group)
        elif self._has_begun and _is_essential(group):
            self._start()

    def group_removed(self, group: ProcessGroupBase) -> None:
        """Watch a group no longer."""
        if self._watch is not None:
            self._watch.group_removed(group)

    def conclude(self) -> None:
        """Set the status of a daemon that has shut down, and log the reason."""
        if self._watch is not None:
            self._watch.conclude()

    def _start(self) -> None:
        from supervisor.daemon.exit_watch import ExitWatch  # few daemons need it

        self._watch = ExitWatch(self._daemon)
        self._watch.begin()


def _is_essential(group: ProcessGroupBase) -> bool:
    return any(full_config(each.config).essential for each in group.processes.values())
