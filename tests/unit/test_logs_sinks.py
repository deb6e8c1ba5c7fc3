"""Sinks: full disks, stalled readers, and names that lead to no file."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import loggers
from supervisor.engine.loop import Loop
from supervisor.logs import backlog, sinks
from supervisor.logs.sinks import Sink, open_sink
from tests.support.strangers import needs_root


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be reported about logs that cannot be written."""
    reports: list[str] = []
    monkeypatch.setattr(loggers, "report_error", reports.append)
    return reports


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that sends what readers are not ready for."""
    turning = Loop()
    backlog.set_background_loop(turning)
    yield turning
    backlog.set_background_loop(None)
    turning.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Make a pipe whose write end does not block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


class Disk:
    """Replacement of `os.write` that takes `room` more bytes, at most `at_once` of them."""

    def __init__(self, room: int, at_once: int = 1000, error: int = errno.ENOSPC) -> None:
        self.room = room
        self.at_once = at_once
        self.error = error
        self._write = os.write

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        taken = self._write(fd, data[: min(self.room, self.at_once)])
        self.room -= taken
        return taken


class TestDisk:
    """For all failures of the disk, no byte is doubled and none is lost silently."""

    def test_short_writes_are_continued(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = open_sink(str(tmp_path / "log"))
        monkeypatch.setattr(os, "write", Disk(room=1000, at_once=3).write)
        sink.write(b"0123456789")
        assert (tmp_path / "log").read_bytes() == b"0123456789"
        assert sink.size == 10
        sink.close()

    def test_a_full_disk_is_reported_once_and_leaves_a_note(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: list[str]
    ) -> None:
        path = tmp_path / "log"
        disk = Disk(room=4)
        logger = loggers.getLogger()
        loggers.handle_file(logger, str(path), "%(message)s")
        monkeypatch.setattr(os, "write", disk.write)
        for msg in (b"abc", b"def", b"ghi", b"jkl"):
            logger.info(msg)
        assert trouble == [f"cannot write to log {path}: No space left on device"]
        disk.room = 1000
        logger.info(b"mno")
        logger.info(b"pqr")
        monkeypatch.undo()
        logger.close()
        note = b"supervisor: 8 bytes dropped (write failed)\n"
        assert path.read_bytes() == b"abcd\n" + note + b"mnopqr"

    def test_the_next_failure_is_reported_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: list[str]
    ) -> None:
        disk = Disk(room=0)
        handler = loggers.FileHandler(str(tmp_path / "log"))
        monkeypatch.setattr(os, "write", disk.write)
        for room in (0, 1000, 0):
            disk.room = room
            handler.emit(loggers.LogRecord(20, b"abc"))
        handler.close()
        assert len(trouble) == 2

    def test_a_log_that_reports_into_itself_ends(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Failures are reported to the activity log, also its own."""
        logger = loggers.getLogger()
        loggers.handle_file(logger, str(tmp_path / "log"), "%(message)s")
        reports: list[str] = []

        def report(text: str) -> None:
            reports.append(text)
            logger.critical(text)

        monkeypatch.setattr(loggers, "report_error", report)
        monkeypatch.setattr(os, "write", Disk(room=0).write)
        logger.info("x")
        logger.info("y")
        logger.close()
        assert len(reports) == 1

    def test_the_device_that_is_always_full(self, trouble: list[str]) -> None:
        handler = loggers.FileHandler("/dev/full")
        handler.emit(loggers.LogRecord(20, "abc"))
        handler.emit(loggers.LogRecord(20, "abc"))
        handler.close()
        assert trouble == ["cannot write to log /dev/full: No space left on device"]


disks = st.tuples(
    st.sampled_from([0, 1, 5, 100]),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([errno.ENOSPC, errno.EAGAIN, errno.EPIPE]),
)


@given(st.lists(st.tuples(disks, st.binary(max_size=8)), max_size=8))
def test_the_quick_form_of_writing_does_what_the_careful_one_does(
    writes: list[tuple[tuple[int, int, int], bytes]],
) -> None:
    assert written_by(Sink.write, writes) == written_by(Sink._write_behind, writes)


def written_by(
    form: Callable[[Sink, bytes], None], writes: list[tuple[tuple[int, int, int], bytes]]
) -> list[object]:
    """Return what a form leaves behind, in the file and in mind, and what it raises."""
    seen: list[object] = []
    with tempfile.TemporaryDirectory() as directory, mock.patch.object(backlog, "_loop"):
        path = Path(directory) / "log"
        sink = open_sink(str(path))
        for disk, data in writes:
            with mock.patch.object(os, "write", Disk(*disk).write):
                try:
                    form(sink, data)
                except OSError as error:
                    seen.append(error.errno)
            seen.append((path.read_bytes(), sink.size, bool(sink._backlog)))
        sink.close()
    return seen


class TestLinks:
    """A link says where a log goes only if who made it may say so."""

    @pytest.fixture
    def link(self, tmp_path: Path) -> Path:
        link = tmp_path / "log"
        link.symlink_to(tmp_path / "elsewhere")
        return link

    def test_our_own_is_followed(self, link: Path, tmp_path: Path) -> None:
        open_sink(str(link)).close()
        assert (tmp_path / "elsewhere").exists()

    @needs_root
    def test_that_of_another_owner_is_not(self, link: Path, tmp_path: Path) -> None:
        os.lchown(link, 65534, 65534)
        with pytest.raises(PermissionError, match="symbolic link of another user"):
            open_sink(str(link))
        assert not (tmp_path / "elsewhere").exists()


class TestReaders:
    """Pipes and terminals whose other side does not read."""

    def fill(self, fd: int) -> int:
        filled = 0
        while True:
            try:
                filled += os.write(fd, b"x" * 4096)
            except BlockingIOError:
                return filled

    def test_a_stalled_reader_costs_bytes_and_not_the_daemon(
        self, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = pipe
        monkeypatch.setattr(backlog, "WRITE_TIMEOUT_SECONDS", 0.01)
        sink = Sink(writer, "pipe")
        filled = self.fill(writer)
        with pytest.raises(BlockingIOError, match="stalled"):
            sink.write(b"lost\n")
        monkeypatch.setattr(backlog, "WRITE_TIMEOUT_SECONDS", 1e6)  # there is no second wait
        sink.write(b"too\n")
        assert os.read(reader, filled) == b"x" * filled
        sink.write(b"back\n")
        note = b"supervisor: 9 bytes dropped (write failed)\n"
        assert os.read(reader, 1000) == note + b"back\n"

    def test_with_a_running_loop_nothing_waits(self, pipe: tuple[int, int], loop: Loop) -> None:
        """Bytes that a reader is not ready for are sent later, in order."""
        reader, writer = pipe
        sink = Sink(os.dup(writer), "pipe")
        os.set_blocking(sink.fd, False)
        filled = self.fill(writer)
        sink.write(b"one\n")
        sink.write("two\n")
        loop.run_once(0)
        assert os.read(reader, filled) == b"x" * filled
        loop.run_once(0)
        sink.write(b"three\n")
        assert os.read(reader, 1000) == b"one\ntwo\nthree\n"
        sink.close()

    @pytest.mark.parametrize("how", ["a write", "the end"])
    def test_a_backlog_is_bounded(
        self, pipe: tuple[int, int], loop: Loop, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """The note comes before what is written next, or last."""
        reader, writer = pipe
        monkeypatch.setattr(sinks, "MAX_WAITING_BYTES", 10)
        sink = Sink(os.dup(writer), "pipe")
        filled = self.fill(writer)
        sink.write(b"12345678\n")
        with pytest.raises(BlockingIOError, match="stalled"):
            sink.write(b"dropped\n")
        sink.write(b"dropped too\n")
        os.read(reader, filled)
        loop.run_once(0)
        if how == "a write":
            sink.write(b"more\n")
        sink.close()
        note = b"supervisor: 20 bytes dropped (write failed)\n"
        more = b"more\n" if how == "a write" else b""
        assert os.read(reader, 1000) == b"12345678\n" + note + more

    @pytest.mark.parametrize("how", ["close", "change_to"])
    def test_what_waits_is_sent_after_the_close(
        self, pipe: tuple[int, int], loop: Loop, how: str, tmp_path: Path
    ) -> None:
        reader, writer = pipe
        fd = os.dup(writer)
        sink = Sink(fd, "pipe")
        filled = self.fill(writer)
        sink.write(b"last\n")
        if how == "close":
            sink.close()
        else:
            sink.change_to(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT))
            sink.write(b"elsewhere\n")
        loop.run_once(0)
        assert os.get_inheritable(fd) is False  # still open
        os.read(reader, filled)
        loop.run_once(0)
        assert os.read(reader, 1000) == b"last\n"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
        sink.close()

    def test_another_loop_goes_on_sending(self, pipe: tuple[int, int], loop: Loop) -> None:
        """As after a reload."""
        reader, writer = pipe
        sink = Sink(os.dup(writer), "pipe")
        filled = self.fill(writer)
        sink.write(b"one\n")
        sink.close()
        backlog.set_background_loop(None)
        following = Loop()
        backlog.set_background_loop(following)
        os.read(reader, filled)
        loop.run_once(0)
        following.run_once(0)
        assert os.read(reader, 1000) == b"one\n"
        backlog.set_background_loop(None)
        following.close()

    @pytest.mark.usefixtures("loop")
    def test_who_opens_a_log_again_writes_after_what_waits(self, tmp_path: Path) -> None:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        before = open_sink(str(path))
        filled = self.fill(before.fd)
        before.write(b"one\n")
        before.close()
        after = open_sink(str(path))
        after.write(b"two\n")
        backlog.set_background_loop(None)
        os.read(reader, filled)
        assert backlog.drain() == []
        assert os.read(reader, 1000) == b"one\ntwo\n"
        after.write(b"three\n")
        assert os.read(reader, 1000) == b"three\n"
        after.close()
        os.close(reader)

    @pytest.mark.usefixtures("loop")
    def test_what_is_given_up_at_the_end(
        self, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backlog, "STALL_SECONDS", 0.01)
        _, writer = pipe
        fd = os.dup(writer)
        sink = Sink(fd, "pipe")
        self.fill(writer)
        sink.write(b"twelve bytes")
        sink.close()
        backlog.set_background_loop(None)
        assert backlog.drain() == [("pipe", 12)]
        assert backlog.drain() == []
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)

    def test_a_reader_that_goes_while_something_waits(self, loop: Loop) -> None:
        """The write after that tells."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        sink = Sink(writer, "pipe")
        self.fill(writer)
        sink.write(b"for nobody\n")
        os.close(reader)
        loop.run_once(0)
        with pytest.raises(BrokenPipeError):
            sink.write(b"for nobody\n")
        sink.close()

    def test_a_slow_reader_gets_everything(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backlog, "WRITE_TIMEOUT_SECONDS", 30)  # for a loaded machine
        path = tmp_path / "fifo"
        os.mkfifo(path)
        sink = open_sink(str(path))
        script = "import sys; sys.stdout.write(str(len(sys.stdin.buffer.read(1000000))))"
        with path.open("rb") as reader:
            child = subprocess.Popen(
                [sys.executable, "-c", script], stdin=reader, stdout=subprocess.PIPE, text=True
            )
        sink.write(b"x" * 1_000_000)
        assert child.communicate()[0] == "1000000"
        sink.close()

    def test_a_fifo_without_reader_keeps_what_it_can(self, tmp_path: Path) -> None:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        sink = open_sink(str(path))
        sink.write(b"early\n")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert os.read(reader, 100) == b"early\n"
        os.close(reader)
        assert sink.size == 0
        sink.close()

    def test_a_reader_that_has_left_is_a_failure(self, trouble: list[str]) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        handler = loggers.StreamHandler(Sink(writer, "pipe"))
        handler.emit(loggers.LogRecord(20, "x"))
        handler.close()
        assert trouble == ["cannot write to log pipe: Broken pipe"]

    def test_a_shared_fd_that_blocks_is_polled_first(
        self, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = pipe
        monkeypatch.setattr(backlog, "WRITE_TIMEOUT_SECONDS", 0.01)
        sink = Sink(writer, "/dev/stdout", shared=True)
        filled = self.fill(writer)
        os.set_blocking(writer, True)
        with pytest.raises(BlockingIOError, match="stalled"):
            sink.write(b"x" * 10_000)
        os.read(reader, filled)
        sink.write(b"y" * 10_000)
        note = b"supervisor: 10000 bytes dropped (write failed)\n"
        assert os.read(reader, 20_000) == note + b"y" * 10_000


class TestSharing:
    """All that write to a path write to one file, also after one of them has opened another."""

    def open_both(self, path: Path) -> tuple[Sink, Sink]:
        return open_sink(str(path)), open_sink(str(path))

    def write_to_both(self, one: Sink, other: Sink, path: Path) -> None:
        """Check that both write to what the path leads to, and that the size is the file's."""
        before = path.read_bytes()
        one.write(b"one\n")
        other.write(b"other\n")
        assert path.read_bytes() == before + b"one\nother\n"
        assert one.size == other.size == path.stat().st_size

    def test_one_fd_and_one_size(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        one, other = self.open_both(path)
        assert one.fileno() == other.fileno()
        self.write_to_both(one, other, path)
        one.close()
        other.write(b"more\n")
        other.close()
        assert path.read_bytes() == b"one\nother\nmore\n"
        with pytest.raises(OSError, match="Bad file descriptor"):
            other.write(b"closed\n")

    @pytest.mark.parametrize("how", ["begin_file", "open_again", "change_to", "open_sink"])
    def test_another_file(self, tmp_path: Path, how: str) -> None:
        path = tmp_path / "log"
        one, other = self.open_both(path)
        one.write(b"old\n")
        if how != "begin_file":
            path.rename(tmp_path / "moved")
        if how == "open_sink":  # a third writer comes after a logrotate without a signal
            open_sink(str(path)).close()
        elif how == "change_to":
            one.change_to(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        else:
            getattr(one, how)()
        self.write_to_both(one, other, path)
        one.close()
        other.close()

    def test_a_log_that_is_not_open_is_cleared(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"old\n")
        sinks.clear(str(path))
        assert path.read_bytes() == b""
        path.unlink()
        sinks.clear(str(path))
        assert not path.exists()

    @pytest.mark.parametrize("kind", ["fifo", "link to a device", "/dev/null", "directory"])
    def test_what_is_no_file_is_never_cleared(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "log"
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "directory":
            path.mkdir()
        elif kind == "link to a device":
            path.symlink_to("/dev/null")
        else:
            path = Path(kind)
        before = path.lstat()
        with mock.patch.object(os, "unlink") as unlink:
            sinks.clear(str(path))
        unlink.assert_not_called()
        assert os.path.samestat(path.lstat(), before)


# Broken code must fail here and not reach the machine's /dev.
HELLO = """
import os
import sys

def refuse(*names):
    sys.exit(f"touched {names}")

os.unlink = os.remove = os.rename = os.replace = os.truncate = os.ftruncate = refuse
from supervisor import loggers
logger = loggers.getLogger()
loggers.handle_stdout(logger, "%(message)s\\n")
loggers.handle_file(logger, "/dev/stdout", "%(levelname)s\\n", True, 5, 1)
for word in ("one", "two"):
    logger.info(word)
    sys.stdout.write("print\\n")
    sys.stdout.flush()
logger.handlers[1].remove()
logger.handlers[1].reopen()
logger.info("three")
logger.close()
"""
SAID = b"one\nINFO\nprint\ntwo\nINFO\nprint\nthree\nINFO\n"


class TestStandardOutput:
    """/dev/stdout of any kind: nothing is overwritten, renamed or removed."""

    def test_a_pipe(self) -> None:
        done = subprocess.run([sys.executable, "-c", HELLO], capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (SAID, b"")

    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        with path.open("wb") as out:
            subprocess.run([sys.executable, "-c", HELLO], stdout=out, check=True)
        assert path.read_bytes() == SAID

    def test_a_socket(self) -> None:
        """The stdout that systemd gives to services; it cannot be opened by name."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run([sys.executable, "-c", HELLO], stdout=theirs, check=True)
            assert ours.recv(1000) == SAID

    def test_a_socket_without_a_reader(self) -> None:
        script = (
            "from supervisor import loggers\n"
            "from supervisor.logs import backlog\n"
            "backlog.WRITE_TIMEOUT_SECONDS = 0.01\n"
            "logger = loggers.getLogger()\n"
            "loggers.handle_stdout(logger, '%(message)s')\n"
            "logger.info(b'x' * 10_000_000)\n"
        )
        ours, theirs = socket.socketpair()
        with ours, theirs:
            done = subprocess.run(
                [sys.executable, "-c", script], stdout=theirs, stderr=subprocess.PIPE, check=True
            )
        assert done.stderr == b"cannot write to log /dev/stdout: its reader has stalled\n"

    def test_a_terminal(self) -> None:
        master, slave = os.openpty()
        subprocess.run([sys.executable, "-c", HELLO], stdout=slave, check=True)
        os.close(slave)
        said = b""
        while not said.endswith(b"three\r\nINFO\r\n"):
            said += os.read(master, 1000)
        os.close(master)
        assert said == SAID.replace(b"\n", b"\r\n")

    def test_flags_of_shared_descriptors_are_untouched(self) -> None:
        reader, writer = os.pipe()
        subprocess.run([sys.executable, "-c", HELLO], stdout=writer, check=True)
        assert os.get_blocking(writer)
        os.close(reader)
        os.close(writer)
