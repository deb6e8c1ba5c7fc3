"""The listening socket that FastCGI processes share."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from supervisor import loggers
from supervisor.common.addresses import TcpAddress
from supervisor.config.model import InetSocketConfig, UnixSocketConfig
from supervisor.socket_manager import SocketManager


def manager(config: InetSocketConfig | UnixSocketConfig) -> tuple[SocketManager, loggers.Logger]:
    """Return a manager and the log in memory to which it writes."""
    logger = loggers.getLogger()
    loggers.handle_boundIO(logger, "%(message)s\n")
    return SocketManager(config, logger), logger


def test_it_is_open_from_the_first_user_to_the_last(directory: Path) -> None:
    path = str(directory / "s")
    sockets, logger = manager(UnixSocketConfig(path))
    first, second = sockets.acquire(), sockets.acquire()
    assert first is second
    sockets.release()
    assert first.fileno() >= 0
    sockets.release()
    assert first.fileno() == -1
    assert logger.getvalue().decode().splitlines() == [
        f"Creating socket unix://{path}",
        f"Closing socket unix://{path}",
    ]


def test_it_can_be_opened_again_where_its_file_was_left(directory: Path) -> None:
    sockets, _ = manager(UnixSocketConfig(str(directory / "s")))
    sockets.acquire()
    sockets.release()
    with socket.socket(socket.AF_UNIX) as client, sockets.acquire():
        client.connect(str(directory / "s"))
    sockets.release()


def test_owner_and_mode_are_those_of_the_configuration(directory: Path) -> None:
    path = directory / "s"
    config = UnixSocketConfig(str(path), owner=(os.getuid(), os.getgid()), mode=0o751)
    sockets, _ = manager(config)
    sockets.acquire()
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    sockets.release()


def test_an_owner_that_cannot_be_given_is_reported_with_the_path(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", "/proc/self/fd/9")

    monkeypatch.setattr(os, "chown", refuse)
    path = directory / "s"
    sockets, _ = manager(UnixSocketConfig(str(path), owner=(1, 1)))
    with pytest.raises(PermissionError, match=f"Operation not permitted: '{path}'"):
        sockets.acquire()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_only_a_socket_is_ever_replaced(directory: Path, kind: str) -> None:
    path = directory / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    sockets, _ = manager(UnixSocketConfig(str(path)))
    with pytest.raises(FileExistsError, match="is not a socket"):
        sockets.acquire()
    assert os.listdir(directory) == ["s"]


def test_a_socket_of_tcp_listens_at_its_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sockets, logger = manager(InetSocketConfig(TcpAddress("127.0.0.1", port), backlog=3))
    assert sockets.acquire().getsockname() == ("127.0.0.1", port)
    socket.create_connection(("127.0.0.1", port)).close()
    sockets.release()
    assert f"Creating socket tcp://127.0.0.1:{port}" in logger.getvalue().decode()


def test_what_cannot_be_opened_is_an_os_error_each_time() -> None:
    sockets, _ = manager(UnixSocketConfig("/nonexistent/s"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            sockets.acquire()


def test_children_inherit_it_only_when_it_is_given_to_them(directory: Path) -> None:
    sockets, _ = manager(UnixSocketConfig(str(directory / "s")))
    assert not sockets.acquire().get_inheritable()
    sockets.release()
