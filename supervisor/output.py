"""Printing on stdout: a reader that has left is no error, a full disk is one line (floor 0)."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


def put(stream: IO[str] | None, text: str) -> None:
    """Write text at once; what nobody can read any more vanishes, and so does what follows.

    None is a stream that was closed before the program began.  Raises `SystemExit` with the
    reason when the text cannot be written.
    """
    if stream is None:
        return
    try:
        write_encodable(stream, text)
        stream.flush()
    except BrokenPipeError:
        # `supervisorctl restart all | head -1` is to restart them all.
        silence(stream)
    except OSError as error:  # a full disk: nothing that we print would be read
        silence(stream)
        sys.exit(f"Error: cannot write to stdout: {error.strerror}")


def write_encodable(stream: IO[str], text: str) -> None:
    """Write text, with escapes for characters that the stream's encoding lacks."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding: str = getattr(stream, "encoding", None) or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def silence(stream: IO[str]) -> None:
    """Let whatever else is written to a stream vanish, also what Python flushes at its end."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
