"""The names of medusa's `http_server` that Supvisors and its tests import."""

from __future__ import annotations

from supervisor.http import http1
from supervisor.http.plugin_request import PluginRequest
from supervisor.http.request import Request
from supervisor.medusa import http_date

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any

__all__ = ["get_header", "http_date", "http_request"]


class http_request(PluginRequest):
    """A request with the constructor that Supvisors' tests call."""

    def __init__(  # noqa: PLR0917 - as they call it
        self,
        channel: Any,
        request: str,
        command: str,
        uri: str,
        version: str,
        header: list[str],
    ) -> None:
        fields = (line.partition(":") for line in header)
        named = {name.lower(): value.strip() for name, _, value in fields}
        head = http1.Head(
            command,
            uri,
            version,
            tuple(header),
            named,
            content_length=0,
            keep_alive=True,
            expects_continue=False,
        )
        super().__init__(Request(head, channel.client, channel.server))
        self.channel = channel
        self.request = request


def get_header(head_reg: re.Pattern[str], lines: Iterable[str], group: int = 1) -> str:
    """Return a group of the first header line that fully matches, or ''."""
    for line in lines:
        found = head_reg.fullmatch(line)
        if found:
            return str(found.group(group))
    return ""
