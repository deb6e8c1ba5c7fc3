"""Which growth of a daemon under load counts as a leak."""

from __future__ import annotations

from tests.support.soak import MAX_GROWTH, Resources, growth_text
from tests.support.tables import assert_none

BASE = Resources(20_000_000, 15_000_000, 600, 200, 0)
PEAK = Resources(90_000_000, 80_000_000, 900, 400, 50)


def rising(name: str, step: int) -> list[Resources]:
    """Return 30 samples of which one resource grows by a step each."""
    return [BASE._replace(**{name: getattr(BASE, name) + step * number}) for number in range(30)]


def spread_over_ten(name: str) -> int:
    """Return the smallest step whose growth in ten samples is too much."""
    return int(getattr(MAX_GROWTH, name)) // 10 + 1


CASES = {
    "steady": ([BASE] * 30, ""),
    "grows during the warm-up only": ([BASE] * 10 + [PEAK] * 20, ""),
    "peaks": ([BASE, PEAK] * 15, ""),
    "shrinks": ([PEAK] * 20 + [BASE] * 10, ""),
    "steps up at the end of the second third": ([BASE] * 19 + [PEAK] * 11, "rss_bytes"),
    **{f"{name} grow": (rising(name, spread_over_ten(name)), name) for name in Resources._fields},
    "a little more, within the bound": (rising("rss_bytes", 90_000), ""),
}


def test_growth() -> None:
    assert_none(
        f"{case}: {text or 'no growth'}"
        for case, (samples, grown) in CASES.items()
        if (text := growth_text(samples)).partition(":")[0] != grown
    )
