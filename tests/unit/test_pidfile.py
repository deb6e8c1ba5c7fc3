"""The pid file: written with the pid of the daemon, held by a lock, removed by its writer only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor import loggers
from supervisor.daemon.boot import BootError
from supervisor.daemon.pidfile import PidFile
from tests.support.strangers import acting, give_away, needs_root
from tests.support.waiting import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the pid file is to be."""
    return tmp_path / "pid"


@pytest.fixture
def file(path: Path) -> Iterator[PidFile]:
    """Make a pid file object, which is removed at the end."""
    made = PidFile(str(path))
    yield made
    made.remove()


@contextlib.contextmanager
def named(command: str, uid: int | None = None) -> Iterator[int]:
    """Run a process whose command line begins with a name; the block gets its pid."""
    argv = [command, "60"]
    process = subprocess.Popen(argv, executable="/bin/sleep", user=uid)
    cmdline = Path(f"/proc/{process.pid}/cmdline")
    try:
        wait_until(lambda: cmdline.read_bytes().startswith(command.encode()))
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file through an fd that can only read, as every user can."""
    with path.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def log_of_writing(file: PidFile) -> str:
    """Write a pid file; return what is logged."""
    logger = loggers.getLogger()
    loggers.handle_boundIO(logger, "%(message)s")
    file.write(logger)
    return logger.getvalue().decode()


STARTED = f"supervisord started with pid {os.getpid()}"


class TestWriting:
    """Content of the file, and its removal."""

    def test_it_holds_the_pid(self, path: Path, file: PidFile) -> None:
        file.lock()
        assert not path.exists()
        assert log_of_writing(file) == STARTED
        assert path.read_text(encoding="ascii") == f"{os.getpid()}\n"
        file.remove()
        assert not path.exists()

    def test_one_that_could_not_be_written_is_not_removed(self, tmp_path: Path) -> None:
        file = PidFile(str(tmp_path))
        file.lock()
        assert "could not write pidfile" in log_of_writing(file)
        file.remove()
        assert tmp_path.exists()

    def test_one_that_has_not_been_written_is_not_removed(self, path: Path, file: PidFile) -> None:
        """A start that fails has locked the file, which may belong to another program."""
        path.write_text("4711\n")
        file.lock()
        file.remove()
        assert path.read_text() == "4711\n"

    def test_one_of_an_earlier_run_is_taken_over(self, path: Path, file: PidFile) -> None:
        path.write_text("a long number of an earlier run\n")
        file.lock()
        assert log_of_writing(file) == STARTED
        assert path.read_text() == f"{os.getpid()}\n"
        file.remove()
        assert not path.exists()

    def test_one_that_was_removed_and_made_again_is_not_removed(
        self, path: Path, file: PidFile
    ) -> None:
        log_of_writing(file)
        path.unlink()
        path.write_text("another program's\n")
        file.remove()
        assert path.read_text() == "another program's\n"

    def test_a_link_is_not_followed(self, tmp_path: Path, path: Path, file: PidFile) -> None:
        (tmp_path / "precious").write_text("precious")
        path.symlink_to(tmp_path / "precious")
        file.lock()
        assert "could not write pidfile" in log_of_writing(file)
        file.remove()
        assert path.is_symlink()
        assert (tmp_path / "precious").read_text() == "precious"

    def test_a_fifo_is_written_and_stays(self, path: Path, file: PidFile) -> None:
        os.mkfifo(path)
        file.lock()
        assert log_of_writing(file) == STARTED
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert os.read(reader, 100) == f"{os.getpid()}\n".encode()
        os.close(reader)
        file.remove()
        assert path.is_fifo()


class TestLock:
    """Refusal of a start while another daemon holds the file."""

    def test_a_running_daemon_is_believed(self, path: Path, file: PidFile) -> None:
        with named("supervisord") as pid:
            path.write_text(f"{pid}\n")
            with locked(path), pytest.raises(BootError, match=rf"\(pid {pid}\) holds .* {path}"):
                file.lock()
        file.remove()
        assert path.read_text() == f"{pid}\n"

    @pytest.mark.parametrize(
        "content", ["", "nonsense\n", "\x1b]0;title\x07", "-1\n", "0\n", f"{'9' * 30}\n", "\u0663"]
    )
    def test_what_names_no_process_is_not(self, path: Path, file: PidFile, content: str) -> None:
        path.write_text(content)
        with locked(path):
            file.lock()
            assert log_of_writing(file) == STARTED

    def test_another_program_is_not(self, path: Path, file: PidFile) -> None:
        with named("sleep") as pid:
            path.write_text(f"{pid}\n")
            with locked(path):
                file.lock()

    def test_a_process_that_has_ended_is_not(self, path: Path, file: PidFile) -> None:
        with named("supervisord") as pid:
            path.write_text(f"{pid}\n")
        with locked(path):
            file.lock()

    def test_a_file_that_others_can_write_is_not(self, path: Path, file: PidFile) -> None:
        with named("supervisord") as pid:
            path.write_text(f"{pid}\n")
            path.chmod(0o666)
            with locked(path):
                file.lock()

    @needs_root
    def test_a_file_of_another_user_is_not(self, path: Path, file: PidFile) -> None:
        with named("supervisord") as pid:
            path.write_text(f"{pid}\n")
            give_away(path)
            with locked(path):
                file.lock()

    @needs_root
    def test_a_process_of_another_user_is_not(self, path: Path, file: PidFile) -> None:
        with named("supervisord", uid=65534) as pid:
            path.write_text(f"{pid}\n")
            with locked(path):
                file.lock()

    @needs_root
    def test_another_user_does_not_keep_the_lock_from_the_next_daemon(self, path: Path) -> None:
        """A new file takes the place of the one that he holds; the first daemon is seen again."""
        path.write_text("4711\n")
        path.chmod(0o644)
        opened = path.open("rb")  # the directories above are closed to him
        with opened, acting(lambda: fcntl.flock(opened, fcntl.LOCK_EX)):
            first, second = PidFile(str(path)), PidFile(str(path))
            first.lock()
            assert log_of_writing(first) == STARTED
            assert path.read_text() == f"{os.getpid()}\n"
            with named("supervisord") as pid:
                path.write_text(f"{pid}\n")
                with pytest.raises(BootError, match=rf"pid {pid}"):
                    second.lock()
            first.remove()
        assert not path.exists()

    def test_without_proc_a_living_process_is_believed(
        self, path: Path, file: PidFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os.path, "exists", lambda _path: False)
        path.write_text(f"{os.getpid()}\n")
        with locked(path), pytest.raises(BootError):
            file.lock()
