"""The reference, Supervisor 4.3.0, in a virtual environment of its own.

Made once per Python version in the user's cache directory, or taken from the directory that
SUPERVISOR_REFERENCE names.  `python -m tests.support.reference` makes it ahead of the tests.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

# setuptools: 4.3.0 may look for pkg_resources, which left setuptools with version 81.
REQUIREMENTS = ("supervisor==4.3.0", "setuptools<81")
COMPLETE = "complete"


@cache
def reference_environment() -> Path:
    """Return the directory of the reference's virtual environment, made if it is missing."""
    given = os.environ.get("SUPERVISOR_REFERENCE")
    if given:
        return Path(given)
    directory = _cache_directory() / f"reference-4.3.0-{sys.implementation.cache_tag}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may come here at once
        if not (directory / COMPLETE).exists() or not (directory / "bin" / "python").exists():
            _make(directory)
    return directory


def reference_script(name: str) -> str:
    """Return the path of one of the reference's commands, `supervisord` for example."""
    return str(reference_environment() / "bin" / name)


def _cache_directory() -> Path:
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_home) / "supervisor-tests"


def _make(directory: Path) -> None:
    venv.create(directory, clear=True, with_pip=True)
    pip = [directory / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--quiet", *REQUIREMENTS], check=True, stdin=subprocess.DEVNULL)
    (directory / COMPLETE).touch()


if __name__ == "__main__":
    print(reference_environment())
