"""Command prefixes that confine a test which could harm the machine (Linux, root).

    Daemon(directory, config, within=private_dev())

A private mount namespace ends with the last process in it, however the test ends, so that
nothing is left behind and the machine's own /dev is never touched.
"""

from __future__ import annotations

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
