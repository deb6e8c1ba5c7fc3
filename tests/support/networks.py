"""A network for several daemons, apart from that of the machine.

It has an interface beside loopback, as a host has, and a name for its address: Supvisors
wants both.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "10.1.1.1"

COMMANDS = (
    f"echo '{ADDRESS} daemons' >$HOSTS",
    "mount --bind $HOSTS /etc/hosts",
    "ip link set lo up",
    "ip link add one type veth peer name other",
    f"ip address add {ADDRESS}/24 dev one",
    "ip address add 10.1.2.1/24 dev other",
    "ip link set one up",
    "ip link set other up",
    "ip route add 224.0.0.0/4 dev lo",  # multicast has somewhere to go
)


@contextmanager
def own_network(directory: Path) -> Iterator[tuple[str, ...]]:
    """Make a network; yield the words before a command that run it there.  Takes root."""
    script = "; ".join(("set -e", *COMMANDS, "echo ready", "exec cat"))
    with subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOSTS": str(directory / "hosts")},
        text=True,
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "ready\n"
        yield ("nsenter", f"--target={keeper.pid}", "--net", "--mount", "--root")
        keeper.communicate()  # the end of its input ends it
