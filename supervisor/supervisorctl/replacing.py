"""`reexec` and `reload --keep`: the daemon replaces itself while its processes keep running.

The daemon responds before it executes its successor, which has the same pid and the same listening
sockets.  All other connections end with the old daemon, so the end of the connection of the request
is the sign that a new connection reaches the successor.  That responds when it is ready.
"""

from __future__ import annotations

import re
import time

from supervisor.client import proxy
from supervisor.client.streams import ready
from supervisor.common.faults import Faults, getFaultDescription
from supervisor.common.namespec import make_namespec
from supervisor.supervisorctl.results import connection_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from socket import socket
    from typing import Any

    from supervisor.supervisorctl.controller import Controller

REPLACEMENT_SECONDS = 30.0
"""Timeout of the old daemon's end; the new one has that of `getVersion` to respond."""

END_SECONDS = 1.0

MAX_ATTEMPTS = 5
RETRY_SECONDS = 0.2

UNKNOWN = "this server cannot replace itself (supervisord {})"
REFUSED = "supervisord was not replaced: {}"
UNCHANGED = "supervisord was not replaced, and goes on; see its log (maintail)"
SILENT = "supervisord was replaced, but does not respond: {} {}"


class ReplacementError(Exception):
    """The daemon has not been replaced, or does not respond since; the text is for the user."""


class Replacement:
    """The versions of the daemon, and the pids of the processes, before and after."""

    def __init__(
        self, versions: tuple[str, str], before: dict[str, int], after: dict[str, int]
    ) -> None:
        self._versions = versions
        self._before = before
        self._after = after

    def change(self) -> str:
        """Return the change of the version as a sentence without a full stop."""
        old, new = self._versions
        if old == new:
            return f"Restarted supervisord {new}"
        verb = "Upgraded" if _order(new) > _order(old) else "Downgraded"
        return f"{verb} supervisord from {old} to {new}"

    def kept(self) -> str:
        """Return the number of the processes that kept running, as the rest of a sentence."""
        count = len(self._before.items() & self._after.items())
        total = len(self._before)
        if not total:
            return ""
        number = f"{count}" if count == total else f"{count} of {total}"
        return f"; {number} process{'' if number == '1' else 'es'} kept running"


def replace_daemon(ctl: Controller) -> Replacement:
    """Let the daemon replace itself, and wait until the new one responds.

    Raises `ReplacementError`, and the errors of the first calls.
    """
    server = ctl.get_server_proxy()
    version = server.supervisor.getSupervisorVersion()
    pids = _pids(server.supervisor)
    try:
        server.supervisor.reexec()
    except proxy.Fault as fault:
        if fault.faultCode == Faults.UNKNOWN_METHOD:
            raise ReplacementError(UNKNOWN.format(version)) from None
        if fault.faultCode != Faults.FAILED:
            raise
        prefix = f"{getFaultDescription(Faults.FAILED)}: "
        reason = fault.faultString.removeprefix(prefix)
        raise ReplacementError(REFUSED.format(reason)) from None
    connection = server("transport").connection
    if connection is not None and not _has_ended(connection, _seconds_to_end(ctl)):
        raise ReplacementError(UNCHANGED)
    try:
        _reach(server)
        versions = version, server.supervisor.getSupervisorVersion()
        return Replacement(versions, pids, _pids(server.supervisor))
    except Exception as error:  # noqa: BLE001 - any of the transport's, see `_report` of Controller
        text = SILENT.format(ctl.options.serverurl, connection_error_text(error))
        raise ReplacementError(text) from None


def _reach(server: Any) -> None:
    """Connect to the new daemon; raises the error of the last attempt.

    A connection that waits on a socket is lost if the new daemon replaces that socket, because its
    options have changed.
    """
    for attempt in range(MAX_ATTEMPTS):
        server("close")()
        try:
            server.supervisor.getVersion()
        except OSError:
            if attempt == MAX_ATTEMPTS - 1:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def _seconds_to_end(ctl: Controller) -> float:
    """Return how long the end of the first connection may still take.

    A daemon accepts no further connection before it executes its successor.  So if one is served,
    the old daemon has ended by now, or goes on.
    """
    try:
        ctl.get_server_proxy().supervisor.getVersion()
    except Exception:  # noqa: BLE001 - any of the transport's; `_reach` reports it
        return REPLACEMENT_SECONDS
    return END_SECONDS


def _has_ended(connection: socket, seconds: float) -> bool:
    """Wait for the end of a connection; return whether it has come in time."""
    end = time.monotonic() + seconds
    while ready([connection], end - time.monotonic()):
        try:
            if not connection.recv(1):
                return True
        except OSError:  # the old daemon left bytes unread
            return True
    return False


def _pids(supervisor: Any) -> dict[str, int]:
    """Return the pids of the processes that run, by name."""
    infos = supervisor.getAllProcessInfo()
    return {
        make_namespec(each["group"], each["name"]): each["pid"] for each in infos if each["pid"]
    }


def _order(version: str) -> tuple[list[int], bool, str]:
    """Return a key by which versions are ordered; 4.4.0rc1, a pre-release, precedes 4.4.0."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = found[0] if found is not None else ""
    ending = version[len(numbers) :]
    return [int(number) for number in numbers.split(".") if number], not ending, ending
