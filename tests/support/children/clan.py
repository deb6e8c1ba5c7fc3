"""Starts descendants of each kind, writes their pids as JSON, and stays until a signal ends it.

They are `member` (in the process group), `daemon` (in a session of its own), its child
`grandchild`, and `orphan`, which is in a session of its own and has lost its parent.  With the
argument `stubborn`, all but the first ignore SIGTERM.
"""

import json
import os
import signal
import sys


def fork(*, leaves: bool, forks: bool = False, orphaned: bool = False) -> list[int]:
    """Start a descendant, which may have a child; return the pids."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        if leaves:
            os.setsid()
        if orphaned and os.fork():
            os._exit(0)
        if leaves and sys.argv[1:] == ["stubborn"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(writer, b"%d " % os.getpid())
        if forks and os.fork() == 0:
            os.write(writer, b"%d " % os.getpid())
        os.close(writer)
        while True:
            signal.pause()
    os.close(writer)
    with open(reader, "rb") as file:
        pids = b""
        while len(pids.split()) < 1 + forks or not pids.endswith(b" "):
            pids += file.read1()
    return [int(pid) for pid in pids.split()]


(member,) = fork(leaves=False)
daemon, grandchild = fork(leaves=True, forks=True)
(orphan,) = fork(leaves=True, orphaned=True)
os.waitpid(-1, 0)  # the parent of the orphan
family = {"member": member, "daemon": daemon, "grandchild": grandchild, "orphan": orphan}
print(json.dumps(family), flush=True)
while True:
    signal.pause()
