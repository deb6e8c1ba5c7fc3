"""The options of a log file beyond its size, for logs that set any of them.

A `Sink` has a policy or None, which all writers of its path share.
"""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from supervisor.common.rotation_period import RotationPeriod
    from supervisor.logs.ownership import Ownership

    class Maintenance(Protocol):
        """The work on logs that is not a write; see `maintenance.LogMaintenance`."""

        def opened(self, sink: Any, policy: LogPolicy, *, is_first: bool) -> None:
            """Begin to rotate a log by time, and look after its backups."""

        def rotated(self, path: str, policy: LogPolicy) -> None:
            """Look after the backups of a log that has been rotated."""

        def closed(self, sink: Any) -> None:
            """Stop rotating a log by time."""


@record(frozen=True)
class LogPolicy:
    """Owner and mode, rotation by time, compression and age of backups.

    `backups` is the number of backups of a rotation by time.  `max_age_seconds` of 0 keeps
    backups of any age.  `maintenance` is None if only owner and mode are set.
    """

    ownership: Ownership | None = None
    backups: int = 0
    period: RotationPeriod | None = None
    is_compressed: bool = False
    max_age_seconds: float = 0.0
    maintenance: Maintenance | None = None

    @property
    def has_backup_rules(self) -> bool:
        """Whether backups are compressed or removed."""
        return self.is_compressed or bool(self.max_age_seconds)
