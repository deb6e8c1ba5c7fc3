"""The steps of the boot that can be tested without a daemon."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import supervisor
from supervisor import boot, loggers
from supervisor.config.model import Settings
from tests.test_floors import floor_of, module_name

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(supervisor.__file__).parent


def late_imports(path: Path) -> Iterator[str]:
    """Yield what functions of a file import."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module is not None:
                    whole = [f"{node.module}.{alias.name}" for alias in node.names]
                    are_modules = (PACKAGE.parent / name.replace(".", "/") for name in whole)
                    if all(each.with_suffix(".py").exists() for each in are_modules):
                        yield from whole
                    else:
                        yield node.module


def test_everything_is_imported_before_another_user_takes_over() -> None:
    """Privileges are dropped where files of root's Python can no longer be read."""
    late = {
        name
        for path in PACKAGE.rglob("*.py")
        if floor_of(module_name(path)) in "012456"
        for name in late_imports(path)
    }
    assert late <= set(boot.LATE_IMPORTS)


def test_the_daemon_imports_nothing_heavy() -> None:
    """Whoever has many containers waits for the imports of each, and pays for their memory."""
    program = "import supervisor.supervisord, sys; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = "dataclasses inspect ssl email http.client xmlrpc.client meld3 asyncio logging"
    avoidable = "typing traceback"  # half a MiB and more, each
    assert not {*heavy.split(), *avoidable.split()} & set(finished.stdout.split())


class TestAutoLogs:
    """Which files of an earlier run are deleted."""

    def remove(self, directory: Path) -> list[str]:
        settings = Settings(
            configfile=None, here=None, childlogdir=str(directory), identifier="me.x"
        )
        boot.remove_old_auto_logs(settings, loggers.getLogger())
        return sorted(path.name for path in directory.iterdir())

    def test_only_those_of_our_identifier(self, tmp_path: Path) -> None:
        gone = [
            "p-stdout---me.x-abc123_4.log",
            "p-stderr---me.x-abc.log.1",
            "a:b-stdout---me.x-1.log.12",
        ]
        kept = [
            "p-stdout---you-abc.log",
            "p-stdout---mexx-abc.log",
            "p.log",
            "p-stdout---me.x-abc.txt",
        ]
        for name in gone + kept:
            (tmp_path / name).touch()
        assert self.remove(tmp_path) == sorted(kept)

    def test_what_cannot_be_deleted_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "p-stdout---me.x-abc.log").mkdir()
        assert self.remove(tmp_path) == ["p-stdout---me.x-abc.log"]


class TestPidFile:
    """Written with our pid, removed only by whoever wrote it, and held meanwhile."""

    def test_it_holds_the_pid(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        file = boot.PidFile(str(path))
        file.lock()
        assert not path.exists()
        file.write(loggers.getLogger())
        assert path.read_text(encoding="ascii") == f"{os.getpid()}\n"
        file.remove()
        assert not path.exists()

    def test_one_that_could_not_be_written_is_not_removed(self, tmp_path: Path) -> None:
        file = boot.PidFile(str(tmp_path))
        file.lock()
        file.write(loggers.getLogger())
        file.remove()
        assert tmp_path.exists()

    def test_one_of_an_earlier_run_is_taken_over(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        path.write_text("a long number of an earlier run\n")
        file = boot.PidFile(str(path))
        file.lock()
        file.write(loggers.getLogger())
        assert path.read_text() == f"{os.getpid()}\n"
        file.remove()

    def test_one_that_is_held_refuses(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        first, second = boot.PidFile(str(path)), boot.PidFile(str(path))
        first.write(loggers.getLogger())
        with pytest.raises(boot.BootError, match=f"pid {os.getpid()}.*{path}"):
            second.lock()
        second.remove()
        assert path.exists()
        first.remove()
        second.lock()

    def test_one_that_was_removed_and_made_anew_is_not_ours(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        file = boot.PidFile(str(path))
        file.write(loggers.getLogger())
        path.unlink()
        path.write_text("somebody else's\n")
        file.remove()
        assert path.read_text() == "somebody else's\n"

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("precious")
        (tmp_path / "pid").symlink_to(tmp_path / "precious")
        file = boot.PidFile(str(tmp_path / "pid"))
        file.lock()
        logger = loggers.getLogger()
        loggers.handle_boundIO(logger, "%(message)s")
        file.write(logger)
        reason = f"could not write pidfile {tmp_path / 'pid'} (Too many levels of symbolic links)"
        assert reason.encode() in logger.getvalue()
        file.remove()
        assert (tmp_path / "precious").read_text() == "precious"


class TestTroubleWithLogs:
    """A log that cannot be written is reported where it can be read."""

    def test_in_the_activity_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loggers, "report_trouble", loggers.report_to_stderr)
        logger = loggers.getLogger()
        loggers.handle_boundIO(logger, "%(message)s")
        boot.report_log_trouble_to(logger)
        loggers.report_trouble("cannot write")
        assert logger.getvalue() == b"cannot write"

    def test_on_stderr_when_that_is_the_log_in_trouble(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(loggers, "report_trouble", loggers.report_to_stderr)

        class Broken:
            """A stream that takes nothing."""

            def write(self, _data: bytes) -> None:
                raise OSError(28, "No space left on device")

        logger = loggers.getLogger()
        handler = loggers.StreamHandler(Broken())
        logger.addHandler(handler)
        boot.report_log_trouble_to(logger)
        logger.info("lost")
        assert "No space left on device" in capsys.readouterr().err
        assert sys.stderr is not None
