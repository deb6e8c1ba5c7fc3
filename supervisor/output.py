"""The standard streams (floor 0).

A script may be started with some of them closed (`supervisord >&- 2>&-`).  On stdout, a reader
that has left is no error, and a full disk is one line.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


STANDARD_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""Name in `sys` and mode, by fd."""


def open_standard_streams() -> None:
    """Open the standard streams that are closed, on /dev/null; a script does so first of all.

    The next file, socket or poller would get the number otherwise: output for the standard
    stream would go there, and a daemon that redirects its streams would close it.
    """
    for fd, (name, mode) in enumerate(STANDARD_STREAMS):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)  # the lowest: `fd`
            os.set_inheritable(fd, True)
        if getattr(sys, name) is None:
            stream = open(fd, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


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
