"""`build_http_date`, for Supvisors, which sends the date of its images (floor 6)."""

from __future__ import annotations

from supervisor.http import wire


def build_http_date(when: float) -> str:
    """Return seconds since the epoch in HTTP's format."""
    return wire.http_date(int(when))
