"""Numbers of processes that clients have set in place of `numprocs`.

A number holds as long as the file's `numprocs` stays as it was, also over rereads and updates.  A
change of the file is newer, so it ends that.
"""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@record(frozen=True)
class Scale:
    """The number of a program's processes, and the `numprocs` that it replaces.

    `configured` is None until the configuration has been read again.
    """

    count: int
    configured: int | None


class Scales:
    """The numbers of one daemon, by section; the reader of programs asks for them."""

    def __init__(self) -> None:
        self._scales: dict[str, Scale] = {}
        self._numprocs: dict[str, int] = {}
        self._numbered: set[str] = set()

    def begin_reading(self) -> None:
        """Forget the previous reading of the configuration."""
        self._numprocs = {}
        self._numbered = set()

    def count(self, section: str, numprocs: int, *, is_numbered: bool) -> int:
        """Return the number of processes of a section that is read.

        `is_numbered`, if its `process_name` contains the number of the process: only such a program
        may have several.
        """
        self._numprocs[section] = numprocs
        if is_numbered:
            self._numbered.add(section)
        scale = self._scales.get(section)
        if scale is None or not is_numbered or scale.configured not in {None, numprocs}:
            return numprocs
        return scale.count

    def end_reading(self) -> None:
        """Drop the numbers whose sections are gone or have another `numprocs`."""
        self._scales = {
            section: Scale(scale.count, self._numprocs[section])
            for section, scale in self._scales.items()
            if section in self._numbered
            and scale.configured in {None, self._numprocs[section]}
            and scale.count != self._numprocs[section]
        }

    def is_numbered(self, section: str) -> bool:
        """Whether the processes of a section that has been read have numbers."""
        return section in self._numbered

    def set(self, section: str, count: int) -> None:
        """Set a number; it takes effect when the configuration is read again."""
        self._scales[section] = Scale(count, None)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {section: dict(vars(scale)) for section, scale in self._scales.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over numbers that `snapshot` has returned."""
        self._scales = {
            section: Scale(each["count"], each["configured"]) for section, each in saved.items()
        }
