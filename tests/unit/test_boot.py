"""The steps of the boot that can be tested without a daemon."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import supervisor
from supervisor import loggers
from supervisor.config.model import Settings
from supervisor.daemon import boot
from supervisor.engine import posix
from tests.support.floors import FLOORS, is_client, module_name
from tests.support.strangers import give_away, needs_root

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


BEFORE_OPTIONS = {"supervisor.daemon.check", "supervisor.daemon.resume"}
"""Modules that are imported before the daemon has options, or instead of it."""


def test_everything_is_imported_before_another_user_takes_over() -> None:
    """Privileges are dropped where files of root's Python can no longer be read."""
    late = {
        name
        for path in PACKAGE.rglob("*.py")
        if not is_client(module_name(path)) and FLOORS.get(path.parent.name) != FLOORS["config"]
        for name in late_imports(path)
    }
    assert late - BEFORE_OPTIONS <= set(boot.LATE_IMPORTS)


PRELOADED = """
import os, sys
from supervisor.config.model import Settings
from supervisor.daemon import boot
from supervisor.engine import posix
posix.is_readable_by_all = lambda name: {readable}
posix.drop_privileges = lambda uid: None
boot.drop_privileges(Settings(configfile=None, here=None, uid={uid}))
print("xmlrpc.client" in sys.modules)
"""


@pytest.mark.parametrize(
    ("uid", "readable", "preloads"),
    [
        pytest.param("os.getuid()", False, False, id="the user does not change"),
        pytest.param("os.getuid() + 1", True, False, id="the new user can read the modules"),
        pytest.param("os.getuid() + 1", False, True, id="the new user cannot read them"),
    ],
)
def test_modules_are_preloaded_only_where_the_new_user_could_not_read_them(
    uid: str, *, readable: bool, preloads: bool
) -> None:
    """Preloading doubles the daemon's memory and the time to its first answer."""
    program = PRELOADED.format(uid=uid, readable=readable)
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == str(preloads)


@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "is_readable"),
    [(0o755, 0o644, True), (0o711, 0o604, True), (0o750, 0o644, False), (0o755, 0o640, False)],
)
def test_a_file_is_readable_by_all_if_its_directories_can_be_searched(
    directory: Path, directory_mode: int, file_mode: int, *, is_readable: bool
) -> None:
    directory.chmod(0o755)
    (directory / "package").mkdir()
    module = directory / "package" / "module.py"
    module.touch()
    module.chmod(file_mode)
    (directory / "link.py").symlink_to(module)
    (directory / "package").chmod(directory_mode)
    found = [posix.is_readable_by_all(str(path)) for path in (module, directory / "link.py")]
    assert found == [is_readable, is_readable]


def test_a_missing_file_is_not_readable() -> None:
    assert not posix.is_readable_by_all("/no/such/module.py")


def test_the_daemon_imports_nothing_heavy() -> None:
    """On a host with many containers, each waits for its imports and holds their memory."""
    program = "import supervisor.supervisord, sys; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = "dataclasses inspect ssl email http.client xmlrpc.client meld3 asyncio logging"
    avoidable = "typing traceback"  # half a MiB and more, each
    assert not {*heavy.split(), *avoidable.split()} & set(finished.stdout.split())


def test_an_activity_log_that_cannot_be_opened(directory: Path) -> None:
    """The one line names the place where it is configured."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "log"))
    settings = Settings(
        configfile=None,
        here=None,
        nodaemon=False,
        logfile=str(directory / "log"),
        logfile_origin=" in section 'supervisord'",
    )
    with pytest.raises(boot.BootError) as raised:
        boot.open_activity_log(settings)
    assert str(raised.value) == (
        f"Cannot open logfile {directory}/log: No such device or address in section 'supervisord'"
    )


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
            "p-stdout---me.x-abc.log.3.gz",
            "p-stdout---me.x-abc.log.compressing",
        ]
        kept = [
            "p-stdout---you-abc.log",
            "p-stdout---mexx-abc.log",
            "p.log",
            "p-stdout---me.x-abc.txt",
            "p-stdout---me.x-abc.log.gz",
            "p-stdout---me.x-abc.log.1.xz",
        ]
        for name in gone + kept:
            (tmp_path / name).touch()
        assert self.remove(tmp_path) == sorted(kept)

    @needs_root
    def test_only_those_of_our_user(self, tmp_path: Path) -> None:
        """In /tmp, by default, there are those of every user's daemon."""
        theirs = tmp_path / "p-stdout---me.x-abc.log"
        theirs.touch()
        give_away(theirs)
        assert self.remove(tmp_path) == [theirs.name]

    def test_what_cannot_be_deleted_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "p-stdout---me.x-abc.log").mkdir()
        assert self.remove(tmp_path) == ["p-stdout---me.x-abc.log"]


class TestTroubleWithLogs:
    """A log that cannot be written is reported where it can be read."""

    def test_in_the_activity_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loggers, "report_error", loggers.report_to_stderr)
        logger = loggers.getLogger()
        loggers.handle_boundIO(logger, "%(message)s")
        boot.route_log_errors_to(logger)
        loggers.report_error("cannot write")
        assert logger.getvalue() == b"cannot write"

    def test_on_stderr_when_that_log_has_failed(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(loggers, "report_error", loggers.report_to_stderr)

        class Broken:
            """A stream that takes nothing."""

            def write(self, _data: bytes) -> None:
                raise OSError(28, "No space left on device")

        logger = loggers.getLogger()
        handler = loggers.StreamHandler(Broken())
        logger.addHandler(handler)
        boot.route_log_errors_to(logger)
        logger.info("lost")
        assert "No space left on device" in capsys.readouterr().err
        assert sys.stderr is not None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%(levelname)s|%(message)s", "WARN|a\n"),
        ("json", '"level": "warn", "message": "a"}\n'),
    ],
)
def test_the_activity_log_has_its_format(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "x.log"
    logger = boot.open_activity_log(
        Settings(configfile=None, here=None, logfile=str(path), logfile_format=text)
    )
    logger.warn("a")
    logger.close()
    assert path.read_text(encoding="utf-8").endswith(line)
