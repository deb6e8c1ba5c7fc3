"""Listening sockets, opened so that other users cannot exploit it.

`socket_manager` opens those of FastCGI programs, `http.listening` those of the HTTP servers.

A unix socket may be in a directory in which another user can rename files at any moment.  `chmod`
and `chown` by name could then change another file, because the name may have become a symlink
meanwhile.  So the socket is created without any permission (umask 0777) and its file is opened with
O_PATH|O_NOFOLLOW.  Mode and owner are set through /proc/self/fd (proc(5)), once the file proves to
be ours: a socket with mode 0 and one name.  Any other such socket in the directory is left over
from a failed attempt.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.common.addresses import TcpAddress

    Identity = tuple[int, int]

MAX_ATTEMPTS = 16
"""Attempts to create a socket while another user moves it away at once."""

NO_OWNER = (-1, -1)

UCRED = "3i"


class LostRaceError(OSError):
    """Another user has replaced the socket while it was being opened."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EBUSY, "replaced by another process while it was opened", path)


def listen_tcp(address: TcpAddress, backlog: int) -> socket.socket:
    """Return a socket that listens on an address; raises `OSError`."""
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.host == "::":  # both families, even if the system's default is one
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address.host, address.port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def listen_unix(
    path: str, mode: int, owner: tuple[int, int], backlog: int
) -> tuple[socket.socket, Identity]:
    """Return a socket that listens on a new file, and the identity of the file.

    A socket of that name is replaced.  Clients can connect only after owner and mode have been set.
    Raises `OSError`: FileExistsError if the name is in use, but not by a socket, `LostRaceError`
    if another user has won the race each time.
    """
    for _ in range(MAX_ATTEMPTS):
        remove_socket(path)
        try:
            return _listen_once(path, mode, owner, backlog)
        except LostRaceError:
            continue
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise LostRaceError(path)


def _listen_once(
    path: str, mode: int, owner: tuple[int, int], backlog: int
) -> tuple[socket.socket, Identity]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        umask = os.umask(0o777)
        try:
            listener.bind(path)
        finally:
            os.umask(umask)
        listener.listen(backlog)
        return listener, _give(path, mode, owner)
    except BaseException:
        listener.close()
        raise


def _give(path: str, mode: int, owner: tuple[int, int]) -> Identity:
    """Set owner and mode of a new socket; return its identity."""
    with pinned(path) as fd:
        if fd is None:  # pragma: no cover - no O_PATH here
            os.chown(path, *owner, follow_symlinks=False)
            os.chmod(path, mode)
            return _identity_of(os.lstat(path))
        status = os.fstat(fd)
        is_new = stat.S_ISSOCK(status.st_mode) and not stat.S_IMODE(status.st_mode)
        if not is_new or status.st_nlink != 1:
            raise LostRaceError(path)
        file = _name_of(fd, path)
        try:
            if owner != NO_OWNER:
                os.chown(file, *owner)
            os.chmod(file, mode)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        return _identity_of(status)


def _name_of(fd: int, path: str) -> str:
    """Return a name of a pinned file that leads to no other one."""
    file = f"/proc/self/fd/{fd}"
    return file if os.path.exists(file) else path  # without /proc there is only the name


@contextmanager
def pinned(path: str) -> Iterator[int | None]:
    """Keep a socket's file referenced, so that its inode number cannot be reused.

    Yield a descriptor that refers to the file itself (O_PATH, open(2)), None on systems without
    it.  Raises `LostRaceError` if the file is gone.
    """
    if not hasattr(os, "O_PATH"):  # pragma: no cover - Linux and FreeBSD have it
        yield None
        return
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise LostRaceError(path) from None
    try:
        yield fd
    finally:
        os.close(fd)


def peer_credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Return pid, uid and gid of the client of a unix socket when it connected (unix(7)).

    All are 0 on systems without this option.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # pragma: no cover - Linux has it
        return 0, 0, 0
    ucred = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize(UCRED))
    pid, uid, gid = struct.unpack(UCRED, ucred)
    return pid, uid, gid


def renew_times(path: str, expected: Identity) -> None:
    """Set the times of a socket's file to now, if it is still the expected file (utimensat(2)).

    A failure has no effect.
    """
    with suppress(OSError), pinned(path) as fd:
        status = os.lstat(path) if fd is None else os.fstat(fd)
        if _identity_of(status) == expected:
            name = path if fd is None else _name_of(fd, path)
            os.utime(name, follow_symlinks=name != path)


def remove_socket(path: str) -> None:
    """Unlink a socket, if there is one.  Raises `OSError` for any other file."""
    status = _lstat(path)
    if status is None:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise FileExistsError(errno.EEXIST, "exists and is not a socket", path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def identity(path: str) -> Identity | None:
    """Return the identity of the file of this name, None if there is none."""
    status = _lstat(path)
    return None if status is None else _identity_of(status)


def is_socket(path: str) -> bool:
    """Whether this is the name of a socket, and not of a symlink to one."""
    status = _lstat(path)
    return status is not None and stat.S_ISSOCK(status.st_mode)


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _identity_of(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
