"""The result of a run, as variables for its `post_stop_hook`.

The names and values are those of systemd.exec(5), "Environment Variables Set or Propagated by the
Service Manager", for `ExecStopPost=`.
"""

from __future__ import annotations

import os
import signal

from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

SUCCESS, EXIT_CODE, KILLED, CORE_DUMP, TIMEOUT, RESOURCES = (
    "success",
    "exit-code",
    "signal",
    "core-dump",
    "timeout",
    "resources",
)
"""Values of SERVICE_RESULT; `RESOURCES` is a child that could not be started."""


def result_variables(result: str) -> dict[str, str]:
    """Return the variables of a start that has ended before there was a child."""
    return {"SERVICE_RESULT": result}


def exit_variables(
    status: int, exitcodes: Collection[int], stopsignal: int | None, *, timed_out: bool
) -> dict[str, str]:
    """Return the variables after the exit of a child, with a status of `waitpid`.

    `stopsignal` is that of a requested stop, None for an exit without a request; a stop is a
    success unless SIGKILL had to end it.  `timed_out` is true if the program was not ready in time.
    """
    result = _result(status, exitcodes, stopsignal)
    if os.WIFSIGNALED(status):
        code = "dumped" if os.WCOREDUMP(status) else "killed"
        text = posix.signame(os.WTERMSIG(status)).removeprefix("SIG")
    else:
        code, text = "exited", str(os.WEXITSTATUS(status))
    return {
        "SERVICE_RESULT": TIMEOUT if timed_out else result,
        "EXIT_CODE": code,
        "EXIT_STATUS": text,
    }


def _result(status: int, exitcodes: Collection[int], stopsignal: int | None) -> str:
    if not os.WIFSIGNALED(status):
        return SUCCESS if os.WEXITSTATUS(status) in exitcodes else EXIT_CODE
    if os.WCOREDUMP(status):
        return CORE_DUMP
    if stopsignal is None:
        return KILLED
    is_late = os.WTERMSIG(status) == signal.SIGKILL != stopsignal
    return TIMEOUT if is_late else SUCCESS
