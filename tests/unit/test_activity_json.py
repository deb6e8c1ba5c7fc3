"""Lines of the activity log as JSON objects."""

from __future__ import annotations

import json
import re

from supervisor.loggers import LevelsByName, LogRecord
from supervisor.logs.activity_json import activity_json
from tests.support.tables import assert_none

EVENTS: list[tuple[str, str | None, str | None]] = [
    ("spawned: 'web' with pid 12", "web", "spawned"),
    ("spawned: 'it's' with pid 12", "it's", "spawned"),
    ("success: web entered RUNNING state, process was ready after 0.1 seconds", "web", "success"),
    ("exited: web_1 (exit status 0; expected)", "web_1", "exited"),
    ("stopped: web (terminated by SIGTERM)", "web", "stopped"),
    ("gave up: web entered FATAL state, too many start retries too quickly", "web", "gave up"),
    ("killing 'web' (12) with SIGKILL", "web", "killing"),
    ("killing time", None, None),
    ("waiting for web, db to die", None, None),
    ("supervisord started with pid 12", None, None),
    ("spawnerr: can't find command 'x'", None, None),
    ("'web' stdout output:\nexited: db (exit status 0; expected)", None, None),
]  # fmt: skip


def fields(msg: str | bytes, level: int = LevelsByName.INFO) -> dict[str, str]:
    """Return the fields of the one line of a record."""
    line = activity_json(LogRecord(level, msg))
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    found: dict[str, str] = json.loads(line)
    return found


def test_processes_and_events() -> None:
    found = [(text, fields(text), process, event) for text, process, event in EVENTS]
    assert_none(
        f"{text}: {line}"
        for text, line, process, event in found
        if (line.get("process"), line.get("event"), line["message"]) != (process, event, text)
    )


def test_fields_of_a_line() -> None:
    line = fields('"ä"\n\x00 100%\n')
    assert list(line) == ["time", "level", "message"]
    assert line["message"] == '"ä"\n\x00 100%'
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_levels_have_the_names_of_the_configuration() -> None:
    found = [fields("a", level)["level"] for level in (50, 40, 30, 20, 10, 5, 3, 7)]
    assert found == ["critical", "error", "warn", "info", "debug", "trace", "blather", "7"]


def test_bytes_of_a_plugin() -> None:
    assert fields(b"a\xff")["message"] == "a\ufffd"
