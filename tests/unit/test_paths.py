"""Paths that are followed without touching what may not answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.engine import paths
from tests.support.strangers import needs_root

TABLE = rb"""27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /mnt/nfs rw shared:1 - nfs4 server:/x rw
31 27 0:41 / /mnt/with\040space rw shared:1 master:2 - fuse.sshfs a:b rw
32 27 0:42 / /home rw - autofs systemd-1 rw
33 32 254:1 / /home rw - ext4 /dev/vdb rw
34 27 0:43 / /proc rw - proc proc rw
35 34 0:44 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
36 27 0:45 / /sys/fs/fuse/connections rw - fusectl fusectl rw
37 27 0:46 / /net rw - autofs /etc/auto.net rw
38 37 0:47 / /net/box rw - nfs box:/ rw
39 27 0:48 / /srv rw - xfs /dev/vdc rw
"""


def test_the_slow_mount_points_of_a_table() -> None:
    """The mount over an automount counts, and no program is below /proc."""
    assert paths.slow_mount_points(TABLE) == {
        "/mnt/nfs",
        "/mnt/with space",
        "/net",
        "/net/box",
    }


def test_a_root_that_is_slow_is_not_listed() -> None:
    assert paths.slow_mount_points(b"27 1 0:40 / / rw - fuse.fuse-overlayfs x rw\n") == frozenset()


def test_the_table_is_read_once_while_it_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_bytes(TABLE)
    table = paths.MountTable(str(file))
    before = table.slow_points()
    file.write_bytes(b"")  # a plain file never says that it has changed
    assert table.slow_points() is before


def test_without_a_table_nothing_is_slow(tmp_path: Path) -> None:
    assert paths.MountTable(str(tmp_path / "none")).slow_points() == frozenset()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Directories, links, and a mount point that must not be looked at."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "program").touch(mode=0o755)
    (tmp_path / "slow").mkdir()
    (tmp_path / "by-link").symlink_to("bin/program")
    (tmp_path / "absolute").symlink_to(tmp_path / "bin")
    (tmp_path / "into-slow").symlink_to("bin/../slow/program")
    (tmp_path / "circle").symlink_to("circle")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("bin/program", "bin/program"),
        ("./bin//program", "bin/program"),
        ("bin/../bin/program", "bin/program"),
        ("by-link", "bin/program"),
        ("absolute/program", "bin/program"),
        ("absolute/../by-link", "bin/program"),
    ],
)
def test_a_path_is_followed_as_the_kernel_does(
    tree: Path, path: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    for given in (path, f"{tree}/{path}"):
        route = paths.Route(given, frozenset())
        assert route.path == str(tree / end)
        assert route.status is not None
        assert os.path.samestat(route.status, os.stat(given))


@pytest.mark.parametrize("path", ["none", "bin/program/none", "circle", "nul\0byte"])
def test_a_path_to_nothing_has_no_status(tree: Path, path: str) -> None:
    assert paths.Route(f"{tree}/{path}", frozenset()).status is None


def test_the_root_has_a_status() -> None:
    route = paths.Route("/", frozenset())
    assert route.status is not None
    assert os.path.samestat(route.status, os.stat("/"))


@pytest.mark.parametrize("path", ["slow", "slow/program", "into-slow", "absolute/../slow/x/y"])
def test_nothing_is_touched_on_a_slow_mount(
    tree: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: touched.append(path) or lstat(path))
    route = paths.Route(f"{tree}/{path}", frozenset([str(tree / "slow")]))
    assert route.may_wait
    assert route.status is None
    assert touched
    assert not [path for path in touched if "slow" in Path(path).parts]


@needs_root
@pytest.mark.parametrize(
    ("mode", "uid", "is_protected"),
    [
        (0o755, 0, True),
        (0o700, 0, True),
        (0o1777, 0, True),
        (0o775, 0, False),
        (0o757, 0, False),
        (0o755, 65534, False),
    ],
)
def test_who_may_replace_a_file(tree: Path, mode: int, uid: int, *, is_protected: bool) -> None:
    """Of a directory that everyone may write to, a sticky one protects its entries."""
    os.chown(tree / "bin", uid, -1)
    (tree / "bin").chmod(mode)
    assert paths.Route(f"{tree}/bin/program", frozenset()).is_protected is is_protected


@needs_root
def test_who_may_replace_a_link(tree: Path) -> None:
    os.chown(tree / "by-link", 65534, -1, follow_symlinks=False)
    assert not paths.Route(f"{tree}/by-link", frozenset()).is_protected


def test_who_may_enter_a_directory(directory: Path) -> None:
    def is_open() -> bool:
        return paths.Route(str(inner), frozenset()).is_open_to_all

    inner = directory / "inner"
    inner.mkdir(mode=0o755)
    directory.chmod(0o755)
    assert is_open()
    inner.chmod(0o750)
    assert not is_open()
    inner.chmod(0o711)
    assert is_open()
    directory.chmod(0o700)
    assert not is_open()
    directory.chmod(0o755)
    inner.rmdir()
    assert not is_open()


def test_a_status_without_waiting(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Table(paths.MountTable):
        def slow_points(self) -> frozenset[str]:
            return frozenset([str(tree / "slow")])

    monkeypatch.setattr(paths, "mounts", Table())
    found = paths.stat_at_once(str(tree / "by-link"))
    assert found is not None
    assert os.path.samestat(found, os.stat(tree / "bin/program"))
    assert paths.stat_at_once(str(tree / "none")) is None
    with pytest.raises(paths.MayWait):
        paths.stat_at_once(str(tree / "slow" / "program"))
