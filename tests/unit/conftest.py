"""Fixtures of the unit tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from supervisor import events
from tests.support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A daemon's surroundings with nothing real in them; nothing is left of it afterwards."""
    made = make_world(monkeypatch)
    yield made
    events.clear()
    made.close()
