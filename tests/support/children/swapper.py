"""Another user who swaps names in a folder of theirs: `swapper.py UID VICTIM FOLDER NAME`.

Whatever appears in FOLDER whose name begins with NAME is moved away, and a link to VICTIM, or a
socket of the user's own, takes its place.  It runs until it is killed; `ready` in FOLDER says
that it has begun.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys


def main(uid: str, victim: str, folder: str, name: str) -> None:
    """Swap names until the end."""
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
    os.chdir(folder)
    os.close(os.open("ready", os.O_CREAT | os.O_WRONLY))  # Python's files may be out of reach now
    swaps = 0
    while True:
        for entry in os.listdir("."):
            if not entry.startswith(name) or os.path.islink(entry):
                continue
            swaps += 1
            with contextlib.suppress(OSError):
                os.rename(entry, f"moved-{swaps % 8}")
                if swaps % 3:
                    os.symlink(victim, entry)
                else:
                    with socket.socket(socket.AF_UNIX) as own:
                        own.bind(entry)


if __name__ == "__main__":
    main(*sys.argv[1:])
