"""Running the daemon under the profiler (`--profile_options`)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_profiled(function: Callable[[], object], keys: Sequence[str], *, callers: bool) -> None:
    """Call a function, then print its statistics sorted by `keys`, with `callers` if wanted."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    try:
        profile.runcall(function)
    finally:
        stats = pstats.Stats(profile).sort_stats(*keys)
        stats.print_stats()
        if callers:
            stats.print_callers()
