"""A pytest plugin: each worker of pytest-xdist has a network of its own, with nobody else in it.

Supvisors' tests bind ports of fixed numbers, and can so run side by side; it also wants to
find network interfaces other than loopback.  The plugin is loaded into that party's
environment, by itself; making a network takes root.
"""

from __future__ import annotations

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000

COMMANDS = (
    "ip link set lo up",
    "ip link add one type veth peer name other",
    "ip address add 10.1.1.1/24 dev one",
    "ip address add 10.1.2.1/24 dev other",
    "ip link set one up",
    "ip link set other up",
    "ip route add 224.0.0.0/4 dev lo",  # multicast has somewhere to go
)


def pytest_configure(config: object) -> None:
    """Leave the network of the machine before a worker imports any test."""
    if not hasattr(config, "workerinput"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for command in COMMANDS:
        subprocess.run(command.split(), check=True)
