"""Datagrams of sd_notify(3): what each means, and that none does harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.notify_protocol import (
    MAX_DATAGRAM_BYTES,
    MAX_ERRORS,
    MAX_STATUS_CHARS,
    Notification,
    parse_notification,
)
from tests.support.tables import assert_none

GOOD = {
    b"": Notification(),
    b"READY=1": Notification(ready=True),
    b"READY=1\n": Notification(ready=True),
    b"READY=1\0": Notification(ready=True),
    b"READY=1\nSTATUS=3 workers\nMAINPID=17": Notification(
        ready=True, status="3 workers", main_pid=17
    ),
    b"\n\nSTOPPING=1\n\n": Notification(stopping=True),
    b"RELOADING=1\nMONOTONIC_USEC=1500000": Notification(reloading=True, monotonic=1.5),
    b"STATUS=": Notification(status=""),
    b"STATUS=a=b": Notification(status="a=b"),
    b"STATUS=\xc3\xa4": Notification(status="\xe4"),
    b"STATUS=\xff\x1b[31m": Notification(status="\ufffd\\x1b[31m"),
    b"STATUS=first\nSTATUS=second": Notification(status="first"),
    b"WATCHDOG=1": Notification(watchdog="1"),
    b"WATCHDOG=trigger": Notification(watchdog="trigger"),
    b"WATCHDOG_USEC=2500000": Notification(watchdog_seconds=2.5),
    b"WATCHDOG_USEC=0": Notification(watchdog_seconds=0),
    b"EXTEND_TIMEOUT_USEC=30000000": Notification(extend_timeout_seconds=30),
    b"ERRNO=2": Notification(errno=2),
    b"BARRIER=1": Notification(barrier=True),
    b"FDSTORE=1\nFDNAME=a\nX_CUSTOM=\xff\nready=1": Notification(),
    b"=1": Notification(),
}

BAD = {
    b"READY": "not KEY=VALUE: READY",
    b"READY=0": "bad value: READY=0",
    b"READY=": "bad value: READY=",
    b"READY=1 ": "bad value: READY=1 ",
    b"WATCHDOG=2": "bad value: WATCHDOG=2",
    b"WATCHDOG_USEC=-1": "bad value: WATCHDOG_USEC=-1",
    b"WATCHDOG_USEC=1_0": "bad value: WATCHDOG_USEC=1_0",
    b"WATCHDOG_USEC=18446744073709551616": "bad value: WATCHDOG_USEC=18446744073709551616",
    b"EXTEND_TIMEOUT_USEC=" + b"9" * 50: "bad value: EXTEND_TIMEOUT_USEC=" + "9" * 40,
    b"MAINPID=0": "bad value: MAINPID=0",
    b"MAINPID=2147483648": "bad value: MAINPID=2147483648",
    b"MAINPID=\xd9\xa1": "bad value: MAINPID=\u0661",
    b"ERRNO=a\x07": "bad value: ERRNO=a\\x07",
    b"BARRIER=0": "bad value: BARRIER=0",
    b"BARRIER=1\nREADY=1": "BARRIER=1 is not alone",
    b"READY=1\nBARRIER=1": "BARRIER=1 is not alone",
    b"READY=1\0STATUS=a": "contains a NUL byte",
    b"READY=1\n" * 1000: "longer than 4096 bytes",
}


def test_what_datagrams_mean() -> None:
    assert_none(
        f"{data!r}: {found}" for data, wanted in GOOD.items()
        if (found := parse_notification(data)) != wanted
    )  # fmt: skip


def test_bad_datagrams_are_reported_and_have_no_effect() -> None:
    assert_none(
        f"{data[:80]!r}: {found}" for data, error in BAD.items()
        if (found := parse_notification(data)) != Notification(errors=(error,))
    )  # fmt: skip


def test_a_bad_line_does_not_spoil_the_others() -> None:
    found = parse_notification(b"MAINPID=x\nREADY=1\nERRNO=\nSTATUS=up")
    assert found == Notification(
        ready=True, status="up", errors=("bad value: MAINPID=x", "bad value: ERRNO=")
    )


def test_the_second_of_two_lines_counts_if_the_first_is_bad() -> None:
    assert parse_notification(b"READY=0\nREADY=1").ready


def test_a_long_status_is_truncated() -> None:
    status = parse_notification(b"STATUS=" + b"x" * 4000).status
    assert status == "x" * MAX_STATUS_CHARS


def test_a_datagram_of_the_greatest_length_is_accepted() -> None:
    data = b"READY=1\nX=".ljust(MAX_DATAGRAM_BYTES, b"x")
    assert parse_notification(data) == Notification(ready=True)


LINES = st.one_of(
    st.sampled_from([*GOOD, *BAD]),
    st.binary(max_size=20),
    st.builds(
        lambda key, value: key + b"=" + value,
        st.sampled_from([b"STATUS", b"WATCHDOG_USEC", b"MAINPID", b"READY", b"BARRIER"]),
        st.binary(max_size=40),
    ),
)


@given(st.lists(LINES, max_size=30).map(b"\n".join))
def test_no_datagram_does_harm(data: bytes) -> None:
    found = parse_notification(data)
    assert len(found.errors) <= MAX_ERRORS
    shown = [*found.errors, found.status or ""]
    assert all(text.isprintable() for text in shown)
    assert sum(map(len, shown)) < 10 * MAX_DATAGRAM_BYTES
    durations = (found.watchdog_seconds, found.extend_timeout_seconds, found.monotonic)
    assert all(each is None or 0 <= each < 2e13 for each in durations)


@pytest.mark.parametrize("line", [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"])
def test_unknown_keys_around_a_line_change_nothing(line: bytes) -> None:
    data = b"FUTURE=1\n" + line + b"\nOTHER=\xff\xfe"
    assert parse_notification(data) == parse_notification(line)
