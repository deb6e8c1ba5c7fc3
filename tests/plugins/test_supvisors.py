"""Supvisors' own tests, run against ours."""

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


# The tests that wait for their sockets run eight at a time; the order of the others matters:
# some leave patches behind.
SELECTIONS = (
    (("-k", "websockets or zmq", "-n", "8", "--dist", "worksteal"), 33),
    (("-k", "not websockets and not zmq", "-n", "1"), 1059),
)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a network of its own")
@pytest.mark.timeout(300)
def test_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "own_network.py").symlink_to(own_network.__file__)
    environment = plugin_environment(SUPVISORS)
    (tests,) = environment.glob("lib/python*/site-packages/supvisors/tests")
    command = [str(environment / "bin" / "python"), "-m", "pytest", "-q", str(tests)]
    command += ["-p", "own_network", "-p", "no:cacheprovider", "--rootdir", str(tests)]
    for test in LEFT_OUT:
        command += ["--deselect", test]
    runs = [
        subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for options, _ in SELECTIONS
    ]
    for run, (_, count) in zip(runs, SELECTIONS, strict=True):
        said, _ = run.communicate()
        assert run.returncode == 0, said[-5000:]
        assert re.findall(r"(\d+) passed", said) == [str(count)]
