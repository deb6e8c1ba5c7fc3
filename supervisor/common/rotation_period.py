"""The times at which a log is rotated: `stdout_logfile_rotate`.  Does no I/O.

Boundaries are multiples of the period, not of the start of the daemon: all logs of one period are
due at the same times, also after a restart.  `hourly`, `daily` and `weekly` follow the local time
zone; a week begins on Monday (ISO 8601).
"""

from __future__ import annotations

import time

from supervisor.common.records import record

HOUR_SECONDS = 3600
WEEK_DAYS = 7
LAST_HOUR = 23

HOURLY, DAILY, WEEKLY = "hourly", "daily", "weekly"
WORDS = (HOURLY, DAILY, WEEKLY)


@record(frozen=True)
class RotationPeriod:
    """The time between two rotations: one of `WORDS`, or a number of seconds."""

    word: str = ""
    seconds: float = 0.0

    def next_rotation(self, now: float) -> float:
        """Return the next boundary after `now`; both are in seconds since the epoch."""
        if self.seconds:
            due = (now // self.seconds + 1) * self.seconds
            return due if due > now else due + self.seconds
        local = time.localtime(now)
        if self.word == HOURLY:
            return now // 1 - local.tm_min * 60 - local.tm_sec + HOUR_SECONDS
        days = 1 if self.word == DAILY else WEEK_DAYS - local.tm_wday
        return _midnight(local.tm_year, local.tm_mon, local.tm_mday + days)


def _midnight(year: int, month: int, day: int) -> float:
    """Return the first second of a day in local time; a `day` beyond the month is converted."""
    found = time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))
    hour = time.localtime(found).tm_hour
    if hour == LAST_HOUR:  # midnight does not exist: mktime(3) has chosen the hour before
        return found + HOUR_SECONDS
    if hour == 0 and time.localtime(found - HOUR_SECONDS).tm_hour == 0:  # midnight comes twice
        return found - HOUR_SECONDS
    return found
