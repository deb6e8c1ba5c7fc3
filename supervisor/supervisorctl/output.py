"""Output of a command: messages for people, and results that other programs parse.

In Supervisor 4, both go to stdout, and scripts parse the messages.  A command with a
machine-readable format calls `reserve_stdout` before anything else: from then on its messages,
including those about the server or a failed login, go to stderr.  The reservation ends with the
command and belongs to its thread, because plugins run commands in several threads.
"""

from __future__ import annotations

import sys
from _thread import get_ident  # `threading` would take a millisecond to import

from supervisor.client.terminal import is_terminal, sanitize
from supervisor.common.stdio import write_encodable, write_stdout

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from typing import IO

_reserving_threads: set[int] = set()
"""Threads whose command has reserved stdout."""


def stdout_is_reserved() -> bool:
    """Whether the running command keeps its messages off stdout."""
    return get_ident() in _reserving_threads


def reserve_stdout() -> None:
    """Keep the messages of the running command off stdout."""
    _reserving_threads.add(get_ident())


def release_stdout() -> None:
    """End the reservation, if there is one."""
    _reserving_threads.discard(get_ident())


def write_message(stdout: IO[str], line: str) -> None:
    """Write a message, to stderr if stdout is reserved."""
    if not stdout_is_reserved():
        write_result(stdout, line)
    elif sys.stderr is not None:
        try:  # `contextlib` would take 0.4 ms to import
            write_encodable(sys.stderr, sanitize(line) if is_terminal(sys.stderr) else line)
            sys.stderr.flush()
        except OSError:
            pass  # the result can still be written


def write_live(stdout: IO[str], text: str) -> None:
    """Write output of a command that runs until it is interrupted.

    Raises BrokenPipeError if the reader has gone, so that the command ends.
    """
    write_encodable(stdout, text)
    stdout.flush()


def write_result(stdout: IO[str], text: str) -> None:
    """Write a result; a reader that has gone is not an error."""
    write_stdout(stdout, sanitize(text) if is_terminal(stdout) else text)
