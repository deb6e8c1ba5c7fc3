"""The lines of the activity log as JSON objects: `logfile_format=json`."""

from __future__ import annotations

import re
import time

from supervisor.common.log_formats import json_text
from supervisor.common.text import utc_time
from supervisor.datatypes import LOG_LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.loggers import LogRecord

_levels = {number: name for name, number in LOG_LEVELS.items()}

# `spawned: 'web' with pid 12`, `exited: web (exit status 0; expected)`, `killing 'web' (12) with`:
# texts of Supervisor 4 that scripts parse, so they do not change.
_event = re.compile(
    r"(?P<event>(?:spawned|success|exited|stopped|gave up)(?=:)|killing):? "
    r"(?P<quote>'?)(?P<process>[^\s:]+)(?P=quote) [(we]"
)


def activity_json(record: LogRecord) -> str:
    """Return a record as one line.

    The object has `time`, `level` and `message`, and for a change of a process also `process` and
    `event`.
    """
    values = record.asdict()
    message = values["message"]
    fields = {
        "time": values.setdefault("time", utc_time(time.time())),  # one for all handlers
        "level": _levels.get(record.level, str(record.level)),
        "message": message.rstrip("\n"),
    }
    found = _event.match(message)
    if found is not None:
        fields |= {"process": found["process"], "event": found["event"]}
    text = json_text(fields)
    return f"{text}\n"
