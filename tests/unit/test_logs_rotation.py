"""Rotation: the names afterwards, and obstacles."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor import loggers
from supervisor.loggers import LogRecord, RotatingFileHandler
from supervisor.logs import rotation

LOOP_SECONDS = 0.02
"""The longest that one thing may keep the daemon's loop."""


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be reported about logs that cannot be written."""
    reports: list[str] = []
    monkeypatch.setattr(loggers, "report_error", reports.append)
    return reports


def files(directory: Path) -> dict[str, bytes]:
    """Return the regular files of a directory and what is in them."""
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.is_symlink()
    }


def write(path: Path, backups: int, *texts: bytes) -> None:
    """Write texts to a log that rotates after each of five bytes."""
    handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=backups)
    for text in texts:
        handler.emit(LogRecord(20, text))
    handler.close()


@pytest.mark.parametrize("backups", [5, rotation.MAX_TRIED_NAMES + 1, 1_000_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [1]),
        ([1], [1, 2]),
        ([1, 3], [1, 2, 4]),
        ([2, 4], [1, 3, 5]),
    ],
)
def test_gaps_between_the_backups_stay(
    tmp_path: Path, backups: int, before: list[int], after: list[int]
) -> None:
    for number in before:
        (tmp_path / f"log.{number}").write_text(str(number))
    for name in ("log.x", "log.01", "log.-1", "log.1.gz", "logs.1", "log."):
        (tmp_path / name).write_text("not a backup")
    write(tmp_path / "log", backups, b"12345")
    found = files(tmp_path)
    numbers = [number for number in range(10) if f"log.{number}" in found]
    assert numbers == after
    contents = [found[f"log.{number}"] for number in numbers]
    assert contents == [b"12345", *(str(number).encode() for number in before)]
    assert found["log.01"] == b"not a backup"


@pytest.mark.parametrize("backups", [3, rotation.MAX_TRIED_NAMES + 1])
def test_the_oldest_makes_room(tmp_path: Path, backups: int) -> None:
    for number in range(1, backups + 2):
        (tmp_path / f"log.{number}").write_text(str(number))
    write(tmp_path / "log", backups, b"12345")
    found = files(tmp_path)
    assert found[f"log.{backups}"] == str(backups - 1).encode()
    assert found[f"log.{backups + 1}"] == str(backups + 1).encode()


def test_a_million_backups_are_not_looked_for_one_by_one(tmp_path: Path) -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        write(tmp_path / "log", 1_000_000, b"12345")
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < LOOP_SECONDS


def make_directory(path: Path) -> None:
    """Make a directory that is not empty."""
    path.mkdir()
    (path / "kept").touch()


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "a directory": make_directory,
    "an empty directory": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to a file": lambda path: path.symlink_to(path.parent / "other"),
    "a link to the log": lambda path: path.symlink_to(path.parent / "log"),
    "a fifo": os.mkfifo,
    "another name of the log": lambda path: path.hardlink_to(path.parent / "log"),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("backups", [1, 2, 3, rotation.MAX_TRIED_NAMES + 1])
def test_obstacles_that_others_have_put_there(
    tmp_path: Path, trouble: list[str], obstacle: str, number: int, backups: int
) -> None:
    """Neither the files nor the obstacle lose a byte, and rotation goes on."""
    (tmp_path / "log").write_bytes(b"")
    (tmp_path / "other").write_bytes(b"other")
    OBSTACLES[obstacle](tmp_path / f"log.{number}")
    texts = [b"%05d" % index for index in range(6)]
    write(tmp_path / "log", backups, *texts)
    assert trouble == []
    found = files(tmp_path)
    assert found["other"] == b"other"
    assert found["log"] == b""
    kept = [found.get(f"log.{index}") for index in range(1, min(backups, 5) + 1)]
    assert kept == texts[: -1 - len(kept) : -1]
    if obstacle == "a directory":
        assert len(list(tmp_path.rglob("kept"))) == 1


def test_a_rotation_that_fails_half_way_loses_nothing(
    tmp_path: Path, trouble: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file cannot be opened: the renamed one is written to until one can be."""

    def refuse(path: str, _permissions: int) -> int:
        raise OSError(24, "Too many open files", path)

    path = tmp_path / "log"
    handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=3)
    with monkeypatch.context() as patch:
        patch.setattr(rotation.files, "create_log", refuse)
        for text in (b"12345", b"67"):
            handler.emit(LogRecord(20, text))
    assert trouble == [f"cannot write to log {path}: Too many open files"]
    handler.emit(LogRecord(20, b"89abc"))
    handler.emit(LogRecord(20, b"de"))
    handler.close()
    assert files(tmp_path) == {"log": b"de", "log.1": b"123456789abc"}


@pytest.mark.parametrize("exists_again", [False, True])
def test_a_directory_that_has_been_deleted(
    tmp_path: Path, trouble: list[str], *, exists_again: bool
) -> None:
    """The log is created again with its directory, at the next rotation at the latest."""
    path = tmp_path / "logs" / "log"
    path.parent.mkdir()
    handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=1)
    path.unlink()
    path.parent.rmdir()
    if exists_again:
        path.parent.mkdir()
    for text in (b"12345", b"67", b"89a", b"bc"):
        handler.emit(LogRecord(20, text))
    handler.close()
    if exists_again:
        assert trouble == []
        assert files(path.parent) == {"log": b"bc", "log.1": b"6789a"}
    else:
        assert trouble == [f"cannot write to log {path}: No such file or directory"] * 2


def test_two_writers_with_limits_of_their_own(tmp_path: Path) -> None:
    """Each looks at the size of the file, with the bytes of the other."""
    path = tmp_path / "log"
    strict = RotatingFileHandler(str(path), maxBytes=5, backupCount=9)
    lax = RotatingFileHandler(str(path), maxBytes=8, backupCount=9)
    for handler, text in ((lax, b"123456"), (strict, b"7"), (lax, b"89"), (lax, b"abcdef")):
        handler.emit(LogRecord(20, text))
    strict.close()
    lax.close()
    assert files(tmp_path) == {"log": b"", "log.1": b"89abcdef", "log.2": b"1234567"}
