"""Installed files that are kept for the case that they are replaced or removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.daemon import boot
from supervisor.engine import installation
from supervisor.engine.installation import LATE_MODULES, KeptFiles
from tests.support.strangers import needs_root
from tests.support.tables import assert_none

FOR_PLUGINS = ("supervisor.client.options", "supervisor.client.transport")
"""Modules that the daemon itself never imports."""

STARTED = """
import sys
from supervisor import rpcinterface, supervisord
from supervisor.http import csrf, handlers
from supervisor.options import ServerOptions
from supervisor.web import supervisor_ui_handler
from supervisor import xmlrpc
ServerOptions().realize(["-c", {config!r}])
before = set(sys.modules)
import importlib
for name in {late!r}:
    importlib.import_module(name)
print(*(set(sys.modules) - before))
"""


def test_the_list_of_late_modules_is_complete(directory: Path) -> None:
    config = directory / "supervisord.conf"
    config.write_text("[supervisord]\n", encoding="ascii")
    late = [name for name in boot.LATE_IMPORTS if name not in FOR_PLUGINS]
    found = subprocess.run(
        [sys.executable, "-c", STARTED.format(config=str(config), late=late)],
        capture_output=True,
        text=True,
        check=True,
        cwd=directory,
    )
    packages = ("meld3", "supervisor")
    wanted = {name for name in found.stdout.split() if name.partition(".")[0] in packages}
    assert wanted == set(LATE_MODULES)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptFiles:
    """Keep the files of a small installation."""
    (tmp_path / "ui").mkdir()
    for name in ("version.txt", "ui/a.css", "ui/b.css"):
        (tmp_path / name).write_text("before", encoding="ascii")
    monkeypatch.setattr(installation, "MARKER", str(tmp_path / "version.txt"))
    monkeypatch.setattr(installation, "UI_FOLDER", str(tmp_path / "ui"))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    kept = KeptFiles()
    kept.keep()
    return kept


def test_what_is_read_after_changes(files: KeptFiles, tmp_path: Path) -> None:
    reports: list[str] = []
    files.report = reports.append
    a, b, c = (tmp_path / "ui" / f"{name}.css" for name in "abc")
    mistakes = []

    def check(step: str, path: Path, expected: bytes | None, count: int) -> None:
        try:
            found = files.read(str(path))[0]
        except FileNotFoundError:
            found = None
        if (found, len(reports)) != (expected, count):
            mistakes.append(f"{step}: {path.name} is {found!r}, reported {reports}")

    check("unchanged", a, b"before", 0)
    a.write_text("edited", encoding="ascii")
    os.utime(a, (1, 1))
    check("edited", a, b"edited", 0)
    b.unlink()
    check("removed", b, b"before", 0)
    c.write_text("new", encoding="ascii")
    check("added", c, b"new", 0)
    if files.modified_ns(str(a)) != 1_000_000_000:
        mistakes.append("the time of an edited file is that of the edit")
    (tmp_path / "version.txt").unlink()
    check("replaced", a, b"before", 1)
    check("replaced", c, b"new", 1)
    if files.modified_ns(str(a)) == 1_000_000_000:
        mistakes.append("the time of a kept file is the one of the start")
    c.unlink()
    check("replaced and removed", c, None, 1)
    assert_none(mistakes)


@needs_root
def test_files_that_another_user_cannot_read(files: KeptFiles, tmp_path: Path) -> None:
    """An installation below root's home directory has not changed when the user does."""
    reports: list[str] = []
    files.report = reports.append
    tmp_path.chmod(0o700)
    pid = os.fork()
    if not pid:
        os.setuid(65534)
        good = files.read(str(tmp_path / "ui" / "a.css"))[0] == b"before" and not reports
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
