"""Which process behind a unix socket gets the password (client floor).

In a folder in which anyone may create files, such as /tmp, another user can create the socket
before the daemon does.  The client would send its password to that user.  So it looks at the user
of the process that listens (SO_PEERCRED, unix(7)) and sends the password to

1. root, and its own user;
2. the owner of the configuration file, who has written the password into it, and the users that
   this file names: `user=` of the daemon, `chown=` of its socket;
3. any user, if the path of the socket leads only through folders in which no other user can have
   put it: whoever controls these decides who listens there.

`transport` calls it for users other than those of the first rule.
"""

from __future__ import annotations

import errno
import os
import stat


class UntrustedPeerError(PermissionError):
    """The password must not be sent to the process that listens on a socket."""


def check(uid: int, path: str, trusted_uids: frozenset[int]) -> None:
    """Raise `UntrustedPeerError` if user `uid` may not get the password for a socket."""
    trusted = trusted_uids | {0, os.geteuid()}
    if uid not in trusted and _is_open_to_all(path, trusted):
        raise UntrustedPeerError(
            errno.EACCES,
            f"is served by another user (uid {uid}) in a folder that everyone can write to;"
            " no password was sent",
        )


def _is_open_to_all(path: str, trusted: frozenset[int]) -> bool:
    """Whether any user could have created a part of the path.

    In a folder that everyone can write to that is so, unless the entry belongs to a trusted user.
    """
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    owner_of_entry = None  # that of the socket proves nothing: it may have come meanwhile
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
