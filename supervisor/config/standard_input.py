"""A configuration that is piped into the daemon: `supervisord -c -`.

Standard input can be read only once, but the daemon reads its configuration at every reread and
reload, when it may have changed its directory.  So text and directory are kept as they were at the
first reading, also by a daemon that executes itself.
"""

from __future__ import annotations

import functools
import io
import os
import select

from supervisor.common.records import record
from supervisor.common.text import bytes_as_text, text_as_bytes
from supervisor.config.parser import ConfigurationError
from supervisor.config.settings import Source
from supervisor.datatypes import absolute_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

NAME = "<stdin>"
"""The file name in messages, and in the settings."""

STDIN_FD = 0

MAX_BYTES = 16 * 1024 * 1024


@record(frozen=True)
class StandardInput:
    """The bytes of standard input, and the directory in which they were read."""

    content: bytes
    directory: str


_inherited: list[StandardInput] = []


def snapshot() -> dict[str, Any]:
    """Return what has been read as JSON values."""
    found = standard_input()
    return {"content": bytes_as_text(found.content), "directory": found.directory}


def restore(saved: Mapping[str, Any]) -> None:
    """Take over what `snapshot` has returned, or nothing: then there is no text to be read."""
    standard_input.cache_clear()
    content, directory = text_as_bytes(saved.get("content")), str(saved.get("directory"))
    _inherited[:] = [StandardInput(content, directory)]


@functools.cache
def standard_input() -> StandardInput:
    """Return all of standard input, read at the first call.

    Raises ConfigurationError if it cannot be read, is empty or has more than `MAX_BYTES`.
    """
    if _inherited:
        if not _inherited[0].content:
            raise ConfigurationError("the text from standard input has been lost", file=NAME)
        return _inherited[0]
    content = bytearray()
    try:
        while block := _read():
            content += block
            if len(content) > MAX_BYTES:
                raise ConfigurationError(f"more than {MAX_BYTES} bytes", file=NAME)
    except OSError as error:
        raise ConfigurationError(f"could not read standard input: {error.strerror}") from None
    if not content:
        raise ConfigurationError("standard input is empty", file=NAME)
    try:
        directory = os.path.dirname(absolute_path(NAME))
    except ValueError as error:
        raise ConfigurationError(error) from None
    return StandardInput(bytes(content), directory)


def source() -> Source:
    """Return standard input as the file of a configuration; raises ConfigurationError."""
    return Source(NAME, open_standard_input, standard_input().directory)


def open_standard_input(_name: str = NAME) -> TextIO:
    """Return standard input as a UTF-8 file, without its byte order mark.

    Raises ConfigurationError; see `standard_input`.
    """
    return io.TextIOWrapper(io.BytesIO(standard_input().content), encoding="utf-8-sig")


def _read() -> bytes:
    """Return the next block, b"" at the end; a pipe that others share may be non-blocking."""
    while True:
        try:
            return os.read(STDIN_FD, io.DEFAULT_BUFFER_SIZE)
        except BlockingIOError:
            select.select([STDIN_FD], [], [])
