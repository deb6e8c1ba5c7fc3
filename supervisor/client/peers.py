"""Check of the process behind a unix socket before it receives the password.

In a world-writable directory such as /tmp, another user can create the socket before the daemon
does.  The client would then send its password to that user.  It therefore checks the user of the
listening process (SO_PEERCRED, unix(7)) and sends the password only to

1. root, and its own user;
2. the owner of the configuration file, who wrote the password into it, and the users in this
   file: `user=` of the daemon, `chown=` of its socket;
3. any user, if no directory of the socket's path allows another user to have created it: the
   owners of these directories decide which process listens there.

`transport` handles the first rule and calls `check` for other users.
"""

from __future__ import annotations

import errno
import os
import stat


class UntrustedPeerError(PermissionError):
    """Raised for a process that must not receive the password."""


def check(uid: int, path: str, trusted_uids: frozenset[int]) -> None:
    """Raise `UntrustedPeerError` if user `uid` must not receive the password for a socket."""
    trusted = trusted_uids | {0, os.geteuid()}
    if uid not in trusted and _is_open_to_all(path, trusted):
        raise UntrustedPeerError(
            errno.EACCES,
            f"is served by another user (uid {uid}) in a folder that everyone can write to;"
            " no password was sent",
        )


def _is_open_to_all(path: str, trusted: frozenset[int]) -> bool:
    """Whether any user could have created a component of the path.

    That is possible in a world-writable directory, unless a trusted user owns the entry.
    """
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    owner_of_entry = None  # the socket's owner proves nothing: it may have been replaced since
    while True:
        try:
            status = os.stat(folder)
        except OSError:
            return True
        if status.st_mode & stat.S_IWOTH and owner_of_entry not in trusted:
            return True
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder, owner_of_entry = parent, status.st_uid
