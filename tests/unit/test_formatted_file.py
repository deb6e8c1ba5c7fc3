"""A formatted log file: whole lines, across rotation, reopening, clearing and its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from supervisor import loggers
from supervisor.common.log_formats import LineFormatter, Origin
from supervisor.logs.formatted_file import FormattedFileHandler

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"<one>\n"


class Log:
    """A log with a short format."""

    def __init__(self, path: Path, max_bytes: int = 0, backups: int = 9) -> None:
        origin = Origin("web", "web", "stdout")
        formatter = LineFormatter("<%(message)s>", origin, lambda: 42, lambda: 0.0)
        self.handler = FormattedFileHandler(str(path), formatter, max_bytes, backups)
        self.logger = loggers.Logger(handlers=[self.handler])

    def write(self, data: bytes | str) -> None:
        """Log output of a process."""
        self.logger.log(loggers.LevelsByName.INFO, data)


def test_only_whole_lines_are_written(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    log = Log(path)
    log.write(b"on")
    assert path.read_bytes() == b""
    log.write(b"e\ntw")
    assert path.read_bytes() == LINE
    log.handler.close()
    log.handler.close()
    assert path.read_bytes() == LINE + b"<tw>\n"


def test_text_of_a_plugin_is_formatted_too(tmp_path: Path) -> None:
    log = Log(tmp_path / "out.log")
    log.write("ä\n")
    assert (tmp_path / "out.log").read_text(encoding="utf-8") == "<ä>\n"
    log.handler.close()


def test_rotation_counts_the_formatted_bytes(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    log = Log(path, max_bytes=len(LINE) * 2)
    for _ in range(5):
        log.write(b"one\n")
    log.write(b"tw")
    log.handler.close()
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert found == {
        "out.log": LINE + b"<tw>\n",
        "out.log.1": LINE * 2,
        "out.log.2": LINE * 2,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["reopen", "renew"])
def test_a_line_in_progress_goes_whole_into_the_new_file(tmp_path: Path, method: str) -> None:
    path = tmp_path / "out.log"
    log = Log(path)
    log.write(b"one\non")
    if method == "reopen":
        path.rename(tmp_path / "old.log")
    getattr(log.handler, method)()
    log.write(b"e\n")
    assert path.read_bytes() == LINE
    log.handler.close()


def test_a_removed_log_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    log = Log(path)
    log.write(b"on")
    log.handler.remove()
    assert not path.exists()
    log.handler.reopen()
    log.write(b"one\n")
    assert path.read_bytes() == LINE
    log.handler.close()


def test_a_failure_is_reported_once_and_does_not_reach_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    monkeypatch.setattr(loggers, "report_error", reported.append)
    log = Log(tmp_path / "out.log")
    wrong: Any = 5
    log.write(wrong)
    assert len(reported) == 1
    assert "cannot log: AttributeError" in reported[0]
    log.handler.close()


def test_two_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    first, second = Log(path), Log(path)
    first.write(b"on")
    second.write(b"two\n")
    first.write(b"e\n")
    assert path.read_bytes() == b"<two>\n" + LINE
    fds = os.listdir("/proc/self/fd")
    first.handler.close()
    second.handler.close()
    assert len(os.listdir("/proc/self/fd")) == len(fds) - 1
