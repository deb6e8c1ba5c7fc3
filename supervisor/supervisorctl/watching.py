"""`status --watch`: shows processes again when they change, until Ctrl-C.

A terminal shows the present states, which are redrawn in place; their uptimes advance at the
interval of the flag.  Into a pipe or a file, a line is written for each change.
"""

from __future__ import annotations

import re
import sys
import time

from supervisor.client import proxy
from supervisor.client.terminal import is_terminal, sanitize, supports_sequences
from supervisor.common.faults import Faults
from supervisor.common.namespec import make_namespec
from supervisor.common.stdio import discard
from supervisor.supervisorctl.changes import Changes
from supervisor.supervisorctl.output import write_live
from supervisor.supervisorctl.results import LSBInitExitStatuses, connection_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from supervisor.supervisorctl.controller import Controller

    Info = Mapping[str, Any]

    class View(Protocol):
        """The processes to show, and their form."""

        is_json: bool

        def query_again(self) -> Sequence[Info]:
            """Return the structs of the processes."""

        def lines(self, infos: Sequence[Info]) -> list[str]:
            """Return the lines that show processes."""


MIN_SECONDS = 0.1
"""Pause after a change, so that many at once are shown together."""

PASSING_TIME = re.compile(r"uptime (\d+ days?, )?\d+:\d\d:\d\d|\bin \d+ s\b|, cpu .*")
"""Parts of a description that are different each second."""

# Control sequences of a terminal (ECMA-48; DECAWM of the VT100).
HOME, CLEAR_LINE, CLEAR_REST, CLEAR_ALL = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"

REMOVED = "(removed)"
SHUTTING_DOWN = "supervisord is shutting down or restarting"


def watch(ctl: Controller, view: View, seconds: float) -> None:
    """Show statuses until Ctrl-C, which is no error, or until the reader of stdout has gone.

    `seconds` is the interval at which a terminal is redrawn, and a server without an event stream
    is polled.
    """
    is_drawn = supports_sequences(ctl.stdout) and not view.is_json
    display = (Screen if is_drawn else Lines)(ctl, view)
    changes = Changes(ctl.options, seconds, ctl.stdout)
    try:
        while True:
            display.show(*_look(ctl, view))
            changes.wait(seconds if is_drawn else None)
            time.sleep(MIN_SECONDS)
    except KeyboardInterrupt:
        display.end()
        ctl.exitstatus = LSBInitExitStatuses.SUCCESS
    except BrokenPipeError:
        discard(ctl.stdout)
    finally:
        changes.close()


def _look(ctl: Controller, view: View) -> tuple[Sequence[Info], str]:
    """Return the processes to show, and the problem if the server cannot be queried."""
    try:
        return view.query_again(), ""
    except OSError as error:
        return [], f"{ctl.options.serverurl} {connection_error_text(error)}"
    except proxy.Fault as fault:
        if fault.faultCode != Faults.SHUTDOWN_STATE:
            raise
        return [], SHUTTING_DOWN


class Screen:
    """The lines on a terminal."""

    def __init__(self, ctl: Controller, view: View) -> None:
        self._stdout = ctl.stdout
        self._view = view
        self._begin = CLEAR_ALL

    def show(self, infos: Sequence[Info], problem: str) -> None:
        """Draw the processes, or a problem."""
        from shutil import get_terminal_size

        lines = [problem] if problem else self._view.lines(infos)
        write_live(self._stdout, self._begin + frame(lines, get_terminal_size().lines))
        self._begin = ""

    def end(self) -> None:
        """Leave the cursor on a line of its own."""
        write_live(self._stdout, "\n")


def frame(lines: Sequence[str], height: int) -> str:
    """Return the text that replaces everything on a terminal by lines.

    Lines beyond its height, in rows, are counted instead; long ones are cut off by the terminal.
    """
    room = max(height - 1, 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"... and {len(lines) - room + 1} more lines"]
    rows = "".join(f"{sanitize(line)}{CLEAR_LINE}\n" for line in lines)
    return f"{HOME}{NO_WRAP}{rows}{CLEAR_REST}{WRAP}"


class Lines:
    """The changes, as lines for a pipe or a file; as JSON, arrays of what has changed."""

    def __init__(self, ctl: Controller, view: View) -> None:
        self._stdout = ctl.stdout
        self._view = view
        self._shown: dict[str, tuple[Any, ...]] = {}
        self._problem = ""

    def show(self, infos: Sequence[Info], problem: str) -> None:
        """Write the processes that have changed since they were written."""
        if problem and problem != self._problem:
            sys.stderr.write(f"{problem}\n")  # stdout is for changes
            sys.stderr.flush()
        self._problem = problem
        if problem:
            return
        known = {make_namespec(info["group"], info["name"]): info for info in infos}
        facts = {name: lasting(info) for name, info in known.items()}
        changed = [known[name] for name in known if self._shown.get(name) != facts[name]]
        removed = self._shown.keys() - facts.keys()
        self._shown = facts
        if removed and not self._view.is_json:
            self._write(f"{name:<33}{REMOVED}" for name in sorted(removed))
        if changed:
            self._write(self._view.lines(changed))

    def _write(self, lines: Iterable[str]) -> None:
        for line in lines:
            shown = sanitize(line) if is_terminal(self._stdout) else line
            write_live(self._stdout, f"{shown}\n")

    def end(self) -> None:
        """Do nothing: each line is complete."""


def lasting(info: Info) -> tuple[Any, ...]:
    """Return the facts about a process that do not change by themselves while time passes."""
    description = PASSING_TIME.sub("", info["description"])
    return info["statename"], info["pid"], info["start"], description
