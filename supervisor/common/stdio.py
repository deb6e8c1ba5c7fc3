"""Standard streams.

A script may start with some of them closed (`supervisord >&- 2>&-`).  On stdout, a reader that
has closed the pipe is not an error, and a full disk is reported as one line.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


STANDARD_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""Name in `sys` and mode, indexed by fd."""


def open_standard_streams() -> None:
    """Open closed standard streams on /dev/null; every script calls this first.

    Otherwise the next file, socket or poller would get their fd.  Output to the standard stream
    would go there, and a daemon that redirects its streams would close it.
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


def write_stdout(stream: IO[str] | None, text: str) -> None:
    """Write and flush text; after a broken pipe, discard this and all later output.

    `stream` is None if it was closed before the program started.  Raises `SystemExit` with the
    reason if the write fails otherwise.
    """
    if stream is None:
        return
    try:
        write_encodable(stream, text)
        stream.flush()
    except BrokenPipeError:
        # `supervisorctl restart all | head -1` must still restart all programs.
        discard(stream)
    except OSError as error:  # full disk: no further output can be written
        discard(stream)
        sys.exit(f"Error: cannot write to stdout: {error.strerror}")


def write_encodable(stream: IO[str], text: str) -> None:
    """Write text, and escape characters that the stream's encoding lacks."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding: str = getattr(stream, "encoding", None) or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def discard(stream: IO[str]) -> None:
    """Redirect a stream to /dev/null, which also covers Python's flush at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
