"""The file of a unix socket: renewed while clients connect, restored if it has been removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.http import server as servers
from supervisor.http.listening import RENEWAL_SECONDS
from tests.support.httpsite import Echo, Site, get, inet_config, status, unix_config
from tests.support.tables import assert_none

LONG_AGO = 1_000_000_000


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    yield made
    made.close()


@pytest.fixture
def path(site: Site) -> Path:
    """Serve on a unix socket; return its path."""
    site.serve(Echo(), config=unix_config(site.directory / "s", chmod=0o640))
    return site.directory / "s"


def age(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)


def is_old(path: Path) -> bool:
    """Whether the modification time is old; connecting may set the access time."""
    return path.lstat().st_mtime == LONG_AGO


# -- renewal -----------------------------------------------------------------------


def test_the_times_are_renewed_once_an_hour_when_a_client_connects(site: Site, path: Path) -> None:
    """Programs that clean up /tmp remove files by age."""
    steps = ((0.0, False), (1.0, True), (RENEWAL_SECONDS - 2, True), (1.0, False), (1.0, True))
    mistakes = []
    for seconds, stays_old in steps:
        age(path)
        site.pass_time(seconds)
        if not is_old(path):
            mistakes.append(f"renewed without a client after {seconds} s")
        assert status(site.ask(get())) == 200
        if is_old(path) != stays_old:
            mistakes.append(f"after {seconds} s more: old {is_old(path)}")
    assert_none(mistakes)


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_the_times_of_a_file_that_replaces_it_stay(site: Site, path: Path, kind: str) -> None:
    client = site.connect()
    path.unlink()
    other = site.directory / "other"
    other.touch()
    age(other)
    if kind == "file":
        other.rename(path)
    else:
        path.symlink_to(other)
        age(path)
    client.send(get())
    assert status(client.answer()) == 200
    assert is_old(path)
    assert is_old(path.resolve())


def test_a_client_is_served_if_the_file_is_gone(site: Site, path: Path) -> None:
    client = site.connect()
    path.unlink()
    client.send(get())
    assert status(client.answer()) == 200
    assert site.log() == []


# -- restoration ---------------------------------------------------------------------


def test_a_removed_socket_is_created_again(site: Site, path: Path) -> None:
    """Clients that are connected, or waiting to be accepted, are served as well."""
    server = site.servers[0]
    connected = site.connect()
    site.turn_until(lambda: server._connections)
    waiting = site.connect()
    path.unlink()
    server.restore_socket()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert site.log() == [("warn", f"unix socket {path} had been removed and was created again")]
    for client in (connected, waiting):
        client.send(get())
        assert status(client.answer()) == 200
    assert status(site.ask(get())) == 200
    assert os.listdir(site.directory) == ["s"]
    server.close()
    assert os.listdir(site.directory) == []


def test_a_socket_in_place_is_left_as_it_is(site: Site, path: Path) -> None:
    before = path.stat()
    site.servers[0].restore_socket()
    assert path.stat() == before
    assert site.log() == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "socket"])
def test_a_file_that_has_replaced_it_is_untouched(site: Site, path: Path, kind: str) -> None:
    path.unlink()
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)  # stale: without a listener
    else:
        path.symlink_to("nowhere")
    before = path.lstat()
    site.servers[0].restore_socket()
    assert path.lstat() == before
    assert site.log() == [("warn", f"unix socket {path} has been replaced by another process")]
    assert os.listdir(site.directory) == ["s"]


def test_a_file_that_appears_meanwhile_is_untouched(
    site: Site, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale socket, which a boot would replace, appears after the path has been checked."""
    path.unlink()
    opened = servers.open_listener

    def open_late(*args: object, **options: object) -> object:
        os.mknod(path, stat.S_IFSOCK | 0o600)
        return opened(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(servers, "open_listener", open_late)
    site.servers[0].restore_socket()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [(level, text)] = site.log()
    assert (level, f"In use: {path}" in text) == ("error", True)
    assert os.listdir(site.directory) == ["s"]


def test_a_directory_that_is_gone_is_one_line(site: Site) -> None:
    folder = site.directory / "folder"
    folder.mkdir()
    server = site.serve(Echo(), config=unix_config(folder / "s"))
    (folder / "s").unlink()
    folder.rmdir()
    server.restore_socket()
    [(level, text)] = site.log()
    assert level == "error"
    assert f"{folder}/s: No such file or directory in section 'unix_http_server'" in text
    folder.mkdir()
    server.restore_socket()
    assert status(site.ask(get())) == 200


def test_a_withdrawn_socket_is_not_restored(site: Site, path: Path) -> None:
    """The daemon itself has removed it, during a shutdown."""
    server = site.servers[0]
    server.withdraw()
    server.restore_socket()
    assert not path.exists()


def test_a_server_on_tcp_has_nothing_to_restore(site: Site) -> None:
    server = site.serve(Echo(), config=inet_config())
    address = server.address
    server.restore_socket()
    assert server.address == address
    assert status(site.ask(get())) == 200
    assert site.log() == []
