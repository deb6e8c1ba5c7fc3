"""Gaps in logs: whole lines on both sides of a note that counts the bytes missing between them."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs.backlog import MAX_LINE_BYTES, Gap
from supervisor.logs.sinks import Sink, open_sink

WORDS = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"d\n", b"e\nf", b"g\nhi\n"]), max_size=6)


def note(size: int) -> bytes:
    """Return the line in place of `size` dropped bytes."""
    return b"supervisor: %d bytes dropped (write failed)\n" % size


@pytest.mark.parametrize(
    ("before", "dropped", "expected"),
    [
        (b"\n", [b"ab\n"], note(3)),
        (b"\n", [b"ab\n", b"cd"], note(5)),
        (b"x", [b"ab\n"], b"ab\n"),
        (b"x", [b"ab\ncd\n"], b"ab\n" + note(3)),
        (b"x", [b"ab"], b"\n" + note(2)),
        (b"x", [b"ab", b"cd\n"], b"\n" + note(5)),
        (b"x", [b"x" * MAX_LINE_BYTES + b"\n"], b"\n" + note(MAX_LINE_BYTES + 1)),
    ],
)
def test_the_text_in_place_of_what_was_dropped(
    before: bytes, dropped: list[bytes], expected: bytes
) -> None:
    gap = Gap()
    gap.begin(dropped[0], in_line=before != b"\n")
    for data in dropped[1:]:
        gap.drop(data)
    assert gap.text() == expected


@pytest.mark.parametrize(
    ("dropped", "data", "left"),
    [
        (b"ab\n", b"cd\nef\n", b"cd\nef\n"),
        (b"ab", b"cd\nef\n", b"ef\n"),
        (b"ab", b"cd\n", b""),
        (b"ab", b"no line ends here", b"no line ends here"),
    ],
)
def test_the_rest_of_a_line_that_begins_in_the_gap(
    dropped: bytes, data: bytes, left: bytes
) -> None:
    gap = Gap()
    gap.begin(dropped, in_line=False)
    assert gap.trim(data) == left
    assert gap.text() == note(len(dropped) + len(data) - len(left))


@given(WORDS, st.lists(st.integers(1, 50), max_size=8))
def test_a_text_that_is_written_in_parts(words: list[bytes], sizes: list[int]) -> None:
    """More is dropped meanwhile, and each byte of each text is written once."""
    gap = Gap()
    gap.begin(b"xy", in_line=False)
    written, dropped = b"", 2
    for size in sizes:
        text = gap.text()
        gap.written(text, min(size, len(text)))
        written += text[:size]
        for word in words:
            gap.drop(word)
            dropped += len(word)
    text = gap.text()
    gap.written(text, len(text))
    assert not gap
    lines = (written + text).splitlines()
    assert sum(int(line.split()[1]) for line in lines) == dropped


class FullDisk:
    """Replacement of `os.write` that takes `room` more bytes."""

    def __init__(self) -> None:
        self.room = 0
        self._write = os.write

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(fd, data[: self.room])
        self.room -= taken
        return taken


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=30))
def test_every_line_of_a_log_is_whole_and_every_byte_is_counted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """The disk has some room before each write; the writes cut lines where they like."""
    path = tmp_path_factory.mktemp("disk") / "log"
    stream = b"".join(b"<%d>\n" % number for number in range(1000))
    disk, sink, offset = FullDisk(), open_sink(str(path)), 0
    with mock.patch.object(os, "write", disk.write):
        for room, size in steps:
            disk.room = room
            write(sink, stream[offset : offset + size])
            offset += size
        disk.room = 10**6
        end = stream.index(b"\n", offset) + 1
        write(sink, stream[offset:end])
        sink.close()
    written = path.read_bytes()
    lines = written.splitlines(keepends=True)
    notes = [int(line.split()[1]) for line in lines if line.startswith(b"supervisor: ")]
    others = [line for line in lines if not line.startswith(b"supervisor: ")]
    added = [line for line in others if not line.endswith(b">\n")]  # so that a note has a line
    assert sum(map(len, others)) - len(added) + sum(notes) == end
    cut = [line for line in others if line not in stream.splitlines(keepends=True)]
    assert len(cut) <= 2 * len(notes)


def write(sink: Sink, data: bytes) -> None:
    """Write; a handler would report the error."""
    with contextlib.suppress(OSError):
        sink.write(data)


def test_a_line_that_a_full_disk_has_cut_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    disk, sink = FullDisk(), open_sink(str(path))
    with mock.patch.object(os, "write", disk.write):
        disk.room = 9
        write(sink, b"one\ntwo\nthree\nfour\nfi")
        write(sink, b"ve\nsix\n")
        disk.room = 10_000
        write(sink, b"seven\n")
    sink.close()
    assert path.read_bytes() == b"one\ntwo\nthree\n" + note(14) + b"seven\n"


def test_a_line_that_the_write_before_has_begun(tmp_path: Path) -> None:
    path = tmp_path / "log"
    disk, sink = FullDisk(), open_sink(str(path))
    with mock.patch.object(os, "write", disk.write):
        disk.room = 2
        write(sink, b"on")
        write(sink, b"e\ntwo\n")
        disk.room = 10_000
    sink.close()
    assert path.read_bytes() == b"one\n" + note(4), "the note is left at the close"
