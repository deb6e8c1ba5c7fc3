"""The boundaries of periods: in local time, across changes of the clock, never in the past."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from supervisor.common.rotation_period import WORDS, RotationPeriod
from supervisor.config.conversions import MAX_DAYS, file_mode, rotation_period
from tests.support.tables import assert_none

HOUR, DAY = 3600.0, 86400.0

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
SAO_PAULO_2018 = "<-03>3<-02>,M11.1.0/0,M2.3.0/0"
"""The clocks go forward at midnight, which does not exist on that day."""

HAVANA = "CST5CDT,M3.2.0/0,M11.1.0/1"
"""The clocks go back from one o'clock to midnight, which comes twice."""

LORD_HOWE = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
"""A change of half an hour."""

NUUK = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"
"""The clocks go forward from 23 o'clock to midnight."""

KOLKATA = "IST-5:30"
ZONES = (NUUK, "UTC0", BERLIN, SAO_PAULO_2018, HAVANA, LORD_HOWE, KOLKATA)


@pytest.fixture(autouse=True)
def _zone_afterwards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC0")
        time.tzset()
        yield
    time.tzset()


def use(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Live in a time zone, a POSIX rule: the machine needs no data base of zones."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()


def local(text: str) -> float:
    """Return the seconds since the epoch of a local time."""
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


CASES = [
    ("UTC0", "hourly", "2026-11-29 13:04:05", "2026-11-29 14:00:00"),
    ("UTC0", "hourly", "2026-11-29 14:00:00", "2026-11-29 15:00:00"),
    ("UTC0", "hourly", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
    (KOLKATA, "hourly", "2026-11-29 13:04:05", "2026-11-29 14:00:00"),
    ("UTC0", "daily", "2026-11-29 13:04:05", "2026-11-30 00:00:00"),
    ("UTC0", "daily", "2026-11-30 00:00:00", "2026-12-01 00:00:00"),
    ("UTC0", "weekly", "2026-11-29 13:04:05", "2026-11-30 00:00:00"),  # a Sunday
    ("UTC0", "weekly", "2026-11-30 00:00:00", "2026-12-07 00:00:00"),
    (BERLIN, "daily", "2026-03-28 12:00:00", "2026-03-29 00:00:00"),
    (BERLIN, "daily", "2026-03-29 12:00:00", "2026-03-30 00:00:00"),
    (BERLIN, "daily", "2026-10-25 12:00:00", "2026-10-26 00:00:00"),
    (BERLIN, "weekly", "2026-10-20 12:00:00", "2026-10-26 00:00:00"),
    (SAO_PAULO_2018, "daily", "2018-11-03 23:59:59", "2018-11-04 01:00:00"),
    (SAO_PAULO_2018, "daily", "2018-11-04 01:00:00", "2018-11-05 00:00:00"),
    (HAVANA, "daily", "2026-10-31 12:00:00", "2026-11-01 00:00:00"),
    (HAVANA, "daily", "2026-11-01 12:00:00", "2026-11-02 00:00:00"),
    (NUUK, "daily", "2026-03-28 12:00:00", "2026-03-29 00:00:00"),
    (LORD_HOWE, "daily", "2026-10-04 12:00:00", "2026-10-05 00:00:00"),
]


def test_boundaries(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = []
    for zone, word, now, expected in CASES:
        use(monkeypatch, zone)
        found = RotationPeriod(word).next_rotation(local(now) + 0.0)
        shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found))
        if shown != expected:
            failures.append(f"{zone} {word} {now}: {shown}, not {expected}")
    assert_none(failures)


@pytest.mark.parametrize("zone", ZONES)
def test_a_boundary_is_in_the_future_and_not_far_away(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """For thousands of times in two years; the longest day has 25 hours."""
    use(monkeypatch, zone)
    longest = {"hourly": HOUR, "daily": DAY + HOUR, "weekly": 7 * DAY + HOUR}
    start = 1_767_225_600
    failures = []
    for word in WORDS:
        period = RotationPeriod(word)
        for number in range(2000):
            now = start + number * 31_337.25
            due = period.next_rotation(now)
            if not 0 < due - now <= longest[word]:
                failures.append(f"{word} {now}: {due}")
            earlier = period.next_rotation(due - 0.001)
            if earlier != due:
                failures.append(f"{word} just before {due}: {earlier}")
    assert_none(failures)


@pytest.mark.parametrize("seconds", [1.0, 1.5, 60.0, 86400.0])
def test_seconds_are_counted_from_the_epoch(seconds: float) -> None:
    period = RotationPeriod(seconds=seconds)
    now = 1_700_000_000.25
    for _ in range(1000):
        due = period.next_rotation(now)
        assert 0 < due - now <= seconds
        assert abs(due / seconds - round(due / seconds)) < 1e-6
        now = due


def test_the_text_of_the_option() -> None:
    assert rotation_period("Daily") == RotationPeriod("daily")
    assert rotation_period(" 30m ") == RotationPeriod(seconds=1800.0)
    assert rotation_period("none") is None
    for text, reason in [
        ("monthly", "not hourly, daily, weekly or a time in seconds: 'monthly'"),
        ("", "not hourly, daily, weekly or a time in seconds: ''"),
        ("0.5", "time out of range: '0.5' (at least 1 s)"),
    ]:
        with pytest.raises(ValueError, match=re.escape(reason)):
            rotation_period(text)


def test_the_text_of_a_mode() -> None:
    assert [file_mode(text) for text in ("0640", "600", " 0 ", "777")] == [0o640, 0o600, 0, 0o777]
    for text in ("", "0888", "-1", "0o640", "1777", "04755", "rw-r-----", "6_0"):
        with pytest.raises(ValueError, match="not an octal file mode, such as 0640"):
            file_mode(text)


def test_the_greatest_age_fits_into_a_time() -> None:
    assert time.gmtime(time.time() - MAX_DAYS * DAY).tm_year > 1900
