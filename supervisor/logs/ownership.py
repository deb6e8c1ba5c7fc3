"""Owner and mode of log files: `stdout_logfile_owner` and `stdout_logfile_mode`.

They are set on descriptors of regular files, never by name.  A new file belongs to the daemon, so
it is simply changed.  A file that exists could be another one than it seems: the owner of the
directory can move a file of root there, to get it as his own.  It is changed only if no user but
root and the daemon's can put a file in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from supervisor.common.records import record
from supervisor.engine import files

DEFAULT_MODE = 0o666
"""Mode of a new file without `stdout_logfile_mode`, less the umask."""

Report = Callable[[str], object]


@record(frozen=True)
class Ownership:
    """The mode, and the uid and gid (-1: not changed) of a log; None leaves them as they are.

    `report` is called with the text of a failure.
    """

    mode: int | None
    owner: tuple[int, int] | None
    report: Report

    def open(self, path: str, *, truncate: bool = False) -> int:
        """Open a log for appending, see `files.open_log`, and change it.  Raises `OSError`."""
        permissions = DEFAULT_MODE if self.mode is None else self.mode
        fd = files.create_if_missing(path, permissions)
        if fd is not None:
            self.change(fd, path)
            return fd
        fd = files.open_log(path, truncate=truncate)
        self.change_if_protected(fd, path)
        return fd

    def change(self, fd: int, path: str) -> None:
        """Change a file that the daemon has just created."""
        try:
            if self.owner is not None:
                os.fchown(fd, *self.owner)
            if self.mode is not None:
                os.fchmod(fd, self.mode)
        except OSError as error:
            self.report(f"cannot change owner and mode of log {path}: {error.strerror}")

    def change_if_protected(self, fd: int, path: str) -> None:
        """Change a file that existed, unless another user may have put it there."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or self._fits(status):
            return
        reason = self._why_unprotected(fd, status)
        if reason is None:
            self.change(fd, path)
        else:
            self.report(f"log {path} keeps its owner and mode until it is rotated: {reason}")

    def _fits(self, status: os.stat_result) -> bool:
        uid, gid = (-1, -1) if self.owner is None else self.owner
        return (
            self.mode in {None, stat.S_IMODE(status.st_mode)}
            and uid in {-1, status.st_uid}
            and gid in {-1, status.st_gid}
        )

    def _why_unprotected(self, fd: int, status: os.stat_result) -> str | None:
        """Return why a file may be another one than the daemon's log, None if it is not."""
        is_own = self.owner is not None and status.st_uid == self.owner[0]
        if not (is_own or files.is_trusted(status)):
            return "it belongs to another user"
        if status.st_nlink != 1:
            return "it has several names"
        try:
            path = os.readlink(f"/proc/self/fd/{fd}")
            weak = files.find_unprotected(os.path.dirname(path))
            if weak is None and not os.path.samestat(os.lstat(path), status):
                return "it is being replaced"
        except OSError as error:
            return f"its directory is unknown ({error.strerror})"
        return None if weak is None else f"other users can change {weak}"
