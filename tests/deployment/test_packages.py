"""Wheel and sdist: complete, installed without a network in place of the original, and gone."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.cache import made_once, pip, python_environment
from tests.support.children import child
from tests.support.reference import REQUIREMENTS
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
FRONT = {
    *("README.md", "CHANGES.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *("sample.conf", "pyproject.toml", ".ci/run", ".editorconfig", ".pre-commit-config.yaml"),
    *(".github/workflows/tests.yml", ".github/pull_request_template.md"),
}
"""Files outside the folders that the sdist must have."""

RUN = "docs/examples/run"
"""Where the quickstart keeps its logs, and its socket while it runs: no part of the project."""

_left_out = shutil.ignore_patterns(
    ".git", ".venv*", "*.egg-info", "__pycache__", "build", "dist", ".*_cache", ".hypothesis"
)


def left_out(folder: str, names: list[str]) -> set[str]:
    """Return what is not copied of a folder: `shutil.copytree` asks."""
    of_a_run = {name for name in names if Path(folder, name) == ROOT / RUN}
    return _left_out(folder, names) | of_a_run


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel, our sdist and meld3's wheel."""
    directory = tmp_path_factory.mktemp("packages")
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=left_out)
    (source / RUN).mkdir()
    (source / RUN / "somebody.log").write_text("private\n", encoding="utf-8")
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
def test_debian_12_can_build_it_without_a_network(packages: Path, tmp_path: Path) -> None:
    """Its setuptools knows neither licence expressions nor `license-files`."""
    builder = python_environment("build-debian-12", "setuptools==66.1.1", "wheel==0.38.4")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path))
    pip(builder, "wheel", *options, str(packages.parent / "source"))
    with (
        zipfile.ZipFile(our_wheel(tmp_path)) as wheel,
        zipfile.ZipFile(our_wheel(packages)) as expected,
    ):
        files = [
            {name for name in archive.namelist() if ".dist-info/" not in name}
            for archive in (wheel, expected)
        ]
        assert files[0] == files[1]
        assert any(name.endswith("/LICENSE") for name in wheel.namelist())


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
        assert {name for name in missing if not name.startswith(f"{RUN}/")} == set()
    assert not {name for name in names if name.startswith(f"{RUN}/")}
    assert FRONT - names == set()


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


@pytest.mark.timeout(240)
def test_a_daemon_runs_through_the_upgrade(
    packages: Path, tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4.3.0 on Debian's configuration; the new client controls it; the new daemon takes over."""
    monkeypatch.setenv(proctable.MARK, str(directory))
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    pip(environment, "install", *REQUIREMENTS)
    config = debian_configuration(directory)

    def control(*words: str) -> str:
        return run(str(environment / "bin" / "supervisorctl"), "-c", str(config), *words)

    def is_running() -> bool:
        command = [str(environment / "bin" / "supervisorctl"), "-c", str(config), "status"]
        status = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return "RUNNING" in status.stdout

    def start() -> None:
        run(str(environment / "bin" / "supervisord"), "-c", str(config))
        wait_until(is_running, 20)

    try:
        start()
        before = control("pid", "web")
        options = ("--no-index", "--find-links", str(packages), "--upgrade")
        pip(environment, "install", *options, "supervisor")
        assert (control("version"), control("pid", "web")) == ("4.3.0\n", before)
        assert control("restart", "web") == "web: stopped\nweb: started\n"
        assert control("shutdown") == "Shut down\n"
        wait_until(lambda: not (directory / "supervisord.pid").exists(), 20)
        start()
        assert control("version") == "4.3.1\n"
        assert (directory / "supervisord.log").read_text().count("supervisord started with") == 2
        control("shutdown")
        wait_until(lambda: not (directory / "supervisord.pid").exists(), 20)
    finally:
        proctable.kill(proctable.marked(str(directory)))


def debian_configuration(directory: Path) -> Path:
    """Write Debian's file, and one of `conf.d`, with other folders."""
    text = (ROOT / "contrib" / "debian" / "supervisord.conf").read_text(encoding="utf-8")
    for folder in ("/var/run", "/var/log/supervisor", "/etc/supervisor"):
        text = text.replace(folder, str(directory))
    (directory / "conf.d").mkdir()
    (directory / "conf.d" / "web.conf").write_text(
        f"[program:web]\ncommand={child('sleeper')}\n", encoding="utf-8"
    )
    path = directory / "supervisord.conf"
    path.write_text(text, encoding="utf-8")
    return path
