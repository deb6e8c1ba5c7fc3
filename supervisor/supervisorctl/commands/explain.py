"""The command that explains the state of processes: explain.

`explanation` is a pure function of the struct of `getProcessDetails`.
"""

from __future__ import annotations

import time

from supervisor.client import proxy
from supervisor.client.terminal import is_terminal
from supervisor.common.namespec import make_namespec
from supervisor.states import ProcessStates, getProcessStateDescription
from supervisor.supervisorctl.commands import CommandGroup

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Details = Mapping[str, Any]

LOG_LINES = 5
LOG_BYTES = 4096
"""Part of a log in which its last lines are searched, in bytes."""

MIN_COLUMNS = 20
"""Width to which sentences are wrapped at least."""

UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


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
    for sentence in _reasons(details):
        lines += _wrapped(sentence, columns)
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


def _reasons(details: Details) -> Iterator[str]:
    """Yield sentences about the present, the next start, the past and the configuration."""
    yield _present(details)
    yield from facts(details)
    if details["config_file"]:
        line = f", line {details['config_line']}" if details["config_line"] else ""
        yield f"Configured in {details['config_file']}{line}."


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
    yield from facts(details)


def facts(details: Details) -> Iterator[str]:
    """Yield sentences about health, the next start, the past and changes that are not applied."""
    get = details.get
    if get("ready_at"):
        yield f"It has been ready since {_time(details['ready_at'])}."
    if get("health"):
        yield f"Health: {details['health']}."
    if get("next_start"):
        seconds = max(details["next_start"] - details["now"], 0)
        yield f"The next start is in {_duration(seconds)}."
    last_exit = get("last_exit")
    if last_exit and last_exit["at"]:
        kind = "expected" if last_exit["expected"] else "not expected"
        yield f"Last exit: {last_exit['reason']} ({kind}), {_time(last_exit['at'])}."
    if get("starts"):
        restarts = details["restarts"]
        share = f", {restarts} of these automatic" if restarts else ""
        yield f"{_count(details['starts'], 'start')}{share}."
    if get("pending_changes"):
        changed = ", ".join(details["pending_changes"])
        yield f"Changed in the configuration, but not applied (see update): {changed}."


def _present(details: Details) -> str:
    """Return a sentence about the reason of the state."""
    state, reason = details["state"], details["spawnerr"]
    if details["waiting_for"]:
        return f"It waits for {', '.join(details['waiting_for'])}."
    if state == ProcessStates.RUNNING:
        return f"It runs with {details['description']}."
    if state == ProcessStates.BACKOFF:
        return f"Its last start failed: {reason or 'the reason is unknown'}."
    if state == ProcessStates.FATAL:
        return f"It was given up: {reason or 'the reason is unknown'}."
    if state == ProcessStates.EXITED:
        again = "" if details["next_start"] else ", and will not be restarted automatically"
        return f"It ended by itself{again}."
    if state == ProcessStates.STOPPED:
        if details["history"]:
            return "It was stopped."
        # A state file continues the number of starts.
        since = " since the start of supervisord" if details["starts"] else ""
        return f"It has not been started{since}."
    return STATE_TEXTS.get(state, "")


STATE_TEXTS = {
    ProcessStates.STARTING: "It has been started, but does not count as running yet.",
    ProcessStates.STOPPING: "It has been asked to stop, and has not ended yet.",
    ProcessStates.UNKNOWN: "It cannot be signalled, so its state is unknown.",
}


def _time(seconds: float) -> str:
    return time.strftime("%b %d %H:%M:%S", time.localtime(seconds))


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit: `3 minutes`."""
    number = max(round(seconds), 0)
    for size, unit in UNITS:
        if number >= size:
            return _count(number // size, unit)
    return _count(number, "second")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
