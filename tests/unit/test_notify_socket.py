"""The notify socket of a run: senders that are alive, dead, or not the main process."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.common.notify_protocol import Notification
from supervisor.engine.loop import Loop
from supervisor.process import notify_socket, runtime_directory
from supervisor.process.notify_socket import MAX_PROBLEMS, NotifySocket, bind_notify_socket
from supervisor.process.runtime_directory import (
    make_runtime_directory,
    remove_runtime_directory,
    require_protected,
)
from tests.support.fds import nothing_left_open
from tests.support.notifying import Site
from tests.support.strangers import UID, acting, give_away, needs_root
from tests.support.turning import turn_all, turn_until


@pytest.fixture
def runtimedir(directory: Path) -> Iterator[str]:
    """A private directory for sockets, which others may pass through."""
    directory.chmod(0o711)
    path = make_runtime_directory(str(directory))
    yield path
    remove_runtime_directory(path)
    assert not os.path.exists(path)


@pytest.fixture(params=[False, True], ids=["notify=true", "notify=all"])
def site(request: pytest.FixtureRequest, runtimedir: str) -> Iterator[Site]:
    """A socket with either option; no fd and no file is left of it."""
    with nothing_left_open():
        made = Site(runtimedir, accept_all=request.param)
        yield made
        made.close()
    assert os.listdir(runtimedir) == []


@pytest.fixture
def main_only(runtimedir: str) -> Iterator[Site]:
    """A socket that accepts the main process only."""
    made = Site(runtimedir, accept_all=False)
    yield made
    made.close()


# -- senders -------------------------------------------------------------------


def test_the_main_process_is_heard(site: Site) -> None:
    site.send(b"READY=1\nSTATUS=up")
    turn_all(site.loop)
    assert site.seen == [(Notification(ready=True, status="up"), os.getpid())]
    assert site.problems == []


def send_from_child(path: str, data: bytes) -> int:
    """Send a datagram from a child that is dead and reaped on return; return its pid."""
    pid = os.fork()
    if not pid:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(data, path)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_main_process_that_has_exited_is_heard(main_only: Site) -> None:
    main_only.channel.main_pid = send_from_child(main_only.channel.path, b"READY=1")
    turn_all(main_only.loop)
    assert main_only.seen == [(Notification(ready=True), main_only.channel.main_pid)]


def test_another_process_is_heard_with_notify_all_only(site: Site) -> None:
    pid = send_from_child(site.channel.path, b"READY=1")
    turn_all(site.loop)
    if site.channel._accept_all:
        assert site.seen == [(Notification(ready=True), pid)]
        assert site.problems == []
    else:
        assert site.seen == []
        (problem,) = site.problems
        assert problem == (
            f"ignored a notification from pid {pid}, which is not the main process"
            " (notify=all accepts all processes)"
        )


def test_nothing_is_accepted_before_the_child_exists(main_only: Site) -> None:
    main_only.channel.main_pid = None
    main_only.send(b"READY=1")
    turn_all(main_only.loop)
    assert main_only.seen == []


# -- descriptors, floods, bad datagrams ----------------------------------------


def test_descriptors_are_never_kept(site: Site) -> None:
    for data in (b"FDSTORE=1\nFDNAME=x", b"BARRIER=1", b"READY=1", b"\xff\0\xff"):
        with nothing_left_open():
            reader, writer = os.pipe()
            site.send(data, [writer] * 50)
            os.close(writer)
            turn_all(site.loop)
            os.set_blocking(reader, False)
            assert os.read(reader, 1) == b"", "the writing end is open somewhere"
            os.close(reader)


def test_a_barrier_waits_for_earlier_datagrams(site: Site) -> None:
    reader, writer = os.pipe()
    site.send(b"READY=1")
    site.send(b"BARRIER=1", [writer])
    os.close(writer)
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    turn_all(site.loop)
    assert os.read(reader, 1) == b""
    assert [each for each, _ in site.seen] == [Notification(ready=True)]
    os.close(reader)


def test_reads_are_bounded_and_pauses_follow(
    main_only: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_socket, "MAX_DATAGRAMS", 2)
    for number in range(5):
        main_only.send(b"STATUS=%d" % number)
    main_only.loop.run_once(0)
    main_only.loop.run_once(0)
    assert len(main_only.seen) == 2
    turn_until(main_only.loop, lambda: len(main_only.seen) == 4)
    main_only.channel.drain()
    assert [each.status for each, _ in main_only.seen] == ["0", "1", "2", "3", "4"]


def test_problems_are_reported_but_not_without_end(site: Site) -> None:
    for _ in range(3 * MAX_PROBLEMS):
        site.send(b"READY=2")
        turn_all(site.loop)
    assert site.problems[0] == f"bad notification from pid {os.getpid()}: bad value: READY=2"
    assert len(site.problems) == MAX_PROBLEMS
    assert site.problems[-1].endswith("; further ones are not reported")
    site.send(b"READY=1")
    turn_all(site.loop)
    assert site.seen[-1][0] == Notification(ready=True)


def test_a_long_datagram_is_refused_and_an_empty_one_is_no_end(site: Site) -> None:
    site.send(b"")
    site.send(b"READY=1\n" + b"x" * 5000)
    site.send(b"STOPPING=1")
    turn_all(site.loop)
    assert not any(each.ready for each, _ in site.seen)
    assert "longer than 4096 bytes" in site.problems[0]
    assert site.seen[-1][0] == Notification(stopping=True)


def test_a_callback_may_close_the_socket(runtimedir: str) -> None:
    loop = Loop()
    seen: list[Notification] = []

    def on_notification(notification: Notification, _pid: int) -> None:
        seen.append(notification)
        channel.close()

    bound = bind_notify_socket(runtimedir, None)
    channel = NotifySocket(bound, loop, on_notification, pytest.fail, accept_all=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(channel.path)
        sender.send(b"READY=1")
        sender.send(b"READY=1")
    turn_all(loop)
    assert len(seen) == 1
    assert not os.path.exists(channel.path)
    channel.close()
    loop.close()


# -- files -----------------------------------------------------------------------


def test_the_socket_is_private_under_any_umask(runtimedir: str) -> None:
    umask = os.umask(0)
    try:
        site = Site(runtimedir, accept_all=True)
    finally:
        assert os.umask(umask) == 0
    status = os.stat(site.channel.path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    site.close()


def test_a_file_that_is_gone_does_not_matter(main_only: Site) -> None:
    os.unlink(main_only.channel.path)
    main_only.close()


@needs_root
def test_the_user_of_the_program_can_write_and_no_other_user(runtimedir: str) -> None:
    mine, theirs = (Site(runtimedir, accept_all=True, uid=uid) for uid in (None, UID))

    def act() -> None:
        theirs.send(b"READY=1")
        for forbidden in (
            lambda: mine.send(b"READY=1"),
            lambda: os.listdir(runtimedir),
            lambda: os.unlink(theirs.channel.path),
            lambda: bind_notify_socket(runtimedir, None),
        ):
            with pytest.raises(PermissionError):
                forbidden()

    with acting(act) as pid:
        turn_all(theirs.loop)
        turn_all(mine.loop)
        assert theirs.seen == [(Notification(ready=True), pid)]
        assert mine.seen == []
    mine.close()
    theirs.close()


@needs_root
def test_a_socket_that_cannot_be_given_away_leaves_nothing(
    runtimedir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(1, "refused")

    monkeypatch.setattr(os, "chown", refuse)
    with nothing_left_open(), pytest.raises(PermissionError):
        bind_notify_socket(runtimedir, UID)
    assert os.listdir(runtimedir) == []


def test_a_missing_directory_is_named(directory: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(directory / "gone")):
        bind_notify_socket(str(directory / "gone"), None)


# -- the runtime directory ------------------------------------------------------


def test_the_directory_is_private_under_any_umask(directory: Path) -> None:
    umask = os.umask(0o777)
    try:
        path = make_runtime_directory(str(directory))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o711
    assert make_runtime_directory(str(directory)) != path


def test_a_directory_with_a_long_path_is_refused(directory: Path) -> None:
    """The longest one that is accepted has room for sockets."""
    most = runtime_directory.MAX_SOCKET_PATH_BYTES - runtime_directory.SOCKET_NAME_CHARS - 1
    longest = str(directory / "d").ljust(most, "d")
    os.mkdir(longest, 0o711)
    require_protected(longest)
    receiver, path = bind_notify_socket(longest, None)
    receiver.close()
    assert len(path) == runtime_directory.MAX_SOCKET_PATH_BYTES
    os.mkdir(longest + "d")
    with pytest.raises(OSError, match="longer than 94 bytes"):
        require_protected(longest + "d")
    with pytest.raises(OSError, match="longer than 94 bytes"):
        make_runtime_directory(longest)
    assert os.listdir(longest) == [os.path.basename(path)]


def test_a_directory_that_others_can_change_is_refused(directory: Path) -> None:
    """Below a sticky directory it is safe: other users cannot rename it."""
    parent = directory / "parent"
    parent.mkdir()
    parent.chmod(0o1777)
    make_runtime_directory(str(parent))
    parent.chmod(0o777)
    with pytest.raises(PermissionError, match=f"other users can change {parent}"):
        make_runtime_directory(str(parent))
    assert len(list(parent.iterdir())) == 1


@needs_root
def test_a_directory_of_another_user_is_refused(directory: Path) -> None:
    theirs = directory / "theirs"
    theirs.mkdir()
    give_away(theirs)
    with pytest.raises(PermissionError, match="other users can change"):
        make_runtime_directory(str(theirs))
    assert list(theirs.iterdir()) == []


def test_a_directory_that_other_users_cannot_reach(directory: Path) -> None:
    path = make_runtime_directory(str(directory))
    assert not runtime_directory.is_reachable(path)
    directory.chmod(0o711)
    assert runtime_directory.is_reachable(path)
    os.chmod(path, 0o700)
    assert not runtime_directory.is_reachable(path)


def test_removal_spares_what_is_not_a_socket(directory: Path) -> None:
    path = make_runtime_directory(str(directory))
    Path(path, "file").touch()
    remove_runtime_directory(path)
    assert os.listdir(path) == ["file"]
