"""Tab completion and history of the shell; the controller calls it."""

from __future__ import annotations

import atexit
from contextlib import suppress

from supervisor.common.namespec import make_namespec

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

OF_GROUPS = {"add", "remove", "update"}
OF_PROCESSES = {"clear", "fg", "pid", "restart", "signal", "start", "status", "stop", "tail"}


def current_line() -> str:
    """Return what the user has typed so far."""
    import readline

    return readline.get_line_buffer()


def keep_history(path: str) -> None:
    """Load the history of earlier sessions, and save it when the session ends."""
    import readline

    with suppress(OSError):  # the first session has no file yet
        readline.read_history_file(path)
    atexit.register(_write_history, path)


def _write_history(path: str) -> None:
    import readline

    with suppress(OSError):  # failing to save the history is not an error
        readline.write_history_file(path)


def candidates(controller: Controller, text: str, line: str) -> list[str]:
    """Return the possible completions of `text`, each followed by a space."""
    words = line.split()
    if line != line.rstrip():
        words.append("")
    command, *arguments = words or [""]
    if not arguments or (command == "help" and len(arguments) == 1):
        names = set(controller.vocab)
    elif command in OF_GROUPS:
        names = {info["group"] for info in _processes(controller)}
    elif command in OF_PROCESSES and (command != "signal" or len(arguments) > 1):
        names = _namespecs(_processes(controller))
    else:
        names = set()
    return [f"{name} " for name in sorted(names) if name.startswith(text) and name.isprintable()]


def _namespecs(processes: list[dict[str, Any]]) -> set[str]:
    names = {make_namespec(info["group"], info["name"]) for info in processes}
    return names | {f"{info['group']}:*" for info in processes if info["group"] not in names}


def _processes(controller: Controller) -> list[dict[str, Any]]:
    try:
        return list(controller.get_supervisor().getAllProcessInfo())
    except Exception:  # noqa: BLE001 - no server, or it requires a password: nothing to suggest
        return []
