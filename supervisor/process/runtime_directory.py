"""The directory of the sockets on which programs report their readiness.

Other users need to reach their own program's socket, but must not list, replace or create any.
So the directory belongs to the daemon's user and has mode 0711, and no other user can change a
component of its path.
"""

from __future__ import annotations

import contextlib
import errno
import os

from supervisor.common.probes import MAX_SOCKET_PATH_BYTES
from supervisor.config.model import temporary_directory
from supervisor.engine import files, paths, sockets

DIRECTORY_MODE = 0o711
"""Others may search the directory, but neither list nor change it."""

PREFIX = "supervisor-"
RANDOM_BYTES = 6

SOCKET_NAME_CHARS = 2 * RANDOM_BYTES
"""Length of the name of a socket, in hexadecimal digits."""


class RuntimeDirectory:
    """The directory of one daemon: a configured one, or one that is made at the first use."""

    def __init__(self, configured: str | None) -> None:
        self._configured = configured
        self._made: str | None = None

    def path(self) -> str:
        """Return the path of the directory; raises `OSError` with a reason for users.

        One that a cleaner of temporary files has removed is made again, under another name:
        another user may know the old one.
        """
        if self._configured is not None:
            require_protected(self._configured)
            return self._configured
        if self._made is None or not _is_intact(self._made):
            self._made = make_runtime_directory(temporary_directory())
        return self._made

    def snapshot(self) -> str | None:
        """Return the path of a directory that has been made, None if there is none."""
        return self._made

    def restore(self, made: str) -> None:
        """Take over a directory that an earlier daemon has made."""
        self._made = made

    def remove(self) -> None:
        """Remove a directory that has been made, and the sockets in it."""
        if self._made is not None and _is_intact(self._made):
            remove_runtime_directory(self._made)


def _is_intact(path: str) -> bool:
    try:
        require_protected(path)
    except OSError:
        return False
    return True


def random_name() -> str:
    """Return a name of `SOCKET_NAME_CHARS` characters that is not in use, in all likelihood."""
    return os.urandom(RANDOM_BYTES).hex()


def make_runtime_directory(parent: str) -> str:
    """Create a private directory below `parent`, which may be a sticky one; return its path.

    Raises `OSError` with a reason for users.
    """
    path = os.path.join(os.path.abspath(parent), PREFIX + random_name())
    _check_length(path)
    os.mkdir(path, 0o700)
    try:
        require_protected(path)
        os.chmod(path, DIRECTORY_MODE)  # the mode of mkdir is subject to the umask
    except OSError:
        os.rmdir(path)
        raise
    return path


def require_protected(path: str) -> None:
    """Raise `OSError` unless a directory is safe for sockets, and its path is short enough."""
    _check_length(path)
    component = files.find_unprotected(path)
    if component is not None:
        reason = f"other users can change {component}, sockets in it would not be safe"
        raise PermissionError(errno.EPERM, reason, path)


def is_reachable(path: str) -> bool:
    """Whether programs of all users can reach the sockets in a directory."""
    return paths.Route(path, frozenset()).is_open_to_all


def _check_length(path: str) -> None:
    most = MAX_SOCKET_PATH_BYTES - SOCKET_NAME_CHARS - 1
    if len(os.fsencode(path)) > most:
        reason = f"longer than {most} bytes, the path of a socket in it would be too long"
        raise OSError(errno.ENAMETOOLONG, reason, path)


def remove_runtime_directory(path: str) -> None:
    """Remove a directory and the sockets in it; other files keep it from being removed."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            sockets.remove_socket(os.path.join(path, name))
        os.rmdir(path)
