"""The listening socket of an HTTP server.

`server` opens one per configured server.  A failure is a `ServerError`; its text begins with the
line of Supervisor 4.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import suppress

from supervisor.common.faults import ServerError
from supervisor.engine import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from supervisor.config.model import ServerConfig
    from supervisor.engine.sockets import Identity

    Listener: TypeAlias = "tuple[socket.socket, SocketFile | None]"
    """A listening socket and, for a unix socket, its file."""

BACKLOG = 1024

RENEWAL_SECONDS = 3600.0
"""Shortest interval between two renewals of the times of a socket's file."""

ADDRESS_IN_USE = (
    "Another program is already listening on a port that one of our HTTP servers is"
    " configured to use.  Shut this program down first before starting supervisord."
)

NOT_A_SOCKET = "Cannot open an HTTP server: {} exists and is not a socket"


class _InUseError(OSError):
    """Another process listens on the unix socket."""

    def __init__(self) -> None:
        super().__init__(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class SocketFile:
    """The file of a unix socket of this daemon; files that have replaced it are left alone.

    Programs that clean up /tmp remove old files (systemd-tmpfiles(8), tmpwatch(8)).  They cannot
    see that the socket is in use, because the kernel lists it under its temporary name.  So its
    times are renewed while clients connect.
    """

    def __init__(self, path: str, identity: Identity) -> None:
        self.path = path
        self._identity = identity
        self._renewed_at: float | None = None

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"path": self.path, "identity": list(self._identity)}

    @classmethod
    def inherit(cls, saved: Mapping[str, Any]) -> SocketFile:
        """Return the file of a snapshot."""
        device, inode = saved["identity"]
        return cls(saved["path"], (device, inode))

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads to this file."""
        return sockets.identity(self.path) == self._identity

    @property
    def is_missing(self) -> bool:
        """Whether the path leads to no file at all."""
        return sockets.identity(self.path) is None

    def renew(self, now: float) -> None:
        """Renew the times of the file, at most once in `RENEWAL_SECONDS` of the clock `now`."""
        if self._renewed_at is None or now - self._renewed_at >= RENEWAL_SECONDS:
            self._renewed_at = now
            sockets.renew_times(self.path, self._identity)

    def remove(self) -> None:
        """Unlink the file; a failure has no effect."""
        if self.is_in_place:
            with suppress(OSError):
                os.unlink(self.path)


def open_listener(config: ServerConfig, *, may_replace: bool = True) -> Listener:
    """Return a listening socket and, for a unix socket, its file.

    With `may_replace`, a stale socket of that name is replaced.  Raises `ServerError`.
    """
    try:
        if config.address is None:
            return _open_unix(config, may_replace=may_replace)
        return sockets.listen_tcp(config.address, BACKLOG), None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise in_use(config) from None
        raise ServerError(error_text(config, error)) from None


def save_listener(config: ServerConfig, listener: Listener) -> dict[str, Any]:
    """Return a listening socket as JSON values; `fd` stays open in the next daemon."""
    opened, file = listener
    return {
        "options": _options_of(config),
        "fd": opened.fileno(),
        "file": None if file is None else file.snapshot(),
    }


def is_adoptable(config: ServerConfig, saved: Mapping[str, Any]) -> bool:
    """Whether the listening socket of a snapshot has the options of a server."""
    return bool(saved.get("options") == _options_of(config))


def adopt_listener(saved: Mapping[str, Any]) -> Listener:
    """Return the listening socket of a snapshot."""
    file = saved.get("file")
    return socket.socket(fileno=saved["fd"]), None if file is None else SocketFile.inherit(file)


def _options_of(config: ServerConfig) -> list[Any]:
    """Return the options of a socket as JSON values."""
    if config.address is None:
        return [config.file, config.chmod, list(config.chown)]
    return [str(config.address)]


def in_use(config: ServerConfig) -> ServerError:
    """Return the error for an address in use; it names the process that holds it, if known."""
    from supervisor.engine.socket_holders import holder_of_file, holder_of_port

    if config.address is None:
        where, holder = config.file or "", holder_of_file(config.file or "")
    else:
        where, holder = str(config.address), holder_of_port(config.address)
    return ServerError(f"{ADDRESS_IN_USE}  In use: {where}" + (f", by {holder}" if holder else ""))


def error_text(config: ServerConfig, error: OSError) -> str:
    """Return the error text: the line of Supervisor 4, then the reason, section and option."""
    code: Any = error.args[0]
    name = errno.errorcode.get(code)
    is_unix = config.address is None
    reason = f"{config.file if is_unix else config.address}"
    if isinstance(error, socket.gaierror):
        hint = "; write the address without http://" if "://" in (config.host or "") else ""
        reason = f"cannot resolve {config.host!r} ({error.strerror}{hint})"
    elif error.strerror:
        reason += f": {error.strerror}"
    return (
        "Cannot open an HTTP server: socket.error reported "
        + (f"errno.{name} ({code})" if name else f"{code}")
        + f": {reason} in section {config.section!r}, option {'file' if is_unix else 'port'!r}"
    )


def _open_unix(config: ServerConfig, *, may_replace: bool) -> tuple[socket.socket, SocketFile]:
    """Listen under a temporary name, then link the socket to the configured one.

    So only one of two daemons that start simultaneously gets the name, and it is already
    listening by then.
    """
    path = config.file or ""
    temporary = f"{path}.{os.getpid()}"
    for _ in range(sockets.MAX_ATTEMPTS):
        try:
            listener, identity = sockets.listen_unix(temporary, config.chmod, config.chown, BACKLOG)
        except PermissionError as error:
            raise _not_permitted(config, error) from None
        try:
            try:
                _publish_socket(temporary, path, may_replace=may_replace)
            finally:
                sockets.remove_socket(temporary)
        except BaseException:
            listener.close()
            raise
        if sockets.identity(path) == identity:
            return listener, SocketFile(path, identity)
        listener.close()  # another user has moved the temporary name
    raise sockets.LostRaceError(path)


def _not_permitted(config: ServerConfig, error: PermissionError) -> Exception:
    """Return the error of a failed `chown`, with advice; other errors unchanged."""
    if error.errno != errno.EPERM or config.chown == sockets.NO_OWNER:
        return error
    return ServerError(
        f"Not permitted to chown {config.file} to uid/gid {config.chown}; adjust "
        '"sockchown" value in config file or on command line to values that the '
        f"current user ({_user_name()}) can successfully chown"
    )


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _publish_socket(temporary: str, path: str, *, may_replace: bool) -> None:
    """Link the socket to its name, replacing a stale socket if it may; raises `_InUseError`."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        if not may_replace:
            raise _InUseError from None
        _remove_stale(path)
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:  # another daemon was faster
            raise _InUseError from None


def _remove_stale(path: str) -> None:
    """Unlink a socket on which no process listens; refuse to unlink any other file."""
    if not sockets.is_socket(path):
        raise ServerError(NOT_A_SOCKET.format(path))
    with sockets.pinned(path):
        found = sockets.identity(path)
        _check_unused(path)
        _unlink_if_same(path, found)
    sys.stderr.write(f"Unlinking stale socket {path}\n")


def _check_unused(path: str) -> None:
    """Raise `_InUseError` if a process listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
        except OSError:
            raise _InUseError from None  # a process listens, but its backlog is full
    raise _InUseError


def _unlink_if_same(path: str, found: tuple[int, int] | None) -> None:
    """Unlink the stale socket, unless another daemon has replaced it since the check."""
    aside = f"{path}.{os.getpid()}.stale"
    os.rename(path, aside)
    try:
        if sockets.identity(aside) != found:
            os.link(aside, path, follow_symlinks=False)
            raise _InUseError
    finally:
        os.unlink(aside)
