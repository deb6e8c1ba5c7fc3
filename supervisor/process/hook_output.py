"""The output of a hook: marked lines in the log of its program."""

from __future__ import annotations

from supervisor import loggers
from supervisor.common.ansi import AnsiStripper
from supervisor.common.lines import LineSplitter
from supervisor.process.child_log import open_child_log
from supervisor.process.helper_child import READ_BYTES, HelperOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.engine.loop import Loop
    from supervisor.process.status import ProcessStatus

INFO = loggers.LevelsByName.INFO


class HookLog:
    """The log of a program, opened for the output of a hook, beside its other writers.

    Each line is marked with the name of the hook: `[pre_start_hook] text`.
    """

    def __init__(self, process: ProcessStatus, hook: str, pid: Callable[[], int]) -> None:
        """Open the log of stdout, or that of stderr if there is none.

        `pid` returns the pid of the hook.  A log that cannot be opened is reported, and the output
        discarded.
        """
        self._mark = f"[{hook}] ".encode()
        self._activity_log = process.runtime.logger
        self._logger: loggers.Logger | None = None
        try:
            self._logger = open_child_log(process, "stdout", pid)
            if self._logger is None and not process.config.redirect_stderr:
                self._logger = open_child_log(process, "stderr", pid)
        except OSError as error:
            reason = error.strerror or error
            self._activity_log.warn(f"{process.name}: cannot log the output of {hook}: {reason}")

    def write(self, lines: list[bytes]) -> None:
        """Write lines of the hook, which have no ends."""
        if self._logger is not None and lines:
            marked = [b"%s%s\n" % (self._mark, line) for line in lines]
            self._logger.log(INFO, b"".join(marked))

    def write_own(self, *lines: str) -> None:
        """Write lines of the daemon."""
        if self._logger is not None:
            text = "".join([f"supervisor: {line}\n" for line in lines])
            self._logger.log(INFO, text.encode())

    def reopen(self) -> list[str]:
        """Reopen the log under the same name; return a line for each failure."""
        handlers = () if self._logger is None else self._logger.handlers
        return loggers.reopen_logs(handlers, self._activity_log)

    def close(self) -> None:
        """Close the log, unless it has been closed."""
        if self._logger is not None:
            self._logger.close()
            self._logger = None


class HookOutput(HelperOutput):
    """The pipe for the output of a hook; owns neither log nor mark."""

    read_bytes = 8192
    """Size of one read: in a log with a format, an empty line takes up to a microsecond."""

    max_final_reads = READ_BYTES // read_bytes
    """As many as empty the pipe."""

    def __init__(self, fd: int, loop: Loop, log: HookLog, *, strip_ansi: bool) -> None:
        self._log = log
        self._lines = LineSplitter()
        self._stripper = AnsiStripper() if strip_ansi else None
        super().__init__(fd, loop)

    def _arrived(self, data: bytes) -> None:
        if self._stripper is not None:
            data = self._stripper.feed(data)
        self._log.write(self._lines.feed(data))

    def close(self) -> None:
        """Write the last line, and close the pipe."""
        if not self.closed:
            super().close()
            if self._stripper is not None:
                self._log.write(self._lines.feed(self._stripper.flush()))
            self._log.write(self._lines.flush())

    def keep(self) -> int:
        """Return the fd; a line that is not complete is written before."""
        self._log.write(self._lines.flush())
        return super().keep()
