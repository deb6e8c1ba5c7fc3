"""The backlog of a log: bytes that could not be written at once, queued or dropped.

A `sinks.Sink` writes straight to its fd.  When the fd accepts no more, a `Backlog` is put
between them until it has been flushed:

    writer -> Sink ------------------------> fd     the usual path
    writer -> Sink -> [Gap] -> waiting ----> fd     a slow reader, a full disk

A pipe or terminal with a slow reader has bytes *waiting*; the loop sends them when the reader is
ready.  Bytes that cannot be queued, because the disk is full or the queue has reached its bound,
are dropped into a *gap*.  A gap begins and ends between two lines wherever that is possible, and
a note replaces the dropped bytes.

A backlog outlives its sink: the loop still sends the bytes of a program that has exited, of a log
that has been reopened, and of a daemon that reloads.  The daemon waits for readers only when it
exits (`drain`), and only while they make progress.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from functools import partial

from supervisor.common.text import bytes_as_text, text_as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from supervisor.engine.loop import Channel, Loop

    class Waiting(Channel, Protocol):
        """A channel with bytes that are queued for a reader."""

        @property
        def fd(self) -> int:
            """The fd."""

        @property
        def path(self) -> str:
            """The name of the log."""

        def give_up(self) -> int:
            """Drop the queued bytes and return their number."""


WRITE_TIMEOUT_SECONDS = 1.0
"""Longest wait for a slow reader while no loop runs."""

STALL_SECONDS = 5.0
"""Longest wait for readers when the daemon exits, since one of them last made progress."""

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""Upper bound of the bytes queued for a reader, per writer of the log; more is dropped."""

SEND_BYTES = 128 * 1024
"""Upper bound of one write to a slow reader; a pipe holds 64 KiB by default."""

MAX_LINE_BYTES = 64 * 1024
"""Longest end of a line that is kept in order to complete the line before a gap."""

STALLED = "its reader has stalled"

_loop: Loop | None = None
_waiting: set[Waiting] = set()


def set_background_loop(loop: Loop | None) -> None:
    """Set the loop that sends queued bytes; None while no loop runs."""
    global _loop  # noqa: PLW0603 - sinks are created everywhere, also by plugins
    for backlog in _waiting:
        if _loop is not None:
            _loop.unwatch(backlog)
        if loop is not None:
            loop.watch(backlog)
    _loop = loop


def start_waiting(channel: Waiting) -> None:
    """Send the queued bytes of a channel as soon as its reader is ready."""
    if channel not in _waiting:
        _waiting.add(channel)
        if _loop is not None:
            _loop.watch(channel)


def stop_waiting(channel: Waiting) -> None:
    """Stop watching a channel, if it is watched."""
    if channel in _waiting:
        _waiting.discard(channel)
        if _loop is not None:
            _loop.unwatch(channel)


def drain() -> list[tuple[str, int]]:
    """Send the queued bytes while readers make progress; call it when no loop runs.

    Returns (path, bytes) of each log that was given up.  Waits up to `STALL_SECONDS` without
    progress.
    """
    while _waiting:
        backlogs = {backlog.fd: backlog for backlog in _waiting}
        poll = select.poll()
        for fd in backlogs:
            poll.register(fd, select.POLLOUT)
        ready = poll.poll(STALL_SECONDS * 1000)
        if not ready:
            break
        for fd, _ in ready:
            try:
                backlogs[fd].handle_write_event()
            except OSError:
                backlogs[fd].handle_error()
    return [(backlog.path, backlog.give_up()) for backlog in list(_waiting)]


def snapshot(but: Iterable[int]) -> list[dict[str, Any]]:
    """Return the backlogs of replaced logs, which still have bytes for their old readers.

    `but` are the fds of the others, which their sinks save.
    """
    known = set(but)
    backlogs = [each for each in _waiting if isinstance(each, Backlog) and each.fd not in known]
    return [each.snapshot() for each in backlogs]


def restore(saved: Iterable[Mapping[str, Any]]) -> None:
    """Send the bytes of replaced logs; each fd is closed when its reader has got them."""
    for each in saved:
        backlog = Backlog(each["fd"], each["path"])
        backlog.restore(each)
        backlog.when_flushed(partial(os.close, backlog.fd))


class Gap:
    """The bytes that a log dropped, and the text that replaces them.  Does no I/O.

    The line that the gap cuts off is completed before the note, if its end is known by then.
    The end of a line that begins in the gap is dropped as well.
    """

    def __init__(self) -> None:
        self.dropped_bytes = 0
        self._head = b""
        self._ends_in_line = False

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "dropped_bytes": self.dropped_bytes,
            "head": bytes_as_text(self._head),
            "ends_in_line": self._ends_in_line,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self.dropped_bytes = saved.get("dropped_bytes", 0)
        self._head = text_as_bytes(saved.get("head"))
        self._ends_in_line = saved.get("ends_in_line") is True

    def __bool__(self) -> bool:
        return bool(self.dropped_bytes or self._head)

    def begin(self, data: bytes, *, in_line: bool) -> None:
        """Drop the first bytes; `in_line` if the bytes before them end within a line."""
        if in_line:
            end = data.find(b"\n", 0, MAX_LINE_BYTES) + 1
            self._head, data = data[:end] or b"\n", data[end:]
        self.drop(data)

    def drop(self, data: bytes) -> None:
        """Drop the bytes that follow those already dropped."""
        if data:
            self.dropped_bytes += len(data)
            self._ends_in_line = not data.endswith(b"\n")

    def trim(self, data: bytes) -> bytes:
        """Drop the end of a line that begins in the gap; return the bytes after it.

        If no line ends in `data`, return all of it: it may be binary data.
        """
        end = data.find(b"\n") + 1 if self._ends_in_line else 0
        self.drop(data[:end])
        return data[end:]

    def text(self) -> bytes:
        """Return the text to write in place of the dropped bytes."""
        if not self.dropped_bytes:
            return self._head
        note = f"supervisor: {self.dropped_bytes} bytes dropped (write failed)\n"
        return self._head + note.encode()

    def written(self, text: bytes, size: int) -> None:
        """Record that the first `size` bytes of the `text` have been written."""
        if size:
            self._head = text[size:]
            self.dropped_bytes = 0
            self._ends_in_line = False


def _atomic_part(data: bytes | bytearray) -> bytes | bytearray:
    """Return the first lines that a pipe accepts as a whole or not at all (pipe(7), PIPE_BUF).

    A line that is longer is sent in parts.
    """
    if len(data) <= select.PIPE_BUF:
        return data
    return data[: data.rfind(b"\n", 0, select.PIPE_BUF) + 1 or select.PIPE_BUF]


class Backlog:
    """The queue of bytes for an fd, and the gap behind them.

    It is a channel of the loop while bytes are waiting.  `shared` means that other processes
    use the fd too and that it may block, so it must be polled before each write.  With
    `whole_lines`, no other writer of a pipe gets between the bytes of a line.  `last_byte` is
    the byte that was written last, None if that is unknown.
    """

    def __init__(
        self,
        fd: int,
        path: str,
        *,
        shared: bool = False,
        last_byte: int | None = None,
    ) -> None:
        self.fd = fd
        self.path = path
        self._shared = shared
        self.whole_lines = False
        self._waiting = bytearray()
        self._gap = Gap()
        self._last_byte = last_byte
        self._on_flushed: Callable[[], object] | None = None

    def __bool__(self) -> bool:
        """Whether a write must still go through the backlog."""
        return self._shared or self.whole_lines or bool(self._waiting or self._gap)

    @property
    def _part_bytes(self) -> int:
        """Number of bytes in which `_atomic_part` finds what to write; 0: it is not needed."""
        return select.PIPE_BUF + 1 if self._shared or self.whole_lines else 0

    def write(self, data: bytes, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        """Write, queue or drop bytes, in this order of preference.

        Raises the `OSError` that starts a gap, once.
        """
        if not data:
            return
        if self._waiting:
            self._enqueue(data, max_waiting_bytes)
            return
        if self._gap:
            data = self._gap.trim(data)
            if not self._fill_gap():
                self._gap.drop(data)
                return
            if self._waiting:
                self._enqueue(data, max_waiting_bytes)
                return
        sent, part_bytes = 0, self._part_bytes or len(data)
        deadline = None if _loop is not None else time.monotonic() + WRITE_TIMEOUT_SECONDS
        try:
            while sent < len(data):
                sent += self._send(data[sent : sent + part_bytes], deadline)
        except OSError as error:
            unsent = data[sent:]
            if _loop is not None and isinstance(error, BlockingIOError):
                self._enqueue(unsent, max_waiting_bytes)
                return
            self._gap.begin(unsent, in_line=self._last_byte not in {None, ord("\n")})
            raise

    def _fill_gap(self) -> bool:
        """Write or queue the text of the gap; return False if neither is possible yet."""
        gap = self._gap
        try:
            while text := gap.text():
                gap.written(text, self._send(text, None))
        except BlockingIOError:
            if _loop is None:
                return False
            self._await_reader(gap.text())
            gap.written(text, len(text))
        except OSError:
            return False
        return True

    def _enqueue(self, data: bytes, max_bytes: int) -> None:
        waiting, gap = self._waiting, self._gap
        if gap and len(waiting) < max_bytes // 2:  # avoids a note for every few bytes
            data = gap.trim(data)
            text = gap.text()
            gap.written(text, len(text))
            data = text + data
        if gap:
            gap.drop(data)
        elif len(waiting) + len(data) > max_bytes:
            last_byte = waiting[-1] if waiting else self._last_byte
            gap.begin(data, in_line=last_byte not in {None, ord("\n")})
            raise BlockingIOError(errno.EAGAIN, STALLED, self.path)
        else:
            self._await_reader(data)

    def _await_reader(self, data: bytes) -> None:
        start_waiting(self)
        self._waiting += data

    def _send(self, data: bytes | bytearray, deadline: float | None) -> int:
        """Write once, waiting until `deadline` (monotonic seconds) at most for the fd.

        Returns the number of bytes written; raises `BlockingIOError` if the reader is too slow.
        """
        if self._part_bytes:
            data = _atomic_part(data)
        if self._shared:
            # An fd that poll reports as writable accepts PIPE_BUF bytes without blocking, no more.
            self._wait(deadline)
            sent = os.write(self.fd, data)
        else:
            try:
                sent = os.write(self.fd, data)
            except BlockingIOError:
                if deadline is None:
                    raise
                self._wait(deadline)
                sent = os.write(self.fd, data)
        if sent:
            self._last_byte = data[sent - 1]
        return sent

    def _wait(self, deadline: float | None) -> None:
        seconds = 0.0 if deadline is None else max(deadline - time.monotonic(), 0.0)
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        if not poll.poll(seconds * 1000):
            raise BlockingIOError(errno.EAGAIN, STALLED, self.path)

    # -- as a channel -------------------------------------------------------------

    def fileno(self) -> int:
        """Return the fd."""
        return self.fd

    def readable(self) -> bool:
        """Whether to read (never)."""
        return False

    def writable(self) -> bool:
        """Whether bytes are waiting for the reader."""
        return bool(self._waiting)

    def handle_read_event(self) -> None:
        """Do nothing; never called, see `readable`."""

    def handle_write_event(self) -> None:
        """Send as much as the reader accepts; raises `OSError` when it has closed its end."""
        waiting, sent = self._waiting, 0
        size = self._part_bytes or SEND_BYTES
        with contextlib.suppress(BlockingIOError):
            while sent < min(len(waiting), SEND_BYTES):
                sent += self._send(waiting[sent : sent + size], None)
                if not self.whole_lines:
                    break
        if not sent:
            return
        del waiting[:sent]
        if not self._waiting and self._on_flushed is not None:
            self._fill_gap()  # else the next write does it, which knows where the next line begins
        if not self._waiting:
            self._flushed()

    def handle_error(self) -> None:
        """Drop the bytes queued for a reader that has closed its end; the next write will fail."""
        self._waiting.clear()
        self._gap = Gap()
        self._flushed()

    def _flushed(self) -> None:
        stop_waiting(self)
        if self._on_flushed is not None:
            self._on_flushed()

    # -- the end --------------------------------------------------------------------

    def when_flushed(self, action: Callable[[], object] | None) -> None:
        """Call `action` once nothing is waiting, maybe at once; None cancels it."""
        self._on_flushed = action
        if action is None:
            return
        if not self._waiting:
            self._fill_gap()
        if not self._waiting:
            action()

    def close(self) -> None:
        """Do nothing: the fd belongs to the sink."""

    # -- saving ---------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {
            "fd": self.fd,
            "path": self.path,
            "shared": self._shared,
            "whole_lines": self.whole_lines,
            "waiting": bytes_as_text(self._waiting),
            "gap": self._gap.snapshot(),
            "last_byte": self._last_byte,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._shared = saved.get("shared") is True
        self.whole_lines = saved.get("whole_lines") is True
        self._gap.restore(saved.get("gap") or {})
        self._last_byte = saved.get("last_byte")
        waiting = text_as_bytes(saved.get("waiting"))
        if waiting:
            self._await_reader(waiting)

    def give_up(self) -> int:
        """Drop the queued bytes and return their number.  The note is written if it fits."""
        self._gap.drop(bytes(self._waiting))
        dropped_bytes = self._gap.dropped_bytes
        self._waiting.clear()
        with contextlib.suppress(OSError):
            self._send(self._gap.text(), None)
        self._flushed()
        return dropped_bytes
