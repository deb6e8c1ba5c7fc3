"""The socket on which one run of a program reports its state (sd_notify(3)).

The path of the socket is in the child's NOTIFY_SOCKET.  Only the program's user may write to it,
so `notify=all` needs no further check.  `notify=true` accepts the main process alone: the kernel
adds the sender's pid to each datagram when it is sent (SO_PASSCRED in unix(7)), so the check also
holds for a sender that has exited meanwhile.

File descriptors sent with a datagram are never received: there is no room for them in the
buffer for ancillary data, so the kernel drops them.  For BARRIER=1, that is the reply for which
the sender waits.  A received descriptor could leak, or block the daemon when it is closed, if it
is on a file system that does not respond.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from supervisor.common.notify_protocol import MAX_DATAGRAM_BYTES, parse_notification
from supervisor.engine.read_channel import ReadChannel
from supervisor.engine.sockets import UCRED
from supervisor.process.runtime_directory import random_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from supervisor.common.notify_protocol import Notification
    from supervisor.engine.loop import Loop

HAS_CREDENTIALS = hasattr(socket, "SO_PASSCRED")
"""Whether the system reports the sender of a datagram (Linux); elsewhere all are accepted."""

CREDENTIALS_BYTES = socket.CMSG_SPACE(struct.calcsize(UCRED)) if HAS_CREDENTIALS else 0
"""Size of the buffer for ancillary data: the sender's credentials, and nothing else."""

MAX_DATAGRAMS = 16
PAUSE_SECONDS = 0.01
"""Upper bound per wake-up, and the pause after it: one program cannot keep the loop busy."""

MAX_PENDING_DATAGRAMS = 512
"""Upper bound of a drain: the kernel queues net.unix.max_dgram_qlen of them, 10 to 512."""

MAX_PROBLEMS = 8
"""Number of problems reported for one run, so that a program cannot flood the activity log."""

MAX_ATTEMPTS = 16

PRIVATE_UMASK = 0o177
"""Umask that creates a socket with mode 0600."""


def bind_notify_socket(directory: str, uid: int | None) -> tuple[socket.socket, str]:
    """Create a socket in a private directory; return it and its path.

    `uid` is the user who may write to it, by default the daemon's.  Raises `OSError`.  See
    `runtime_directory` for the directory: because no other user can change it, the new file can
    be given away by name.
    """
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if HAS_CREDENTIALS:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        path = _bind(receiver, directory)
        try:
            if uid is not None and uid != os.geteuid():
                os.chown(path, uid, -1, follow_symlinks=False)
        except OSError:
            os.unlink(path)
            raise
    except BaseException:
        receiver.close()
        raise
    return receiver, path


def adopt_notify_socket(saved: Mapping[str, Any]) -> tuple[socket.socket, str]:
    """Return the socket and its path of a `NotifySocket.snapshot`."""
    return socket.socket(fileno=saved["fd"]), saved["path"]


def _bind(receiver: socket.socket, directory: str) -> str:
    """Bind to an unused name; return the path."""
    umask = os.umask(PRIVATE_UMASK)
    try:
        for _ in range(MAX_ATTEMPTS):
            path = os.path.join(directory, random_name())
            try:
                receiver.bind(path)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise OSError(error.errno, error.strerror, path) from None
            else:
                return path
    finally:
        os.umask(umask)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


class NotifySocket(ReadChannel):
    """The daemon's end of a notify socket, for one run of a program.

    `on_notification` is called with each accepted `Notification` and the pid of its sender (0 if
    the system does not report it), `on_problem` with one line about a refused one.  Unless
    `accept_all`, only datagrams of `main_pid` are accepted; it is set once the child exists.
    """

    def __init__(
        self,
        bound: tuple[socket.socket, str],
        loop: Loop,
        on_notification: Callable[[Notification, int], object],
        on_problem: Callable[[str], object],
        *,
        accept_all: bool = False,
    ) -> None:
        self._socket, self.path = bound
        self.main_pid: int | None = None
        self._accept_all = accept_all or not HAS_CREDENTIALS
        self._on_notification = on_notification
        self._on_problem = on_problem
        self._problems = 0
        super().__init__(self._socket.fileno(), loop)

    def handle_read_event(self) -> None:
        """Handle some of the pending datagrams."""
        if self._receive(MAX_DATAGRAMS):
            self.pause(PAUSE_SECONDS)

    def drain(self) -> None:
        """Handle all pending datagrams: the child has exited."""
        self._receive(MAX_PENDING_DATAGRAMS)

    def release(self) -> None:
        """Close the socket and remove its file."""
        self._socket.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `fd` stays open in the next daemon."""
        return {
            "fd": self.fileno(),
            "main_pid": self.main_pid,
            "path": self.path,
            "problems": self._problems,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; see also `adopt_notify_socket`."""
        self.main_pid = saved.get("main_pid")
        self._problems = saved.get("problems", 0)

    def _receive(self, most: int) -> bool:
        """Handle up to `most` datagrams; return whether more may be pending."""
        for _ in range(most):
            if self.closed:
                return False
            try:
                # One byte more than allowed shows that a datagram is too long.
                data, ancillary, _, _ = self._socket.recvmsg(
                    MAX_DATAGRAM_BYTES + 1, CREDENTIALS_BYTES
                )
            except BlockingIOError:
                return False
            self._handle(data, _sender(ancillary))
        return True

    def _handle(self, data: bytes, pid: int) -> None:
        notification = parse_notification(data)
        if notification.barrier:  # every sender gets this reply
            return
        if not self._accept_all and pid != self.main_pid:
            self._report(
                f"ignored a notification from pid {pid}, which is not the main process"
                " (notify=all accepts all processes)"
            )
            return
        for error in notification.errors:
            self._report(f"bad notification from pid {pid}: {error}")
        self._on_notification(notification, pid)

    def _report(self, problem: str) -> None:
        self._problems += 1
        if self._problems < MAX_PROBLEMS:
            self._on_problem(problem)
        elif self._problems == MAX_PROBLEMS:
            self._on_problem(f"{problem}; further ones are not reported")


def _sender(ancillary: list[tuple[int, int, Any]]) -> int:
    """Return the pid in the credentials of a datagram, 0 without any."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, getattr(socket, "SCM_CREDENTIALS", None)):
            pid: int = struct.unpack(UCRED, data)[0]
            return pid
    return 0
