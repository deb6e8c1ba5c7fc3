"""Log files: parts, tails, and followers."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import loggers
from supervisor.common.log_positions import LogPosition, parse_position
from supervisor.logs import reading
from supervisor.logs.reading import TRUNCATED, Follower, readFile, tailFile

DIGITS = b"0123456789"


@pytest.fixture
def digits(tmp_path: Path) -> str:
    """Make a file of ten bytes."""
    path = tmp_path / "digits"
    path.write_bytes(DIGITS)
    return str(path)


class TestReadFile:
    """A part of a file, as `readLog` and its like return it."""

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, 0, DIGITS),
            (0, 5, b"01234"),
            (3, 4, b"3456"),
            (8, 10, b"89"),
            (5, 0, b"56789"),
            (10, 5, b""),
            (20, 0, b""),
            (-5, 0, b"56789"),
            (-20, 0, DIGITS),
        ],
    )
    def test_parts(self, digits: str, offset: int, length: int, expected: bytes) -> None:
        assert readFile(digits, offset, length) == expected

    def test_a_length_costs_no_more_than_the_file(self, digits: str) -> None:
        assert readFile(digits, 8, 10**30) == b"89"

    def test_an_offset_beyond_all_files(self, digits: str) -> None:
        with pytest.raises(ValueError, match=r"^FAILED$"):
            readFile(digits, 10**30, 0)

    @pytest.mark.parametrize(("offset", "length"), [(-5, 5), (0, -5), (-5, -5)])
    def test_arguments_that_make_no_sense(self, digits: str, offset: int, length: int) -> None:
        with pytest.raises(ValueError, match=r"^BAD_ARGUMENTS$"):
            readFile(digits, offset, length)

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(ValueError, match=r"^FAILED$") as raised:
                readFile(str(path), 0, 0)
            assert isinstance(raised.value.__cause__, OSError)

    def test_a_fifo_without_a_writer_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(ValueError, match=r"^FAILED$"):
            readFile(str(tmp_path / "fifo"), -10, 0)
        assert tailFile(str(tmp_path / "fifo"), 0, 10) == ["", 0, False]

    def test_the_null_device_is_empty(self) -> None:
        assert readFile(os.devnull, -10, 0) == b""
        assert tailFile(os.devnull, 0, 10) == ["", 0, False]


class TestTailFile:
    """The end of a file, as `tailProcessStdoutLog` returns it."""

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, 10, ["0123456789", 10, False]),
            (0, 100, ["0123456789", 10, False]),
            (0, 5, ["56789", 10, True]),
            (5, 3, ["789", 10, True]),
            (9, 5, ["56789", 10, False]),
            (10, 5, ["", 10, False]),
            (11, 5, ["", 10, False]),
            (0, 0, ["", 10, True]),
            (0, -5, ["", 10, True]),
            (-3, 5, ["56789", 10, True]),
        ],
    )
    def test_tails(self, digits: str, offset: int, length: int, expected: list[Any]) -> None:
        assert tailFile(digits, offset, length) == expected

    def test_what_cannot_be_read_is_empty(self, tmp_path: Path) -> None:
        assert tailFile(str(tmp_path), 0, 10) == ["", 0, False]
        assert tailFile(str(tmp_path / "none"), 0, 10) == ["", 0, False]

    def test_what_is_no_text_is_shown_as_far_as_it_is(self, tmp_path: Path) -> None:
        """Supervisor 4.3 fails on it."""
        path = tmp_path / "log"
        path.write_bytes(b"ab\xffcd")
        assert tailFile(str(path), 0, 10) == ["ab\N{REPLACEMENT CHARACTER}cd", 5, False]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class TestFollower:
    """`tail -f`, through every change of the file."""

    def test_it_starts_near_the_end_and_goes_on(self, digits: str) -> None:
        follower = Follower(digits, start_bytes=3)
        assert follower.read() == b"789"
        assert follower.read() == b""
        append(Path(digits), b"abc")
        assert follower.read() == b"abc"
        follower.close()

    def test_it_reads_no_more_than_requested(self, digits: str) -> None:
        follower = Follower(digits)
        assert [follower.read(4) for _ in range(4)] == [b"0123", b"4567", b"89", b""]
        follower.close()

    def test_a_file_that_is_not_there_yet(self, tmp_path: Path) -> None:
        follower = Follower(str(tmp_path / "log"), start_bytes=1)
        assert follower.read() == b""
        append(tmp_path / "log", b"abc")
        assert follower.read() == b"abc"
        follower.close()

    def test_a_rotated_file_is_read_to_its_end_first(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        append(path, b"ab")
        follower = Follower(str(path))
        assert follower.read() == b"ab"
        append(path, b"cd")
        path.rename(tmp_path / "log.1")
        assert follower.read(1) == b"c"
        append(path, b"ef")
        assert [follower.read() for _ in range(3)] == [b"d", b"ef", b""]
        follower.close()

    def test_between_the_rename_and_the_new_file_there_is_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        append(path, b"ab")
        follower = Follower(str(path), start_bytes=0)
        path.rename(tmp_path / "log.1")
        assert follower.read() == b""
        append(tmp_path / "log.1", b"late")
        append(path, b"new")
        assert [follower.read() for _ in range(2)] == [b"late", b"new"]
        follower.close()

    def test_a_removed_file(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        append(path, b"ab")
        follower = Follower(str(path))
        path.unlink()
        append(path, b"cd")
        assert [follower.read() for _ in range(3)] == [b"ab", b"cd", b""]
        follower.close()

    def test_a_truncated_file_is_reported(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        append(path, b"abc")
        follower = Follower(str(path))
        assert follower.read() == b"abc"
        os.truncate(path, 0)
        append(path, b"d")
        assert [follower.read() for _ in range(3)] == [TRUNCATED, b"d", b""]
        follower.close()

    def test_a_new_file_that_cannot_be_opened_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        append(path, b"ab")
        follower = Follower(str(path), start_bytes=0)
        path.unlink()
        path.mkdir()
        assert follower.read() == b""
        path.rmdir()
        append(path, b"cd")
        assert follower.read() == b"cd"
        follower.close()

    def test_what_is_no_file_is_untouched(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", tmp_path):
            follower = Follower(str(path))
            assert follower.read() == b""
            follower.close()

    def test_closing_twice_does_no_harm(self, digits: str) -> None:
        follower = Follower(digits)
        follower.close()
        follower.close()

    @given(
        steps=st.lists(st.binary(min_size=1, max_size=30) | st.integers(1, 40), max_size=40),
        limit=st.integers(1, 20),
    )
    def test_a_reader_that_is_behind_gets_every_byte_across_rotations(
        self, tmp_path_factory: pytest.TempPathFactory, steps: list[bytes | int], limit: int
    ) -> None:
        path = str(tmp_path_factory.mktemp("follow") / "log")
        handler = loggers.RotatingFileHandler(path, maxBytes=limit, backupCount=99)
        follower = Follower(path)
        read = b""
        for step in steps:
            if isinstance(step, bytes):
                handler.emit(loggers.LogRecord(20, step))
            else:
                read += follower.read(step)
        while data := follower.read(7):
            read += data
        handler.close()
        follower.close()
        assert read == b"".join(step for step in steps if isinstance(step, bytes))


class TestWritten:
    """Subscribers to the next write."""

    def test_handlers_wake_followers(self, tmp_path: Path) -> None:
        path = str(tmp_path / "log")
        handler = loggers.RotatingFileHandler(path, maxBytes=5, backupCount=1)
        wakes: list[str] = []

        def write(data: str) -> None:
            handler.emit(loggers.LogRecord(20, data))

        waiters = reading.written(path)
        for action in (lambda: write("a"), lambda: write("bcdef"), handler.remove):
            waiters.add(lambda: wakes.append("woken"))
            action()
        assert len(wakes) == 3
        handler.close()

    def test_a_rotation_that_empties_wakes_as_well(self, tmp_path: Path) -> None:
        path = str(tmp_path / "log")
        handler = loggers.RotatingFileHandler(path, maxBytes=3, backupCount=0)
        sizes: list[int] = []
        waiters = reading.written(path)

        def look() -> None:
            sizes.append(os.stat(path).st_size)
            waiters.add(look)

        waiters.add(look)
        handler.emit(loggers.LogRecord(20, "abc"))
        handler.close()
        assert sizes == [3, 0]

    def test_followers_share_an_entry_that_lasts_as_long_as_they_do(self) -> None:
        waiters = reading.written("/some/log")
        assert reading.written("/some/log") is waiters
        del waiters
        gc.collect()
        assert "/some/log" not in reading.followed

    def test_a_write_in_another_thread_does_not_enter_the_loop(self) -> None:
        """Plugins log from threads; followers look again by themselves."""
        wakes: list[str] = []
        waiters = reading.written("/some/log")
        waiters.add(lambda: wakes.append(threading.current_thread().name))
        thread = threading.Thread(target=reading.notify_written, args=["/some/log"])
        thread.start()
        thread.join()
        assert wakes == []
        reading.notify_written("/some/log")
        assert wakes == [threading.main_thread().name]


class TestPositions:
    """A follower that continues where another one has ended."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Make a log that has been rotated twice, with ten bytes in each file."""
        for name, byte in (("log.2", b"a"), ("log.1", b"b"), ("log", b"c")):
            (tmp_path / name).write_bytes(byte * 9 + b"\n")
        return tmp_path / "log"

    def test_a_follower_ends_with_its_file(self, path: Path) -> None:
        def rotate() -> None:
            path.rename(f"{path}.1")
            path.write_bytes(b"new")

        for act, last in ((lambda: os.truncate(path, 3), b""), (rotate, b"last")):
            path.write_bytes(DIGITS)
            follower = Follower(str(path))
            follower.ends_with_file = True
            assert (follower.read(), follower.read(), follower.has_ended) == (DIGITS, b"", False)
            with path.open("ab") as log:
                log.write(b"last")
            act()
            assert follower.read() == last
            assert follower.read() == b""
            assert follower.has_ended
            follower.close()

    def test_where_a_position_is(self, path: Path) -> None:
        newest, middle, oldest = (os.stat(f"{path}{suffix}").st_ino for suffix in ("", ".1", ".2"))
        for inode, offset, found, expected in (
            (newest, 4, newest, b"ccccc\n"),
            (newest, 10, newest, b""),
            (newest, 11, newest, b"ccccccccc\n"),
            (middle, 4, middle, b"bbbbb\n"),
            (middle, 10, newest, b"ccccccccc\n"),
            (oldest, 8, oldest, b"a\n"),
            (oldest, 10, middle, b"bbbbbbbbb\n"),
            (1, 5, newest, b"ccccccccc\n"),
        ):
            follower = Follower(str(path))
            follower.ends_with_file = True
            follower.seek(LogPosition(inode, offset))
            assert follower.position.inode == found
            assert follower.read() == expected
            assert follower.read() == b""
            assert follower.has_ended == (found != newest)
            follower.close()

    def test_a_symlink_beside_the_log_is_no_backup(self, path: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        backup = Path(f"{path}.1")
        backup.unlink()
        backup.symlink_to(secret)
        for inode in (secret.stat().st_ino, backup.lstat().st_ino):
            follower = Follower(str(path))
            follower.seek(LogPosition(inode, 0))
            assert follower.read() == b"ccccccccc\n"
            follower.close()

    def test_a_log_that_is_a_symlink(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(path)
        follower = Follower(str(tmp_path / "link"))
        follower.seek(LogPosition(path.stat().st_ino, 8))
        assert follower.read() == b"c\n"
        follower.close()

    def test_texts(self) -> None:
        assert parse_position(str(LogPosition(12, 345))) == LogPosition(12, 345)
        assert LogPosition(1, 2).after(3) == LogPosition(1, 5)
        wrong = ("", ":", "1", "1:", ":1", "-1:1", "1:-1", "1:1:1", "x:1", "1:²", f"1:{'1' * 21}")
        assert {parse_position(text) for text in wrong} == {None}
