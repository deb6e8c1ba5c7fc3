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
from supervisor.logs.reading import notify_written
from supervisor.logs.sinks import FD_PATH_PREFIXES, open_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervisor.logs.policy import LogPolicy
    from supervisor.logs.sinks import Sink

MAX_TRIED_NAMES = 100
"""Upper bound for looking up backups one by one (0.2 ms); beyond it, the directory is listed."""

COMPRESSED = ".gz"
FORMS = ("", COMPRESSED)
"""Endings of the name of a backup, for logs whose backups are compressed."""

MAX_OBSTACLES = 100
"""Upper bound of the names tried for a directory that is moved aside."""


def rotate(sink: Sink, max_bytes: int, backup_count: int) -> None:
    """Rotate the file of a sink if it has reached `max_bytes`; the oldest backup is overwritten.

    Without backups, the file is truncated.  Nothing is done if another process has renamed or
    truncated the file.  Raises `OSError`; writes then still go to the old file.
    """
    policy = sink.policy
    status = os.fstat(sink.fd)
    if not _leads_to(sink.path, status):
        sink.open_again()
    elif status.st_size < max_bytes:
        sink.size = status.st_size
    elif backup_count > 0:
        with files.directory_of(sink.path) as parent:
            if policy is not None and policy.has_backup_rules:
                _shift_pairs(parent.name, parent.fd, backup_count)
            else:
                _shift(parent.name, parent.fd, backup_count)
        sink.change_to(_begin_file(sink.path, status, policy))
        if policy is not None and policy.maintenance is not None:
            policy.maintenance.rotated(sink.path, policy)
    else:
        os.ftruncate(sink.fd, 0)
        sink.size = 0


def rotate_if_not_empty(sink: Sink, backup_count: int) -> None:
    """Rotate the file of a sink at any size but 0; see `rotate`."""
    rotate(sink, 1, backup_count)


def rotate_now(path: str, backup_count: int, policy: LogPolicy | None) -> None:
    """Rotate a log, which may be open or not, for all its writers; an empty one is left alone.

    Raises `NotRegularFile`, `FileNotFoundError` and other `OSError`.
    """
    status = os.stat(path)
    if path.startswith(FD_PATH_PREFIXES) or not stat.S_ISREG(status.st_mode):
        raise files.NotRegularFile(path, status.st_mode)
    sink = open_sink(path, policy=policy)
    try:
        rotate_if_not_empty(sink, backup_count)
    finally:
        sink.close(policy)
        notify_written(path)


def _leads_to(path: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except FileNotFoundError:
        return False


def _begin_file(path: str, before: os.stat_result, policy: LogPolicy | None) -> int:
    """Create the new file, with the owner and the permissions of the old one or of the policy."""
    permissions = stat.S_IMODE(before.st_mode)
    fd, is_new = files.create_log(path, permissions)
    if not is_new:  # by another process, which sets the owner; it may have been moved there
        if policy is not None and policy.ownership is not None:
            policy.ownership.change_if_protected(fd, path)
        return fd
    with contextlib.suppress(OSError):  # not root: the daemon's user owns the new file
        os.fchown(fd, before.st_uid, before.st_gid)
    with contextlib.suppress(OSError):  # root without CAP_FOWNER
        os.fchmod(fd, permissions)
    if policy is not None and policy.ownership is not None:
        policy.ownership.change(fd, path)
    return fd


def _shift(name: str, parent: int | None, count: int) -> None:
    """Rename the file and its backups, the oldest first; the last one is overwritten.

    Gaps between the numbers are kept, as in Supervisor 4.3.
    """
    for number in backup_numbers(name, parent, count - 1):
        _rename(f"{name}.{number}", f"{name}.{number + 1}", parent)
    _rename(name, f"{name}.1", parent)


def _shift_pairs(name: str, parent: int | None, count: int) -> None:
    """Rename the file and its backups like `_shift`, where each may be plain or compressed."""
    for number in backup_numbers(name, parent, count - 1):
        source, target = f"{name}.{number}", f"{name}.{number + 1}"
        forms = [each for each in FORMS if _exists(f"{source}{each}", parent)]
        for form in forms:
            _rename(f"{source}{form}", f"{target}{form}", parent)
        if forms:
            _remove_forms(target, set(FORMS).difference(forms), parent)
    _rename(name, f"{name}.1", parent)
    _remove_forms(f"{name}.1", {COMPRESSED}, parent)


def _exists(name: str, parent: int | None) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_forms(name: str, forms: Iterable[str], parent: int | None) -> None:
    """Remove the other form of a backup that has been overwritten."""
    for form in forms:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(f"{name}{form}", dir_fd=parent)


def backup_numbers(name: str, parent: int | None, highest: int) -> list[int]:
    """Return the numbers that backups may have, from `highest` or below down to 1.

    Names are to be tried one by one if there are few; trying a million takes seconds.
    """
    numbers = range(highest, 0, -1)
    if highest < MAX_TRIED_NAMES:
        return list(numbers)
    folder, prefix = os.path.split(f"{name}.")
    fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
    try:
        endings = [entry[len(prefix) :] for entry in os.listdir(fd) if entry.startswith(prefix)]
    finally:
        os.close(fd)
    plain = {each.removesuffix(COMPRESSED) for each in endings}
    found = [int(each) for each in plain if each.isdecimal() and str(int(each)) == each]
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
