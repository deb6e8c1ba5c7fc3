"""Printing on stdout: a reader that has left is no error, a full disk is one line (floor 0)."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


def put(stream: IO[str] | None, text: str) -> None:
    """Write text at once; what nobody can read any more vanishes, and so does what follows.

    None is a stream that was closed before the program began.  Raises `UnicodeEncodeError`,
    and `SystemExit` with the reason when it cannot be written for another reason.
    """
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # `supervisorctl restart all | head -1` is to restart them all.
        silence(stream)
    except OSError as error:  # a full disk: nothing that we print would be read
        silence(stream)
        sys.exit(f"Error: cannot write to stdout: {error.strerror}")


def silence(stream: IO[str]) -> None:
    """Let whatever else is written to a stream vanish, also what Python flushes at its end."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
