"""Two installed versions of the package, and a link to one of them that is switched atomically.

    versions = Versions(directory, ("4.98.0", "4.99.0"))
    Daemon(..., environment=versions.environment)
    versions.install("4.99.0")

Both are the current code, and only the numbers differ: the release before has no `reexec`.
"""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

import meld3

import supervisor


class Versions:
    """The versions in a directory; the first one is installed."""

    def __init__(self, directory: Path, numbers: tuple[str, ...]) -> None:
        self.numbers = numbers
        self._directory = directory
        self._link = directory / "installed"
        self.environment = {"PYTHONPATH": str(self._link)}
        for number in numbers:
            self._copy(directory / number, number)
        self.install(numbers[0])

    def _copy(self, target: Path, number: str) -> None:
        for package in (supervisor, meld3):
            source = Path(package.__file__).parent
            shutil.copytree(
                source, target / source.name, ignore=shutil.ignore_patterns("test_*.py")
            )
        (target / "supervisor" / "version.txt").write_text(f"{number}\n", encoding="ascii")
        compileall.compile_dir(target / "supervisor", quiet=1)

    def install(self, number: str) -> None:
        """Let the link refer to a version."""
        new = self._directory / "installed.new"
        new.symlink_to(number)
        new.rename(self._link)
