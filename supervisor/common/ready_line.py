"""Readiness by a line of output: `ready_log_line`.

The matcher is a pure machine, bytes in and the first match out.  Its result does not depend on how
the output is split into chunks.  Each stream of each run needs a matcher of its own, so that
neither the lines of two streams nor those of two runs are mixed.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_BYTES = 8192
"""Length to which a line is truncated before it is matched; it bounds memory, too."""


def compile_ready_line(text: str) -> re.Pattern[str]:
    """Return the compiled regular expression; raises `ValueError` with a reason for users."""
    if not text:
        raise ValueError("the regular expression is empty, every line would match")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {text!r}: {error}") from None


class ReadyLineMatcher:
    r"""Search for the first line in which a pattern occurs.

    A line ends with `\n`; a `\r` before it does not belong to it.  It is matched when it is
    complete, or when its first `MAX_LINE_BYTES` are there; the rest of a long line is ignored.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._search = pattern.search
        self._line = b""
        self._is_rest = False
        self.matched = False

    def feed(self, data: bytes) -> bool:
        """Add output; return True once, with the output that completes the first match."""
        if self.matched:
            return False
        if self._is_rest:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return False
            self._is_rest = False
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) >= MAX_LINE_BYTES:
            lines.append(self._line)
            self._line, self._is_rest = b"", True
        return self._match(lines)

    def flush(self) -> bool:
        """Match a last line that has no newline, at the end of the stream; see `feed`."""
        line, self._line = self._line, b""
        return bool(line) and self._match([line])

    def _match(self, lines: list[bytes]) -> bool:
        for line in lines:
            text = line[:MAX_LINE_BYTES].removesuffix(b"\r").decode("utf-8", "replace")
            if self._search(text):
                self.matched = True
                self._line = b""
                return True
        return False

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._line, self._is_rest, self.matched = b"", False, False

    def snapshot(self) -> dict[str, object]:
        """Return the state as JSON values; the bytes of the unfinished line as Latin-1."""
        return {
            "is_rest": self._is_rest,
            "line": self._line.decode("latin-1"),
            "matched": self.matched,
        }

    def restore(self, saved: Mapping[str, object]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._line = str(saved.get("line", "")).encode("latin-1", "replace")
        self._is_rest = saved.get("is_rest") is True
        self.matched = saved.get("matched") is True
