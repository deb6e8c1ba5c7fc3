"""The notification fd: real pipes, and s6's rule about the newline."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from supervisor.engine.loop import Loop
from supervisor.process.notification_fd import (
    MAX_BYTES,
    NO_NEWLINE,
    READ_BYTES,
    TOO_LONG,
    NotificationFd,
)
from tests.support.fds import nothing_left_open
from tests.support.turning import turn_all

READY = "ready"


class Site:
    """A pipe, its daemon's end in a real loop, and what has been reported."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.seen: list[str] = []
        reader, self._writer = os.pipe()
        self.channel = NotificationFd(
            reader, self.loop, lambda: self.seen.append(READY), self.seen.append
        )

    def write(self, data: bytes) -> None:
        """Write as the child, and let the daemon read some of it."""
        os.write(self._writer, data)
        turn_all(self.loop)

    def close_writer(self) -> None:
        """Close the child's end."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        turn_all(self.loop)

    def close(self) -> None:
        """Leave nothing."""
        self.close_writer()
        self.channel.close()
        self.loop.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with nothing_left_open():
        made = Site()
        yield made
        made.close()


@pytest.mark.parametrize(
    ("writes", "seen"),
    [
        ([b"\n"], [READY]),
        ([b"\n\n\n"], [READY]),
        ([b"ignored", b" too\nand this"], [READY]),
        ([b"a" * READ_BYTES + b"\n"], [READY]),
        ([], [NO_NEWLINE]),
        ([b"no newline"], [NO_NEWLINE]),
    ],
)
def test_the_first_newline_is_ready(site: Site, writes: list[bytes], seen: list[str]) -> None:
    for data in writes:
        site.write(data)
    site.close_writer()
    assert site.seen == seen
    assert site.channel.closed


def test_nothing_is_reported_while_the_child_is_silent(site: Site) -> None:
    site.write(b"not yet")
    assert site.seen == []
    assert not site.channel.closed


def test_the_pipe_is_closed_after_the_newline(site: Site) -> None:
    site.write(b"\n")
    with pytest.raises(BrokenPipeError):
        os.write(site._writer, b"more")


def test_endless_output_ends(site: Site) -> None:
    for _ in range(MAX_BYTES // READ_BYTES):
        assert site.seen == []
        site.write(b"x" * READ_BYTES)
    assert site.seen == [TOO_LONG]
    with pytest.raises(BrokenPipeError):
        site.write(b"x")


def test_one_wake_up_reads_a_bounded_amount(site: Site) -> None:
    os.write(site._writer, b"x" * READ_BYTES + b"\n")
    site.loop.run_once(0)
    assert site.seen == []
    site.loop.run_once(0)
    assert site.seen == [READY]


def test_a_drain_reads_all_and_does_not_wait(site: Site) -> None:
    """Another process may have the pipe when the child has died."""
    os.write(site._writer, b"x" * READ_BYTES)
    site.channel.drain()
    assert site.seen == []
    os.write(site._writer, b"x" * READ_BYTES + b"\n")
    site.channel.drain()
    assert site.seen == [READY]
    site.channel.drain()


def test_nothing_is_reported_after_close(site: Site) -> None:
    os.write(site._writer, b"\n")
    site.channel.close()
    turn_all(site.loop)
    assert site.seen == []
