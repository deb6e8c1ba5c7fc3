"""`logs -f`: follows the logs of several processes at once, until Ctrl-C.

There is one connection for each log.  The log pages of the web interface (see `web.follow`) begin
at the start of a line and report positions in the log (see `common.log_positions`), so that after a
restart of the daemon, or its replacement, a log continues where it was left.  An earlier version
reports offsets only, with which it continues unless too much has been written in the meantime.
Supervisor 4.3.0 has `/logtail` only, which begins with the last kilobyte; its logs are followed
until it ends the connection.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from urllib.parse import quote

from supervisor.client import proxy
from supervisor.client.streams import Stream, ready
from supervisor.client.terminal import (
    coloured,
    display_width,
    is_terminal,
    sanitize,
    uses_colours,
)
from supervisor.client.transport import OK
from supervisor.common import log_positions
from supervisor.common.lines import LineSplitter
from supervisor.common.log_positions import LogPosition, parse_position
from supervisor.common.stdio import discard
from supervisor.supervisorctl.colours import PROGRAM_COLOURS
from supervisor.supervisorctl.output import write_live
from supervisor.supervisorctl.results import LSBInitExitStatuses, connection_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Sequence
    from typing import IO

    from supervisor.supervisorctl.controller import Controller

FOLLOW_PREFIX = "/follow?"
FOLLOW_PAGE = f"{FOLLOW_PREFIX}processname={{}}&stream={{}}&{log_positions.PARAMETER}={{}}"
LOGTAIL_PAGE = "/logtail/{}/{}"
LOGTAIL_BYTES = 1024
"""Size of the end of a log with which `/logtail` begins."""

OFFSET_FIELD, END_FIELD = "x-log-offset", "x-log-end"
POSITION_FIELD = log_positions.FIELD.lower()

NOT_FOUND = (404, 410)

MIN_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0
"""Limits of the interval at which a log is opened again that has ended or does not exist yet."""


class Log:
    """The log of one stream of a process; `path` is that of its file."""

    def __init__(self, name: str, channel: str, path: str) -> None:
        self.name = name
        self.channel = channel
        self.path = path
        self.label = name if channel == "stdout" else f"{name} {channel}"


class Output:
    """Writes lines with the names of their processes, in columns and colours."""

    def __init__(self, stdout: IO[str], logs: Sequence[Log]) -> None:
        self._stdout = stdout
        self._is_terminal = is_terminal(stdout)
        width = max((display_width(log.label) for log in logs), default=0)
        names = list(dict.fromkeys(log.name for log in logs))
        has_colours = uses_colours(stdout)
        self._prefixes = {}
        for log in logs:
            turn = names.index(log.name) % len(PROGRAM_COLOURS)
            padding = " " * (width - display_width(log.label))
            prefix = f"{log.label}{padding} |"
            self._prefixes[log.label] = coloured(
                prefix, PROGRAM_COLOURS[turn] if has_colours else ""
            )

    def write(self, log: Log, lines: Iterable[str]) -> None:
        """Write lines of a log; raises BrokenPipeError if the reader has gone."""
        prefix = self._prefixes[log.label]
        texts = [f"{prefix} {line}" for line in lines]
        if self._is_terminal:
            texts = [sanitize(text) for text in texts]
        if texts:
            write_live(self._stdout, "\n".join([*texts, ""]))


class LogReader:
    """The lines of one followed log.  A pure machine: bytes in, lines out.

    The end of the log with which a response begins is held until it is complete, as only its last
    `count` lines are wanted.
    """

    def __init__(self, count: int) -> None:
        self._last: deque[bytes] = deque(maxlen=count)
        self._splitter = LineSplitter()
        self._offset: int | None = None  # of the next byte in the file
        self._old_bytes = 0
        self._skipped_bytes = 0
        self._is_inside_line = False

    def begin(self, offset: int, end: int, *, is_inside_line: bool = False) -> None:
        """Prepare for a response that begins at an offset of a file whose size is `end`.

        A response that continues an earlier one repeats bytes, which are skipped; those after
        them are new.  A smaller file is another one, which is new as a whole.  The rest of a line
        is dropped if the response begins inside it.
        """
        self._skipped_bytes = 0
        if self._offset is None:
            self._old_bytes = end - offset
            self._is_inside_line = is_inside_line
        elif offset <= self._offset <= end:
            self._skipped_bytes = self._offset - offset
        else:
            self.begin_file()
        self._offset = offset

    def continue_at(self, offset: int) -> None:
        """Prepare for a response that continues an earlier one, at an offset of its file."""
        self._offset = offset
        self._skipped_bytes = 0

    def begin_file(self) -> None:
        """Prepare for another file, all of which is new."""
        self._splitter = LineSplitter()
        self._offset = self._old_bytes = 0

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete and wanted."""
        self._offset = (self._offset or 0) + len(data)
        skipped = data[: self._skipped_bytes]
        self._skipped_bytes -= len(skipped)
        data = data[len(skipped) :]
        old, new = data[: self._old_bytes], data[self._old_bytes :]
        lines = self._feed_old(old) if old else []
        if new:
            lines += self._splitter.feed(new)
        return [line.decode("utf-8", "replace") for line in lines]

    def _feed_old(self, data: bytes) -> list[bytes]:
        """Return the last lines, when the old part is complete."""
        self._old_bytes -= len(data)
        if self._is_inside_line:
            _, newline, data = data.partition(b"\n")
            self._is_inside_line = not newline and bool(self._old_bytes)
        self._last.extend(self._splitter.feed(data))
        if self._old_bytes:
            return []
        lines = list(self._last)
        self._last.clear()
        return lines


class Follower:
    """One followed log and its connection, which is opened again when it has ended."""

    def __init__(self, ctl: Controller, log: Log, count: int) -> None:
        self.log = log
        self.stream: Stream | None = None
        self.retry_at: float | None = None
        """Time of the next attempt to open the log, in monotonic seconds; None if there is none."""
        self._ctl = ctl
        self._reader = LogReader(count)
        self._retry_seconds = MIN_RETRY_SECONDS
        self._is_supported = True  # the page of the web interface, or not known yet
        self._position: LogPosition | None = None
        self._has_begun = self._has_bytes = False

    def open(self) -> None:
        """Request the log; raises OSError if the server cannot be reached."""
        self._request(FOLLOW_PAGE)

    def open_again(self) -> None:
        """Request the log after its end; raises OSError, and Fault for an unknown process."""
        self._retry_later()
        log = self.log
        path = self._ctl.get_supervisor().getProcessInfo(log.name)[f"{log.channel}_logfile"]
        if log.path != path:  # an AUTO log has another name after a restart
            log.path = path
            self._reader.begin_file()
            if self._position is not None:  # the new file may have got the inode of the old one
                self._position = LogPosition(0, 0)
        self.open()

    def read(self) -> list[str]:
        """Return the lines that have arrived."""
        stream = self.stream
        data = stream.read() if stream is not None else b""
        if stream is None or data is None:
            self._ended()
            return []
        if not data and POSITION_FIELD not in stream.headers:  # a head may arrive alone
            return []
        if not self._has_begun:
            self._begin(stream, data)
        self._has_bytes |= bool(data)
        if self._position is not None:
            self._position = self._position.after(len(data))
        lines = self._reader.feed(data)
        if stream.is_complete:  # the connection may remain
            self._ended()
        return lines

    def close(self) -> None:
        """Close the connection."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def _request(self, page: str) -> None:
        name = quote(self.log.name, safe=":")
        begin = "" if self._position is None else self._position
        self.stream = Stream(self._ctl.options, page.format(name, self.log.channel, begin))
        self.retry_at = None
        self._has_begun = self._has_bytes = False

    def _begin(self, stream: Stream, data: bytes) -> None:
        self._has_begun = True
        self._retry_seconds = MIN_RETRY_SECONDS
        headers = stream.headers
        if self._continue_at(parse_position(headers.get(POSITION_FIELD, ""))):
            return
        if OFFSET_FIELD in headers and END_FIELD in headers:
            self._reader.begin(int(headers[OFFSET_FIELD]), int(headers[END_FIELD]))
            return
        self._is_supported = False
        size = min(len(data), LOGTAIL_BYTES)
        self._reader.begin(0, size, is_inside_line=size == LOGTAIL_BYTES)

    def _continue_at(self, position: LogPosition | None) -> bool:
        """Note the position of a response; return whether it continues an earlier one."""
        before, self._position = self._position, position
        if before is None or position is None:
            return False
        if before.inode == position.inode and before.offset > position.offset:  # truncated
            self._reader.begin_file()
        self._reader.continue_at(position.offset)
        return True

    def _ended(self) -> None:
        """Handle the end of the response.

        One that ends with its file, and one of a daemon that has replaced itself, is continued at
        once, if it had any bytes.
        """
        stream = self.stream
        status = None if stream is None else stream.status
        self.close()
        if self._has_bytes and self._position is not None:
            try:
                self.open()
            except OSError:
                self._retry_later()
            return
        if stream is not None and status in NOT_FOUND and stream.path.startswith(FOLLOW_PREFIX):
            try:
                self._request(LOGTAIL_PAGE)  # another kind of server, or there is no log yet
            except OSError:
                self._retry_later()
        elif status in NOT_FOUND or (status in {None, OK} and self._is_supported):
            self._retry_later()
        else:
            reason = "connection closed" if status == OK else f"status code {status}"
            self._ctl.output(f"{self.log.label}: ERROR ({reason})")
            self._ctl.exitstatus = LSBInitExitStatuses.GENERIC

    def _retry_later(self) -> None:
        self.retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, MAX_RETRY_SECONDS)


def follow(ctl: Controller, logs: Iterable[Log], output: Output, count: int) -> None:
    """Write the last lines of logs and all new ones, until Ctrl-C or until nothing can follow."""
    followers = [Follower(ctl, log, count) for log in logs]
    for each in followers:
        each.open()
    problem = ""
    try:
        while any(each.stream is not None or each.retry_at is not None for each in followers):
            problem = _open_again(ctl, followers, problem)
            by_stream = {each.stream: each for each in followers if each.stream is not None}
            for stream in ready(by_stream, _seconds_to_retry(followers), ctl.stdout):
                follower = by_stream[stream]
                output.write(follower.log, follower.read())
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        discard(ctl.stdout)
    finally:
        for each in followers:
            each.close()


def _seconds_to_retry(followers: Iterable[Follower]) -> float | None:
    due = [each.retry_at for each in followers if each.retry_at is not None]
    return max(min(due) - time.monotonic(), 0) if due else None


def _open_again(ctl: Controller, followers: Iterable[Follower], shown: str) -> str:
    """Open the logs whose time has come; return the problem with the server, '' if it responds.

    A new problem is reported; `shown` is the one that has been.
    """
    problem = shown
    for each in followers:
        if each.retry_at is None or each.retry_at > time.monotonic():
            continue
        try:
            each.open_again()
        except OSError as error:
            problem = f"{ctl.options.serverurl} {connection_error_text(error)}"
        except proxy.Fault:  # it is shutting down, or the process has been removed
            continue
        else:
            problem = ""
    if problem and problem != shown:
        sys.stderr.write(f"{problem}\n")  # stdout is for lines of logs
        sys.stderr.flush()
    return problem
