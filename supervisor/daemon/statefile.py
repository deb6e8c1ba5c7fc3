"""Reading and replacing the state file; `memory` decides what is in it, and when.

A state file says which processes to kill, so only a file that no other user could have written is
read.  It is replaced as a whole: whenever the daemon dies, the file is complete.
"""

from __future__ import annotations

import contextlib
import os
import stat

from supervisor.engine import files

MAX_BYTES = 64 * 1024 * 1024
"""Upper bound of what is read: 100,000 processes take less than half of it."""

PERMISSIONS = 0o600

NEW_SUFFIX = ".new"
"""Suffix of the file that will replace the state file, in the same directory."""

NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def read(path: str) -> bytes | None:
    """Return the contents, None if there is no such file.

    Raises `OSError`, and `ValueError` with a reason if the file must not be trusted.
    """
    try:
        fd = files.open_own(path, files.READ_FLAGS)
    except FileNotFoundError:
        return None
    with open(files.require_regular(fd, path), "rb") as file:
        status = os.fstat(fd)
        if not files.is_trusted(status):
            raise ValueError("it belongs to another user")
        if files.is_changeable(status, is_last=True):
            raise ValueError(f"it is writable by others (fix: chmod go-w {path})")
        if stat.S_ISREG(status.st_mode) and status.st_size > MAX_BYTES:
            raise ValueError("it is too large")
        return file.read(MAX_BYTES)


def replace(path: str, contents: bytes, *, is_last: bool = False) -> None:
    """Replace the file; if it `is_last`, wait until the disk has it.  Raises `OSError`.

    While the daemon runs there is no wait: it could take seconds.  What a crash of the machine
    loses then are values of the last few seconds, and no process survives such a crash.
    """
    with files.directory_of(path) as directory:
        new = directory.name + NEW_SUFFIX
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=directory.fd)
        fd = os.open(new, NEW_FLAGS, PERMISSIONS, dir_fd=directory.fd)
        try:
            with open(fd, "wb", buffering=0) as file:
                rest = memoryview(contents)
                while rest:
                    rest = rest[file.write(rest) or 0 :]
                if is_last:
                    os.fsync(fd)
            os.rename(new, directory.name, src_dir_fd=directory.fd, dst_dir_fd=directory.fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=directory.fd)
            raise
