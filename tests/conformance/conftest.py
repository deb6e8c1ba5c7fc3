"""One pair of daemons for each module: it says CONFIG, and which states to wait for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.harness import Pair, running_pair


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The reference and ours on the module's CONFIG, once its SETTLED processes are so."""
    settled = getattr(request.module, "SETTLED", {})
    with running_pair(request.module.CONFIG, settled) as started:
        yield started
