"""Readiness by a line of output, split in any way."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.ready_line import (
    MAX_LINE_BYTES,
    ReadyLineMatcher,
    compile_ready_line,
)
from tests.support.tables import assert_none

LONG = b"x" * MAX_LINE_BYTES

CASES: list[tuple[str, bytes, bool]] = [
    ("ready", b"", False),
    ("ready", b"ready\n", True),
    ("ready", b"now ready to serve\n", True),
    ("ready", b"ready", False),
    ("ready", b"rea\ndy\n", False),
    ("^ready$", b"not ready\nready\n", True),
    ("^ready$", b"ready\r\n", True),
    ("^ready$", b"not ready\nready, almost\n", False),
    ("^$", b"a\n\n", True),
    ("^$", b"a\nb\n", False),
    ("a.*b", b"a\nb\n", False),
    (r"a\s+b", b"a\nb\n", False),
    ("^\u00e4$", b"\xc3\xa4\n", True),
    ("ready", b"\xff\xfe ready\xff\n", True),
    ("ready", LONG[:-5] + b"ready\n", True),
    ("ready", LONG[:-4] + b"ready\n", False),
    ("ready", LONG + b"ready\n", False),
    ("^ready", LONG + b"ready\nready\n", True),
    ("^x+$", LONG, True),
    ("^x+$", LONG[:-1], False),
    ("^x+$", LONG[:-1] + b"\r\n", True),
    ("[0-9]+ workers", b"started 3 workers\n", True),
]


def first_match(pattern: str, pieces: list[bytes]) -> int | None:
    """Return the number of the first byte after the match, None without one."""
    matcher = ReadyLineMatcher(compile_ready_line(pattern))
    taken, found = 0, []
    for piece in pieces:
        taken += len(piece)
        if matcher.feed(piece):
            found.append(taken)
    assert len(found) <= 1
    return found[0] if found else None


def test_lines_and_patterns() -> None:
    assert_none(
        f"{pattern!r} in {data[-30:]!r}"
        for pattern, data, wanted in CASES
        for pieces in ([data], [bytes([byte]) for byte in data])
        if (first_match(pattern, pieces) is not None) != wanted
    )


@given(
    st.sampled_from(["^ab*$", "b", "^$", "^x+$", "a\u00e4"]),
    st.lists(
        st.sampled_from([b"a", b"b", b"\n", b"\r", b"\xc3", b"\xa4", LONG, LONG[1:], LONG[2:]]),
        max_size=12,
    ).map(b"".join),
    st.lists(st.integers(0, 40_000), max_size=5),
)
def test_the_result_does_not_depend_on_the_split(
    pattern: str, data: bytes, places: list[int]
) -> None:
    bounds = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(bounds)]
    found = first_match(pattern, pieces)
    assert (found is None) == (first_match(pattern, [data]) is None)
    *complete, rest = data.split(b"\n")
    if len(rest) >= MAX_LINE_BYTES:
        complete.append(rest)
    lines = [
        line[:MAX_LINE_BYTES].removesuffix(b"\r").decode("utf-8", "replace") for line in complete
    ]
    assert (found is not None) == any(re.search(pattern, line) for line in lines)


def test_a_last_line_without_newline_is_matched_at_the_end() -> None:
    matcher = ReadyLineMatcher(compile_ready_line("^ready$"))
    assert not matcher.feed(b"ready")
    assert matcher.flush()
    assert not matcher.flush()
    assert matcher.matched


def test_the_rest_of_a_long_line_is_not_a_last_line() -> None:
    matcher = ReadyLineMatcher(compile_ready_line("^ready$"))
    assert not matcher.feed(LONG + b"ready")
    assert not matcher.flush()


def test_a_match_is_reported_once_and_nothing_is_kept_after_it() -> None:
    matcher = ReadyLineMatcher(compile_ready_line("ready"))
    assert matcher.feed(b"ready\nrea")
    assert not matcher.feed(b"ready\n" * 3)
    assert matcher._line == b""


@pytest.mark.parametrize("before", [b"rea", LONG + b"long", b"ready\n"])
def test_a_reset_separates_runs(before: bytes) -> None:
    """The previous run's output neither matches, nor begins or hides a line of this run."""
    matcher = ReadyLineMatcher(compile_ready_line("^ready$"))
    matcher.feed(before)
    matcher.reset()
    assert not matcher.matched
    assert not matcher.feed(b"dy\n")
    assert matcher.feed(b"ready\n")


def test_memory_is_bounded() -> None:
    matcher = ReadyLineMatcher(compile_ready_line("ready"))
    for _ in range(1000):
        matcher.feed(b"x" * 1000)
        assert len(matcher._line) < MAX_LINE_BYTES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the regular expression is empty, every line would match"),
        ("(", "not a regular expression: '(': missing ), unterminated subpattern at position 0"),
        ("a{9999999999999999999}", "not a regular expression: "),
    ],
)
def test_bad_expressions_are_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        compile_ready_line(text)
    assert "\n" not in str(caught.value)
