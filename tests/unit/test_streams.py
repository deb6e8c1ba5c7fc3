"""The pure machines: whole input, one byte at a time, and in random cuts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common import capture
from supervisor.common.ansi import AnsiStripper
from supervisor.common.capture import BEGIN_TOKEN, END_TOKEN, Captured, CaptureSplitter
from supervisor.common.listener_protocol import ListenerStream, Message, Ready, Violation
from supervisor.common.read_batching import (
    BUSY_READS,
    DELAY_SECONDS,
    LARGE_PIPE_BYTES,
    PIPE_BYTES,
    SHORT_DELAY_SECONDS,
    WIDE_PIPE_BYTES,
    ReadBatcher,
)
from supervisor.states import EventListenerStates


def pieces_of(*fragments: bytes) -> st.SearchStrategy[list[bytes]]:
    """Make input from fragments and noise, cut anywhere."""
    part = st.sampled_from(fragments) | st.binary(max_size=4)
    whole = st.lists(part, max_size=12).map(b"".join)
    return whole.flatmap(lambda data: st.lists(st.integers(0, len(data))).map(_cutter(data)))


def _cutter(data: bytes) -> Callable[[list[int]], list[bytes]]:
    def cut(places: list[int]) -> list[bytes]:
        edges = [0, *sorted(places), len(data)]
        return [data[start:end] for start, end in pairwise(edges)]

    return cut


def strip(pieces: Iterable[bytes]) -> bytes:
    stripper = AnsiStripper()
    return b"".join([*map(stripper.feed, pieces), stripper.flush()])


class TestAnsiStripper:
    """Control sequences go, everything else stays."""

    @pytest.mark.parametrize(
        ("data", "left"),
        [
            (b"", b""),
            (b"plain \xff\n", b"plain \xff\n"),
            (b"\x1b[31mred\x1b[0m", b"red"),
            (b"\x1b[m\x1b[K\x1b[2J\x1b[1;31;40mz", b"z"),
            (b"\x1b[?25l\x1b[?25hx", b"x"),
            (b"\x1bM\x1b(B\x1b]0;title\x07", b"\x1bM\x1b(B\x1b]0;title\x07"),
            (b"\x1b\x1b[31mq", b"\x1bq"),
            (b"\x1b[\x1b[31mq", b"q"),
            (b"a\x1b[31", b"a"),
            (b"a\x1b", b"a\x1b"),
            (b"\x1b[ABC", b"BC"),
        ],
    )
    def test_the_same_as_supervisor_4_3(self, data: bytes, left: bytes) -> None:
        assert strip([data]) == left

    @pytest.mark.parametrize(
        ("data", "left"),
        [
            (b"\x1b[1~text", b"text"),
            (b"\x1b[5Xtext", b"text"),
            (b"\x1b[31\ntext m", b"\ntext m"),
            (b"\x1b[3gm", b"m"),
        ],
    )
    def test_text_after_unknown_or_broken_sequences_stays(self, data: bytes, left: bytes) -> None:
        """Supervisor 4.3 takes the text up to the next letter that it knows."""
        assert strip([data]) == left

    @given(pieces_of(b"\x1b", b"\x1b[", b"31;1", b"m", b"\x1b[0m", b"\n", b"text"))
    def test_cuts_make_no_difference(self, pieces: list[bytes]) -> None:
        assert strip(pieces) == strip([b"".join(pieces)])

    @given(pieces_of(b"\x1b[31m", b"\x1b[2;1H", b"\x1b[?25h", b"\x1b[K", b"text\n"))
    def test_no_complete_sequence_is_left_and_no_text_taken(self, pieces: list[bytes]) -> None:
        data = b"".join(pieces)
        expected = re.sub(rb"\x1b\[[ -?]*([@-~]|\Z|(?=[^ -~]))", b"", data)
        assert strip(pieces) == expected


def split(pieces: Iterable[bytes], maxbytes: int = 100) -> list[bytes | Captured]:
    """Feed a splitter to the end; plain output that belongs together is joined."""
    splitter = CaptureSplitter(maxbytes)
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.flush()
    joined: list[bytes | Captured] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


class TestCaptureSplitter:
    """Output between the tokens is captured, the rest is logged."""

    def test_captures_keep_their_order_among_output(self) -> None:
        data = b"a" + BEGIN_TOKEN + b"1" + END_TOKEN + b"b" + BEGIN_TOKEN + END_TOKEN + b"c"
        assert split([data]) == [b"a", Captured(b"1"), b"b", Captured(b""), b"c"]

    def test_output_is_not_held_back_unless_it_may_begin_a_token(self) -> None:
        splitter = CaptureSplitter(100)
        assert splitter.feed(b"<b>bold<!--X") == [b"<b>bold"]
        assert splitter.feed(b"-") == [b"<!--X-"]

    def test_tokens_out_of_place_are_text(self) -> None:
        data = END_TOKEN + BEGIN_TOKEN + b"x" + BEGIN_TOKEN + b"y" + END_TOKEN + END_TOKEN
        assert split([data]) == [END_TOKEN, Captured(b"x" + BEGIN_TOKEN + b"y"), END_TOKEN]

    @pytest.mark.parametrize("data", [b"abc<!--XSUP", b"a" + BEGIN_TOKEN + b"never ended<!--"])
    def test_bytes_that_were_held_back_are_written_at_the_end(self, data: bytes) -> None:
        """Supervisor 4.3 loses it."""
        assert split([data]) == [data]

    def test_small_limits_do_not_cut_captures(self) -> None:
        """As in Supervisor 4.3, where they are not cut at all."""
        assert split([BEGIN_TOKEN, b"0123456789" * 5, END_TOKEN], maxbytes=10) == [
            Captured(b"0123456789" * 5)
        ]

    def test_a_capture_without_end_keeps_its_last_bytes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(capture, "CAPTURE_FLOOR", 0)
        assert split([BEGIN_TOKEN, b"01234", b"56789", b"abc", END_TOKEN], maxbytes=5) == [
            Captured(b"89abc")
        ]

    @given(pieces_of(BEGIN_TOKEN, END_TOKEN, BEGIN_TOKEN[:7], END_TOKEN[2:], b"<", b"text"))
    def test_cuts_make_no_difference(self, pieces: list[bytes]) -> None:
        assert split(pieces) == split([b"".join(pieces)])

    @given(pieces_of(BEGIN_TOKEN, END_TOKEN, BEGIN_TOKEN[:7], END_TOKEN[2:], b"<", b"text"))
    def test_no_byte_is_lost_or_doubled(self, pieces: list[bytes]) -> None:
        parts = [
            BEGIN_TOKEN + part.data + END_TOKEN if isinstance(part, Captured) else part
            for part in split(pieces)
        ]
        assert b"".join(parts) == b"".join(pieces)


READY, BUSY, ACKNOWLEDGED, UNKNOWN = (
    EventListenerStates.READY,
    EventListenerStates.BUSY,
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.UNKNOWN,
)


class Pool:
    """Moves a listener as a pool does that has `events` events to give."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.state = ACKNOWLEDGED
        self.stream = ListenerStream()
        self.messages: list[Message] = []

    def hear(self, data: bytes) -> None:
        self.stream.feed(data)
        while (message := self.stream.next_message(self.state)) is not None:
            self.messages.append(message)
            if isinstance(message, Ready):
                self.state = BUSY if self.events else READY
                self.events -= self.events > 0
            else:
                self.state = ACKNOWLEDGED if isinstance(message, bytes) else UNKNOWN


def converse(pieces: Iterable[bytes], events: int = 99) -> list[Message]:
    pool = Pool(events)
    for piece in pieces:
        pool.hear(piece)
    return pool.messages


class TestListenerStream:
    """READY, then RESULT for every event that was sent."""

    @pytest.mark.parametrize(
        ("line", "result"),
        [
            (b"RESULT 2\nOK", b"OK"),
            (b"RESULT 2\nKO", b"KO"),
            (b"RESULT 4\nFAIL", b"FAIL"),
            (b"RESULT 0\n", b""),
            (b"RESULT 3\n\n\xff\0", b"\n\xff\0"),
            (b" result\t2\r\nOK", b"OK"),
        ],
    )
    def test_results(self, line: bytes, result: bytes) -> None:
        conversation = b"READY\n" + line + b"READY\n"
        assert converse([conversation]) == [Ready(), result, Ready()]

    @pytest.mark.parametrize(
        "line",
        ["RESULT abc", "RESULT", "RESULT ", "RESULT2", "RESULT 2 3", "READY", "", "RESULT -1"],
    )
    def test_bad_result_lines(self, line: str) -> None:
        said = b"READY\n" + line.encode() + b"\nOK"
        assert converse([said]) == [Ready(), Violation(f"bad result line: '{line}'")]

    def test_a_bad_result_line_that_is_no_text(self) -> None:
        (violation,) = converse([b"READY\n", b"RESULT \xff\n"])[1:]
        assert str(violation) == r"bad result line: 'Undecodable: b'RESULT \xff''"

    @pytest.mark.parametrize(
        "said", [b"READYX", b"READY\r\n", b"garbage\nREADY\n", b"\n\n\n\n\n\n"]
    )
    def test_anything_but_ready_at_the_start_is_a_violation(self, said: bytes) -> None:
        assert converse([said]) == [Violation()]

    @pytest.mark.parametrize("said", [b"READY\n", b"RESULT 2\nOK", b"x"])
    def test_output_of_a_listener_without_an_event_is_a_violation(self, said: bytes) -> None:
        assert converse([b"READY\n", said], events=0) == [Ready(), Violation()]
        assert converse([b"READY\n" + said], events=0) == [Ready(), Violation()]

    def test_nothing_is_heard_after_a_violation(self) -> None:
        assert converse([b"garbage", b"READY\n", b"READY\nRESULT 2\nOK"]) == [Violation()]

    def test_an_incomplete_word_is_waited_for(self) -> None:
        assert converse([b"gar", b"b\n"]) == []

    def test_an_endless_line_is_a_violation(self) -> None:
        pieces = [b"READY\n", *[b"x" * 100] * 20]
        assert converse(pieces) == [Ready(), Violation(f"bad result line: '{'x' * 1024}'")]

    def test_a_result_beyond_all_memory_is_a_violation(self) -> None:
        assert isinstance(converse([b"READY\nRESULT 99999999999999\n"])[-1], Violation)

    @given(pieces_of(b"READY\n", b"RESULT 2\nOK", b"RESULT 4\nFAIL", b"RESULT ", b"1\n", b"\n"))
    def test_cuts_make_no_difference(self, pieces: list[bytes]) -> None:
        assert converse(pieces) == converse([b"".join(pieces)])

    @given(st.lists(st.binary(max_size=300)), st.integers(1, 7))
    def test_good_conversations_are_understood_to_the_byte(
        self, results: list[bytes], size: int
    ) -> None:
        said = b"".join(b"READY\nRESULT %d\n%s" % (len(r), r) for r in results)
        pieces = [said[at : at + size] for at in range(0, len(said), size)]
        assert converse(pieces) == [m for r in results for m in (Ready(), r)]


FULL = 128 * 1024


class TestPace:
    """When the reader of a busy stream rests."""

    @staticmethod
    def rests(pace: ReadBatcher, size: int, every: float, times: int = 30) -> list[float]:
        """Return the rests after reads of one size, each so long after the other."""
        return [pace.delay_after(size, 100.0 + number * every) for number in range(times)]

    def test_a_stream_of_single_lines_never_waits(self) -> None:
        assert set(self.rests(ReadBatcher(FULL), 100, every=0.05)) == {0.0}

    def test_a_busy_stream_of_little_pieces_rests_up_to_the_next_tick(self) -> None:
        rests = self.rests(ReadBatcher(FULL), 100, every=0.001)
        assert rests[: BUSY_READS - 1] == [0.0] * (BUSY_READS - 1)
        assert all(0 < seconds <= DELAY_SECONDS for seconds in rests[BUSY_READS - 1 :])

    def test_after_a_rest_one_read_is_enough(self) -> None:
        pace = ReadBatcher(FULL)
        self.rests(pace, 100, every=0.001)
        assert pace.delay_after(1000, 100.0 + 0.029 + DELAY_SECONDS)

    def test_a_quiet_moment_ends_it(self) -> None:
        pace = ReadBatcher(FULL)
        self.rests(pace, 100, every=0.001)
        assert not pace.delay_after(100, 101.0)

    def test_a_stream_that_would_fill_its_pipe_is_read_at_once(self) -> None:
        assert set(self.rests(ReadBatcher(FULL), 4096, every=0.001)) == {0.0}

    def test_a_fast_stream_of_little_pieces_rests_by_a_larger_pipe(
        self,
    ) -> None:
        pace = ReadBatcher(FULL)
        assert set(self.rests(pace, 4096, every=0.0001)) == {0.0}
        assert pace.wanted_pipe_bytes == LARGE_PIPE_BYTES
        pace.pipe_grew(LARGE_PIPE_BYTES)
        assert not pace.wanted_pipe_bytes
        rests = [pace.delay_after(4096, 100.003 + number * 0.0001) for number in range(30)]
        assert set(rests) == {0.0, SHORT_DELAY_SECONDS}

    def test_a_pipe_that_cannot_grow_is_tried_once(self) -> None:
        pace = ReadBatcher(FULL)
        self.rests(pace, 4096, every=0.0001)
        pace.pipe_grew(PIPE_BYTES)
        assert set(self.rests(pace, 4096, every=0.0001)) == {0.0}
        assert not pace.wanted_pipe_bytes

    def test_a_fast_stream_of_large_pieces_gets_a_wider_pipe_and_never_rests(self) -> None:
        pace = ReadBatcher(FULL)
        assert set(self.rests(pace, PIPE_BYTES, every=0.0001)) == {0.0}
        assert pace.wanted_pipe_bytes == WIDE_PIPE_BYTES
        pace.pipe_grew(WIDE_PIPE_BYTES)
        assert set(self.rests(pace, PIPE_BYTES, every=0.0001)) == {0.0}
        assert not pace.wanted_pipe_bytes

    def test_a_stream_of_large_pieces_may_become_one_of_little_pieces(self) -> None:
        pace = ReadBatcher(FULL)
        self.rests(pace, PIPE_BYTES, every=0.0001)
        pace.pipe_grew(WIDE_PIPE_BYTES)
        self.rests(pace, 16000, every=0.0001)
        assert pace.wanted_pipe_bytes == LARGE_PIPE_BYTES

    def test_behind_a_full_read_there_may_be_more(self) -> None:
        pace = ReadBatcher(4096)
        pace.pipe_grew(LARGE_PIPE_BYTES)
        assert set(self.rests(pace, 4096, every=0.001)) == {0.0}

    def test_a_stopped_clock_never_delays_reads(self) -> None:
        assert set(self.rests(ReadBatcher(FULL), 1, every=0)) == {0.0}
