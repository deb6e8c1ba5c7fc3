"""Opening, sharing and giving up the addresses of the HTTP servers."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.addresses import TcpAddress
from supervisor.common.faults import ServerError
from supervisor.config.model import ServerConfig
from supervisor.engine import socket_holders
from supervisor.http import server as servers
from supervisor.http.listening import ADDRESS_IN_USE
from supervisor.http.server import HTTPServer, open_http_servers
from supervisor.loggers import LevelsByName
from tests.support.httpsite import Echo, Site, get, inet_config, status, unix_config


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    yield made
    made.close()


def stale_socket(path: Path) -> None:
    """Leave a stale socket behind."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


# -- unix sockets ----------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o700, 0o777, 0o660])
def test_the_unix_socket_has_the_configured_mode(site: Site, mode: int) -> None:
    site.serve(config=unix_config(site.directory / "s", chmod=mode))
    assert stat.S_IMODE(os.stat(site.directory / "s").st_mode) == mode
    assert os.listdir(site.directory) == ["s"], "the temporary name is gone"


def test_the_umask_is_left_as_it_was(site: Site) -> None:
    before = os.umask(0o022)
    try:
        site.serve()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_the_socket_is_never_visible_with_a_wrong_mode(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def chmod(path: str, mode: int, _real: Any = os.chmod) -> None:
        modes.append(stat.S_IMODE(os.stat(path).st_mode))
        assert not (site.directory / "s").exists()
        _real(path, mode)

    monkeypatch.setattr(os, "chmod", chmod)
    site.serve(config=unix_config(site.directory / "s", chmod=0o777))
    assert modes == [0]


def test_a_stale_socket_is_replaced(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    path = site.directory / "s"
    stale_socket(path)
    site.serve(Echo())
    assert capfd.readouterr().err == f"Unlinking stale socket {path}\n"
    assert status(site.ask(get())) == 200


def test_a_socket_in_use_is_untouched(site: Site) -> None:
    site.serve(Echo())
    with pytest.raises(ServerError, match=ADDRESS_IN_USE):
        HTTPServer(unix_config(site.directory / "s"), site.loop, site.logger)
    assert status(site.ask(get())) == 200
    assert os.listdir(site.directory) == ["s"]


def test_of_two_daemons_that_find_a_stale_socket_the_first_keeps_the_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has found it stale before the first has replaced it."""
    path = site.directory / "s"
    stale_socket(path)
    first = socket.socket(socket.AF_UNIX)

    def rename(source: str, target: str, _real: Any = os.rename) -> None:
        path.unlink()
        first.bind(str(path))
        first.listen()
        _real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with first:
        with pytest.raises(ServerError, match=ADDRESS_IN_USE):
            site.serve()
        assert os.listdir(site.directory) == ["s"]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_only_what_is_a_socket_is_ever_unlinked(site: Site, kind: str) -> None:
    path = site.directory / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(ServerError, match="is not a socket"):
        site.serve()
    assert os.listdir(site.directory) == ["s"]


def test_a_closed_server_takes_its_socket_with_it(site: Site) -> None:
    server = site.serve()
    server.close()
    server.close()
    assert os.listdir(site.directory) == []


def test_a_closed_server_leaves_the_socket_of_another_alone(site: Site) -> None:
    server = site.serve()
    path = site.directory / "s"
    path.unlink()
    stale_socket(path)
    server.close()
    assert path.exists()


# -- what cannot be opened -----------------------------------------------------------


def complaint(site: Site, config: ServerConfig) -> str:
    """Return the error text of a server that cannot be opened."""
    with pytest.raises(ServerError) as caught:
        site.serve(config=config)
    return str(caught.value)


def test_what_the_user_reads(site: Site) -> None:
    """The texts of Supervisor 4, after `Error: `; then what they leave out."""
    beginning = "Cannot open an HTTP server: socket.error reported "
    file = " in section 'unix_http_server', option 'file'"
    port = " in section 'inet_http_server', option 'port'"
    path = site.directory / "no" / "s"
    assert complaint(site, unix_config(path)) == (
        f"{beginning}errno.ENOENT (2): {path}: No such file or directory{file}"
    )
    path = site.directory / ("x" * 120)
    assert complaint(site, unix_config(path)) == f"{beginning}AF_UNIX path too long: {path}{file}"
    assert complaint(site, inet_config(9, host="192.0.2.1")) == (
        f"{beginning}errno.EADDRNOTAVAIL (99): 192.0.2.1:9: Cannot assign requested address{port}"
    )
    assert os.listdir(site.directory) == []


@pytest.mark.parametrize(
    ("host", "hint"),
    [("http://127.0.0.1", "; write the address without http://"), ("no..where", "")],
)
def test_a_name_that_cannot_be_resolved(site: Site, host: str, hint: str) -> None:
    told = complaint(site, inet_config(9001, host=host))
    assert re.fullmatch(
        r"Cannot open an HTTP server: socket\.error reported -\d+: "
        rf"cannot resolve '{re.escape(host)}' \([\w ]+{hint}\)"
        r" in section 'inet_http_server', option 'port'",
        told,
    )


def test_who_has_the_address(site: Site) -> None:
    us = f"by pid {os.getpid()} ("
    with socket.create_server(("127.0.0.1", 0)) as busy:
        number = busy.getsockname()[1]
        told = complaint(site, inet_config(number))
    assert told.startswith(f"{ADDRESS_IN_USE}  In use: 127.0.0.1:{number}, {us}")
    path = site.directory / "s"
    site.serve()
    assert complaint(site, unix_config(path)).startswith(f"{ADDRESS_IN_USE}  In use: {path}, {us}")


def test_an_address_whose_holder_is_not_seen(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of another user's process."""
    monkeypatch.setattr(socket_holders, "MAX_FDS", 0)
    site.serve()
    path = site.directory / "s"
    assert complaint(site, unix_config(path)) == f"{ADDRESS_IN_USE}  In use: {path}"


def test_an_owner_that_cannot_be_given(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", refuse)
    told = complaint(site, unix_config(site.directory / "s", chown=(0, 0)))
    path = site.directory / "s"
    assert told.startswith(f"Not permitted to chown {path} to uid/gid (0, 0); adjust ")


# -- TCP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("", "0.0.0.0"),
        ("::1", "::1"),
        ("::", "::"),
    ],
)
def test_which_interfaces_a_host_means(site: Site, host: str, address: str) -> None:
    server = site.serve(config=inet_config(host=host))
    assert server.address[0] == address


def test_every_interface_of_ipv6_is_also_every_one_of_ipv4(site: Site) -> None:
    server = site.serve(Echo(), config=inet_config(host="::"))
    for host in ("127.0.0.1", "::1"):
        client = site.connect(host)
        client.send(get())
        assert status(client.answer()) == 200
        [connection] = server._connections
        assert connection.client.name == str(TcpAddress(host, client.socket.getsockname()[1]))
        client.close()
        site.turn_until(lambda: not server._connections)


def test_the_log_names_the_client(site: Site) -> None:
    def fail(_request: object) -> None:
        raise LookupError

    site.serve(Echo(fail), config=inet_config())
    client = site.connect()
    client.send(get())
    client.answer()
    host, port = client.socket.getsockname()
    assert site.log()[0][1].startswith(f"{host}:{port}:Server Error: ")


def test_who_is_on_a_unix_socket(site: Site) -> None:
    """At debug, and only there."""
    site.serve(Echo())
    site.logger.level = LevelsByName.INFO
    site.ask(get())
    site.logger.level = LevelsByName.DEBG
    site.ask(get())
    us = f"connection from pid {os.getpid()} uid {os.getuid()} gid {os.getgid()}"
    assert [text for _, text in site.recorder.lines if "connection" in text] == [us]


# -- handlers ------------------------------------------------------------------------


def test_the_first_handler_that_matches_responds(site: Site) -> None:
    never, first, second = Echo(), Echo(), Echo()
    never.match = lambda _request: False  # type: ignore[method-assign]
    server = site.serve(first, second)
    server.install_handler(never)
    assert server.handlers == [never, first, second]
    site.ask(get())
    assert [len(handler.requests) for handler in server.handlers] == [0, 1, 0]


def test_a_handler_may_be_put_behind_the_others(site: Site) -> None:
    server = site.serve(Echo())
    server.install_handler(last := Echo(), back=True)
    assert server.handlers[-1] is last


def test_servers_are_made_all_or_none(site: Site) -> None:
    path = site.directory / "s"
    configs = [unix_config(path), inet_config(host="192.0.2.1")]
    with pytest.raises(ServerError):
        open_http_servers(configs, site.loop, site.logger)
    assert not path.exists()


def test_servers_come_with_their_configuration(site: Site) -> None:
    config = unix_config(site.directory / "s")
    [(found, server)] = open_http_servers([config], site.loop, site.logger)
    assert found is config
    assert server.handlers == []
    server.close()


# -- many clients ------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three connections are all that a server takes."""
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 3)


@pytest.mark.usefixtures("few")
def test_a_newcomer_takes_the_place_of_an_idle_client(site: Site) -> None:
    site.serve(Echo())
    idle = [site.connect() for _ in range(3)]
    for client in idle:
        client.send(get())
        client.answer()
    assert status(site.ask(get())) == 200
    idle[0].wait_for_end()
    assert not idle[1].has_ended


@pytest.mark.usefixtures("few")
def test_while_all_connections_are_busy_new_ones_wait(site: Site) -> None:
    """One connection beyond the limit is accepted, and no more."""
    waiting: list[Any] = []
    site.serve(Echo(waiting.append))
    for served in (1, 2, 3):
        site.connect().send(get())
        site.turn_until(lambda served=served: len(waiting) == served)  # type: ignore[misc]
    for _ in range(2):
        site.connect().send(get())
    site.turn_until(lambda: len(waiting) == 4)
    site.pass_time(5)
    assert len(waiting) == 4
    assert [level for level, _ in site.log()] == ["error"], "said once, and not in a busy loop"
    waiting[0].done()
    site.run_once()
    site.pass_time(1)
    site.turn_until(lambda: len(waiting) == 5)


def test_without_a_free_fd_it_waits_and_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = site.serve(Echo())

    class Exhausted:
        """A listening socket in a process without fds."""

        def __init__(self, real: socket.socket) -> None:
            self.real = real

        def accept(self) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    monkeypatch.setattr(server, "_socket", Exhausted(server._socket))
    client = site.connect()
    client.send(get())
    site.run_once(20)
    [(level, text)] = site.log()
    assert (level, "Too many open files" in text) == ("error", True)
    monkeypatch.undo()
    site.pass_time(1)
    assert status(client.answer()) == 200


def test_a_closed_server_drops_its_clients(site: Site) -> None:
    server = site.serve(Echo())
    client = site.connect()
    site.turn_until(lambda: server._connections)
    server.close()
    client.wait_for_end()
