"""Openers of files whose names other users can influence."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from supervisor.engine import files
from tests.support.strangers import acting, give_away, needs_root

ATTACK_SECONDS = 0.5


def write(path: Path, data: bytes = b"line\n") -> None:
    """Append to a file through `open_log`."""
    fd = files.open_log(str(path))
    os.write(fd, data)
    os.close(fd)


def read(path: Path) -> bytes:
    """Return a file through `open_for_reading`."""
    fd = files.open_for_reading(str(path))
    try:
        return os.read(fd, 1000)
    finally:
        os.close(fd)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a directory that other users can reach: those above it are pytest's, and closed."""
    with tempfile.TemporaryDirectory(prefix="supervisor-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


class TestLogs:
    """Opening a log for appending."""

    def test_a_missing_file_is_created(self, tmp_path: Path) -> None:
        write(tmp_path / "log", b"one\n")
        write(tmp_path / "log", b"two\n")
        assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"

    def test_truncated(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_bytes(b"before")
        os.close(files.open_log(str(tmp_path / "log"), truncate=True))
        assert (tmp_path / "log").read_bytes() == b""

    def test_a_new_file_has_the_permissions_from_the_beginning(self, tmp_path: Path) -> None:
        fd = files.create_if_missing(str(tmp_path / "log"), 0o600)
        assert fd is not None
        os.close(fd)
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("kind", ["file", "link", "link to nothing", "fifo"])
    def test_a_file_that_exists_is_not_created(self, tmp_path: Path, kind: str) -> None:
        log, target = tmp_path / "log", tmp_path / "target"
        make: dict[str, Callable[[], object]] = {
            "file": log.touch,
            "link": lambda: (target.touch(), log.symlink_to(target)),
            "link to nothing": lambda: log.symlink_to(target),
            "fifo": lambda: os.mkfifo(log),
        }
        make[kind]()
        assert files.create_if_missing(str(log), 0o600) is None

    def test_a_fifo_without_reader_keeps_what_is_written(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "log")
        fd = files.open_log(str(tmp_path / "log"))
        os.write(fd, b"line\n")
        reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
        assert os.read(reader, 100) == b"line\n"
        os.close(reader)
        os.close(fd)

    def test_relative_to_the_current_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "logs").mkdir()
        monkeypatch.chdir(tmp_path)
        for name in ("log", "logs/log", "./logs/../logs//log", "../" + tmp_path.name + "/log"):
            write(Path(name))
        assert (tmp_path / "log").read_bytes() == (tmp_path / "logs/log").read_bytes()

    @pytest.mark.parametrize(
        ("path", "number"),
        [
            ("missing/log", errno.ENOENT),
            ("file/log", errno.ENOTDIR),
            ("directory", errno.EISDIR),
            ("directory/", errno.EISDIR),
            ("loop", errno.ELOOP),
            ("loop/log", errno.ELOOP),
            ("link-to-missing/log", errno.ENOENT),
            ("socket", errno.ENXIO),
        ],
    )
    def test_what_cannot_be_opened(self, tmp_path: Path, path: str, number: int) -> None:
        """The error is the system's, and names the path that was asked for."""
        (tmp_path / "file").touch()
        (tmp_path / "directory").mkdir()
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "link-to-missing").symlink_to("missing")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket"))
        for each in (f"{tmp_path}/{path}", f"{tmp_path}/../{tmp_path.name}/{path}"):
            with pytest.raises(OSError, match=r".") as raised:
                files.open_log(each)
            assert (raised.value.errno, raised.value.filename) == (number, each)

    def test_no_fd_is_left_open(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "here").symlink_to(".")
        before = os.listdir("/proc/self/fd")
        write(tmp_path / "here/here/log")
        for path in ("loop", "loop/log", "here/missing/log", "here/here"):
            with pytest.raises(OSError, match=r"."):
                files.open_log(str(tmp_path / path))
        assert os.listdir("/proc/self/fd") == before


class TestLinks:
    """Symlinks are followed by the rule of the module."""

    def test_own_links_are_followed(self, tmp_path: Path) -> None:
        """To files that need not exist, and in the middle of a path, relative and absolute."""
        (tmp_path / "real/logs").mkdir(parents=True)
        (tmp_path / "absolute").symlink_to(tmp_path / "real")
        (tmp_path / "relative").symlink_to("real/../real/.")
        (tmp_path / "real/logs/latest").symlink_to("../target")
        for middle in ("absolute", "relative"):
            write(tmp_path / middle / "logs/latest", b".")
        assert (tmp_path / "real/target").read_bytes() == b".."
        assert read(tmp_path / "absolute/logs/latest") == b".."

    def test_names_of_fds(self, tmp_path: Path) -> None:
        """The text of a link in /proc is not a path."""
        reader, writer = os.pipe()
        for name in (f"/dev/fd/{writer}", f"/proc/{os.getpid()}/fd/{writer}"):
            fd = files.open_log(name)
            os.write(fd, b".")
            os.close(fd)
        assert os.read(reader, 10) == b".."
        os.close(reader)
        os.close(writer)
        write(Path(f"/proc/self/cwd/{os.path.relpath(tmp_path)}/log"))
        assert (tmp_path / "log").exists()

    @needs_root
    def test_a_file_that_is_a_link_of_another_user(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"secret")
        (tmp_path / "log").symlink_to("target")
        (tmp_path / "second").symlink_to("log")
        give_away(tmp_path / "log")
        for name in ("log", "second"):
            for opener in (files.open_log, files.open_for_reading):
                with pytest.raises(PermissionError, match="symbolic link of another user"):
                    opener(str(tmp_path / name))
        assert (tmp_path / "target").read_bytes() == b"secret"

    @needs_root
    def test_a_directory_that_is_a_link_of_another_user(self, tmp_path: Path) -> None:
        """Deployed by another user, `current -> releases/7` is followed; a way out is not."""
        releases = tmp_path / "app/releases/7"
        releases.mkdir(parents=True)
        (tmp_path / "app/current").symlink_to("releases/7")
        (tmp_path / "protected").mkdir()
        (tmp_path / "app/out").symlink_to(tmp_path / "protected")
        (tmp_path / "app/further").symlink_to("current/../../out")
        links = [tmp_path / "app" / name for name in ("current", "out", "further")]
        give_away(tmp_path / "app", releases, *links)
        write(tmp_path / "app/current/log")
        assert read(releases / "log") == b"line\n"
        for name in ("out", "further"):
            for opener in (files.open_log, files.open_for_reading):
                with pytest.raises(PermissionError, match="symbolic link of another user"):
                    opener(str(tmp_path / "app" / name / "log"))
        assert not list((tmp_path / "protected").iterdir())


@needs_root
class TestExchange:
    """Another user exchanges names in his directory while root opens what is there."""

    @pytest.fixture
    def theirs(self, folder: Path) -> Path:
        """Make a directory of another user beside one of root's."""
        (folder / "protected").mkdir(mode=0o700)
        (folder / "protected/log").write_bytes(b"secret")
        theirs = folder / "theirs"
        theirs.mkdir()
        give_away(theirs)
        return theirs

    def attack(
        self, exchange: Callable[[], object], opener: Callable[[], int], target: Path
    ) -> None:
        status = target.stat()
        opened = refused = 0
        deadline = time.monotonic() + ATTACK_SECONDS
        with acting(exchange, repeatedly=True):
            while time.monotonic() < deadline or not (opened and refused):
                try:
                    fd = opener()
                except OSError:
                    refused += 1
                    continue
                is_target = os.path.samestat(os.fstat(fd), status)
                os.close(fd)
                opened += 1
                assert not is_target
                assert time.monotonic() < deadline + 20, f"{opened} opened, {refused} refused"

    @pytest.mark.parametrize("opener", [files.open_log, files.open_for_reading])
    def test_of_a_file_for_a_link(self, theirs: Path, opener: Callable[[str], int]) -> None:
        target, log = theirs.parent / "protected/log", theirs / "log"

        def exchange() -> None:
            (theirs / "file").touch()
            os.replace(theirs / "file", log)
            (theirs / "link").symlink_to(target)
            os.replace(theirs / "link", log)

        self.attack(exchange, lambda: opener(str(log)), target)

    def test_of_a_link_after_the_look_at_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worst moment: the link that was allowed is no longer the one that is there."""
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "log").symlink_to("allowed")
        (tmp_path / "theirs").symlink_to("secret")
        give_away(tmp_path / "theirs")

        def looking(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
            def looked(*args: object, **kwargs: object) -> os.stat_result:
                status = look(*args, **kwargs)
                if stat.S_ISLNK(status.st_mode):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(tmp_path / "theirs", tmp_path / "log")
                return status

            return looked

        for name in ("stat", "lstat", "fstat"):
            monkeypatch.setattr(os, name, looking(getattr(os, name)))
        write(tmp_path / "log")
        monkeypatch.undo()
        assert not (tmp_path / "theirs").is_symlink()
        assert (tmp_path / "allowed").read_bytes() == b"line\n"
        assert (tmp_path / "secret").read_bytes() == b"secret"

    @pytest.mark.parametrize("opener", [files.open_log, files.open_for_reading])
    def test_of_a_directory_for_a_link(self, theirs: Path, opener: Callable[[str], int]) -> None:
        target, logs = theirs.parent / "protected/log", theirs / "logs"
        logs.mkdir()
        (logs / "log").touch()
        (theirs / "link").symlink_to(target.parent)
        give_away(logs, theirs / "link")

        def exchange() -> None:
            for old, new in (
                ("logs", "aside"),
                ("link", "logs"),
                ("logs", "link"),
                ("aside", "logs"),
            ):
                (theirs / old).rename(theirs / new)

        self.attack(exchange, lambda: opener(str(logs / "log")), target)

    def test_while_a_file_is_created_after_a_rotation(self, theirs: Path) -> None:
        """Only a file of root's own gets the lines of the log, even if it comes late."""
        log = theirs / "log"

        def put(name: str) -> None:
            path = theirs / name
            if name == "link":
                path.symlink_to(theirs.parent / "protected/log")
            elif name == "fifo":
                os.mkfifo(path)
            else:
                path.touch()
            os.replace(path, log)

        created = 0
        deadline = time.monotonic() + ATTACK_SECONDS
        with acting(lambda: [put(name) for name in ("link", "fifo", "file")], repeatedly=True):
            while time.monotonic() < deadline or not created:
                with contextlib.suppress(FileExistsError):
                    fd, _ = files.create_log(str(log))
                    status = os.fstat(fd)
                    os.close(fd)
                    assert stat.S_ISREG(status.st_mode)
                    assert status.st_uid == 0
                    created += 1
                assert time.monotonic() < deadline + 20
        assert (theirs.parent / "protected/log").read_bytes() == b"secret"


class TestExclusive:
    """The new file after a rotation."""

    def test_it_is_created(self, tmp_path: Path) -> None:
        fd, is_new = files.create_log(str(tmp_path / "log"), 0o600)
        os.close(fd)
        assert is_new
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600

    def test_another_process_of_the_same_user_may_be_faster(self, tmp_path: Path) -> None:
        """Two daemons with one log find out that it has been rotated at the same time."""
        (tmp_path / "log").write_bytes(b"first\n")
        fd, is_new = files.create_log(str(tmp_path / "log"))
        assert not is_new
        os.write(fd, b"second\n")
        os.close(fd)
        assert (tmp_path / "log").read_bytes() == b"first\nsecond\n"

    @needs_root
    @pytest.mark.parametrize("kind", ["file", "link", "fifo", "hard link"])
    def test_what_another_user_has_put_there_is_replaced(self, tmp_path: Path, kind: str) -> None:
        log, secret = tmp_path / "log", tmp_path / "secret"
        secret.write_bytes(b"secret")
        make: dict[str, Callable[[], object]] = {
            "file": log.touch,
            "link": lambda: log.symlink_to(secret),
            "fifo": lambda: os.mkfifo(log),
            "hard link": lambda: log.hardlink_to(secret),
        }
        make[kind]()
        if kind != "hard link":
            give_away(log)
        fd, _ = files.create_log(str(log))
        os.write(fd, b"line\n")
        os.close(fd)
        assert log.lstat().st_uid == 0
        assert log.read_bytes() == b"line\n"
        assert secret.read_bytes() == b"secret"

    def test_a_directory_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "log").mkdir()
        with pytest.raises(IsADirectoryError):
            files.create_log(str(tmp_path / "log"))


class TestReading:
    """Only regular files are read."""

    def test_a_regular_file(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_bytes(b"line\n")
        assert read(tmp_path / "log") == b"line\n"

    @pytest.mark.parametrize(
        ("kind", "reason"), [("fifo", "a fifo"), ("zero", "a device"), ("directory", "a directory")]
    )
    def test_anything_else_has_a_reason(self, tmp_path: Path, kind: str, reason: str) -> None:
        """A fifo without a writer, which would make the reader wait, among them."""
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "zero").symlink_to("/dev/zero")
        (tmp_path / "directory").mkdir()
        with pytest.raises(files.NotRegularFile) as raised:
            files.open_for_reading(str(tmp_path / kind))
        assert raised.value.strerror == f"it is {reason}"
        assert raised.value.filename == str(tmp_path / kind)

    def test_the_null_device_is_empty(self) -> None:
        assert read(Path(os.devnull)) == b""

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            files.open_for_reading(str(tmp_path / "missing"))


class TestOwn:
    """Files that are opened only under their own name, and removed only if they are in place."""

    def test_never_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "target").touch()
        (tmp_path / "link").symlink_to("target")
        with pytest.raises(OSError, match="symbolic links"):
            files.open_own(str(tmp_path / "link"), os.O_RDWR)

    def test_removed_if_it_is_in_place(self, tmp_path: Path) -> None:
        path = tmp_path / "own"
        fd = files.open_own(str(path), os.O_RDWR | os.O_CREAT)
        path.rename(tmp_path / "moved")
        path.write_bytes(b"of another process")
        assert not files.is_in_place(str(path), fd)
        files.remove_own(str(path), fd)
        assert path.exists()
        os.replace(tmp_path / "moved", path)
        assert files.is_in_place(str(path), fd)
        files.remove_own(str(path), fd)
        assert not path.exists()
        assert not files.is_in_place(str(path), fd)
        os.close(fd)


@needs_root
class TestProtected:
    """Paths that only root and the effective user can change."""

    @pytest.fixture
    def tree(self, folder: Path) -> Path:
        """Make one of each: protected, and one weakness each."""
        for name in ("safe", "theirs", "open", "sticky", "group"):
            (folder / name).mkdir(mode=0o755)
            (folder / name / "file").touch(mode=0o644)
            (folder / name / "file").chmod(0o644)
        (folder / "open").chmod(0o777)
        (folder / "sticky").chmod(0o1777)
        (folder / "group").chmod(0o775)
        (folder / "safe/open").touch()
        (folder / "safe/open").chmod(0o666)
        (folder / "safe/theirs").touch()
        (folder / "safe/their-link").symlink_to("file")
        (folder / "sticky/their-link").symlink_to("file")
        (folder / "safe/link").symlink_to("../safe/./file")
        (folder / "safe/link-out").symlink_to(folder / "theirs/file")
        (folder / "safe/directory").symlink_to(folder / "open")
        (folder / "safe/loop").symlink_to("loop")
        give_away(folder / "theirs", folder / "safe/theirs", folder / "sticky/their-link")
        return folder

    @pytest.mark.parametrize(
        ("path", "weak"),
        [
            ("safe", None),
            ("safe/file", None),
            ("safe/../safe//./file", None),
            ("safe/link", None),
            ("sticky/file", None),
            ("sticky", "sticky"),
            ("open/file", "open"),
            ("group/file", "group"),
            ("theirs/file", "theirs"),
            ("theirs/../safe/file", "theirs"),
            ("safe/theirs", "safe/theirs"),
            ("safe/open", "safe/open"),
            ("safe/link-out", "theirs"),
            ("safe/directory/file", "open"),
            ("sticky/their-link", "sticky/their-link"),
        ],
    )
    def test_the_first_component_that_others_can_change(
        self, tree: Path, path: str, weak: str | None
    ) -> None:
        expected = None if weak is None else str(tree / weak)
        assert files.find_unprotected(f"{tree}/{path}") == expected

    def test_what_leads_nowhere_is_an_error(self, tree: Path) -> None:
        for path in ("safe/missing", "safe/loop", "safe/file/x"):
            with pytest.raises(OSError, match=path):
                files.find_unprotected(str(tree / path))

    def test_relative_to_the_current_directory(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tree / "theirs")
        assert files.find_unprotected("file") == str(tree / "theirs")
        monkeypatch.chdir(tree / "safe")
        assert files.find_unprotected("file") is None


@needs_root
def test_the_ordinary_case_costs_next_to_nothing(tmp_path: Path) -> None:
    """Logs are opened at every start of a program; three more system calls, not a walk."""
    (tmp_path / "log").touch()
    with mock.patch.object(os, "open", side_effect=os.open) as opened:
        os.close(files.open_log(str(tmp_path / "log")))
    assert opened.call_count == 2


def test_without_descriptors_for_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux have no O_PATH; the rule about the file itself is kept."""
    monkeypatch.setattr(files, "_O_PATH", 0)
    (tmp_path / "own").symlink_to("target")
    write(tmp_path / "own")
    assert read(tmp_path / "target") == b"line\n"
    if os.getuid() == 0:
        (tmp_path / "theirs").symlink_to("target")
        give_away(tmp_path / "theirs")
        with pytest.raises(PermissionError, match="symbolic link of another user"):
            files.open_log(str(tmp_path / "theirs"))
