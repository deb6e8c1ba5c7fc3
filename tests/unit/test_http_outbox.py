"""Bytes that wait until the kernel takes them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.http.outbox import Outbox


class Connection:
    """A socket that takes a given number of bytes with each call, and none after the last."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.calls: list[bytes] = []

    def sendmsg(self, buffers: Any) -> int:
        """Take bytes of several buffers; raises `BlockingIOError`."""
        size = self.sizes.pop(0) if self.sizes else 0
        if not size:
            raise BlockingIOError
        self.calls.append(b"".join(buffers)[:size])
        return len(self.calls[-1])


def test_a_header_and_its_body_leave_in_one_call() -> None:
    connection: Any = Connection([100])
    outbox = Outbox(connection)
    outbox.send(b"head", b"body")
    assert connection.calls == [b"headbody"]
    assert not outbox


@given(
    st.lists(st.lists(st.binary(max_size=9), min_size=1, max_size=3), max_size=5),
    st.lists(st.integers(0, 12), max_size=12),
)
def test_all_is_sent_once_and_in_order_however_little_the_kernel_takes(
    several: list[list[bytes]], sizes: list[int]
) -> None:
    connection: Any = Connection(sizes)
    outbox = Outbox(connection)
    whole = b"".join(piece for pieces in several for piece in pieces)
    for pieces in several:
        outbox.send(*pieces)
    while connection.sizes:
        left = len(connection.sizes)
        outbox.flush()
        if len(connection.sizes) == left:
            break  # nothing is waiting
    assert whole.startswith(b"".join(connection.calls))
    assert outbox.unsent_bytes == len(whole) - len(b"".join(connection.calls))
    connection.sizes = [1000] * 100
    outbox.flush()
    assert b"".join(connection.calls) == whole
    assert not outbox
    assert outbox.unsent_bytes == 0
