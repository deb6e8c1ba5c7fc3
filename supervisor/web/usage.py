"""CPU and memory of all processes, which an open status page requests every few seconds.

The page's script draws the charts from what it has received, so the daemon keeps no history, and
does nothing while no page is open.
"""

from __future__ import annotations

import json

from supervisor.common.namespec import make_namespec
from supervisor.config.file_stamps import have_changed
from supervisor.engine.deferred import NOT_DONE_YET, gather
from supervisor.rpc.details import with_fresh_usage
from supervisor.rpc.lookup import members
from supervisor.web.views import MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from supervisor.engine.deferred import Deferred
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.process.usage import Usage


MEGABYTE: Final = 2**20
GIGABYTE: Final = 2**30

MIN_WHOLE: Final = 10
"""Number from which no decimals are shown; the script has the same rule."""


def usage_text(usage: Usage) -> str:
    """Return the use of CPU and memory as text: `0.3 %, 12 MB`."""
    size, percent = usage.memory_bytes, _number(usage.cpu_percent)
    if size < GIGABYTE:
        return f"{percent} %, {_number(size / MEGABYTE)} MB"
    return f"{percent} %, {size / GIGABYTE:.1f} GB"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < MIN_WHOLE else f"{value:.0f}"


def measured(daemon: Daemon) -> Deferred:
    """Return a deferred function whose result is the name and `Usage` of each running process.

    The work is spread over iterations of the loop, and the sample is a recent one.
    """

    def usages() -> Iterator[tuple[str, Usage]]:
        for group, process in members(list(daemon.process_groups.values()), by_name=True):
            if process.pid:
                usage = daemon.runtime.services.usage.usage(process.pid)
                yield make_namespec(group.config.name, process.config.name), usage

    put = daemon.runtime.services.start_queue.put
    return with_fresh_usage(daemon, lambda: gather(usages(), put))


class UsageView(MeldView):
    """View that responds with the use of CPU (percent of a core) and memory (bytes) in JSON."""

    content_type = "application/json"

    def render(self) -> Any:
        """Return `NOT_DONE_YET`, or `usage`, by name, and `outdated`.

        The latter is whether the configuration files have changed since they were read.
        """
        if self.callback is None:
            self.callback = measured(self.context.supervisord)
        found = self.callback()
        if found is NOT_DONE_YET:
            return NOT_DONE_YET
        outdated = have_changed(self.context.supervisord.options.file_stamps)
        usage = {name: (each.cpu_percent, each.memory_bytes) for name, each in found}
        return json.dumps({"usage": usage, "outdated": outdated})
