"""`tests/run`: what it installs, runs and hands to pytest, by its arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PACKAGES = "Debian packages"
REFERENCE = "-m tests.support.reference"
TOOLS = "-m tests.support.tools"
PLUGINS = "-m tests.support.plugins"
EVERYTHING = [PACKAGES, REFERENCE, TOOLS, PLUGINS]

WORKERS = "-n 2 --dist loadfile"
QUICK = "-m not (needs_root or slow)"
QUICK_FOLDERS = "tests/unit tests/journeys tests/test_floors.py tests/test_language.py"

MAKE_ENVIRONMENT = """\
mkdir -p "$1/bin"
for name in python ruff mypy; do
    cp command "$1/bin/$name"
done
"""
"""In place of tools/venv.sh: an environment whose commands only record their arguments."""

RECORD = """\
#!/bin/sh
echo "${0##*/} $*" >>calls
"""

APT_GET = """\
#!/bin/sh
echo Debian packages >>calls
exit 1
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with `tests/run` and recording commands, and nothing else on the PATH."""
    for folder in ("tests", "tools", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tests" / "run", tmp_path / "tests")
    (tmp_path / "tools" / "venv.sh").write_text(MAKE_ENVIRONMENT, encoding="utf-8")
    scripts = {"command": RECORD, "bin/id": "#!/bin/sh\necho 0\n", "bin/apt-get": APT_GET}
    for name, text in scripts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for name in ("sh", "dirname", "mkdir", "cp"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return tmp_path


def calls(checkout: Path, *arguments: str) -> list[str]:
    """Return the recorded calls; the installation of Debian packages fails and ends them."""
    recorded = checkout / "calls"
    recorded.unlink(missing_ok=True)
    subprocess.run(
        ["sh", "tests/run", *arguments],
        cwd=checkout,
        env={"PATH": str(checkout / "bin"), "HOME": str(checkout)},
        stderr=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )
    return recorded.read_text(encoding="utf-8").splitlines()


def test_what_is_installed_depends_on_the_chosen_tests(checkout: Path) -> None:
    """Where no folder is chosen, or an unknown one, everything is installed."""
    expected: dict[tuple[str, ...], list[str]] = {
        (): EVERYTHING,
        ("-k", "clock"): EVERYTHING,
        ("tests",): EVERYTHING,
        ("tests/new",): EVERYTHING,
        ("tests/unit", "-k", "clock"): [],
        ("tests/unit/test_loop.py::test_a_timer",): [],
        (f"{checkout}/tests/unit/test_loop.py",): [],
        ("./tests/unit",): [],
        ("tests/test_floors.py", "tests/fuzz", "tests/docs", "tests/journeys"): [],
        ("tests/faults",): [PACKAGES],
        ("tests/conformance",): [REFERENCE],
        ("tests/clients",): [PACKAGES, REFERENCE, TOOLS],
        ("tests/web", "-x"): [PACKAGES, TOOLS],
        ("tests/deployment",): [PACKAGES, REFERENCE],
        ("tests/plugins",): [PACKAGES, PLUGINS],
        ("tests/unit", "tests/plugins"): [PACKAGES, PLUGINS],
        ("--quick",): [],
        ("--quick", "-x"): [],
    }
    wrong = {}
    (checkout / "bin" / "apt-get").write_text(APT_GET.replace("exit 1", ""), encoding="utf-8")
    for arguments, needs in expected.items():
        recorded = [line.removeprefix("python ") for line in calls(checkout, *arguments)]
        found = sorted({line for line in recorded if line in EVERYTHING}, key=EVERYTHING.index)
        if found != needs:
            wrong[arguments] = found
    assert wrong == {}


def test_checks_and_tests_follow(checkout: Path) -> None:
    """The quick run leaves out what needs root or time; folders that are given replace its own.

    Those run one after the other, as a person who looks for an error wants them.
    """
    checks = ["ruff check", "ruff format --check", "mypy --strict supervisor"]
    expected = {
        ("tests/unit", "-k", "clock"): "-m pytest tests/unit -k clock",
        ("--quick",): f"-m pytest {WORKERS} {QUICK} {QUICK_FOLDERS}",
        ("--quick", "-x"): f"-m pytest {WORKERS} {QUICK} {QUICK_FOLDERS} -x",
        ("--quick", "tests/unit"): f"-m pytest {QUICK} tests/unit",
        ("--reexec", "tests/journeys", "-x"): "-m pytest tests/journeys -x",
    }
    found = {arguments: calls(checkout, *arguments) for arguments in expected}
    assert found == {
        arguments: [*checks, f"python {pytest_call}"] for arguments, pytest_call in expected.items()
    }


def test_the_complete_run_ends_with_daemons_that_have_been_replaced(checkout: Path) -> None:
    """With those tests that `--reexec` runs alone, but not if tests are chosen."""
    (checkout / "bin" / "apt-get").write_text(APT_GET.replace("exit 1", ""), encoding="utf-8")
    variable = "${SUPERVISOR_TESTS-}"
    (checkout / "command").write_text(f'#!/bin/sh\necho "$* {variable}" >>calls\n')
    *_, everything, last = calls(checkout)
    assert everything == f"-m pytest {WORKERS} "
    assert last.startswith(f"-m pytest {WORKERS} tests/conformance/")
    assert last.endswith(" reexec")
    assert calls(checkout, "--reexec")[-1] == last
    assert calls(checkout, "-k", "clock")[-1] == f"-m pytest {WORKERS} -k clock "
    files = [word for word in last.split() if word.startswith("tests/")]
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_nothing_runs_when_packages_cannot_be_installed(checkout: Path) -> None:
    assert calls(checkout, "tests/web") == [PACKAGES]


def test_the_folders_of_the_quick_run_exist() -> None:
    for name in QUICK_FOLDERS.split():
        assert os.path.exists(ROOT / name)
