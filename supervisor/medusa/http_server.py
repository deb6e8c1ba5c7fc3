"""What Supvisors and its tests import from medusa's `http_server` (floor 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.http.request import Request as http_request
from supervisor.medusa import http_date

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

__all__ = ["get_header", "http_date", "http_request"]


def get_header(head_reg: re.Pattern[str], lines: Iterable[str], group: int = 1) -> str:
    """Return a group of the first header line that matches as a whole, or ''."""
    for line in lines:
        found = head_reg.fullmatch(line)
        if found:
            return str(found.group(group))
    return ""
