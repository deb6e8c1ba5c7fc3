"""The tests that third parties wrote for their software, run against ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.plugins import plugin_environment, plugin_script
from tests.support.reference import reference_environment

PLUGIN = Path(__file__).parents[1] / "support" / "reference_dummies.py"

# Those that fail on the reference too, under a Python of today, are left out: a
# dummy of today takes bytes where supervisor_twiddler's tests write text, and toposort words its
# message about a circle differently from what supervisord-dependent-startup's expect.
# `test_suite` is no test but calls what Python 3.13 no longer has.
SUITES = {
    "devservices": (90, ()),
    "superlance": (135, ()),
    "supervisor_cache": (46, ("test_suite",)),
    "supervisor_twiddler": (
        31,
        (
            "test_suite",
            "test_handler_writes_chars_when_response_is_STDIN",
            "test_write_encodes_unicode_as_utf8",
            "test_write_fails_silently_if_oserror_during_write",
            "test_write_fails_silently_if_process_has_no_pid",
            "test_write_fails_silently_if_process_is_killing",
        ),
    ),
    "supervisord_dependent_startup": (59, ("test_start_service_with_circular_dependency",)),
}

# Tests that do not lie in their package: those of devservices that need no docker.
FILES = {
    "devservices": (
        "tests/commands/test_foreground.py",
        "tests/commands/test_serve.py",
        "tests/configs/test_service_config.py",
        "tests/utils/test_supervisor.py",
    ),
}


@pytest.fixture
def dummies(tmp_path: Path) -> Path:
    """A directory with `tests/base.py` of the reference, and nothing else of it.

    The plugin that loads it lies beside it, so that it need not be imported from our `tests`,
    a name that some of the third parties' tests have as well.
    """
    (found,) = reference_environment().glob("lib/python*/site-packages/supervisor/tests/base.py")
    package = tmp_path / "dummies" / "tests"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "base.py").symlink_to(found)
    (tmp_path / "reference_dummies.py").symlink_to(PLUGIN)
    return package.parent


@pytest.mark.parametrize("package", SUITES)
def test_its_own_tests(package: str, dummies: Path) -> None:
    count, left_out = SUITES[package]
    (packages,) = plugin_environment().glob("lib/python*/site-packages")
    files = [str(packages / file) for file in FILES.get(package, ())]
    command = [plugin_script("python"), "-m", "pytest"]
    command += files or ["--pyargs", f"{package}.tests"]
    command += ["-p", "reference_dummies", "-p", "no:cacheprovider", "-q"]
    command += ["--rootdir", str(dummies), "-k", " and ".join(f"not {name}" for name in left_out)]
    result = subprocess.run(
        command,
        cwd=dummies.parent,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(dummies.parent),
            "REFERENCE_DUMMIES": str(dummies),
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr
    assert re.findall(r"(\d+) passed", result.stdout) == [str(count)]
