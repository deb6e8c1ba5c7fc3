"""Tables of cases: one test walks a table and reports all of its failures at once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def assert_none(failures: Iterable[object]) -> None:
    """Fail with a line for each failure, unless there are none."""
    lines = [str(failure) for failure in failures]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
