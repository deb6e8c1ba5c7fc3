"""Tab completion and history of the shell (client floor); the controller calls it."""

from __future__ import annotations

import atexit
from contextlib import suppress

from supervisor.namespec import make_namespec

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
    """Begin with the lines of earlier sessions, and write those of this one at its end."""
    import readline

    with suppress(OSError):  # the first session has no file yet
        readline.read_history_file(path)
    atexit.register(_write_history, path)


def _write_history(path: str) -> None:
    import readline

    with suppress(OSError):  # a history that cannot be kept is no reason to fail
        readline.write_history_file(path)


def candidates(controller: Controller, text: str, line: str) -> list[str]:
    """Return the words, each with the blank behind it, that may take the place of `text`."""
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
    except Exception:  # noqa: BLE001 - no server, or it wants a password: nothing to propose
        return []
