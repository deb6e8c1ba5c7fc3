"""Sentences that explain the state of a process (pure), for `explain` and the process page.

A sentence is a key of `SENTENCES` and its values.  Two values depend on the language of the reader
and are passed on as numbers: `duration` in seconds, `time` in seconds since the epoch.
"""

from __future__ import annotations

from supervisor.states import ProcessStates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final, TypeAlias

    Details: TypeAlias = Mapping[str, Any]
    """The struct of `getProcessDetails`."""

    Sentence: TypeAlias = tuple[str, dict[str, Any]]

SENTENCES: Final = {
    "in_hook": "It runs its {hook}.",
    "waiting": "It waits for {names}.",
    "not_ready": "It is not ready yet: {reason}.",
    "running": "It runs with {description}.",
    "backoff": "Its last start failed: {reason}.",
    "fatal": "It was given up: {reason}.",
    "exited": "It ended by itself.",
    "ended": "It ended by itself, and will not be restarted automatically.",
    "stopped": "It was stopped.",
    "not_started": "It has not been started.",
    "not_started_since": "It has not been started since the start of supervisord.",
    "starting": "It has been started, but does not count as running yet.",
    "stopping": "It has been asked to stop, and has not ended yet.",
    "unknown": "It cannot be signalled, so its state is unknown.",
    "ready": "It has been ready since {time}.",
    "health": "Health: {health}.",
    "unhealthy": "Health: {health} since {time}: {reason}.",
    "unready": "Its readiness check has failed since {time}: {reason}.",
    "next_start": "The next start is in {duration}.",
    "requested_stop": "Last exit: stopped on request ({reason}), {time}.",
    "planned_stop": "Last exit: stopped by supervisord ({reason}): {why}, {time}.",
    "expected_exit": "Last exit: {reason} (expected), {time}.",
    "unexpected_exit": "Last exit: {reason} (not expected), {time}.",
    "hook": "Its {hook} is running.",
    "starts.one": "{count} start.",
    "starts.other": "{count} starts.",
    "restarts.one": "{count} start, {restarts} of these automatic.",
    "restarts.other": "{count} starts, {restarts} of these automatic.",
    "pending": "Changed in the configuration, but not applied (see update): {names}.",
    "place": "Configured in {file}.",
    "line": "Configured in {file}, line {line}.",
}

UNKNOWN_REASON: Final = "the reason is unknown"

UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

STATE_KEYS: Final = {
    ProcessStates.STARTING: "starting",
    ProcessStates.STOPPING: "stopping",
    ProcessStates.UNKNOWN: "unknown",
}

IN_HOOK_STATES: Final = (ProcessStates.STARTING, ProcessStates.STOPPING)
"""States whose reason is the hook that is running."""


def reasons(details: Details) -> Iterator[Sentence]:
    """Yield sentences about the present, the next start, the past and the configuration."""
    yield from _present(details)
    yield from facts(details)
    if details["config_file"]:
        line = details["config_line"]
        yield "line" if line else "place", {"file": details["config_file"], "line": line}


def facts(details: Details) -> Iterator[Sentence]:
    """Yield sentences about hooks, health, the next start, the past and pending changes.

    `details` may be a struct of Supervisor 4.3, for which there are none.
    """
    get = details.get
    if get("hook") and details["state"] not in IN_HOOK_STATES:
        yield "hook", {"hook": details["hook"]}
    if get("ready_at"):
        yield "ready", {"time": details["ready_at"]}
    if get("health_reason"):
        failure = {"reason": details["health_reason"], "time": details["health_since"]}
        health = details["health"]
        yield ("unhealthy", {"health": health, **failure}) if health else ("unready", failure)
    elif get("health"):
        yield "health", {"health": details["health"]}
    if get("next_start"):
        yield "next_start", {"duration": max(details["next_start"] - details["now"], 0)}
    last_exit = get("last_exit")
    if last_exit and last_exit["at"]:
        yield _last_exit(last_exit)
    starts = get("starts")
    if starts:
        key = "restarts" if details["restarts"] else "starts"
        key += ".one" if starts == 1 else ".other"
        yield key, {"count": starts, "restarts": details["restarts"]}
    if get("pending_changes"):
        yield "pending", {"names": ", ".join(details["pending_changes"])}


def _last_exit(last_exit: Details) -> Sentence:
    """Return the sentence about the last exit; earlier versions do not report `stopped`."""
    values = {"reason": exit_text(last_exit["reason"]), "time": last_exit["at"]}
    if not last_exit.get("stopped"):
        return "expected_exit" if last_exit["expected"] else "unexpected_exit", values
    why = last_exit["stop_reason"]
    return ("planned_stop", {**values, "why": why}) if why else ("requested_stop", values)


def exit_text(reason: str) -> str:
    """Return the reason of an exit after the words "last exit": `status 3` of `exit status 3`."""
    return reason.removeprefix("exit ")


def _present(details: Details) -> Iterator[Sentence]:
    """Yield a sentence about the reason of the state."""
    state, reason = details["state"], details["spawnerr"] or UNKNOWN_REASON
    if details.get("hook") and state in IN_HOOK_STATES:
        yield "in_hook", {"hook": details["hook"]}
    elif details["waiting_for"] and state == ProcessStates.STARTING and details["pid"]:
        yield "not_ready", {"reason": details["description"]}
    elif details["waiting_for"]:
        yield "waiting", {"names": ", ".join(details["waiting_for"])}
    elif state == ProcessStates.RUNNING:
        yield "running", {"description": details["description"]}
    elif state == ProcessStates.BACKOFF:
        yield "backoff", {"reason": reason}
    elif state == ProcessStates.FATAL:
        yield "fatal", {"reason": reason}
    elif state == ProcessStates.EXITED:
        yield "exited" if details["next_start"] else "ended", {}
    elif state == ProcessStates.STOPPED:
        yield _down_key(details), {}
    elif state in STATE_KEYS:
        yield STATE_KEYS[state], {}


def _down_key(details: Details) -> str:
    """Return the sentence of a process in STOPPED; a state file continues the number of starts."""
    if details["history"]:
        return "stopped"
    return "not_started_since" if details["starts"] else "not_started"


def largest_unit(seconds: float) -> tuple[int, str]:
    """Return a duration in its largest unit, rounded down: (3, "minute")."""
    number = max(round(seconds), 0)
    for size, unit in UNITS:
        if number >= size:
            return number // size, unit
    return number, "second"
