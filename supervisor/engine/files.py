"""Opening files whose names other users can influence.

Logs are written, read and rotated in directories that other users may own, often by root.
Checking a name proves nothing about the file that the next system call finds under it, because
the owner of the directory can replace the file in between.  Every decision here is therefore made
on a descriptor, and a symlink is read through a descriptor too, once (openat(2), O_PATH in
open(2), readlinkat(2) with an empty path).

The rule, for reading and for writing:

* A file that is a symlink is followed if the link belongs to root or to the effective user.
* A symlink of another user in the middle of a path is followed only to a directory of the same
  user, who could have put a directory there instead.

A path is walked only if it contains symlinks: if the path of the opened directory in
/proc/self/fd equals the requested one, there were none.  This check takes three system calls.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

MAX_LINKS = 40
"""Upper bound of the symlinks in one path, as in Linux (path_resolution(7))."""

MAX_CREATE_ATTEMPTS = 10
"""Attempts to create a file while another user creates one of the same name."""

APPEND_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
CREATE_FLAGS = APPEND_FLAGS | os.O_CREAT | os.O_EXCL
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY

LINK_ERRNOS = (errno.ELOOP, errno.EMLINK)
"""Errors of O_NOFOLLOW for a symlink, on Linux and on FreeBSD."""

_O_PATH = getattr(os, "O_PATH", 0)
"""0 where descriptors cannot replace names (not Linux)."""

_KINDS = {
    stat.S_IFIFO: "it is a fifo",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFDIR: "it is a directory",
    stat.S_IFSOCK: "it is a socket",
}


class NotRegularFile(OSError):  # noqa: N818 - named like IsADirectoryError
    """The path leads to a fifo, device, directory or socket; `strerror` names the kind."""

    def __init__(self, path: str, mode: int) -> None:
        reason = _KINDS.get(stat.S_IFMT(mode), "it is not a regular file")
        super().__init__(errno.EINVAL, reason, path)


def open_log(path: str, *, truncate: bool = False) -> int:
    """Open a log for appending, without blocking; return the fd.

    The file is created (mode 0666 less the umask) if it is missing.  A fifo without a reader is
    opened for reading too, and buffers the bytes until a reader opens it (fifo(7)).
    Raises `OSError`.
    """
    flags = APPEND_FLAGS | os.O_CREAT | (os.O_TRUNC if truncate else 0)
    try:
        return _open(path, flags)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        fd = _open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.close(fd)
            raise
        return fd


def open_for_reading(path: str) -> int:
    """Open a regular file for reading; return the fd.

    /dev/null is treated as an empty file.  Raises `NotRegularFile` for a fifo, another device or
    a directory, and `OSError`.
    """
    return require_regular(_open(path, READ_FLAGS), path)


def require_regular(fd: int, path: str) -> int:
    """Return an fd that leads to a regular file or to /dev/null.

    Closes any other and raises `NotRegularFile`.
    """
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) or _is_null_device(status):
        return fd
    os.close(fd)
    raise NotRegularFile(path, status.st_mode)


def _is_null_device(status: os.stat_result) -> bool:
    if not stat.S_ISCHR(status.st_mode):
        return False
    try:
        return status.st_rdev == os.stat(os.devnull).st_rdev
    except OSError:
        return False


def open_own(path: str, flags: int, permissions: int = 0o666) -> int:
    """Open a file that is never a symlink; return the fd.  Raises `OSError`."""
    with _Directory(path) as directory:
        return os.open(directory.name, flags | os.O_NOFOLLOW, permissions, dir_fd=directory.fd)


def directory_of(path: str) -> _Directory:
    """Return a context manager for the directory of a file: `name` is the file's name in `fd`.

    The block raises `OSError` for a directory that the rule does not allow.
    """
    return _Directory(path)


def is_in_place(path: str, fd: int) -> bool:
    """Whether a path still names the file that is open as an fd (never true for a symlink)."""
    try:
        with _Directory(path) as directory:
            return directory.holds(fd)
    except OSError:
        return False


def remove_own(path: str, fd: int) -> None:
    """Remove a file that is open as `fd`, if the path still names it.  Raises `OSError`."""
    with _Directory(path) as directory:
        if directory.holds(fd):
            os.unlink(directory.name, dir_fd=directory.fd)


def create_if_missing(path: str, permissions: int) -> int | None:
    """Create a log, with `permissions` less the umask; return the fd, or None if it exists.

    Raises `OSError`.
    """
    with _Directory(path) as directory:
        try:
            return directory.open(CREATE_FLAGS, permissions)
        except FileExistsError:
            return None


def create_log(path: str, permissions: int = 0o666) -> tuple[int, bool]:
    """Create a log in place of one that has been renamed; return the fd, and whether it is new.

    Another process that rotates the same log may have created it first: a regular file of a
    trusted user is used.  A file of any other user is removed.  Raises `OSError`.
    """
    with _Directory(path) as directory:
        for _ in range(MAX_CREATE_ATTEMPTS):
            try:
                return directory.open(CREATE_FLAGS, permissions), True
            except FileExistsError:
                fd = _open_trusted(directory)
            if fd is not None:
                return fd, False
            with contextlib.suppress(FileNotFoundError):
                os.unlink(directory.name, dir_fd=directory.fd)
        raise FileExistsError(errno.EEXIST, "another user keeps creating it", path)


def _open_trusted(directory: _Directory) -> int | None:
    """Open an existing file for appending; None if another user owns it or it does not exist."""
    try:
        fd = directory.open(APPEND_FLAGS)
    except OSError as error:
        if error.errno in {*LINK_ERRNOS, errno.ENXIO, errno.ENOENT}:
            return None  # a symlink, a fifo, a socket, or removed in between
        raise
    status = os.fstat(fd)
    is_regular = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if is_regular and is_trusted(status):
        return fd
    os.close(fd)
    return None


# -- protected paths -------------------------------------------------------------------


def find_unprotected(path: str) -> str | None:
    """Return the first component of a path that other users can change, None without one.

    That is a component that another user owns, or that a group or others may write to.  A
    directory in the middle of the path may be writable by all if it is sticky (/tmp): other users
    create names there, but cannot replace those of root and of the effective user.  Each
    component is checked by name after those above it, so that other users cannot replace it
    meanwhile.  Raises `OSError` for a path that does not exist.
    """
    pending = _components(os.path.join(os.getcwd(), path))
    reached, links = "/", 0
    while True:
        status = os.lstat(reached)
        if is_changeable(status, is_last=not pending):
            return reached
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(reached)
            pending += _components(target)
            reached = "/" if target.startswith("/") else os.path.dirname(reached)
        if not pending:
            return None
        name = pending.pop()
        # The resolved path has no symlinks in it, so its text contains its parent.
        reached = os.path.dirname(reached) if name == ".." else os.path.join(reached, name)


def is_changeable(status: os.stat_result, *, is_last: bool) -> bool:
    """Whether other users can change what a component of a path leads to.

    See `find_unprotected`; `is_last` marks the last component.
    """
    if not is_trusted(status):
        return True
    if not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or stat.S_ISLNK(status.st_mode):
        return False
    return is_last or not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)


def _components(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def is_trusted(status: os.stat_result) -> bool:
    """Whether a file belongs to root or to the effective user."""
    return status.st_uid in {0, os.geteuid()}


# -- walking ---------------------------------------------------------------------------


def _open(path: str, flags: int, permissions: int = 0o666) -> int:
    """Open a file by the rule about symlinks; return the fd.  Raises `OSError`."""
    return _open_in(_Directory(path), flags, permissions)


def _open_in(directory: _Directory, flags: int, permissions: int) -> int:
    with directory:
        try:
            return directory.open(flags, permissions)
        except OSError as error:
            if error.errno not in LINK_ERRNOS:
                raise
        return directory.open_target(flags, permissions)


class _Directory:
    """The directory of a file, held open while the file is opened or removed.

    `fd` and `name` are arguments for the `dir_fd` functions of `os`.  An `OSError` raised from
    the block names the whole path.
    """

    def __init__(self, path: str, walk: _Walk | None = None, parent_fd: int | None = None) -> None:
        """`path` is relative to `parent_fd`, the current directory if that is None."""
        self._path = path
        self._walk = walk or _Walk()
        self._parent_fd = parent_fd
        self.fd: int | None = None
        self.name = path

    def __enter__(self) -> Self:
        if _O_PATH:
            folder, name = os.path.split(self._path)
            self.name = name or "."
            try:
                self.fd = self._walk.open_directory(folder, self._parent_fd)
            except OSError as error:
                error.filename = self._path
                raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self.fd is not None:
            os.close(self.fd)
        if isinstance(error, OSError):
            error.filename = self._path

    def open(self, flags: int, permissions: int = 0o666) -> int:
        """Open the file unless it is a symlink; return the fd."""
        return os.open(self.name, flags | os.O_NOFOLLOW, permissions, dir_fd=self.fd)

    def holds(self, fd: int) -> bool:
        """Whether the name in the directory is the file that is open as `fd`."""
        status = os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        return os.path.samestat(status, os.fstat(fd))

    def open_target(self, flags: int, permissions: int) -> int:
        """Open the target of the name, which is a symlink; return the fd."""
        self._walk.count_link()
        if not _O_PATH:
            status, target = os.lstat(self.name), None
        else:
            link = os.open(self.name, _O_PATH | os.O_NOFOLLOW, dir_fd=self.fd)
            try:
                status = os.fstat(link)
                target = _link_target(link, status)
            finally:
                os.close(link)
        if stat.S_ISLNK(status.st_mode):
            if not is_trusted(status):
                raise PermissionError(errno.EPERM, "it is a symbolic link of another user")
            if target is None:
                return os.open(self.name, flags, permissions, dir_fd=self.fd)
        # A file that is no longer a symlink has been replaced: check again.
        following = _Directory(target or self.name, self._walk, self.fd)
        return _open_in(following, flags, permissions)


class _Walk:
    """One resolution of a path, which never follows more than `MAX_LINKS` symlinks."""

    def __init__(self) -> None:
        self._links = 0

    def count_link(self) -> None:
        """Count a symlink; raises `OSError` if there have been too many."""
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def open_directory(self, path: str, parent_fd: int | None = None) -> int:
        """Open a directory by the rule about symlinks; return an O_PATH fd."""
        if path.startswith("/"):
            fd = os.open(path, _O_PATH | os.O_DIRECTORY)
            with contextlib.suppress(OSError):  # without /proc
                if os.readlink(f"/proc/self/fd/{fd}") == path:
                    return fd
            os.close(fd)
        return self._enter(path, parent_fd)

    def _enter(self, path: str, parent_fd: int | None) -> int:
        start = "/" if path.startswith("/") else "."
        fd = os.open(start, _O_PATH | os.O_DIRECTORY, dir_fd=parent_fd)
        try:
            for name in path.split("/"):
                if name not in {"", "."}:
                    following = self._step(fd, name)
                    os.close(fd)
                    fd = following
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _step(self, directory: int, name: str) -> int:
        """Go from a directory to one of its entries; return its O_PATH fd."""
        entry = os.open(name, _O_PATH | os.O_NOFOLLOW, dir_fd=directory)
        status = os.fstat(entry)
        if not stat.S_ISLNK(status.st_mode):
            return entry
        try:
            self.count_link()
            target = _link_target(entry, status)
        finally:
            os.close(entry)
        if target is None:
            fd = os.open(name, _O_PATH | os.O_DIRECTORY, dir_fd=directory)
        else:
            fd = self._enter(target, directory)
        if not is_trusted(status) and os.fstat(fd).st_uid != status.st_uid:
            os.close(fd)
            reason = "its path has a symbolic link of another user, who does not own the target"
            raise PermissionError(errno.EPERM, reason)
        return fd


def _link_target(link: int, status: os.stat_result) -> str | None:
    """Return the text of a symlink that is open as `link`.

    None for any other file, and for a symlink in /proc: its text may be "pipe:[7]", only the
    kernel can follow it, and no user can replace it.
    """
    if not stat.S_ISLNK(status.st_mode):
        return None
    with contextlib.suppress(OSError):  # without /proc
        if os.stat("/proc").st_dev == status.st_dev:
            return None
    return os.readlink("", dir_fd=link)
