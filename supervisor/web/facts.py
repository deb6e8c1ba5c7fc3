"""Facts of a row beside its description: since when, restarts, last exit, next step, last line.

A program that runs and was never restarted has none, so that an ordinary row costs nothing more.
Times that pass are marked for the script, which updates them: `data-at` for a time in the past,
`data-until` for one in the future, and `data-text` for the key of the text.
"""

from __future__ import annotations

import os
import signal
import time
from functools import lru_cache

from supervisor.common.explanation import exit_text
from supervisor.common.text import visible
from supervisor.engine.files import open_for_reading
from supervisor.engine.posix import decode_wait_status, signame
from supervisor.process.details import failing_check, next_start
from supervisor.process.history import MAX_RESTART_TIMES
from supervisor.states import ProcessStates
from supervisor.web.kinds import FLAPPING_SECONDS, present_kind
from supervisor.web.templates import escaped
from supervisor.web.texts import TEXTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from supervisor.process.child import Subprocess
    from supervisor.web.language import Language

MAX_LINE_CHARS: Final = 160
MAX_TAIL_BYTES: Final = 4096

MAX_COUNTDOWN_SECONDS: Final = 10 * 365 * 24 * 3600
"""A longer time, such as that of stopwaitsecs=unlimited, is not counted down."""

UNITS: Final = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))

PASSING_STATES: Final = (ProcessStates.STARTING, ProcessStates.STOPPING)

EXIT_CODES_WITH_MEANING: Final = frozenset({*range(64, 79), 126, 127})
"""Those of sysexits.h(3head), and of shells."""

FIRST_SIGNAL_CODE: Final = 129
"""The least exit status by which a shell reports a signal."""


@lru_cache(maxsize=4096)
def exact_time(seconds: int) -> str:
    """Return a local time in 24-hour notation, also a valid `datetime` attribute."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def brief(language: Language, seconds: float) -> str:
    """Return a duration in its largest unit."""
    number = max(int(seconds), 0)
    for size, unit in UNITS:
        if number >= size:
            return language.text(f"script.{unit}", count=number // size)
    return language.text("script.seconds", count=0)


def facts(language: Language, process: Subprocess, flapping_until: float) -> str:
    """Return the facts of a process as HTML."""
    history = process.history
    if process.state == ProcessStates.RUNNING and not history.restarts and process.is_plain:
        return ""
    parts = [
        *_since(language, process),
        *_ahead(language, process),
        *_failure(language, process),
        *_restarts(language, process, flapping_until),
        *_last_exit(language, process),
    ]
    found = f'<span class="facts">{" ".join(parts)}</span>' if parts else ""
    return found + _last_line(language, process, is_flapping=bool(flapping_until))


def _span(text: str, attributes: str = "") -> str:
    return f"<span{attributes}>{escaped(text)}</span>"


def _since(language: Language, process: Subprocess) -> Iterator[str]:
    state, at = process.state, process.history.changed_at
    if state == ProcessStates.RUNNING:
        monitor = process.startup.readiness
        if monitor is not None and monitor.ready_at:
            exact = exact_time(int(monitor.ready_at))
            yield _span(language.text("fact.ready"), f' title="{exact}"')
    elif at:
        key = "script.for" if state in PASSING_STATES else "script.ago"
        text = language.text(key, duration=brief(language, process.runtime.clock.time() - at))
        exact = exact_time(int(at))
        yield (
            f'<time datetime="{exact}" title="{exact}" data-at="{at:.1f}" data-text="{key}">'
            f"{escaped(text)}</time>"
        )


def _ahead(language: Language, process: Subprocess) -> Iterator[str]:
    """Yield the time to the next start or SIGKILL, if the description does not have it."""
    clock = process.runtime.clock
    key, until = "script.restarts_in", 0.0
    if process.state == ProcessStates.STOPPING:
        key = "script.kill_in"
        until = clock.time() + process.stop_deadline.remaining(clock.monotonic())
    elif process.state in (ProcessStates.BACKOFF, ProcessStates.EXITED):
        if process.starts.restarts.limits is None:
            until = next_start(process)
    left = until - clock.time()
    if until and 0 <= left < MAX_COUNTDOWN_SECONDS:
        text = language.text(key, seconds=-int(-left // 1))
        yield _span(text, f' class="soon" data-until="{until:.1f}" data-text="{key}"')


def _failure(language: Language, process: Subprocess) -> Iterator[str]:
    """Yield the reason of failing health; the description has that of missing readiness."""
    reason, since = failing_check(process)
    if reason and process.state == ProcessStates.RUNNING:
        text = language.text("fact.last_failure", reason=language.message(reason))
        yield _span(text, f' class="warning" title="{exact_time(int(since))}"')


def _restarts(language: Language, process: Subprocess, flapping_until: float) -> Iterator[str]:
    history = process.history
    if not history.restarts:
        return
    yield _span(language.count("fact.restarts", history.restarts))
    if flapping_until:
        begin = process.runtime.clock.time() - FLAPPING_SECONDS
        recent = sum(at > begin for at in history.restarted_at)
        number = f"{recent}+" if recent == MAX_RESTART_TIMES else recent
        text = language.text("fact.flapping", count=number, minutes=FLAPPING_SECONDS // 60)
        yield _span(text, ' class="warning"')


def _last_exit(language: Language, process: Subprocess) -> Iterator[str]:
    """Yield the last exit with its meaning, except that of an ordinary stop."""
    history = process.history
    if not history.exited_at:
        return
    text = _stop_text(language, process) if history.was_stopped else _exit_text(language, process)
    if text:
        is_calm = history.was_stopped or history.was_expected(process.config.exitcodes)
        kind = "" if is_calm else ' class="unexpected"'
        text = language.text("fact.last_exit", reason=text)
        yield _span(text, f'{kind} title="{exact_time(int(history.exited_at))}"')


def _stop_text(language: Language, process: Subprocess) -> str:
    """Return the reason of the last stop; a request needs none, its end by SIGKILL does."""
    history = process.history
    text = language.text("fact.stopped")
    if history.last_signal not in (0, process.config.stopsignal):
        reason = language.message(decode_wait_status(history.wait_status)[1])
        text = language.text("fact.stopped_by", reason=reason)
    elif process.state == ProcessStates.STOPPED and not history.stop_reason:
        return ""
    if not history.stop_reason:
        return text
    why = language.message(history.stop_reason)
    return language.text("fact.meaning", reason=text, meaning=why)


def _exit_text(language: Language, process: Subprocess) -> str:
    """Return the last exit with its meaning."""
    code, reason = decode_wait_status(process.history.wait_status)
    text = language.message(exit_text(reason))
    meaning = _meaning(language, code, process.history.last_signal)
    return language.text("fact.meaning", reason=text, meaning=meaning) if meaning else text


def _meaning(language: Language, code: int, signum: int) -> str:
    """Return the meaning of an exit status or signal; '' if it is the program's own."""
    if signum:
        key = f"signal.{signame(signum)}"
        return language.text(key) if key in TEXTS else ""
    if code in EXIT_CODES_WITH_MEANING:
        return language.text(f"exit.{code}")
    if FIRST_SIGNAL_CODE <= code < 128 + signal.NSIG:
        return language.text("exit.by_signal", signal=signame(code - 128))
    return ""


# -- the last line of stderr -----------------------------------------------------------


def _last_line(language: Language, process: Subprocess, *, is_flapping: bool) -> str:
    """Return the last line that a failed program has written to stderr, the likely reason.

    Of a program that is up again, it is the line that was the last one soon after the exit.
    """
    config, history = process.config, process.history
    has_failed = not (history.was_stopped or history.was_expected(config.exitcodes))
    is_recent = is_flapping or process.state in (ProcessStates.STARTING, ProcessStates.EXITED)
    if not history.exited_at:
        return ""
    if present_kind(process) == "bad":
        read_at = history.changed_at
    elif has_failed and is_recent:
        read_at = history.exited_at
    else:
        return ""
    log = config.stdout.logfile if config.redirect_stderr else config.stderr.logfile
    line = last_line(log, read_at) if isinstance(log, str) else ""
    label = escaped(language.text("fact.last_line"))
    return f'<samp><span class="unseen">{label} </span>{escaped(line)}</samp>' if line else ""


@lru_cache(maxsize=1024)
def last_line(path: str, _read_at: float) -> str:
    """Return the last line of a log that is not empty, truncated; '' if there is none.

    Cached for each failure of a program, because an open page may show a thousand of them;
    `_read_at` is its time.
    """
    try:
        fd = open_for_reading(path)
    except OSError:
        return ""
    try:
        size = os.fstat(fd).st_size
        data = os.pread(fd, MAX_TAIL_BYTES, max(size - MAX_TAIL_BYTES, 0))
    except OSError:
        return ""
    finally:
        os.close(fd)
    for line in reversed(data.decode("utf-8", "replace").split("\n")):
        if line.strip():
            return visible(line.strip()[:MAX_LINE_CHARS])
    return ""
