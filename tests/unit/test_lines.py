"""Lines of output, split in any way."""

from __future__ import annotations

from itertools import starmap

from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.lines import MAX_LINE_BYTES, LineSplitter, PartialLine
from tests.support.tables import assert_none

MAX = MAX_LINE_BYTES
LONG = b"x" * MAX
UMLAUT = "ä".encode()

CASES: list[tuple[bytes, list[bytes], list[bytes]]] = [  # output, lines, lines at its end
    (b"", [], []),
    (b"\n", [b""], []),
    (b"a", [], [b"a"]),
    (b"a\n", [b"a"], []),
    (b"a\nb\n\nc", [b"a", b"b", b""], [b"c"]),
    (b"a\r\nb\rc\r\n", [b"a", b"b\rc"], []),
    (b"a\r\r\n\r", [b"a\r"], [b"\r"]),
    (b"\xff\x00\n", [b"\xff\x00"], []),
    (LONG + b"\n", [LONG], []),
    (LONG + b"\r\n", [LONG], []),
    (LONG, [], [LONG]),
    (LONG + b"\r", [], [PartialLine(LONG), b"\r"]),
    (LONG + b"\r\r\n", [PartialLine(LONG), b"\r"], []),
    (LONG + b"y\n", [PartialLine(LONG), b"y"], []),
    (LONG + b"y", [PartialLine(LONG)], [b"y"]),
    (b"a\n" + LONG * 2 + b"\nb", [b"a", PartialLine(LONG), LONG], [b"b"]),
    (LONG * 2 + b"\r\n", [PartialLine(LONG), LONG], []),
    # A character is not cut, and bytes that are no text are cut all the same.
    (b"x" + UMLAUT * (MAX // 2), [PartialLine(b"x" + UMLAUT * (MAX // 2 - 1))], [UMLAUT]),
    (b"\x80" * (MAX + 1), [PartialLine(b"\x80" * MAX)], [b"\x80"]),
]


def marked(lines: list[bytes]) -> list[tuple[bool, bytes]]:
    """Return lines with whether they are partial, which equality of bytes ignores."""
    return [(isinstance(line, PartialLine), bytes(line)) for line in lines]


def test_lines_of_whole_outputs() -> None:
    def wrong(output: bytes, lines: list[bytes], last: list[bytes]) -> str | None:
        splitter = LineSplitter()
        found = marked(splitter.feed(output)), marked(splitter.flush())
        wanted = marked(lines), marked(last)
        shown = f"{output[:20]!r} ({len(output)} bytes)"
        return None if found == wanted else shown

    assert_none(filter(None, starmap(wrong, CASES)))


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=5),
        st.sampled_from([b"\n", b"\r\n", b"\r", "ä€".encode(), LONG[:-2], LONG, LONG * 2]),
    ),
    max_size=8,
)


@given(PIECES)
def test_lines_do_not_depend_on_the_chunks(pieces: list[bytes]) -> None:
    whole, chunked = LineSplitter(), LineSplitter()
    lines = whole.feed(b"".join(pieces)) + whole.flush()
    found = [line for piece in pieces for line in chunked.feed(piece)] + chunked.flush()
    assert marked(found) == marked(lines)
    assert max(map(len, found), default=0) <= MAX


@given(PIECES)
def test_nothing_but_line_ends_is_lost(pieces: list[bytes]) -> None:
    splitter = LineSplitter()
    output = b"".join(pieces)
    lines = splitter.feed(output) + splitter.flush()
    joined = b"".join(line if isinstance(line, PartialLine) else line + b"\n" for line in lines)
    assert joined.rstrip(b"\n") == output.replace(b"\r\n", b"\n").rstrip(b"\n")
