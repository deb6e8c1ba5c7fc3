"""Reading and clearing log files for RPC clients."""

from __future__ import annotations

import os

from supervisor.common.faults import Faults, RPCError
from supervisor.logs.reading import readFile, tailFile
from supervisor.process.log_files import rotate_logs
from supervisor.rpc.lookup import find_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon


SHOWN_CHARACTERS = 64
"""Maximum length of an invalid argument in the text of its fault."""


def _to_int(value: Any) -> int:
    """Return an offset or length as an int; raises `RPCError` INCORRECT_PARAMETERS.

    Some clients send every number as a string, Supervisord-Monitor (PHP) among them.
    """
    try:
        return int(value)
    except TypeError:
        raise RPCError(Faults.INCORRECT_PARAMETERS) from None
    except (ValueError, OverflowError):
        shown = repr(value)[:SHOWN_CHARACTERS]
        raise RPCError(Faults.INCORRECT_PARAMETERS, f"not a number: {shown}") from None


def read(path: Any, offset: Any, length: Any) -> str:
    """Return part of a file as text.

    Raises `RPCError` NO_FILE, INCORRECT_PARAMETERS, BAD_ARGUMENTS or FAILED.
    """
    if not isinstance(path, str) or not os.path.exists(path):
        raise RPCError(Faults.NO_FILE, path if isinstance(path, str) else None)
    try:
        return _text(readFile(path, _to_int(offset), _to_int(length)))
    except ValueError as error:
        code = getattr(Faults, error.args[0], Faults.FAILED)
        raise RPCError(code, _reason(path, error.__cause__)) from None


def _reason(path: str, error: BaseException | None) -> str | None:
    return f"cannot read {path}: {error.strerror}" if isinstance(error, OSError) else None


def process_log(process: Subprocess, channel: str) -> Any:
    """Return the path of a process's log, None if it has none."""
    return getattr(process.config, channel).logfile


def read_process_log(daemon: Daemon, name: str, offset: Any, length: Any, channel: str) -> str:
    """Return part of a process's log; see `readProcessStdoutLog`."""
    return read(process_log(find_process(daemon, name), channel), offset, length)


def tail_process_log(
    daemon: Daemon, name: str, offset: Any, length: Any, channel: str
) -> list[Any]:
    """Return [text, offset, overflow] of a process's log; see `tailProcessStdoutLog`."""
    path = process_log(find_process(daemon, name), channel)
    if not isinstance(path, str) or not os.path.exists(path):
        return ["", 0, False]
    data, new_offset, overflow = tailFile(path, _to_int(offset), _to_int(length))
    return [_text(data), new_offset, overflow]


def clear(process: Subprocess, name: str) -> bool:
    """Remove and reopen the logs of a process; raises `RPCError` FAILED."""
    try:
        process.removelogs()
    except OSError:
        raise RPCError(Faults.FAILED, name) from None
    return True


def rotate(process: Subprocess, name: str) -> bool:
    """Rotate the logs of a process; see `rotateProcessLogs`.

    Raises `RPCError` NO_FILE if it has no log, FAILED if none of its logs can be rotated.
    """
    has_log, failures = rotate_logs(process)
    if failures:
        raise RPCError(Faults.FAILED, f"{name}: {failures[0]}")
    if not has_log:
        raise RPCError(Faults.NO_FILE, name)
    return True


def reopen(process: Subprocess, name: str) -> bool:
    """Reopen the logs of a process; see `reopenProcessLogs`.  Raises `RPCError` FAILED."""
    failures = process.reopenlogs()
    if failures:
        raise RPCError(Faults.FAILED, f"{name}: {failures[0]}")
    return True


def clear_main_log(daemon: Daemon) -> bool:
    """Remove and reopen the activity log; raises `RPCError` NO_FILE or FAILED."""
    path = daemon.runtime.settings.logfile
    if not isinstance(path, str) or not os.path.exists(path):
        raise RPCError(Faults.NO_FILE)
    try:
        for handler in daemon.runtime.logger.handlers:
            if getattr(handler, "baseFilename", None) == path:
                daemon.runtime.logger.info("reopening log file")  # while it is still the old one
                handler.renew()
    except OSError:
        raise RPCError(Faults.FAILED, path) from None
    return True


def _text(data: bytes | str) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data
