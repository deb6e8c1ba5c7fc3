"""Texts of the options that limit a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisor.common.limit_values import (
    MAX_LIMIT,
    UNLIMITED,
    Rlimit,
    parse_cpus,
    parse_ioprio,
    parse_rlimit,
)
from supervisor.config.limits import amount, group_list, number, size
from tests.support.tables import assert_none

Parse = Callable[[str], Any]


def counts(text: str) -> Rlimit:
    """Return a limit of things."""
    return parse_rlimit(text, amount)


def sizes(text: str) -> Rlimit:
    """Return a limit of bytes."""
    return parse_rlimit(text, size)


MIB = 1024**2
BOUNDS = f"is out of range (0 to {MAX_LIMIT}, or unlimited)"
CLASSES = "is not one of idle, best-effort[:0-7], realtime[:0-7]"

CASES: list[tuple[Parse, str, object]] = [
    (counts, "1024", Rlimit(1024, 1024)),
    (counts, "1024:4096", Rlimit(1024, 4096)),
    (counts, " 1024 : 4096 ", Rlimit(1024, 4096)),
    (counts, "1024:", Rlimit(1024, None)),
    (counts, "1024:unlimited", Rlimit(1024, UNLIMITED)),
    (counts, "Unlimited", Rlimit(UNLIMITED, UNLIMITED)),
    (counts, "unlimited:", Rlimit(UNLIMITED, None)),
    (counts, "0:0", Rlimit(0, 0)),
    (counts, "2:1", "the soft limit is above the hard limit in '2:1'"),
    (counts, "unlimited:1", "the soft limit is above the hard limit in 'unlimited:1'"),
    (counts, "", "not a whole number: ''"),
    (counts, ":5", "not a whole number: ''"),
    (counts, "1:2:3", "not a whole number: '2:3'"),
    (counts, "1KB", "not a whole number: '1KB'"),
    (counts, "-1", f"'-1' {BOUNDS}"),
    (counts, str(MAX_LIMIT + 1), f"'{MAX_LIMIT + 1}' {BOUNDS}"),
    (sizes, "64MB:1gb", Rlimit(64 * MIB, 1024 * MIB)),
    (sizes, "8589934592GB", f"'8589934592GB' {BOUNDS}"),
    (sizes, "1TB", "not a size, such as 512MB or 2GB: '1TB'"),
    (number(-20, 19), "-20", -20),
    (number(-20, 19), "20", "'20' is out of range (-20 to 19)"),
    (number(-20, 19), "low", "not a whole number: 'low'"),
    (parse_ioprio, "idle", 3 << 13),
    (parse_ioprio, "best-effort", 2 << 13 | 4),
    (parse_ioprio, "Best-Effort:7", 2 << 13 | 7),
    (parse_ioprio, "realtime:0", 1 << 13),
    (parse_ioprio, "realtime:8", "'8' is out of range (0 to 7)"),
    (parse_ioprio, "realtime:", "not a whole number: ''"),
    (parse_ioprio, "idle:1", f"'idle:1' {CLASSES}"),
    (parse_ioprio, "none", f"'none' {CLASSES}"),
    (parse_cpus, "0", (0,)),
    (parse_cpus, "5, 0,2-4,3", (0, 2, 3, 4, 5)),
    (parse_cpus, "3-2", "'3-2' is not an ascending range of CPUs"),
    (parse_cpus, "0-8192", "'8192' is out of range (0 to 8191)"),
    (parse_cpus, "0,", "not a whole number: ''"),
    (parse_cpus, "all", "not a whole number: 'all'"),
    (group_list, "auto", None),
    (group_list, "", ()),
    (group_list, "0, 12345", (0, 12345)),
    (group_list, "no-such-group", "Invalid group name no-such-group"),
    (group_list, "auto, 5", "Invalid group name auto"),
]


def failures() -> Iterator[str]:
    """Yield a line for each case with another result."""
    for parse, text, expected in CASES:
        found: object
        try:
            found = parse(text)
        except ValueError as error:
            found = str(error)
        if found != expected:
            yield f"{text!r}: {found!r} instead of {expected!r}"


def test_texts_and_their_values() -> None:
    assert_none(failures())


@pytest.mark.parametrize("parse", [counts, sizes, parse_ioprio, parse_cpus, group_list])
def test_any_text_has_a_value_or_a_reason(parse: Parse) -> None:
    for text in ("\x00", "٣", "1_0", "1e3", "--1", ":", "-", ",", "9" * 5000, "é:\n"):
        try:
            parse(text)
        except ValueError as error:
            assert str(error).isprintable() or text == "\x00"  # noqa: PT017
