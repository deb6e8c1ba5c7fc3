"""Running the daemon under the profiler (`--profile_options`); imported only for that."""

from __future__ import annotations

import cProfile
import pstats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_profiled(function: Callable[[], object], keys: Sequence[str], *, callers: bool) -> None:
    """Call a function, then print its statistics sorted by `keys`, with `callers` if wanted."""
    profile = cProfile.Profile()
    try:
        profile.runcall(function)
    finally:
        stats = pstats.Stats(profile).sort_stats(*keys)
        stats.print_stats()
        if callers:
            stats.print_callers()
