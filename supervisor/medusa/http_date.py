"""`build_http_date`, for Supvisors, which sends the date of its images."""

from __future__ import annotations

from supervisor.http import http1


def build_http_date(when: float) -> str:
    """Return seconds since the epoch in HTTP's format."""
    return http1.http_date(int(when))
