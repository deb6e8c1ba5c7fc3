"""Output of a command: messages for people, and results that other programs parse.

In Supervisor 4, both go to stdout, and scripts parse the messages.  A command with a
machine-readable format calls `reserve_stdout` before anything else: from then on its messages,
including those about the server or a failed login, go to stderr.  The reservation ends with the
command and belongs to its thread, because plugins run commands in several threads.
"""

from __future__ import annotations

import sys
from _thread import get_ident  # `threading` would take a millisecond to import
from contextlib import contextmanager, suppress

from supervisor.client.terminal import is_terminal, sanitize
from supervisor.common.stdio import write_encodable, write_stdout

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator
    from typing import IO

_reserving_threads: set[int] = set()
"""Threads whose command has reserved stdout."""


@contextmanager
def one_command() -> Iterator[None]:
    """End a reservation with its command; a command that this one runs inherits it."""
    thread = get_ident()
    was_reserved = thread in _reserving_threads
    try:
        yield
    finally:
        if not was_reserved:
            _reserving_threads.discard(thread)


def reserve_stdout() -> None:
    """Keep the messages of the running command off stdout."""
    _reserving_threads.add(get_ident())


def write_message(stdout: IO[str], line: str) -> None:
    """Write a message, to stderr if stdout is reserved."""
    if get_ident() not in _reserving_threads:
        write_result(stdout, line)
    elif sys.stderr is not None:
        with suppress(OSError):  # the result can still be written
            write_encodable(sys.stderr, sanitize(line) if is_terminal(sys.stderr) else line)
            sys.stderr.flush()


def write_result(stdout: IO[str], text: str) -> None:
    """Write a result; a reader that has gone is not an error."""
    write_stdout(stdout, sanitize(text) if is_terminal(stdout) else text)
