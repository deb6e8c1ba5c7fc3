"""The distribution: installed in place of Supervisor, complete, with the same commands."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from supervisor.common.version import VERSION

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "supervisor"
CACHE = re.compile(r"/(?:__pycache__|\.\w+_cache)/")


def test_the_distribution_takes_the_name_and_the_level_of_supervisor_4_3() -> None:
    assert VERSION.startswith("4.3.")
    assert distribution("supervisor").version == VERSION
    assert (PACKAGE / "version.txt").read_text(encoding="ascii").strip() == VERSION


def test_it_has_the_four_commands() -> None:
    scripts = distribution("supervisor").entry_points.select(group="console_scripts")
    assert {script.name: script.value for script in scripts} == {
        "supervisord": "supervisor.supervisord:main",
        "supervisorctl": "supervisor.supervisorctl:main",
        "echo_supervisord_conf": "supervisor.confecho:main",
        "pidproxy": "supervisor.pidproxy:main",
    }


def test_every_command_can_be_called() -> None:
    for script in distribution("supervisor").entry_points.select(group="console_scripts"):
        assert callable(script.load())


def test_it_needs_meld3_alone() -> None:
    required = distribution("supervisor").requires or []
    assert [text for text in required if "extra ==" not in text] == ["meld3>=1.0.0"]


def test_every_file_that_is_not_code_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["supervisor"]
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    data = {path for path in PACKAGE.rglob("*.*") if path.is_file() and path.suffix != ".py"}
    assert {path for path in data if not CACHE.search(str(path))} <= packaged


def test_the_sample_of_the_repository_is_the_one_of_the_package() -> None:
    assert (ROOT / "sample.conf").resolve() == PACKAGE / "skel" / "sample.conf"
