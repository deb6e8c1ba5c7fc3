"""Command prefixes that confine a test which could harm the machine (Linux, root).

    Daemon(directory, config, within=private_dev())

A private mount namespace ends with the last process in it, however the test ends, so that
nothing is left behind and the machine's own /dev is never touched.
"""

from __future__ import annotations

import shlex
from pathlib import Path

MAKE_DEV = """\
set -e
mount -t tmpfs -o mode=755 dev /mnt
for pair in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "/mnt/${pair%:*}" c 1 "${pair#*:}"
done
ln -s /proc/self/fd /mnt/fd
ln -s /proc/self/fd/0 /mnt/stdin
ln -s /proc/self/fd/1 /mnt/stdout
ln -s /proc/self/fd/2 /mnt/stderr
mkdir /mnt/shm
chmod 1777 /mnt/shm
mount --move /mnt /dev
"""


def private_mounts(setup: str) -> tuple[str, ...]:
    """Return a prefix that runs a shell script in a mount namespace, then execs the command.

    Mounts that the script makes are visible to the command and its children only.
    """
    return ("unshare", "--mount", "--propagation=private", "sh", "-c", f'{setup}\nexec "$@"', "sh")


def private_dev() -> tuple[str, ...]:
    """Return a prefix that gives the command a /dev of its own, which it may destroy."""
    return private_mounts(MAKE_DEV)


def dead_mount(where: Path) -> str:
    """Return a `setup` that mounts a file system which never answers: FUSE without a server.

    Whatever touches it waits until a signal ends it.  A process in the background holds the
    server's end; it is killed with the command, and everything that waits goes on then.
    """
    options = "fd=9,rootmode=40000,user_id=0,group_id=0"
    return f"""\
exec 9<>/dev/fuse
mount -n -i -t fuse.dead -o {options} dead {shlex.quote(str(where))} || exit
setpriv --pdeathsig KILL sleep infinity &
exec 9<&-"""


def container(writable: Path, uid: int) -> tuple[str, ...]:
    """Return a prefix that runs the command as pid 1 of a container, as a container engine does.

    It has namespaces of its own and a root file system that is read-only but for `writable`.  The
    user may have no entry in the user database; it can read everything, because Python may be in
    root's home.  Signals go to the child of the process that is started, and its status becomes
    that of this process.
    """
    place = shlex.quote(str(writable))
    setup = f"""\
{MAKE_DEV}
mount --bind / /
mount -o remount,ro,bind /
mount --bind {place} {place}
mount -o remount,rw,bind {place}
cd /
set -- setpriv --reuid {uid} --regid {uid} --clear-groups \\
    --inh-caps +dac_read_search --ambient-caps +dac_read_search "$@"
"""
    namespaces = ("--fork", "--pid", "--mount-proc", "--uts", "--ipc", "--net", "--kill-child")
    return ("unshare", *namespaces, *private_mounts(setup)[1:])
