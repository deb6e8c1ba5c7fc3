"""Users that are numbers only, as in containers: nothing in the user database names them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.strangers import needs_root

pytestmark = needs_root

UID = 54321

SHOW = "/bin/sh -c \"grep -E '^(Uid|Gid|Groups):' /proc/self/status; echo READY; exec sleep 1000\""


def ids(daemon: Daemon, name: str) -> dict[str, set[str]]:
    """Return the ids that a program has shown, by kind: real, effective, saved and of files."""
    lines = daemon.wait_for_text(name, "READY").splitlines()[:-1]
    return {kind: set(numbers.split()) for kind, _, numbers in (ln.partition(":") for ln in lines)}


def expected(uid: int) -> dict[str, set[str]]:
    """Return the ids of a user who has nothing but its number."""
    return {kind: {str(uid)} for kind in ("Uid", "Gid", "Groups")}


def test_programs_of_a_user_without_an_entry(directory: Path) -> None:
    """By either launcher: a directory that is closed to others makes it fork."""
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, UID, UID)
    directory.chmod(0o755)
    config = "".join(
        f"[program:{name}]\ncommand={SHOW}\nuser={UID}\ndirectory={where}\n"
        f"stdout_logfile=%(here)s/{name}\n"
        for name, where in (("vfork", "/"), ("fork", closed))
    )
    with Daemon(directory, config) as daemon:
        for name in ("vfork", "fork"):
            assert ids(daemon, name) == expected(UID)


def test_a_daemon_of_a_user_without_an_entry(directory: Path) -> None:
    os.chown(directory, UID, UID)
    config = f"user={UID}\n[program:p]\ncommand={SHOW}\nstdout_logfile=%(here)s/p\n"
    with Daemon(directory, config) as daemon:
        assert ids(daemon, "p") == expected(UID)
        assert f"Set uid to user {UID} succeeded" in daemon.log_text()
