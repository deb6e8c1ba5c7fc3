"""What tests need besides this package, made once and kept in the user's cache directory."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

COMPLETE = "complete"


def made_once(name: str, make: Callable[[Path], None], *, needs: str = COMPLETE) -> Path:
    """Return the directory `name` of the cache; `make` fills it, empty, if it is not complete.

    It is made anew when the file `needs` has gone from it.
    """
    directory = _cache_directory() / name
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may come here at once
        if not all((directory / path).exists() for path in (COMPLETE, needs)):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            make(directory)
            (directory / COMPLETE).touch()
    return directory


def python_environment(name: str, *requirements: str) -> Path:
    """Return a virtual environment with these packages, one for each version of Python."""

    def make(directory: Path) -> None:
        venv.create(directory, with_pip=True)
        pip(directory, "install", *requirements)

    name = f"{name}-{sys.implementation.cache_tag}"
    return made_once(name, make, needs="bin/python")  # gone with an interpreter that was upgraded


def pip(environment: Path, *arguments: str) -> None:
    """Run pip in a virtual environment."""
    command = [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    run([*map(str, command), *arguments, "--quiet"])


def run(command: list[str]) -> None:
    """Run a command that fetches something; raises AssertionError with what it said."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout}"


def _cache_directory() -> Path:
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_home) / "supervisor-tests"
