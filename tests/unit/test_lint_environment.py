"""Configuration warnings about the environment of programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.config.settings import Source, read
from supervisor.engine import paths
from tests.support.strangers import needs_root
from tests.support.tables import assert_none


def warnings(directory: Path, options: str, settings: str = "") -> list[str]:
    """Return the warnings about a program with some options, with `<dir>` for the directory."""
    file = directory / "c.conf"
    text = f"[supervisord]\n{settings}\n[program:x]\ncommand=/bin/cat\n{options}\n"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return [line.replace(str(directory), "<dir>") for line in read(Source(str(file)), {}).warnings]


WHERE = "in section 'program:x' (file: '<dir>/c.conf')"
ALONE = f"option 'pass_environment' {WHERE} has no effect: clean_environment is not true"
WITHOUT_PATH = (
    f"option 'clean_environment' {WHERE} leaves the program without PATH"
    " (fix: pass_environment=PATH)"
)
OVERRIDDEN = f"A in option 'secretfiles' {WHERE} has no effect: environment sets it"


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    shared = "environment=A=b"
    cases = [
        ("pass_environment=PATH", "", [ALONE]),
        ("clean_environment=true", "", [WITHOUT_PATH]),
        ("clean_environment=true\npass_environment=LANG", "", [WITHOUT_PATH]),
        ("clean_environment=true\npass_environment=PA*", "", []),
        ("clean_environment=true\nenvironment=PATH=/bin", "", []),
        ("clean_environment=true", "environment=PATH=/bin", []),
        ("clean_environment=true\nenvfiles=-%(here)s/a.env", "", []),
        ("secretfiles=A:/x,B:/y\nenvironment=A=b,C=d", "", [OVERRIDDEN]),
        ("secretfiles=A:/x\nenvironment=A=b", shared, [OVERRIDDEN]),
        ("secretfiles=A:/x", shared, []),
    ]
    assert_none(
        f"{options!r}: {found}"
        for options, settings, expected in cases
        if (found := warnings(tmp_path, options, settings)) != expected
    )


@needs_root
def test_an_env_file_that_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LD_PRELOAD in it is code that the program runs."""
    (tmp_path / "a.env").touch()
    (tmp_path / "a.env").chmod(0o666)
    options = "envfiles=%(here)s/a.env, -%(here)s/missing.env"
    numbers = "numprocs=2\nprocess_name=%(process_num)d"
    text = "<dir>/a.env controls what runs as root but is writable by others"
    said = [f"{text} (fix: chmod go-w <dir>/a.env)"]
    assert warnings(tmp_path, options) == said
    assert warnings(tmp_path, f"{options}\nuser=root") == said
    one_of_them = f"{options.replace('/a', '/%(process_num)d')}\n{numbers}"
    (tmp_path / "a.env").rename(tmp_path / "0.env")
    assert warnings(tmp_path, one_of_them) == [said[0].replace("a.env", "0.env")]
    (tmp_path / "0.env").rename(tmp_path / "a.env")
    assert warnings(tmp_path, f"{options}\nuser=nobody") == []
    assert warnings(tmp_path, options, "user=nobody") == []
    monkeypatch.setattr(paths.mounts, "slow_points", lambda: {str(tmp_path)})
    assert warnings(tmp_path, options) == []
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert warnings(tmp_path, options) == []
