"""The process that holds an address."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from supervisor.common.addresses import TcpAddress
from supervisor.engine import socket_holders
from supervisor.engine.socket_holders import (
    Holder,
    holder_of_file,
    holder_of_port,
    listeners_of_file,
    listeners_of_port,
)


def us() -> Holder:
    """Return this process."""
    return Holder(os.getpid(), Path("/proc/self/comm").read_text(encoding="utf-8").strip())


@pytest.mark.parametrize(
    ("bound", "asked", "is_held"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("::1", "::1", True),
        ("::", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::1", "127.0.0.1", False),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "::", True),
    ],
)
def test_a_port_that_is_listened_on(bound: str, asked: str, *, is_held: bool) -> None:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.socket(family) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((bound, 0))
        listener.listen()
        address = TcpAddress(asked, listener.getsockname()[1])
        found = holder_of_port(address)
        assert bool(listeners_of_port(address)) == is_held
    assert found == (us() if is_held else None)


def test_a_port_that_is_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with client:
            assert holder_of_port(TcpAddress("127.0.0.1", client.getsockname()[1])) == us()


@pytest.mark.parametrize("name", ["s", "with a blank", "s.1234"])
def test_the_file_of_a_unix_socket(directory: Path, name: str) -> None:
    path = directory / name
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert holder_of_file(str(path).removesuffix(".1234")) == us()
        assert len(listeners_of_file(str(path))) == 1
        assert holder_of_file(f"{path}.x") is None
        assert holder_of_file(str(directory)) is None


def test_a_name_that_a_process_has_chosen() -> None:
    """No escape sequence or line break of it gets into the error."""
    comm = Path("/proc/self/comm")
    before = comm.read_text(encoding="utf-8")
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            comm.write_text("a\nb\x1b[0m", encoding="utf-8")
            found = holder_of_port(TcpAddress("127.0.0.1", listener.getsockname()[1]))
    finally:
        comm.write_text(before, encoding="utf-8")
    assert found is not None
    assert str(found).isprintable()


def test_a_search_without_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptors of others are hidden, or there are too many of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = TcpAddress("127.0.0.1", listener.getsockname()[1])
        monkeypatch.setattr(socket_holders, "MAX_FDS", 0)
        assert holder_of_port(address) is None
        monkeypatch.undo()
        monkeypatch.setattr(os, "listdir", refuse)
        assert holder_of_port(address) is None


def refuse(path: str) -> list[str]:
    """Stand in for a /proc that another user may not look into."""
    if path == "/proc":
        return ["1"]
    raise PermissionError(13, "Permission denied", path)
