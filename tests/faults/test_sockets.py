"""Sockets in a folder of another user, who swaps names while the daemon opens them."""

from __future__ import annotations

import os
import stat
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from supervisor.common.faults import ServerError
from supervisor.engine import sockets
from supervisor.http.server import HTTPServer
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.httpsite import Site, unix_config
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

ANOTHER_USER = 65534

pytestmark = needs_root


@pytest.fixture
def folder(directory: Path) -> Path:
    """Return a folder of another user, beside a file that only root may read."""
    directory.chmod(0o711)
    (directory / "victim").write_text("root's")
    (directory / "victim").chmod(0o600)
    made = directory / "run"
    made.mkdir()
    os.chown(made, ANOTHER_USER, ANOTHER_USER)
    return made


@contextmanager
def swapping(folder: Path, name: str) -> Iterator[None]:
    """Let another user swap what appears in a folder under names that begin with `name`."""
    victim = folder.parent / "victim"
    words = [*child("swapper").split(), str(ANOTHER_USER), str(victim), str(folder), name]
    attacker = subprocess.Popen(words)
    try:
        wait_until((folder / "ready").exists)
        yield
        assert attacker.poll() is None, "it has ended too early"
    finally:
        attacker.kill()
        attacker.wait()


def is_untouched(folder: Path) -> bool:
    """Whether the file of root has the owner and mode that it had."""
    status = os.stat(folder.parent / "victim")
    return (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


def test_a_socket_that_is_swapped_gives_nothing_away(folder: Path) -> None:
    """Each opening either succeeds or fails; the file that a link leads to is never touched."""
    path = str(folder / "s")
    lost = 0
    with swapping(folder, "s"):
        for _ in range(4000):
            try:
                listener, _ = sockets.listen_unix(path, 0o777, (ANOTHER_USER, ANOTHER_USER), 5)
            except OSError:
                lost += 1
            else:
                listener.close()
            assert is_untouched(folder)
            with suppress(OSError):
                os.unlink(path)
    assert lost < 4000


def test_the_socket_of_a_server_that_is_swapped_gives_nothing_away(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = Site(folder.parent)
    config = unix_config(folder / "s", chmod=0o777, chown=(ANOTHER_USER, ANOTHER_USER))
    with swapping(folder, "s"):
        for _ in range(1000):
            with suppress(ServerError):
                HTTPServer(config, site.loop, site.logger).close()
            assert is_untouched(folder)
            for name in ("s", f"s.{os.getpid()}"):
                with suppress(OSError):
                    os.unlink(folder / name)
    site.close()
    capfd.readouterr()  # stale sockets that were unlinked


def config(folder: Path) -> str:
    """Return a FastCGI program whose socket is in the folder of its user, and another program."""
    return f"""
[fcgi-program:app]
command={child("sleeper")}
socket=unix://{folder}/s
socket_owner={ANOTHER_USER}:{ANOTHER_USER}
socket_mode=0777
startsecs=0
autostart=false
[program:other]
command={child("sleeper")}
startsecs=0
"""


def test_a_daemon_whose_sockets_are_swapped_goes_on(folder: Path) -> None:
    with Daemon(folder.parent, config(folder)) as daemon:
        with swapping(folder, "s"):
            for _ in range(100):
                with suppress(xmlrpc.client.Fault):
                    daemon.rpc.supervisor.startProcess("app")
                with suppress(xmlrpc.client.Fault):
                    daemon.rpc.supervisor.stopProcess("app")
                assert is_untouched(folder)
        assert daemon.info("other")["statename"] == "RUNNING"


@pytest.mark.parametrize("obstacle", ["folder", "link"])
def test_a_socket_that_cannot_be_opened_does_not_end_a_reload(folder: Path, obstacle: str) -> None:
    """The other programs come back; the group's processes fail to start, with the reason."""
    with Daemon(folder.parent, config(folder)) as daemon:
        (folder / "s").unlink()
        if obstacle == "folder":
            (folder / "s").mkdir()
        else:
            (folder / "s").symlink_to(folder.parent / "victim")
        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        daemon.wait_for_state("other", "RUNNING")
        assert "Could not create FastCGI socket" in daemon.log_text()
        with pytest.raises(xmlrpc.client.Fault):
            daemon.rpc.supervisor.startProcess("app")
        assert "exists and is not a socket" in daemon.info("app")["spawnerr"]
        assert (folder.parent / "victim").read_text() == "root's"
        assert os.listdir(folder) == ["s"]
        with suppress(OSError):
            (folder / "s").unlink()
        with suppress(OSError):
            (folder / "s").rmdir()
        daemon.wait_for_state("app", "RUNNING")
