"""Output of a command: messages for people, and results that other programs parse.

In Supervisor 4, both go to stdout, and scripts parse the messages.  A command with a
machine-readable format calls `reserve_stdout` before anything else: from then on its messages,
including those about the server or a failed login, go to stderr.  The reservation ends with the
command and belongs to its thread, because plugins run commands in several threads.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from supervisor.client.terminal import is_terminal, sanitize
from supervisor.common.stdio import write_encodable, write_stdout

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator
    from typing import IO

_stdout_is_reserved = ContextVar("_stdout_is_reserved", default=False)


@contextmanager
def one_command() -> Iterator[None]:
    """End a reservation with its command; one that this command runs inherits it."""
    token = _stdout_is_reserved.set(_stdout_is_reserved.get())
    try:
        yield
    finally:
        _stdout_is_reserved.reset(token)


def reserve_stdout() -> None:
    """Keep the messages of the running command off stdout."""
    _stdout_is_reserved.set(True)


def write_message(stdout: IO[str], line: str) -> None:
    """Write a message, to stderr if stdout is reserved."""
    if not _stdout_is_reserved.get():
        write_result(stdout, line)
    elif sys.stderr is not None:
        with suppress(OSError):  # the result can still be written
            write_encodable(sys.stderr, sanitize(line) if is_terminal(sys.stderr) else line)
            sys.stderr.flush()


def write_result(stdout: IO[str], text: str) -> None:
    """Write a result; a reader that has gone is not an error."""
    write_stdout(stdout, sanitize(text) if is_terminal(stdout) else text)
