"""Resolving paths without touching file systems that may hang.

A call that touches a dead NFS or FUSE mount does not return, not even with an error, and a daemon
that makes it in its loop hangs as well.  Whether a path leads to such a mount can be decided
without touching it.  The kernel lists the mounts in `/proc/self/mountinfo` (proc(5)).  A walk that
takes one component at a time, and reads symlinks itself, detects the mount point before it enters
it.  `process.plan` and `process.launchers` use this.

The same walk checks whether other users could replace a component (`files` has the rule), because
the owner of a file may delay an open of it: with a lease, see fcntl(2), for 45 seconds.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat

from supervisor.engine import files

MOUNT_TABLE = "/proc/self/mountinfo"

SLOW_TYPES = frozenset(
    (
        "fuse",
        "fuseblk",
        "autofs",
        "nfs",
        "cifs",
        "smb",
        "smbfs",
        "ncpfs",
        "9p",
        "virtiofs",
        "afs",
        "coda",
        "ceph",
        "gfs",
        "ocfs",
        "lustre",
        "beegfs",
        "gpfs",
        "orangefs",
        "pvfs",
        "glusterfs",
        "panfs",
        "vboxsf",
        "vmhgfs",
        "prl_fs",
    )
)
"""Types of file systems that depend on a network or on a process, without their version.

A regular expression for them would take longer to compile than the table takes to read.
"""

KERNEL_DIRECTORIES = ("/proc/", "/sys/")
"""Ignored: they hold no programs, but systemd has an automount for binfmt_misc everywhere."""

ESCAPED = rb"\\([0-7]{3})"
"""Escape sequence of mountinfo for spaces, tabs, newlines and backslashes."""

READ_BYTES = 65536

SEARCHABLE_BY_ALL = 0o111


class MayWait(Exception):  # noqa: N818 - not an error
    """A path leads to a file system that may hang."""


def slow_mount_points(table: bytes) -> frozenset[str]:
    """Return the mount points of slow file systems in the text of a mount table.

    A mount point that another file system is mounted over is omitted.  So is the root: a daemon
    whose own files are there cannot be protected from it.
    """
    mounts = []
    for line in table.splitlines():
        fields, _, kind = line.partition(b" - ")
        number, parent, _, _, point, *_ = fields.split(b" ")
        mounts.append((number, parent, point, os.fsdecode(kind.partition(b" ")[0])))
    points_by_number = {number: point for number, _, point, _ in mounts}
    covered = {parent for _, parent, point, _ in mounts if points_by_number.get(parent) == point}
    points = {
        os.fsdecode(_unescaped(point))
        for number, _, point, kind in mounts
        if number not in covered and _is_slow(kind)
    }
    return frozenset(p for p in points if p != "/" and not p.startswith(KERNEL_DIRECTORIES))


def _is_slow(kind: str) -> bool:
    return kind.startswith("fuse.") or kind.rstrip("0123456789") in SLOW_TYPES


def _unescaped(point: bytes) -> bytes:
    if b"\\" not in point:
        return point
    return re.sub(ESCAPED, lambda found: bytes([int(found[1], 8)]), point)


class MountTable:
    """The slow mount points, read again only when the kernel reports a change of the table.

    Without such a table, outside Linux, no mount is known to be slow.
    """

    def __init__(self, path: str = MOUNT_TABLE) -> None:
        self._path = path
        self._fd = -1
        self._poll = select.poll() if hasattr(select, "poll") else None
        self._points: frozenset[str] = frozenset()

    def slow_points(self) -> frozenset[str]:
        """Return the mount points of file systems that may hang."""
        if self._poll is None:
            return self._points
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY)
                self._poll.register(self._fd, select.POLLPRI)
            elif not self._poll.poll(0):
                return self._points
            self._points = slow_mount_points(self._read())
        except OSError:  # no /proc, or no free fd: fall back to the last known table
            pass
        return self._points

    def _read(self) -> bytes:
        os.lseek(self._fd, 0, os.SEEK_SET)
        parts = []
        while part := os.read(self._fd, READ_BYTES):
            parts.append(part)
        return b"".join(parts)


mounts = MountTable()
"""The daemon's mount table."""


class Route:
    """A path resolved component by component, up to its end or to a slow mount point.

    `path` is the resolved part, without symlinks.  `status` is that of the file at the end, None
    if there is none or if there is a slow mount on the way (`may_wait`).
    """

    __slots__ = (
        "_links",
        "is_open_to_all",
        "is_protected",
        "may_wait",
        "path",
        "status",
    )

    def __init__(self, path: str, slow_points: frozenset[str]) -> None:
        self.path = ""
        self.status: os.stat_result | None = None
        self.may_wait = False
        self.is_protected = True
        """Whether only root and the effective user can change what the path leads to."""
        self.is_open_to_all = True
        """Whether every user may search every directory, including one at the end."""
        self._links = 0
        try:
            self._follow(path, slow_points)
        except (OSError, ValueError):
            self.status = None
            self.is_open_to_all = False

    def _follow(self, path: str, slow_points: frozenset[str]) -> None:
        if not path.startswith("/"):
            path = os.path.join(os.getcwd(), path)
        pending = path.split("/")[::-1]
        while pending:
            name = pending.pop()
            if name == "..":
                self.path = self.path.rpartition("/")[0]
            elif name and name != ".":
                next_path = f"{self.path}/{name}"
                if next_path in slow_points:
                    self.may_wait, self.status = True, None
                    return
                self.status = status = os.lstat(next_path)
                if files.is_changeable(status, is_last=not pending):
                    self.is_protected = False
                if stat.S_ISLNK(status.st_mode):
                    pending += self._target(next_path).split("/")[::-1]
                    continue
                self.path = next_path
                if status.st_mode & SEARCHABLE_BY_ALL != SEARCHABLE_BY_ALL:
                    self.is_open_to_all = False
        if not self.path:
            self.status = os.lstat("/")

    def _target(self, link: str) -> str:
        """Return the target of a symlink; an absolute one begins at the root."""
        self._links += 1
        if self._links > files.MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(link)
        if target.startswith("/"):
            self.path = ""
        return target


def stat_at_once(path: str) -> os.stat_result | None:
    """Return the status of a file, None if there is none; raises `MayWait` if it could hang."""
    slow_points = mounts.slow_points()
    if not slow_points:
        return stat_anyway(path)
    route = Route(path, slow_points)
    if route.may_wait:
        raise MayWait(path)
    return route.status


def stat_anyway(path: str) -> os.stat_result | None:
    """Return the status of a file, None if there is none; this may wait for a file system."""
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
