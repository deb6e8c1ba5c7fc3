"""Loggers: levels, formats, files and their rotation."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor import loggers
from supervisor.loggers import LevelsByName, LogRecord, RotatingFileHandler
from supervisor.logs import backlog


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be reported about logs that cannot be written."""
    reports: list[str] = []
    monkeypatch.setattr(loggers, "report_error", reports.append)
    return reports


def in_memory(fmt: str = "%(message)s", level: int | None = None) -> loggers.Logger:
    logger = loggers.getLogger(level)
    loggers.handle_boundIO(logger, fmt)
    return logger


def record(msg: str | bytes) -> LogRecord:
    return LogRecord(LevelsByName.INFO, msg)


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*"))}


class TestLogger:
    """Messages, levels and formats."""

    def test_a_line_of_the_activity_log(self) -> None:
        logger = in_memory("%(asctime)s %(levelname)s %(message)s\n")
        logger.info("spawned: 'x'")
        line = logger.getvalue().decode()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO spawned: 'x'\n", line)

    def test_every_level_by_its_method_and_code(self) -> None:
        logger = in_memory("%(levelname)s ", LevelsByName.BLAT)
        for name in ("critical", "error", "warn", "info", "debug", "trace", "blather"):
            getattr(logger, name)("text")
        assert logger.getvalue() == b"CRIT ERRO WARN INFO DEBG TRAC BLAT "

    @pytest.mark.parametrize("level", sorted(loggers.LOG_LEVELS_BY_NUM))
    def test_what_is_below_the_level_is_dropped(self, level: int) -> None:
        logger = in_memory("%(levelname)s ", level)
        for name in ("critical", "error", "warn", "info", "debug", "trace", "blather"):
            getattr(logger, name)("text")
        expected = [name for number, name in loggers.LOG_LEVELS_BY_NUM.items() if number >= level]
        assert logger.getvalue().decode().split() == expected

    def test_a_handler_has_a_level_of_its_own(self) -> None:
        logger = in_memory()
        logger.handlers[0].setLevel(LevelsByName.WARN)
        logger.info("a")
        logger.warn("b")
        assert logger.getvalue() == b"b"

    def test_values_fill_in_the_message_only_if_there_are_any(self) -> None:
        logger = in_memory("%(message)s\n")
        logger.info("%(a)s and %(b)d", a="x", b=2)
        logger.info("100% %(a)s")
        assert logger.getvalue() == b"x and 2\n100% %(a)s\n"

    def test_bytes_go_out_unchanged(self) -> None:
        logger = in_memory()
        logger.info(b"\xff\0\n")
        assert logger.getvalue() == b"\xff\0\n"

    def test_bytes_that_are_no_text_do_not_lose_a_line(self) -> None:
        logger = in_memory("%(levelname)s %(message)s")
        logger.info(b"a\xff")
        assert logger.getvalue().decode() == "INFO a\N{REPLACEMENT CHARACTER}"

    def test_a_message_that_cannot_be_formatted_is_reported(self, trouble: list[str]) -> None:
        in_memory().info("%(nope)s", a=1)
        assert trouble == ["cannot log: KeyError: 'nope'"]

    def test_failures_are_reported_on_stderr_by_default(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        in_memory().info("%(nope)s", a=1)
        assert capsys.readouterr().err == "cannot log: KeyError: 'nope'\n"

    def test_descriptions(self) -> None:
        assert loggers.getLevelNumByDescription("blather") == 3
        assert loggers.getLevelNumByDescription("INFO") is None

    def test_getvalue_needs_a_handler_in_memory(self) -> None:
        with pytest.raises(NotImplementedError):
            loggers.getLogger().getvalue()

    def test_a_replaced_emit_is_what_is_called(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[Any] = []
        logger = in_memory()
        monkeypatch.setattr(loggers.Handler, "emit", lambda self, rec: seen.append((self, rec.msg)))
        logger.info("x")
        assert seen == [(logger.handlers[0], "x")]


class TestStreams:
    """Streams that were opened by others."""

    def test_text_streams_get_text(self) -> None:
        stream = io.StringIO()
        handler = loggers.StreamHandler(stream)
        handler.emit(record("é"))
        handler.emit(record("é".encode()))
        assert stream.getvalue() == "éé"

    def test_byte_streams_get_bytes(self) -> None:
        stream = io.BytesIO()
        handler = loggers.StreamHandler(stream)
        handler.emit(record("é"))
        handler.emit(record(b"\xff"))
        assert stream.getvalue() == b"\xc3\xa9\xff"

    def test_stdout_that_was_replaced_is_used(self, capsys: pytest.CaptureFixture[str]) -> None:
        logger = loggers.getLogger()
        loggers.handle_stdout(logger, "%(message)s\n")
        logger.info("hello")
        logger.close()
        assert capsys.readouterr().out == "hello\n"

    def test_standard_streams_are_not_closed(self) -> None:
        class Standard(io.StringIO):
            def fileno(self) -> int:
                return 1

        stream = Standard()
        loggers.StreamHandler(stream).close()
        assert not stream.closed

    def test_bound_io_forgets_the_oldest_bytes(self) -> None:
        bound = loggers.BoundIO(10)
        for data in (b"0123456", b"abc", b"XY"):
            bound.write(data)
        assert bound.getvalue() == b"23456abcXY"
        bound.write(b"more than ten bytes")
        assert bound.getvalue() == b"more than ten bytes"
        bound.clear()
        assert bound.getvalue() == b""

    def test_syslog_gets_line_by_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[str] = []
        monkeypatch.setattr("syslog.syslog", sent.append)
        logger = loggers.getLogger()
        loggers.handle_file(logger, "syslog", "p %(message)s")
        logger.info("a\n\nb\n")
        logger.info("é\0z\n".encode())
        logger.info("")
        assert sent == ["p a", "p ", "p b", "p é\\x00z", "p "]


class TestFiles:
    """Files under a name that may be opened again."""

    def test_it_appends(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"old\n")
        logger = loggers.getLogger()
        loggers.handle_file(logger, str(path), "%(message)s\n")
        logger.info("new")
        assert path.read_bytes() == b"old\nnew\n"
        logger.close()

    def test_reopen_begins_a_new_file_after_a_rename(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        handler = loggers.FileHandler(str(path))
        handler.emit(record("a"))
        path.rename(tmp_path / "log.moved")
        handler.emit(record("b"))
        handler.reopen()
        handler.emit(record("c"))
        handler.close()
        assert files(path) == {"log": b"c", "log.moved": b"ab"}

    def test_remove_and_reopen_clear(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        handler = loggers.FileHandler(str(path))
        handler.emit(record("a"))
        handler.remove()
        assert not path.exists()
        handler.remove()
        handler.reopen()
        handler.emit(record("b"))
        handler.close()
        assert path.read_bytes() == b"b"

    def test_clearing_leaves_a_fifo(self, tmp_path: Path) -> None:
        """As it leaves a device, which root would delete for the whole machine."""
        path = tmp_path / "fifo"
        os.mkfifo(path)
        handler = loggers.FileHandler(str(path))
        for clear in (handler.renew, handler.remove):
            clear()
            assert path.is_fifo()

    def test_a_failed_reopen_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "directory" / "log"
        path.parent.mkdir()
        handler = loggers.FileHandler(str(path))
        path.parent.rename(tmp_path / "moved")
        with pytest.raises(FileNotFoundError):
            handler.reopen()
        handler.emit(record("a"))
        handler.close()
        assert (tmp_path / "moved" / "log").read_bytes() == b"a"

    def test_a_closed_handler_writes_nowhere(self, tmp_path: Path, trouble: list[str]) -> None:
        """Its fd may belong to another file by then."""
        handler = loggers.FileHandler(str(tmp_path / "log"))
        handler.close()
        handler.close()
        other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
        handler.emit(record("a"))
        os.close(other)
        assert (tmp_path / "other").read_bytes() == b""
        assert len(trouble) == 1

    def test_what_cannot_be_opened_is_an_os_error(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            loggers.FileHandler(str(tmp_path))
        with pytest.raises(FileNotFoundError):
            loggers.FileHandler(str(tmp_path / "no" / "log"))

    def test_the_fd_does_not_reach_children(self, tmp_path: Path) -> None:
        handler = loggers.FileHandler(str(tmp_path / "log"))
        assert not os.get_inheritable(handler.stream.fileno())
        handler.close()


class TestRotation:
    """Files that have reached their size make room for new ones."""

    @pytest.mark.parametrize(
        ("backups", "expected"),
        [
            (0, {"log": b"tu"}),
            (1, {"log": b"tu", "log.1": b"nopqrs"}),
            (2, {"log": b"tu", "log.1": b"nopqrs", "log.2": b"fghijklm"}),
            (9, {"log": b"tu", "log.1": b"nopqrs", "log.2": b"fghijklm", "log.3": b"abcde"}),
        ],
    )
    def test_the_write_that_reaches_the_size_is_the_last(
        self, tmp_path: Path, backups: int, expected: dict[str, bytes]
    ) -> None:
        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=backups)
        for msg in ("abc", "de", "fgh", "ijklm", "n", "opqrs", "tu"):
            handler.emit(record(msg))
        handler.close()
        assert files(path) == expected

    def test_no_limit_no_rotation(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=0)
        handler.emit(record("x" * 1000))
        handler.close()
        assert files(path) == {"log": b"x" * 1000}

    def test_what_was_there_before_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"x" * 10)
        handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=1)
        handler.emit(record("a"))
        handler.close()
        assert files(path) == {"log": b"", "log.1": b"x" * 10 + b"a"}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data(), limit=st.integers(1, 30))
    def test_no_byte_is_lost_or_doubled(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, limit: int
    ) -> None:
        path = tmp_path_factory.mktemp("rotation") / "log"
        handler = RotatingFileHandler(str(path), maxBytes=limit, backupCount=99)
        messages = data.draw(st.lists(st.binary(max_size=40), max_size=30))
        for message in messages:
            handler.emit(record(message))
        handler.close()
        contents = files(path)
        current = contents.pop("log")
        backups = sorted(contents.items(), key=lambda item: -int(item[0].split(".")[1]))
        assert b"".join([data for _, data in backups] + [current]) == b"".join(messages)
        assert all(len(data) >= limit for _, data in backups)
        assert len(current) < limit

    def test_permissions_and_owner_survive(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=1)
        path.chmod(0o660)
        if os.geteuid() == 0:
            os.chown(path, 1, 2)
        before = path.stat()
        handler.emit(record("abcdef"))
        handler.close()
        after = path.stat()
        assert after.st_ino != before.st_ino
        assert stat.S_IMODE(after.st_mode) == 0o660
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)

    def test_a_truncated_file_is_not_rotated_early(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=10, backupCount=1)
        handler.emit(record("12345678"))
        os.truncate(path, 0)
        handler.emit(record("abcd"))
        assert files(path) == {"log": b"abcd"}
        handler.emit(record("efghij"))
        handler.close()
        assert files(path) == {"log": b"", "log.1": b"abcdefghij"}

    @pytest.mark.parametrize("backups", [0, 1])
    def test_a_renamed_file_is_untouched(self, tmp_path: Path, backups: int) -> None:
        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=backups)
        handler.emit(record("abc"))
        path.rename(tmp_path / "log-20260101")
        handler.emit(record("def"))
        handler.emit(record("gh"))
        handler.close()
        assert files(path) == {"log": b"gh", "log-20260101": b"abcdef"}

    def test_a_rotation_that_fails_is_reported_and_writing_goes_on(
        self, tmp_path: Path, trouble: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(source: str, target: str, **_directories: int) -> None:
            raise PermissionError(1, "Not today", source, None, target)

        path = tmp_path / "log"
        handler = RotatingFileHandler(str(path), maxBytes=5, backupCount=1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", refuse)
            handler.emit(record("abcde"))
            handler.emit(record("fg"))
        assert files(path) == {"log": b"abcdefg"}
        assert trouble == [f"cannot write to log {path}: Not today"]
        handler.emit(record("hij"))
        handler.close()
        assert files(path) == {"log": b"", "log.1": b"abcdefghij"}

    def test_plugins_may_call_do_rollover_after_every_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Supvisors replaces `emit` so, under a lock of its own."""
        original = loggers.Handler.emit

        def emit(self: RotatingFileHandler, rec: LogRecord) -> None:
            original(self, rec)
            self.doRollover()

        monkeypatch.setattr(RotatingFileHandler, "emit", emit)
        path = tmp_path / "log"
        logger = loggers.getLogger()
        loggers.handle_file(logger, str(path), "%(message)s", True, 5, 2)
        for msg in ("abc", "de", "fgh"):
            logger.info(msg)
        logger.close()
        assert files(path) == {"log": b"fgh", "log.1": b"abcde"}

    def test_what_is_no_file_is_not_rotated(self, tmp_path: Path) -> None:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        handler = RotatingFileHandler(str(path), maxBytes=1, backupCount=1)
        handler.emit(record("abc"))
        handler.close()
        assert [file.name for file in tmp_path.iterdir()] == ["fifo"]

    def test_the_format_of_the_handler_is_what_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        logger = loggers.getLogger()
        loggers.handle_file(logger, str(path), "%(levelname)s\n", True, 10, 1)
        logger.info("x" * 100)
        logger.info("x" * 100)
        logger.close()
        assert files(path) == {"log": b"", "log.1": b"INFO\nINFO\n"}


def test_the_write_timeout_is_short() -> None:
    """A reader that has stalled may hold up the daemon once, and not for long."""
    assert backlog.WRITE_TIMEOUT_SECONDS <= 1


NO_INTEGER = "invalid literal for int() with base 10: 'a bug'"


def test_the_text_of_an_exception() -> None:
    try:
        int("a bug")
    except ValueError:
        text = loggers.exception_text()
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith(f"ValueError: {NO_INTEGER}\n")


def test_the_text_of_an_exception_when_nothing_can_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As without fds."""
    monkeypatch.setitem(sys.modules, "traceback", None)
    try:
        int("a bug")
    except ValueError:
        assert loggers.exception_text() == f"ValueError: {NO_INTEGER}\n"
