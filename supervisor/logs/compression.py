"""The compression of one backup: `x.log.1` becomes `x.log.1.gz`.

The helper reads and writes open files.  The daemon finds out at the end under which number the
plain file is by then, because logs are rotated meanwhile.  Until the compressed file is complete
and on disk, it has a temporary name, and the plain file stays.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from supervisor.common.records import record
from supervisor.engine import files
from supervisor.logs.rotation import COMPRESSED, FORMS, MAX_TRIED_NAMES, backup_numbers

PARTIAL = ".compressing"
"""Ending of the temporary name: there is one for each log."""

READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@record(frozen=True)
class Compression:
    """A backup of the log `path`, open as `source`, and the unfinished file, open as `target`."""

    path: str
    count: int
    source: int
    target: int

    def commit(self) -> None:
        """Replace the backup by the compressed file, unless the backup has been removed.

        Raises `OSError`, also if another process has written to the backup since.
        """
        status = os.fstat(self.source)
        # The offset is that of the helper, which has inherited the open file.
        if os.lseek(self.source, 0, os.SEEK_CUR) != status.st_size:
            raise BlockingIOError(errno.EAGAIN, "another process is writing to it")
        with files.directory_of(self.path) as parent:
            number = _number_of(status, parent.name, parent.fd, self.count)
            if number is None:
                remove_partial(self.path)
                return
            with contextlib.suppress(OSError):  # not root: the file belongs to the daemon's user
                os.fchown(self.target, status.st_uid, status.st_gid)
            os.fchmod(self.target, stat.S_IMODE(status.st_mode))
            os.utime(self.target, ns=(status.st_atime_ns, status.st_mtime_ns))
            plain = f"{parent.name}.{number}"
            os.replace(
                f"{parent.name}{PARTIAL}",
                f"{plain}{COMPRESSED}",
                src_dir_fd=parent.fd,
                dst_dir_fd=parent.fd,
            )
            os.unlink(plain, dir_fd=parent.fd)

    def abandon(self) -> None:
        """Remove the unfinished file, if that is possible."""
        with contextlib.suppress(OSError):
            remove_partial(self.path)

    def close(self) -> None:
        """Close both files."""
        os.close(self.source)
        os.close(self.target)


def begin_compression(path: str, count: int) -> Compression | None:
    """Open the newest backup that is not compressed, and a new file; None if there is no such.

    Raises `OSError`.
    """
    with files.directory_of(path) as parent:
        for number in reversed(backup_numbers(parent.name, parent.fd, count)):
            source = _open_plain(f"{parent.name}.{number}", parent.fd)
            if source is not None:
                break
        else:
            return None
        try:
            remove_partial(path)
            name = f"{parent.name}{PARTIAL}"
            target = os.open(name, CREATE_FLAGS, 0o600, dir_fd=parent.fd)
        except OSError:
            os.close(source)
            raise
    return Compression(path, count, source, target)


def remove_partial(path: str) -> None:
    """Remove the file of a compression that was interrupted, if there is one.

    Raises `OSError`.
    """
    with contextlib.suppress(FileNotFoundError), files.directory_of(path) as parent:
        os.unlink(f"{parent.name}{PARTIAL}", dir_fd=parent.fd)


def remove_older(path: str, count: int, before: float) -> None:
    """Remove the backups that were last written `before` a time in seconds since the epoch.

    There may be more than `count`, which may have been lowered.  Raises `OSError`.
    """
    highest = max(count, MAX_TRIED_NAMES - 1)
    with files.directory_of(path) as parent:
        for number in backup_numbers(parent.name, parent.fd, highest):
            for ending in FORMS:
                name = f"{parent.name}.{number}{ending}"
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=parent.fd, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                        os.unlink(name, dir_fd=parent.fd)


def _open_plain(name: str, parent: int | None) -> int | None:
    """Open a backup for reading; None if there is no such regular file.  Raises `OSError`."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            return None
        fd = os.open(name, READ_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        return None
    if not os.path.samestat(os.fstat(fd), status):  # it has just been replaced
        os.close(fd)
        return None
    return fd


def _number_of(status: os.stat_result, name: str, parent: int | None, count: int) -> int | None:
    """Return the number of the backup that is a file, None if no backup is."""
    for number in reversed(backup_numbers(name, parent, count)):
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(f"{name}.{number}", dir_fd=parent, follow_symlinks=False)
            if os.path.samestat(found, status):
                return number
    return None
