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

from tests.support.daemon import REEXECUTED

# The same examples each time; HYPOTHESIS_PROFILE=default looks for others.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Whoever is started in the background of a script ignores Ctrl-C, and so would all children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every daemon and client that a test starts would compile all of their modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that this user, or this kind of run, cannot do.

    `needs_root` is for root only, `as_started` for daemons that are not replaced first.
    """
    markers = ["needs_root"] if os.geteuid() else []
    if REEXECUTED:
        markers.append("as_started")
    left_out = [item for item in items if any(map(item.get_closest_marker, markers))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory with a short path: a unix socket's path has about 100 characters."""
    path = Path(tempfile.mkdtemp(prefix="sv-"))
    yield path
    shutil.rmtree(path)
