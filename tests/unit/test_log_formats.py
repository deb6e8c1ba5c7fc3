"""Formats of lines: mistakes in them, and output that becomes formatted lines."""

from __future__ import annotations

import json
import re
from itertools import starmap
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.lines import MAX_LINE_BYTES
from supervisor.common.log_formats import (
    LineFormatter,
    Origin,
    check_activity_format,
    check_line_format,
)
from supervisor.common.text import local_time
from tests.support.tables import assert_none

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = 1764417845.1239  # 2025-11-29T12:04:05
WEB = Origin("web", "web", "stdout", 7)


def formatter(text: str, origin: Origin = WEB, now: float = NOON) -> LineFormatter:
    """Return a formatter of a process with the pid 42, at one time."""
    return LineFormatter(check_line_format(text), origin, lambda: 42, lambda: now)


def formatted(text: str, output: bytes, origin: Origin = WEB) -> bytes:
    """Return the whole output of a process, formatted."""
    made = formatter(text, origin)
    return made.feed(output) + made.flush()


STAMP = b"2025-11-29T12:04:05.123Z"
PREFIX = STAMP + b" [web] "
IN_POOL = Origin("web_1", "pool", "stderr", 1)

FORMATTED: list[tuple[str, bytes, Origin, bytes]] = [
    ("prefix", b"a\n", WEB, STAMP + b" [web] a\n"),
    ("PREFIX ", b"a\nb\r\n\nc", WEB, b"".join(PREFIX + x for x in (b"a\n", b"b\n", b"\n", b"c\n"))),
    ("prefix", b"a\n", IN_POOL, STAMP + b" [pool:web_1] a\n"),
    ("prefix", b"\xff%(pid)d\n", WEB, STAMP + b" [web] \xff%(pid)d\n"),
    ("prefix", b"", WEB, b""),
    ("timestamp", b"a\n", WEB, STAMP + b" a\n"),
    ("%(message)s", b"a\nb", WEB, b"a\nb\n"),
    (
        "%(group_name)s/%(process_name)s.%(process_num)02d %(pid)d %(stream)s: %(message)s|%%",
        b"a\nb\n",
        IN_POOL,
        b"pool/web_1.01 42 stderr: a|%\npool/web_1.01 42 stderr: b|%\n",
    ),
    ("%%(message)s %(message)s", b"a\n", WEB, b"%(message)s a\n"),
    ("%(pid)-5s%(stream).3s %(message)s", b"a\n", WEB, b"42   std a\n"),
    ("ä\t%(message)s", b"a\n", WEB, "ä\ta\n".encode()),
]  # fmt: skip


def test_formatted_lines() -> None:
    def wrong(text: str, output: bytes, origin: Origin, wanted: bytes) -> str | None:
        found = formatted(text, output, origin)
        return None if found == wanted else f"{text} of {output!r}: {found!r}"

    assert_none(filter(None, starmap(wrong, FORMATTED)))


def test_the_time_of_a_template_is_that_of_the_activity_log() -> None:
    text = formatted("%(asctime)s %(message)s", b"a\n").decode()
    assert text == f"{local_time(NOON)} a\n"


def test_each_read_has_its_own_time() -> None:
    now = NOON
    made = LineFormatter("timestamp", WEB, lambda: 42, lambda: now)
    lines = made.feed(b"a\nb\nc")
    now += 0.5
    lines += made.feed(b"\n")
    now += 3600
    lines += made.feed(b"d\n")
    assert re.findall(rb"T(\S+)Z (.)", lines) == [
        (b"12:04:05.123", b"a"),
        (b"12:04:05.123", b"b"),
        (b"12:04:05.623", b"c"),
        (b"13:04:05.623", b"d"),
    ]


def test_a_pid_is_that_of_the_moment() -> None:
    pid = 0
    made = LineFormatter("%(pid)d %(message)s", WEB, lambda: pid, lambda: NOON)
    pid = 4711
    assert made.feed(b"a\n") == b"4711 a\n"


def test_a_line_in_json() -> None:
    line = formatted("json", 'say "ä"\t\\\n'.encode(), IN_POOL)
    assert line.endswith(b"}\n")
    assert "ä".encode() in line
    assert list(json.loads(line).items()) == [
        ("time", STAMP.decode()),
        ("name", "web_1"),
        ("group", "pool"),
        ("stream", "stderr"),
        ("pid", 42),
        ("message", 'say "ä"\t\\'),
    ]


def test_names_are_quoted_in_json() -> None:
    line = formatted("json", b"a\n", Origin('a"%(pid)d', "b\\", "stdout"))
    found = json.loads(line)
    assert (found["name"], found["group"]) == ('a"%(pid)d', "b\\")


def test_a_line_that_is_too_long_is_marked_in_json() -> None:
    lines = formatted("json", b"a\n" + b"x" * (2 * MAX_LINE_BYTES + 1) + b"\nb\n").splitlines()
    found = [(len(each["message"]), each.get("partial")) for each in map(json.loads, lines)]
    assert found == [
        (1, None),
        (MAX_LINE_BYTES, True),
        (MAX_LINE_BYTES, True),
        (1, None),
        (1, None),
    ]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_any_output_is_valid_json(pieces: list[bytes]) -> None:
    made = formatter("json")
    found = b"".join(map(made.feed, pieces)) + made.flush()
    lines = [json.loads(line.decode())["message"] for line in found.split(b"\n")[:-1]]
    output = b"".join(pieces).replace(b"\r\n", b"\n").removesuffix(b"\n")
    assert "\n".join(lines) == output.decode("utf-8", "backslashreplace")


MISTAKES: list[tuple[str, str]] = [
    ("", "neither raw, prefix, timestamp, json nor a template with %(message)s: ''"),
    ("jsn", "neither raw, prefix, timestamp, json nor a template with %(message)s: 'jsn'"),
    ("%%(message)s", "neither raw"),
    ("%(nmae)s %(message)s", "unknown field %(nmae)s in '%(nmae)s %(message)s', use asctime"),
    ("%(levelname)s %(message)s", "unknown field %(levelname)s"),
    ("%(message)s %", "is badly formatted at '%'; a literal % is written %%"),
    ("%s %(message)s", "is badly formatted at '%s %(message)s'"),
    ("100% %(message)s", "is badly formatted at '% %(message)s'"),
    ("%(pid)9999d %(message)s", "is badly formatted at '%(pid)9999d"),
    ("%(pid)*d %(message)s", "is badly formatted at"),
    ("%(pid)c %(message)s", "is badly formatted at"),
    ("%(stream)d %(message)s", "is badly formatted: %d format"),
    ("%(message)s %(message)s", "must contain %(message)s once, without a width"),
    ("%(message)20s", "must contain %(message)s once, without a width"),
    ("%(pid)d\n%(message)s", "must be one line"),
]  # fmt: skip


def complaint(check: Callable[[str], str], text: str) -> str:
    """Return the error about a format."""
    try:
        check(text)
    except ValueError as error:
        return str(error)
    return "accepted"


def test_mistakes_in_formats() -> None:
    complaints = [(complaint(check_line_format, text), part) for text, part in MISTAKES]
    assert_none(f"{said}, not {part}" for said, part in complaints if part not in said)
    assert_none(said for said, _ in complaints if "\n" in said)


def test_formats_of_the_activity_log() -> None:
    assert check_activity_format(" JSON") == "json"
    template = "%(asctime)s|%(levelname)-5s|%(message)s"
    assert check_activity_format(template) == template
    assert "neither json nor a template" in complaint(check_activity_format, "prefix")
    assert "unknown field %(pid)d" in complaint(check_activity_format, "%(pid)d %(message)s")
