"""Completion, for the shell of supervisorctl and for those of the user; and the shell's history.

The scripts in `contrib/completions` run the command `complete`, so that they know neither commands
nor flags themselves.
"""

from __future__ import annotations

import atexit
from contextlib import suppress

from supervisor.common.namespec import make_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

GROUP_COMMANDS = {"add", "remove", "update"}
"""Commands whose arguments are names of groups."""

PROCESS_COMMANDS = {
    "clear",
    "explain",
    "fg",
    "graph",
    "logs",
    "pid",
    "reopen",
    "restart",
    "rotate",
    "signal",
    "start",
    "status",
    "stop",
    "tail",
    "wait",
}
"""Commands whose arguments are names of processes."""

NAMES_ONLY = {"add", "fg", "graph", "remove", "tail"}
"""Those of them that do not accept `all`."""

FURTHER_WORDS = {
    "tail": ("stdout", "stderr"),
    "wait": ("running", "stopped", "exited"),
}
"""Command -> words that may follow its first name."""

SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "WINCH")
"""Signals for processes that users send; `signal` accepts all others as well."""


def current_line() -> str:
    """Return what the user has typed so far."""
    import readline

    return readline.get_line_buffer()


def prepare_readline(history_file: str | None) -> None:
    """Set readline up for the shell, if Python has it; `history_file` is a path or None."""
    try:
        import readline
    except ImportError:  # the shell also works without it
        return
    # Process names and flags contain these characters.
    delimiters = readline.get_completer_delims().translate(str.maketrans("", "", ":*-="))
    readline.set_completer_delims(delimiters)
    if history_file:
        with suppress(OSError):  # the first session has no file yet
            readline.read_history_file(history_file)
        atexit.register(_write_history, history_file)


def _write_history(path: str) -> None:
    import readline

    with suppress(OSError):  # failing to save the history is not an error
        readline.write_history_file(path)


class Vocabulary:
    """Everything that can be typed.

    `flags` returns the flags of a command with their descriptions, `processes` the results of
    `getAllProcessInfo`; both are called only if the line requires them.  Without `has_keywords`,
    neither `all` nor signals are offered, as in the shell of Supervisor 4.
    """

    def __init__(
        self,
        commands: Iterable[str],
        flags: Callable[[str], Mapping[str, str]],
        processes: Callable[[], Iterable[dict[str, Any]]],
        *,
        has_keywords: bool,
    ) -> None:
        self.commands = commands
        self._flags = flags
        self._processes = processes
        self._has_keywords = has_keywords

    def completions(self, text: str, before: Sequence[str]) -> dict[str, str]:
        """Return the possible completions of a word after others, with their descriptions.

        Names are data from a server: those with control characters are left out.
        """
        found = self._words(before)
        if before and text.startswith("-"):
            found |= self._flags(before[0])
        return {
            word: about
            for word, about in sorted(found.items())
            if word.startswith(text) and word.isprintable()
        }

    def _words(self, before: Sequence[str]) -> dict[str, str]:
        if not before or before == ["help"]:
            return dict.fromkeys(self.commands, "")
        command, *arguments = before
        if command == "signal" and not arguments:
            return dict.fromkeys(SIGNALS if self._has_keywords else (), "")
        infos = self._available() if command in GROUP_COMMANDS | PROCESS_COMMANDS else []
        if not infos:
            return {}
        found = _namespecs(infos) if command in PROCESS_COMMANDS else _groups(infos)
        if any(not word.startswith("-") for word in arguments):
            found |= dict.fromkeys(FURTHER_WORDS.get(command, ()), "")
        accepts_all = self._has_keywords and command not in NAMES_ONLY
        return found | {"all": ""} if accepts_all else found

    def _available(self) -> list[dict[str, Any]]:
        try:
            return list(self._processes())
        except Exception:  # noqa: BLE001 - no server, or it requires a password: nothing to suggest
            return []


def candidates(text: str, line: str, vocabulary: Vocabulary) -> list[str]:
    """Return the possible completions of `text`, each followed by a space.

    `line` is the line so far.
    """
    words = line.split()
    if line == line.rstrip():
        words = words[:-1]
    return [f"{word} " for word in vocabulary.completions(text, words)]


def _namespecs(processes: list[dict[str, Any]]) -> dict[str, str]:
    """Return the names of processes with their states, and `group:*` for other groups."""
    names = {make_namespec(info["group"], info["name"]): info["statename"] for info in processes}
    groups = {info["group"] for info in processes if info["group"] != info["name"]}
    return names | {f"{group}:*": "" for group in groups}


def _groups(processes: list[dict[str, Any]]) -> dict[str, str]:
    return {info["group"]: "" for info in processes}
