"""System calls: wait status, signal names, commands, limits, users."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import signal
from pathlib import Path

import pytest

from supervisor.engine import posix


@pytest.mark.parametrize(
    ("status", "decoded"),
    [
        (0, (0, "exit status 0")),
        (1 << 8, (1, "exit status 1")),
        (255 << 8, (255, "exit status 255")),
        (9, (-1, "terminated by SIGKILL")),
        (11 | 0x80, (-1, "terminated by SIGSEGV (core dumped)")),
        (0x137F, (-1, "unknown termination cause 0x137f")),
    ],
)
def test_decode_wait_status(status: int, decoded: tuple[int, str]) -> None:
    assert posix.decode_wait_status(status) == decoded


def test_signame() -> None:
    assert posix.signame(signal.SIGTERM) == "SIGTERM"
    assert posix.signame(12345) == "signal 12345"


class TestCommands:
    """From the text of `command=` to a file that can be executed."""

    def test_split(self) -> None:
        assert posix.split_command("/bin/sh -c 'echo \"a b\"'") == ["/bin/sh", "-c", 'echo "a b"']

    @pytest.mark.parametrize(
        ("command", "text"),
        [
            ("", "command is empty"),
            ("  ", "command is empty"),
            ('/bin/sh "abc', "can't parse command '/bin/sh \"abc': No closing quotation"),
        ],
    )
    def test_bad_commands(self, command: str, text: str) -> None:
        with pytest.raises(posix.BadCommand) as raised:
            posix.split_command(command)
        assert str(raised.value) == text

    def test_a_name_is_searched_in_order(self, tmp_path: Path) -> None:
        for directory in ("first", "second"):
            (tmp_path / directory).mkdir()
        program = tmp_path / "second" / "program"
        program.touch(mode=0o755)
        directories = [str(tmp_path / "first"), str(tmp_path / "second")]
        assert posix.find_executable("program", {"PATH": os.pathsep.join(directories)}) == str(
            program
        )

    def test_the_programs_own_path_is_searched(self) -> None:
        assert posix.search_path({"PATH": "/a:/b"}) == ["/a", "/b"]
        assert posix.search_path({}) == os.environ["PATH"].split(":")

    def test_relative_paths_are_those_of_the_programs_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The child executes them after it has entered that directory."""
        for name in ("here/bin/only_here", "there/bin/only_there"):
            path = tmp_path / name
            path.parent.mkdir(parents=True)
            path.touch(mode=0o755)
        monkeypatch.chdir(tmp_path / "here")
        directory = str(tmp_path / "there")
        for program, path in [("bin/only_there", ""), ("only_there", "bin")]:
            found = posix.find_executable(program, {"PATH": path}, directory=directory)
            assert found == "bin/only_there"
        with pytest.raises(posix.NotFound):
            posix.find_executable("bin/only_here", {}, directory=directory)

    def test_refusals(self, tmp_path: Path) -> None:
        plain = tmp_path / "plain"
        plain.touch(mode=0o644)
        for path, error, text in [
            (tmp_path / "none", posix.NotFound, f"can't find command '{tmp_path}/none'"),
            (tmp_path, posix.NotExecutable, f"command at '{tmp_path}' is a directory"),
            (plain, posix.NotExecutable, f"command at '{plain}' is not executable"),
        ]:
            with pytest.raises(error) as raised:
                posix.find_executable(str(path), {})
            assert str(raised.value) == text


class TestLimits:
    """`minfds` and `minprocs`; setrlimit is recorded, not called."""

    @pytest.fixture(autouse=True)
    def limits(self, monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
        held = {resource.RLIMIT_NOFILE: (256, 4096), resource.RLIMIT_NPROC: (-1, -1)}

        def setrlimit(which: int, value: tuple[int, int]) -> None:
            if value[1] > held[which][1]:
                raise ValueError("not allowed to raise maximum limit")
            held[which] = value

        monkeypatch.setattr(resource, "getrlimit", held.__getitem__)
        monkeypatch.setattr(resource, "setrlimit", setrlimit)
        return held

    def test_the_soft_limit_is_raised_and_reported(
        self, limits: dict[int, tuple[int, int]]
    ) -> None:
        said = posix.raise_limits({"minfds": 1024, "minprocs": 200})
        assert said == ["Increased RLIMIT_NOFILE limit to 1024"]
        assert limits[resource.RLIMIT_NOFILE] == (1024, 4096)

    def test_enough_is_enough(self) -> None:
        assert posix.raise_limits({"minfds": 100, "minprocs": 200}) == []

    def test_a_hard_limit_is_an_error_that_names_the_option(self) -> None:
        with pytest.raises(ValueError, match='5000 as per the "minfds"'):
            posix.raise_limits({"minfds": 5000, "minprocs": 200})


class TestUsers:
    """Changes of the user."""

    def test_staying_the_same_user_needs_no_permission(self) -> None:
        assert posix.cannot_become(os.getuid()) is None

    def test_only_root_may_change(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert posix.cannot_become(1) == "Can't drop privilege as nonroot user"

    def test_root_may_become_a_user_without_an_entry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its group has its number, not root's, and it is in no other one."""
        monkeypatch.setattr(os, "getuid", lambda: 0)
        assert posix.cannot_become(123_456_789) is None
        identity = posix.identity_of(123_456_789)
        login = {"HOME": "/", "USER": "123456789", "LOGNAME": "123456789", "SHELL": "/bin/sh"}
        assert identity == posix.Identity(123_456_789, 123_456_789, (123_456_789,), login)

    def test_the_primary_group_is_first(self) -> None:
        entry = pwd.getpwuid(0)
        root = posix.look_up_identity(0)
        assert root.gid == entry.pw_gid == root.groups[0]
        assert len(root.groups) == len(set(root.groups))

    def test_the_groups_are_those_that_list_the_user(self) -> None:
        """And the primary one, once, although it lists the user too."""
        for entry in pwd.getpwall():
            listed = {group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem}
            found = posix.look_up_identity(entry.pw_uid)
            same_user = pwd.getpwuid(entry.pw_uid).pw_name == entry.pw_name
            assert not same_user or set(found.groups) == listed | {entry.pw_gid}

    def test_a_user_is_looked_up_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory service takes its time for each look-up."""
        monkeypatch.setattr(posix, "_identities", {})
        first = posix.identity_of(65534)
        monkeypatch.setattr(pwd, "getpwuid", pytest.fail)
        assert posix.identity_of(65534) is first
        monkeypatch.setattr(os, "getuid", lambda: 0)
        assert posix.cannot_become(65534) is None


@pytest.mark.parametrize("lists_fds", [True, False])
def test_inherited_fds_are_closed(*, lists_fds: bool) -> None:
    """All of them, or those below the limit where the system does not list them.

    In a child of its own, because it would close pytest's files too.
    """
    pid = os.fork()
    if pid == 0:
        fd = os.open(os.devnull, os.O_RDONLY)
        high = os.dup2(fd, fd + 100)
        if not lists_fds:
            posix.FD_DIRECTORIES = ("/nonexistent",)
        posix.close_inherited_fds(fd + 50)
        os._exit(0 if not _is_open(fd) and _is_open(high) is not lists_fds else 1)
    assert os.waitpid(pid, 0)[1] == 0


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
