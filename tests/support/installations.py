"""Copies of the package for PYTHONPATH, which tests may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import meld3

import supervisor


def install(target: Path) -> None:
    """Copy the package and meld3 to a directory for PYTHONPATH."""
    for package in (supervisor, meld3):
        source = Path(package.__file__).parent
        shutil.copytree(
            source, target / source.name, ignore=shutil.ignore_patterns("__pycache__", "test_*")
        )
