"""The exit of the daemon because of its programs, as far as every daemon needs it.

`exit_watch` has the rest, and is imported by the first option that needs it.
"""

from __future__ import annotations

from supervisor.config.process_config import full_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

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
        if self._is_needed():
            self._make_watch().begin()

    def _is_needed(self) -> bool:
        settings = self._daemon.runtime.settings
        is_needed = settings.exit_when_all_exited or settings.exit_code_from is not None
        return is_needed or any(map(_is_essential, self._daemon.process_groups.values()))

    def snapshot(self) -> list[str]:
        """Return the names of the processes whose last change is still to be considered."""
        return [] if self._watch is None else self._watch.snapshot()

    def resume(self, unconsidered: Collection[str]) -> None:
        """Go on watching, in another daemon; `unconsidered` is what `snapshot` has returned."""
        self._has_begun = True
        if self._is_needed():
            self._make_watch().resume(unconsidered)

    def group_changed(self, group: ProcessGroupBase) -> None:
        """Watch the processes of a group that count; it is new, or they or their options are.

        Do nothing before `begin`.
        """
        if self._watch is not None:
            self._watch.group_changed(group)
        elif self._has_begun and _is_essential(group):
            self._make_watch().group_changed(group)

    def group_removed(self, group: ProcessGroupBase) -> None:
        """Watch a group no longer."""
        if self._watch is not None:
            self._watch.group_removed(group)

    def conclude(self) -> None:
        """Set the status of a daemon that has shut down, and log the reason."""
        if self._watch is not None:
            self._watch.conclude()

    def _make_watch(self) -> ExitWatch:
        from supervisor.daemon.exit_watch import ExitWatch  # few daemons need it

        self._watch = ExitWatch(self._daemon)
        return self._watch


def _is_essential(group: ProcessGroupBase) -> bool:
    return any(full_config(each.config).essential for each in group.processes.values())
