"""Owner and mode of logs: of each new file, and never of another user's trap."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.config.model import ProcessConfig, Settings
from supervisor.engine import files
from supervisor.loggers import FileHandler
from supervisor.logs import ownership, rotation
from supervisor.logs.ownership import Ownership
from supervisor.logs.policy import LogPolicy
from supervisor.logs.sinks import Sink, clear, open_sink
from supervisor.process.groups import create_auto_logs
from tests.support.strangers import UID, give_away, needs_root

MODE = 0o642


class Log:
    """A log with an owner and a mode, and what is reported about it."""

    def __init__(self, path: Path, mode: int | None = MODE, owner: int | None = None) -> None:
        self.path = path
        self.reports: list[str] = []
        ids = None if owner is None else (owner, owner)
        self.policy = LogPolicy(ownership=Ownership(mode, ids, self.reports.append))

    def open(self) -> Sink:
        """Open the log."""
        return open_sink(str(self.path), policy=self.policy)

    def state(self) -> tuple[int, int]:
        """Return mode and owner of the file."""
        status = self.path.stat()
        return stat.S_IMODE(status.st_mode), status.st_uid


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_a_new_file_has_the_mode_in_spite_of_the_umask(log: Log, umask: int) -> None:
    before = os.umask(umask)
    try:
        log.open().close()
    finally:
        os.umask(before)
    assert log.state() == (MODE, os.geteuid())


STEPS: dict[str, Callable[[Sink], object]] = {
    "rotation": lambda sink: rotation.rotate(sink, 1, 3),
    "rotation by another process": lambda sink: (
        os.rename(sink.path, f"{sink.path}.1"),
        rotation.rotate(sink, 1, 3),
    ),
    "clearing": lambda sink: sink.begin_file(),
    "clearing by path": lambda sink: clear(sink.path),
    "reopening": lambda sink: (os.unlink(sink.path), sink.open_again()),
}


@needs_root
@pytest.mark.parametrize("step", STEPS)
def test_each_new_file_has_them(tmp_path: Path, step: str) -> None:
    log = Log(tmp_path / "log", owner=UID)
    sink = log.open()
    assert log.state() == (MODE, UID)
    sink.write(b"x\n")
    inode = log.path.stat().st_ino
    STEPS[step](sink)
    assert log.path.stat().st_ino != inode or step == "reopening"
    assert log.state() == (MODE, UID)
    assert log.reports == []
    sink.close()


@needs_root
def test_the_log_of_a_stopped_program_is_cleared(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", owner=UID)
    log.path.write_bytes(b"x\n")
    clear(str(log.path), log.policy)
    assert log.state() == (MODE, UID)
    assert log.path.read_bytes() == b""


def test_without_a_mode_a_rotation_keeps_that_of_the_file(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", mode=None, owner=os.geteuid())
    sink = log.open()
    log.path.chmod(0o604)
    sink.write(b"x\n")
    rotation.rotate(sink, 1, 3)
    assert log.state()[0] == 0o604
    sink.close()


@needs_root
def test_a_file_that_exists_is_changed_in_a_protected_directory(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", owner=UID)
    log.path.write_bytes(b"before\n")
    log.open().close()
    assert log.state() == (MODE, UID)
    assert log.path.read_bytes() == b"before\n"
    assert log.reports == []


@needs_root
def test_roots_link_in_protected_directories_is_followed(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", owner=UID)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/log").write_bytes(b"")
    log.path.symlink_to("data/log")
    log.open().close()
    assert log.state() == (MODE, UID)


def _moved_there(directory: Path, secret: Path) -> str:
    secret.rename(directory / "log")
    return f"other users can change {directory}"


def _hard_link(directory: Path, secret: Path) -> str:
    (directory / "log").hardlink_to(secret)
    return "it has several names"


def _link_of_root(directory: Path, _secret: Path) -> str:
    (directory / "other").write_bytes(b"")
    (directory / "log").symlink_to(directory / "other")
    return f"other users can change {directory}"


@needs_root
@pytest.mark.parametrize("trick", [_moved_there, _hard_link, _link_of_root])
def test_a_file_of_root_in_a_users_directory_is_not_given_away(
    tmp_path: Path, trick: Callable[[Path, Path], str]
) -> None:
    """The owner of the directory can move any file of root there that is in another of his."""
    directory, secret = tmp_path / "theirs", tmp_path / "secret"
    directory.mkdir()
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    reason = trick(directory, secret)
    give_away(directory)
    log = Log(directory / "log", owner=UID)
    before = log.state()
    sink = log.open()
    assert log.state() == before
    assert log.reports == [f"log {log.path} keeps its owner and mode until it is rotated: {reason}"]
    sink.write(b"x\n")
    if trick is not _link_of_root:
        rotation.rotate(sink, 1, 3)
        assert log.state() == (MODE, UID)
        assert (directory / "log.1").stat().st_uid == 0
    sink.close()


def test_a_file_that_is_being_replaced(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.path.write_bytes(b"")
    before = log.state()
    other = log.path.with_name("other")
    other.touch()
    monkeypatch.setattr(ownership.os, "lstat", lambda _path: other.stat())
    log.open().close()
    assert log.state() == before
    assert log.reports[0].endswith(": it is being replaced")


@needs_root
@pytest.mark.parametrize("mode", [None, MODE])
def test_a_file_that_appears_during_a_rotation_is_not_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int | None
) -> None:
    """It is a log of another daemon, or a file that the owner of the directory has moved there."""
    log = Log(tmp_path / "log", mode, owner=UID) if mode else Log(tmp_path / "log", None)
    give_away(tmp_path)
    log.path.write_bytes(b"x\n")
    give_away(log.path)
    sink = log.open()
    create = files.create_log

    def create_late(path: str, permissions: int) -> tuple[int, bool]:
        secret = Path(path)
        secret.write_bytes(b"secret")
        secret.chmod(0o600)
        return create(path, permissions)

    monkeypatch.setattr(files, "create_log", create_late)
    rotation.rotate(sink, 1, 3)
    assert log.state() == (0o600, 0)
    sink.close()


@pytest.mark.parametrize("act", [FileHandler.renew, FileHandler.reopen])
def test_a_closed_handler_keeps_its_policy(log: Log, act: Callable[[FileHandler], None]) -> None:
    handler = FileHandler(str(log.path), policy=log.policy)
    handler.close()
    log.path.unlink()
    log.path.touch()
    act(handler)
    handler.close()
    assert log.state()[0] == MODE


def test_the_log_of_auto_has_them_in_any_directory(tmp_path: Path) -> None:
    """The directory is /tmp by default, where files of others are not changed."""
    tmp_path.chmod(0o1777)
    config = ProcessConfig("x", "a", stdout_logfile_mode=0o640, stderr_logfile=None)
    create_auto_logs(config, Settings(configfile=None, here=None, childlogdir=str(tmp_path)))
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@needs_root
@pytest.mark.parametrize("others", [0o1777, 0o775])
def test_a_directory_that_others_may_write_to(tmp_path: Path, others: int) -> None:
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(others)
    log = Log(directory / "log", owner=UID)
    log.open().close()
    assert log.state() == (MODE, UID)  # a new file
    log.path.unlink()
    log.path.write_bytes(b"")
    before = log.state()
    log.open().close()
    assert log.state() == before
    assert len(log.reports) == 1


@needs_root
def test_a_new_file_in_a_users_directory_is_given_to_him(tmp_path: Path) -> None:
    directory = tmp_path / "theirs"
    directory.mkdir()
    give_away(directory)
    log = Log(directory / "log", owner=UID)
    log.open().close()
    assert log.state() == (MODE, UID)
    log.open().close()  # there is nothing to change
    assert log.reports == []


@needs_root
@pytest.mark.parametrize("kind", ["fifo", "device", "stream"])
def test_only_regular_files_are_changed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        path = Path("/dev/stderr")
    log = Log(path, owner=UID)
    before = log.state()
    log.open().close()
    assert log.state() == before
    assert log.reports == []


def test_a_refusal_is_one_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    sink = log.open()
    sink.write(b"x\n")
    sink.close()
    assert log.reports == [
        f"cannot change owner and mode of log {log.path}: Operation not permitted"
    ]
    assert log.path.read_bytes() == b"x\n"
