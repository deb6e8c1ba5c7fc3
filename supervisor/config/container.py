"""Defaults of the daemon as the main process of a container: `supervisord --container`.

Everything is written to the container's log, nothing to its file system.  The defaults take the
place of those of the rows: what the files or the command line set explicitly is used as always.
Only `nodaemon` is not a default but part of the mode, because a container ends with its first
process.
"""

from __future__ import annotations

import os

from supervisor.common.records import replace
from supervisor.config.programs import OPTIONS
from supervisor.config.stream_config import StreamConfig
from supervisor.config.targets import is_standard_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.config.parser import Section, UnhosedConfigParser
    from supervisor.config.process_config import ProcessConfig

SETTINGS = {
    "logfile": os.devnull,  # in the foreground, the activity log is on stdout anyway
    "logfile_maxbytes": "0",
    "pidfile": os.devnull,
    "subreaper": "true",
    "exit_when_all_exited": "true",
    "shutdown_timeout": "8",
}
"""Option of `[supervisord]` -> its default.

Eight seconds are less than the ten after which Docker kills a container.
"""

OF_FORMAT: Mapping[str, Mapping[str, str]] = {"prefix": {}, "json": {"logfile_format": "json"}}
"""Format of the lines -> further defaults of `[supervisord]`."""

NO_COPY = StreamConfig()


def stream_options(stream: str, line_format: str) -> dict[str, str]:
    """Return option -> default, for the programs' options of one stream."""
    return {
        f"{stream}_logfile": "NONE",
        f"{stream}_tee": "stdout",
        f"{stream}_tee_format": line_format,
    }


class ContainerDefaults:
    """The defaults, for lines of programs in one format."""

    def __init__(self, line_format: str) -> None:
        self._line_format = line_format
        self._log_format = line_format

    def set_in(self, parser: UnhosedConfigParser) -> None:
        """Set the defaults in a parser that has read all files."""
        section = parser.mysection
        if parser.has_option(section, "childlog_format"):
            self._log_format = ""
        for option, text in {**SETTINGS, **OF_FORMAT[self._line_format]}.items():
            if not parser.has_option(section, option):
                parser.set(section, option, text)
        parser.set(section, "nodaemon", "true")
        for stream in ("stdout", "stderr"):
            for name, text in stream_options(stream, self._line_format).items():
                parser.program_defaults[name] = OPTIONS[name].convert(text)
        parser.adjust_process = self.adjust_process

    def adjust_process(self, section: Section, config: ProcessConfig) -> None:
        """Drop the copies that are a default but would be wrong.

        A stream whose log is the container's log needs none, but a log without a format gets that
        of the copies.  The stdout of an event listener is its protocol.
        """
        for stream in ("stdout", "stderr"):
            own: StreamConfig = getattr(config, stream)
            changes: dict[str, object] = {}
            is_copied = any(map(is_standard_stream, (own.logfile, *own.further_targets)))
            is_protocol = stream == "stdout" and section.name.startswith("eventlistener:")
            if f"{stream}_tee" not in section.options and (is_copied or is_protocol):
                changes["tee"] = ()
                if f"{stream}_tee_format" not in section.options:
                    changes["tee_format"] = NO_COPY.tee_format
            if is_copied and self._log_format and f"{stream}_logfile_format" not in section.options:
                changes["logfile_format"] = self._log_format
            if changes:
                setattr(config, stream, replace(own, **changes))
