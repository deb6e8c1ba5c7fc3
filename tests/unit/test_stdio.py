"""Printing to a reader that has left, on a full disk, and without a stdout."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from supervisor.common.stdio import write_stdout

COMMANDS = (
    ("supervisord -h", 0),
    ("supervisord -v", 0),
    ("supervisorctl -h", 0),
    ("confecho", 0),
    ("pidproxy", 1),
)


def run(command: str, stdout: int, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of the scripts, with or without a buffer, and return its messages."""
    name, *arguments = command.split()
    return subprocess.run(
        [sys.executable, "-m", f"supervisor.{name}", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        text=True,
        timeout=30,
        check=False,
    )


def test_what_the_encoding_lacks_is_escaped() -> None:
    printed = io.BytesIO()
    stream = io.TextIOWrapper(printed, encoding="ascii")
    write_stdout(stream, "größe\n")
    assert printed.getvalue() == b"gr\\xf6\\xdfe\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("command", "status"), COMMANDS)
def test_a_reader_that_has_left_is_no_error(command: str, status: int, unbuffered: str) -> None:
    """`echo_supervisord_conf | head -1` ended with a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found = run(command, writer, unbuffered)
    finally:
        os.close(writer)
    assert (found.stderr, found.returncode) == ("", status)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [command for command, _ in COMMANDS])
def test_a_full_disk_is_reported_in_one_line(command: str, unbuffered: str) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        found = run(command, full.fileno(), unbuffered)
    assert found.stderr == "Error: cannot write to stdout: No space left on device\n"
    assert found.returncode == 1


def test_what_can_be_written_is_written_at_once() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_stdout(stream, "é\n")
    assert stream.buffer.getvalue() == b"\xc3\xa9\n"  # type: ignore[attr-defined]


def test_a_stream_that_was_closed_before_takes_nothing() -> None:
    write_stdout(None, "text")
