"""The compression of a backup, in a child of its own (a script): stdin to stdout.

The daemon opens both files, so that the child neither looks up names nor needs permissions.
"""

from __future__ import annotations

import os
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LOWEST_PRIORITY = 19
READ_BYTES = 128 * 1024
GZIP_FORMAT = 31
"""Window bits of zlib: the largest window, with the header and the trailer of gzip (RFC 1952)."""


def main(_arguments: Sequence[str]) -> int:
    """Compress stdin to stdout; return the exit status, 1 with the reason on stderr."""
    os.nice(LOWEST_PRIORITY)
    try:
        compress(sys.stdin.fileno(), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    return 0


def compress(source: int, target: int) -> None:
    """Copy one fd to another, compressed, and write it to disk.  Raises `OSError`."""
    compressor = zlib.compressobj(wbits=GZIP_FORMAT)
    while data := os.read(source, READ_BYTES):
        _write(target, compressor.compress(data))
    _write(target, compressor.flush())
    os.fsync(target)  # the plain file is removed next


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
