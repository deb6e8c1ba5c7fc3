"""Limits of automatic restarts: pauses between them, and their number within an interval.

The n-th automatic restart in a row happens no earlier than

    min(pause * factor ** (n - 1), max_backoff) * (1 + random() * jitter)

seconds after the death or the failed start before it.  A process that has been RUNNING for
`reset` seconds begins a new row, and so does a start by hand.  More than `burst` automatic restarts
within `interval` seconds are too many: the process becomes FATAL.

Pure: `lifecycle` reports what happens, with the time of the monotonic clock, and reads when the
next start is allowed.  Programs without such options have no limits but those of `restarts`.
"""

from __future__ import annotations

import random
from collections import deque

from supervisor.common.text import in_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.config.restart import RestartOptions


class RestartLimits:
    """The pauses and the number of one process's automatic restarts."""

    def __init__(
        self, options: RestartOptions, random_share: Callable[[], float] = random.random
    ) -> None:
        """`random_share` returns a number from 0 to 1 for the jitter."""
        self.options = options
        self.next_start_at = 0.0
        """Earliest time of the next automatic start, in monotonic seconds."""
        self.restarts_in_a_row = 0
        self._random_share = random_share
        self._running_since: float | None = None
        self._down_at = 0.0
        self._restarts: deque[float] = deque(maxlen=max(options.burst, 1))

    # -- what happens -------------------------------------------------------------

    def entered_running(self, now: float) -> None:
        """Note that the process is RUNNING."""
        self._running_since = now

    def went_down(self, now: float) -> None:
        """Draw the pause after a death or a failed start."""
        since, self._running_since = self._running_since, None
        if since is not None and now - since >= self.options.reset_seconds:
            self.restarts_in_a_row = 0
        self._down_at = now
        self.next_start_at = now + self._pause()

    def draw_again(self) -> None:
        """Draw the pause in progress again, from its beginning: the options have changed."""
        if self.next_start_at:
            self.next_start_at = self._down_at + self._pause()

    def restarted(self, now: float) -> None:
        """Note an automatic start."""
        self.restarts_in_a_row += 1
        self._restarts.append(now)

    def started_by_hand(self) -> None:
        """Begin a new row: starts by hand wait for no pause and do not count."""
        self.restarts_in_a_row = 0
        self.next_start_at = 0.0

    # -- what may happen ----------------------------------------------------------

    def capped(self, delay: float) -> float:
        """Return the linear delay of a failed start, within `max_backoff`."""
        cap = self.options.max_backoff
        return delay if cap is None else min(delay, cap)

    def is_exhausted(self, now: float) -> bool:
        """Whether one more automatic start would exceed the limit."""
        burst = self.options.burst
        if burst == 0 or len(self._restarts) < burst:
            return False
        return now - self._restarts[0] < self.options.interval

    def exhausted_text(self) -> str:
        """Return the reason of the FATAL state, for `spawnerr`."""
        burst = self.options.burst
        times = "once" if burst == 1 else f"{burst} times"
        return f"restarted {times} in {in_seconds(self.options.interval)} (startlimit_burst)"

    def _pause(self) -> float:
        options = self.options
        try:
            pause = options.pause * options.factor**self.restarts_in_a_row
        except OverflowError:
            pause = options.max_pause
        return min(pause, options.max_pause) * (1 + self._random_share() * options.jitter)

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; times are of the monotonic clock."""
        return {
            "down_at": self._down_at,
            "next_start_at": self.next_start_at,
            "restarts_in_a_row": self.restarts_in_a_row,
            "running_since": self._running_since,
            "restarts": list(self._restarts),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._down_at = saved.get("down_at", 0.0)
        self.next_start_at = saved.get("next_start_at", 0.0)
        self.restarts_in_a_row = saved.get("restarts_in_a_row", 0)
        self._running_since = saved.get("running_since")
        self._restarts.clear()
        self._restarts.extend(saved.get("restarts", ()))
