"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# The same examples each time; HYPOTHESIS_PROFILE=default looks for others.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Whoever is started in the background of a script ignores Ctrl-C, and so would all children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every daemon and client that a test starts would compile all of their modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked `needs_root` for all users but root."""
    if os.geteuid() == 0:
        return
    config.hook.pytest_deselected(
        items=[item for item in items if item.get_closest_marker("needs_root")]
    )
    items[:] = [item for item in items if not item.get_closest_marker("needs_root")]


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory with a short path: a unix socket's path has about 100 characters."""
    path = Path(tempfile.mkdtemp(prefix="sv-"))
    yield path
    shutil.rmtree(path)
