"""Tab completion and history of the shell; the controller calls it."""

from __future__ import annotations

import atexit
from contextlib import suppress

from supervisor.common.namespec import make_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable
    from typing import Any

GROUP_COMMANDS = {"add", "remove", "update"}
"""Commands whose arguments are names of groups."""

PROCESS_COMMANDS = {
    "clear",
    "explain",
    "fg",
    "graph",
    "pid",
    "reopen",
    "restart",
    "rotate",
    "signal",
    "start",
    "status",
    "stop",
    "tail",
}
"""Commands whose arguments are names of processes."""


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
    # Process names contain these characters.
    delimiters = readline.get_completer_delims().translate(str.maketrans("", "", ":*-"))
    readline.set_completer_delims(delimiters)
    if history_file:
        with suppress(OSError):  # the first session has no file yet
            readline.read_history_file(history_file)
        atexit.register(_write_history, history_file)


def _write_history(path: str) -> None:
    import readline

    with suppress(OSError):  # failing to save the history is not an error
        readline.write_history_file(path)


def candidates(
    text: str,
    line: str,
    commands: Iterable[str],
    flags: Callable[[str], Iterable[str]],
    processes: Callable[[], Iterable[dict[str, Any]]],
) -> list[str]:
    """Return the possible completions of `text`, each followed by a space.

    `line` is the line so far.  `flags` returns the flags of a command, `processes` the results
    of `getAllProcessInfo`; both are called only if the line requires them.
    """
    words = line.split()
    if line != line.rstrip():
        words.append("")
    command, *arguments = words or [""]
    if not arguments or (command == "help" and len(arguments) == 1):
        names = set(commands)
    elif command in GROUP_COMMANDS:
        names = {info["group"] for info in _available(processes)}
    elif command in PROCESS_COMMANDS and (command != "signal" or len(arguments) > 1):
        names = _namespecs(_available(processes))
    else:
        names = set()
    if arguments and text.startswith("-"):
        names |= set(flags(command))
    return [f"{name} " for name in sorted(names) if name.startswith(text) and name.isprintable()]


def _namespecs(processes: list[dict[str, Any]]) -> set[str]:
    names = {make_namespec(info["group"], info["name"]) for info in processes}
    return names | {f"{info['group']}:*" for info in processes if info["group"] not in names}


def _available(processes: Callable[[], Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return list(processes())
    except Exception:  # noqa: BLE001 - no server, or it requires a password: nothing to suggest
        return []
