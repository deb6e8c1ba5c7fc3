"""Writes what it was born with, as one line of JSON, then stays until a signal ends it."""

import json
import os
import signal
import stat

KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFREG: "file",
    stat.S_IFCHR: "device",
    stat.S_IFDIR: "directory",
}


def open_fds() -> dict[str, str]:
    """Return the kind of every open fd, but that of the listing itself."""
    kinds = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            mode = os.fstat(int(name)).st_mode
        except OSError:
            continue
        kinds[name] = KINDS[stat.S_IFMT(mode)]
    return dict(sorted(kinds.items()))


def ignored_and_blocked() -> dict[str, str]:
    """Return the signals' masks, as the kernel shows them."""
    with open("/proc/self/status", encoding="ascii") as status:
        rows = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    return {"ignored": rows["SigIgn"], "blocked": rows["SigBlk"]}


fds = open_fds()
umask = os.umask(0)
os.umask(umask)
print(
    json.dumps(
        {
            "environment": dict(os.environ),
            "fds": fds,
            "cwd": os.getcwd(),
            "umask": f"{umask:03o}",
            "leads_its_group": os.getpgrp() == os.getpid(),
            "session_of_parent": os.getsid(0) == os.getsid(os.getppid()),
            "uid": os.getuid(),
            "groups": sorted(os.getgroups()),
            "same_pipe_for_stderr": os.path.samestat(os.fstat(1), os.fstat(2)),
            "signals": ignored_and_blocked(),
        }
    ),
    flush=True,
)
while True:
    signal.pause()
