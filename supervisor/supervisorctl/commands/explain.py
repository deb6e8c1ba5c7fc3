"""The command that explains the state of processes: explain.

`explanation` is a pure function of the struct of `getProcessDetails`.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.client.terminal import is_terminal
from supervisor.common.explanation import SENTENCES, facts, largest_unit, reasons
from supervisor.common.namespec import make_namespec
from supervisor.states import getProcessStateDescription
from supervisor.supervisorctl.commands import CommandGroup

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator, Sequence
    from typing import Any

    from supervisor.common.explanation import Details, Sentence

LOG_LINES = 5
LOG_BYTES = 4096
"""Part of a log in which its last lines are searched, in bytes."""

MIN_COLUMNS = 20
"""Width to which sentences are wrapped at least."""


class ExplainCommands(CommandGroup):
    """The command that explains states."""

    def do_explain(self, arg: str) -> None:
        """Print why processes are in their states, and what happens next."""
        if not self.ctl.upcheck():
            return
        names = arg.split()
        if not names:
            self._refuse("Error: explain requires a process name", "explain")
            return
        supervisor = self.ctl.get_supervisor()
        infos = self._selected(supervisor.getAllProcessInfo(), names)
        for number, info in enumerate(infos):
            name = make_namespec(info["group"], info["name"])
            details = supervisor.getProcessDetails(name)
            if number:
                self.ctl.output("")
            output = _last_output(supervisor, name, details)
            lines = explanation(name, details, output, self._columns())
            self.ctl.output("\n".join(lines))

    def _columns(self) -> int:
        """Return the width of the terminal, 0 if there is none."""
        if not is_terminal(self.ctl.stdout):
            return 0
        from shutil import get_terminal_size

        return get_terminal_size().columns

    def help_explain(self) -> None:
        """Print the help of `explain`."""
        self.ctl.output("explain <name>\t\tShow why a process is in its state, and what comes next")
        self.ctl.output("explain <gname>:*\tExplain the processes of a group")
        self.ctl.output("explain <name> <name>\tExplain several processes")
        self.ctl.output("explain all\t\tExplain all processes")


def _last_output(supervisor: Any, name: str, details: Details) -> tuple[str, list[str]]:
    """Return the stream with the errors of a process, and its last lines."""
    stream = "stderr" if details["stderr_logfile"] else "stdout"  # it may be redirected
    if not details[f"{stream}_logfile"]:
        return stream, []
    read = getattr(supervisor, f"readProcess{stream.capitalize()}Log")
    try:
        text: str = read(name, -LOG_BYTES, 0)
    except proxy.Fault:  # the log cannot be read, which is no reason to explain nothing
        return stream, []
    return stream, text.splitlines()[-LOG_LINES:]


def explanation(
    name: str, details: Details, output: tuple[str, Sequence[str]], columns: int = 0
) -> list[str]:
    """Return the lines for one process; `output` is a stream and its last lines.

    Sentences are wrapped to `columns`, unless that is 0.
    """
    history = details["history"]
    lines = [f"{name} is {details['statename']}{_since(details)}"]
    for sentence in reasons(details):
        lines += _wrapped(_english(sentence), columns)
    if history:
        lines += ["", "Last changes"]
        lines += [
            f"  {_time(each['at'])}  {getProcessStateDescription(each['state']) or '':<8}"
            f"  {each['reason']}".rstrip()
            for each in history
        ]
    stream, output_lines = output
    if output_lines:
        lines += ["", f"Last lines of {stream}", *(f"  {line}" for line in output_lines)]
    return lines


def _wrapped(sentence: str, columns: int) -> list[str]:
    if not columns:
        return [f"  {sentence}"]
    import textwrap

    return textwrap.wrap(
        sentence,
        max(columns, MIN_COLUMNS),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _since(details: Details) -> str:
    """Return since when a process is in its state, or '' if that is unknown."""
    history = details.get("history")
    if not history:
        return ""
    at = history[-1]["at"]
    return f" since {_time(at)} ({_duration(details['now'] - at)})"


def summary(details: Details) -> Iterator[str]:
    """Yield sentences for `status -v`, whose line already shows the present.

    `details` may be a struct of Supervisor 4.3, for which there are none.
    """
    since = _since(details)
    if since:
        reason = details["history"][-1]["reason"]
        yield f"{details['statename']}{since}{f': {reason}' if reason else ''}."
    yield from map(_english, facts(details))


def _english(sentence: Sentence) -> str:
    key, values = sentence
    for name, text_of in (("duration", _duration), ("time", _time)):
        if name in values:
            values = values | {name: text_of(values[name])}
    return SENTENCES[key].format(**values)


def _time(seconds: float) -> str:
    return time.strftime("%b %d %H:%M:%S", time.localtime(seconds))


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit: `3 minutes`."""
    number, unit = largest_unit(seconds)
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
