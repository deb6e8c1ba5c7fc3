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
    from typing import Any


class UsageView(MeldView):
    """View that responds with the use of CPU (percent of a core) and memory (bytes) in JSON."""

    content_type = "application/json"

    def render(self) -> Any:
        """Return `NOT_DONE_YET`, or `usage`, by name, and `outdated`.

        The latter is whether the configuration files have changed since they were read.
        """
        if self.callback is None:
            daemon = self.context.supervisord
            put = daemon.runtime.services.start_queue.put
            self.callback = with_fresh_usage(daemon, lambda: gather(self._usages(), put))
        found = self.callback()
        if found is NOT_DONE_YET:
            return NOT_DONE_YET
        outdated = have_changed(self.context.supervisord.options.file_stamps)
        return json.dumps({"usage": dict(found), "outdated": outdated})

    def _usages(self) -> Iterator[tuple[str, tuple[float, int]]]:
        daemon = self.context.supervisord
        for group, process in members(list(daemon.process_groups.values()), by_name=True):
            if process.pid:
                usage = daemon.runtime.services.usage.usage(process.pid)
                name = make_namespec(group.config.name, process.config.name)
                yield name, (usage.cpu_percent, usage.memory_bytes)
