"""Positions in logs, with which a client goes on to follow a log on another connection.

A client that adds `from=` to the address of a followed log gets `X-Log-Position` with the
response: `INODE:OFFSET`, the position of the first byte of the body.  Such a response ends with its
file, when that has been rotated or truncated, so that the position of each byte can be counted.
`from=POSITION` continues there: in the file, in the backup that it has become, or at the beginning
of another file.
"""

from __future__ import annotations

from supervisor.common.records import record

FIELD = "X-Log-Position"
"""Header field of a response: the position of the first byte of its body."""

PARAMETER = "from"
"""Parameter of a request: the position to begin at, empty for the end of the log."""

TRUNCATED = b"==> File truncated <==\n"
"""The text that a reader gets where the file has been truncated."""

MAX_DIGITS = 20
"""Limit of the numbers: those of 64 bits."""


@record(frozen=True)
class LogPosition:
    """A byte of a log: the inode of its file, and the offset in bytes."""

    inode: int
    offset: int

    def __str__(self) -> str:
        """Return the text that `parse_position` reads."""
        return f"{self.inode}:{self.offset}"

    def after(self, count: int) -> LogPosition:
        """Return the position `count` bytes later."""
        return LogPosition(self.inode, self.offset + count)


def parse_position(text: str) -> LogPosition | None:
    """Return the position that a text means, None if it means none."""
    inode, _, offset = text.partition(":")
    for number in (inode, offset):
        if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
            return None
    return LogPosition(int(inode), int(offset))
