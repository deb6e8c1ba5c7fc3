"""The search through whole logs: what it finds, its bounds, and its share of the loop."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.engine.loop import Loop
from supervisor.web import search
from supervisor.web.found import result_links
from supervisor.web.log_sources import Source
from supervisor.web.search import MAX_LINE_CHARS, MAX_LINES, STEP_BYTES, Found, Search
from tests.support.clock import FakeClock


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that the test turns."""
    made = Loop(FakeClock())
    yield made
    made.close()
    assert not search._active


def found(loop: Loop, path: Path, wanted: str) -> Search:
    """Return a search that is over."""
    begun = Search(loop, [str(path)], wanted)
    turn_until_over(loop, begun)
    return begun


def turn_until_over(loop: Loop, begun: Search, limit: int = 10_000) -> int:
    """Run the loop until a search is over; return the number of iterations."""
    for number in range(limit):
        if begun() is not NOT_DONE_YET:
            return number
        loop.run_once()
    raise AssertionError("the search does not end")


def lines(begun: Search) -> list[str]:
    """Return the lines that a search has found."""
    return [line.text for line in begun.lines]


@pytest.mark.parametrize(
    ("content", "wanted", "expected"),
    [
        (b"an apple\na pear\nAnother APPLE\n", "Apple", ["an apple", "Another APPLE"]),
        (b"no newline at the end: apple", "apple", ["no newline at the end: apple"]),
        (b"", "apple", []),
        ("\u4e2d\u6587 \u00c9t\u00e9\n".encode(), "\u00e9t\u00e9", ["\u4e2d\u6587 \u00c9t\u00e9"]),
        (b"\x1b[31map\x1b[1mple\x1b[0m\n", "apple", ["apple"]),
        (bytes(range(256)) + b" apple \xff\n", "apple \ufffd", None),
        (b".*\nabc\n", ".*", [".*"]),
    ],
)
def test_lines_are_found(
    loop: Loop, directory: Path, content: bytes, wanted: str, expected: list[str] | None
) -> None:
    (directory / "log").write_bytes(content)
    begun = found(loop, directory / "log", wanted)
    assert begun.is_complete
    if expected is None:
        assert begun.count == 1
    else:
        assert lines(begun) == expected


def test_lines_across_steps_are_whole(loop: Loop, directory: Path) -> None:
    text = "".join(f"line {number:06} apple\n" for number in range(40_000))
    (directory / "log").write_text(text)
    begun = found(loop, directory / "log", "APPLE")
    assert begun.count == 40_000
    assert lines(begun) == text.splitlines()[-MAX_LINES:]


@pytest.mark.parametrize("step_bytes", [7, STEP_BYTES])
def test_equal_lines_can_be_distinguished(
    loop: Loop, directory: Path, monkeypatch: pytest.MonkeyPatch, step_bytes: int
) -> None:
    """By the line before, in any part that is read; a time stamp is enough."""
    text = "one\nfailed\n\x1b[31mtwo\x1b[0m\nfailed\n\nfailed\nfailed\n2026-01-02 03:04:05 failed\n"
    (directory / "log").write_text(f"failed\n{text}", encoding="utf-8")
    monkeypatch.setattr(search, "STEP_BYTES", step_bytes)
    begun = found(loop, directory / "log", "failed")
    assert [line.before for line in begun.lines] == ["", "one", "two", "", "failed", ""]
    html = result_links(begun, [Source("web", "stdout")], [""], "failed")
    shown = re.findall(r'<span class="context">(.*?)</span>', html)
    assert shown == ["one", "two"]  # a line before that was found is there already
    assert html.count("<a ") == 6


@pytest.mark.parametrize("limit", [0, 100])
def test_a_line_has_its_offset_in_the_file(
    loop: Loop, directory: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """In any part of the file that is read, with control sequences and after a long line."""
    pieces = [
        "a pear\n",
        "\x1b[31man\x1b[0m apple \u4e2d\u6587\n",
        "\n",
        "x" * 300,
        " apple\n",
        "apple",
    ]
    content = ("".join(pieces) * 3).encode()
    (directory / "log").write_bytes(content)
    monkeypatch.setattr(search, "STEP_BYTES", 7)
    monkeypatch.setattr(search, "MAX_PART_BYTES", limit or search.MAX_PART_BYTES)
    begun = found(loop, directory / "log", "apple")
    assert begun.count == 9
    for line in begun.lines:
        assert limit or line.offset == 0 or content[line.offset - 1] == ord("\n")
        assert "apple" in search._plain(content[line.offset : line.offset + 500].split(b"\n")[0])


def test_short_lines_with_matches_are_looked_at_in_several_steps(
    loop: Loop, directory: Path
) -> None:
    (directory / "log").write_bytes(b"a\n" * (STEP_BYTES // 2))
    begun = Search(loop, [str(directory / "log")], "a")
    assert turn_until_over(loop, begun) >= STEP_BYTES // 2 // search.LINES_PER_STEP
    assert begun.count == STEP_BYTES // 2


def test_a_step_is_bounded_and_others_take_turns(loop: Loop, directory: Path) -> None:
    """A long search does not delay a short one, or anything else in the loop."""
    (directory / "long").write_bytes(b"x" * STEP_BYTES * 20)
    (directory / "short").write_bytes(b"apple\n")
    long = Search(loop, [str(directory / "long")], "apple")
    short = Search(loop, [str(directory / "short")], "apple")
    assert turn_until_over(loop, short) < 8
    assert long() is NOT_DONE_YET
    read = long.searched_bytes
    loop.run_once()
    assert long.searched_bytes <= read + STEP_BYTES
    assert turn_until_over(loop, long) >= 10


def test_one_line_of_ten_megabytes(loop: Loop, directory: Path) -> None:
    content = b"x" * 5_000_000 + b"apple" + b"y" * 5_000_000
    (directory / "log").write_bytes(content)
    begun = found(loop, directory / "log", "apple")
    assert begun.count == 1
    (line,) = lines(begun)
    assert "xapple" in line
    assert len(line) <= MAX_LINE_CHARS + 2


def test_only_the_newest_part_of_a_huge_log_is_read(
    loop: Loop, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_BYTES", 1000)
    (directory / "log").write_bytes(b"old apple\n" + b"." * 2000 + b"\nnew apple\n")
    begun = found(loop, directory / "log", "apple")
    assert lines(begun) == ["new apple"]
    assert not begun.is_complete
    assert begun.searched_bytes == 1000


def test_a_log_that_is_truncated_or_replaced_meanwhile(loop: Loop, directory: Path) -> None:
    log = directory / "log"
    log.write_bytes(b"apple\n" * 100_000)
    begun = Search(loop, [str(log)], "apple")
    loop.run_once()
    os.truncate(log, 0)
    log.replace(directory / "log.1")
    turn_until_over(loop, begun)
    assert 0 < begun.count < 100_000


def test_what_cannot_be_read_is_left_out(loop: Loop, directory: Path) -> None:
    os.mkfifo(directory / "fifo")
    (directory / "log").write_bytes(b"apple\n")
    paths = [str(directory / name) for name in ("nope", "fifo", "log")]
    begun = Search(loop, paths, "apple")
    turn_until_over(loop, begun)
    assert list(begun.lines) == [Found(2, 0, "apple")]


def test_a_search_ends_with_its_client(loop: Loop, directory: Path) -> None:
    """Its file is closed, and nothing is read any more."""
    (directory / "log").write_bytes(b"x" * STEP_BYTES * 20)
    begun = Search(loop, [str(directory / "log")], "apple")
    before = set(os.listdir("/proc/self/fd"))
    loop.run_once()
    begun.cancel()
    begun.cancel()
    read = begun.searched_bytes
    loop.run_once(0)
    loop.run_once(0)
    assert begun.searched_bytes == read
    assert set(os.listdir("/proc/self/fd")) <= before
