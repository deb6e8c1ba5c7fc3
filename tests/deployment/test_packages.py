"""Wheel and sdist: complete, installed without a network in place of the original, and gone."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.cache import made_once, pip, python_environment
from tests.support.reference import REQUIREMENTS

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "*.egg-info", "__pycache__", "build", "dist", ".*_cache", ".hypothesis"
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel, our sdist and meld3's wheel."""
    directory = tmp_path_factory.mktemp("packages")
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    builder = python_environment("build", "build==1.3.0", "setuptools==80.9.0")
    run(
        str(builder / "bin" / "python"),
        *("-m", "build", "--no-isolation", "--outdir", str(directory / "dist"), str(source)),
    )
    meld3 = made_once("meld3-wheel", _fetch_meld3)
    for wheel in meld3.glob("*.whl"):
        shutil.copy(wheel, directory / "dist")
    return directory / "dist"


def _fetch_meld3(directory: Path) -> None:
    builder = python_environment("build", "build==1.3.0", "setuptools==80.9.0")
    pip(builder, "download", "--no-deps", "--dest", str(directory), "meld3")


def run(*command: str) -> str:
    """Run a command, which must succeed; return what it says."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def installed(environment: Path) -> set[str]:
    """Return every file below an environment, but what running leaves there."""
    return {
        str(path.relative_to(environment))
        for path in environment.rglob("*")
        if "__pycache__" not in path.parts and path.is_file()
    }


def our_wheel(packages: Path) -> Path:
    (wheel,) = packages.glob("supervisor-*.whl")
    return wheel


@pytest.mark.timeout(180)
def test_the_wheel_has_what_runs_and_nothing_else(packages: Path) -> None:
    with zipfile.ZipFile(our_wheel(packages)) as wheel:
        names = set(wheel.namelist())
    package = ROOT / "supervisor"
    expected = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == expected


@pytest.mark.timeout(180)
def test_the_sdist_has_everything(packages: Path) -> None:
    (sdist,) = packages.glob("supervisor-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("supervisor", "tests", "docs", "benchmarks", "contrib", "tools"):
        missing = {
            str(path.relative_to(ROOT))
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and ".pyc" not in path.name
        } - names
        assert missing == set()
    for name in ("README.md", "CHANGES.md", "LICENSE", "sample.conf", "pyproject.toml", ".ci/run"):
        assert name in names


@pytest.mark.timeout(180)
def test_it_installs_without_a_network_and_goes_without_a_trace(
    packages: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    before = installed(environment)
    pip(environment, "install", "--no-index", "--find-links", str(packages), "supervisor")
    scripts = environment / "bin"
    assert run(str(scripts / "supervisord"), "--version").startswith("4.3.")
    assert "[unix_http_server]" in run(str(scripts / "echo_supervisord_conf"))
    pip(environment, "uninstall", "--yes", "supervisor", "meld3")
    assert installed(environment) == before


@pytest.mark.timeout(180)
def test_it_takes_the_place_of_the_original(packages: Path, tmp_path: Path) -> None:
    """In the same environment, as `pip install --upgrade` does it."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    pip(environment, "install", *REQUIREMENTS)
    options = ("--no-index", "--find-links", str(packages), "--upgrade")
    pip(environment, "install", *options, "supervisor")
    assert run(str(environment / "bin" / "supervisord"), "--version") == "4.3.1\n"
    (folder,) = environment.glob("lib/python*/site-packages/supervisor")
    wheel_names = zipfile.ZipFile(our_wheel(packages)).namelist()
    found = {f"supervisor/{path.relative_to(folder)}" for path in folder.rglob("*.py")}
    assert found <= set(wheel_names)  # nothing of the original is left
