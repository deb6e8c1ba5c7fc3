"""Leases on files: an open waits until the holder gives its lease back, 45 seconds at most."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.children import child


@contextmanager
def leased(path: Path) -> Iterator[None]:
    """The owner of a file holds a write lease on it in the block, see fcntl(2)."""
    owner = path.stat().st_uid
    with subprocess.Popen(
        shlex.split(child("leaseholder", path)), stdout=subprocess.PIPE, user=owner, group=owner
    ) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"READY\n"
            yield
        finally:
            holder.kill()
