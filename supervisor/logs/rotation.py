"""Rotation of log files: `x.log` becomes `x.log.1`, that `x.log.2` and so on.

`loggers.RotatingFileHandler` calls `rotate` after the write that has reached the limit.  The
directory may belong to another user, who may create other files there.  Therefore names are looked
up through one descriptor of the directory, the new file is created with O_EXCL, and a directory
with the name of a backup is moved aside.
"""

from __future__ import annotations

import contextlib
import os
import stat

from supervisor.engine import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.logs.sinks import Sink

MAX_TRIED_NAMES = 100
"""Upper bound for looking up backups one by one (0.2 ms); beyond it, the directory is listed."""

MAX_OBSTACLES = 100
"""Upper bound of the names tried for a directory that is moved aside."""


def rotate(sink: Sink, max_bytes: int, backup_count: int) -> None:
    """Rotate the file of a sink if it has reached `max_bytes`; the oldest backup is overwritten.

    Without backups, the file is truncated.  Nothing is done if another process has renamed or
    truncated the file.  Raises `OSError`; writes then still go to the old file.
    """
    status = os.fstat(sink.fd)
    if not _leads_to(sink.path, status):
        sink.open_again()
    elif status.st_size < max_bytes:
        sink.size = status.st_size
    elif backup_count > 0:
        with files.directory_of(sink.path) as parent:
            _shift(parent.name, parent.fd, backup_count)
        sink.change_to(_begin_file(sink.path, status))
    else:
        os.ftruncate(sink.fd, 0)
        sink.size = 0


def _leads_to(path: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except FileNotFoundError:
        return False


def _begin_file(path: str, before: os.stat_result) -> int:
    """Create the new file, with the owner and the permissions of the old one."""
    permissions = stat.S_IMODE(before.st_mode)
    fd = files.open_log(path, exclusive=True, permissions=permissions)
    with contextlib.suppress(OSError):  # not root: the daemon's user owns the new file
        os.fchown(fd, before.st_uid, before.st_gid)
    with contextlib.suppress(OSError):  # root has created the file first
        os.fchmod(fd, permissions)
    return fd


def _shift(name: str, parent: int | None, count: int) -> None:
    """Rename the file and its backups, the oldest first; the last one is overwritten.

    Gaps between the numbers are kept, as in Supervisor 4.3.
    """
    for number in _existing_numbers(name, parent, count):
        _rename(f"{name}.{number}", f"{name}.{number + 1}", parent)
    _rename(name, f"{name}.1", parent)


def _existing_numbers(name: str, parent: int | None, count: int) -> list[int]:
    """Return the numbers of the backups to rename, the oldest first.

    Names are tried one by one if there are few; trying a million takes seconds.
    """
    numbers = range(count - 1, 0, -1)
    if count <= MAX_TRIED_NAMES:
        return list(numbers)
    folder, prefix = os.path.split(f"{name}.")
    fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
    try:
        endings = [entry[len(prefix) :] for entry in os.listdir(fd) if entry.startswith(prefix)]
    finally:
        os.close(fd)
    found = [int(each) for each in endings if each.isdecimal() and str(int(each)) == each]
    return sorted((number for number in found if number in numbers), reverse=True)


def _rename(source: str, target: str, parent: int | None) -> None:
    """Rename a file if it exists.  A directory of either name is not a log and is moved aside."""
    try:
        os.replace(source, target, src_dir_fd=parent, dst_dir_fd=parent)
    except FileNotFoundError:
        return
    except OSError:
        if not (_move_aside(target, parent) | _move_aside(source, parent)):
            raise
        with contextlib.suppress(FileNotFoundError):
            os.replace(source, target, src_dir_fd=parent, dst_dir_fd=parent)


def _move_aside(name: str, parent: int | None) -> bool:
    """Rename a directory; return False if it is not a directory.  Raises `OSError`."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        return False
    for number in range(MAX_OBSTACLES):
        with contextlib.suppress(OSError):  # another directory has that name
            os.rename(name, f"{name}.moved-{number}", src_dir_fd=parent, dst_dir_fd=parent)
            return True
    return False
