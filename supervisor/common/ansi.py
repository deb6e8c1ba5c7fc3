"""Removal of terminal control sequences from the output of a child."""

from __future__ import annotations

import re

from supervisor.common.text import bytes_as_text, text_as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class AnsiStripper:
    """Filter that removes control sequences (ECMA-48 5.4: ESC [ ... final byte).

    A sequence ends at its final byte, or before the first invalid byte, so that the text after
    a malformed sequence is kept.
    """

    _sequence = rb"\x1b\[[ -?]*[@-~]?"
    _rest_of_sequence = rb"[ -?]*[@-~]?"
    _unfinished = rb"\x1b(?:\[[ -?]*)?\Z"

    def __init__(self) -> None:
        self._inside = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return `data` without sequences; an ESC at its end is held back."""
        if self._inside:
            data = self._leave_sequence(data)
        elif self._held:
            data, self._held = self._held + data, b""
        if b"\x1b" not in data:
            return data
        last = data.rfind(b"\x1b")
        unfinished = re.match(self._unfinished, data[last:])
        if unfinished:
            data = data[:last]
            self._inside = len(unfinished[0]) > 1
            self._held = b"" if self._inside else unfinished[0]
        return re.sub(self._sequence, b"", data)

    def _leave_sequence(self, data: bytes) -> bytes:
        rest = re.match(self._rest_of_sequence, data)
        length = rest.end() if rest else 0
        is_final = length > 0 and data[length - 1] >= ord("@")
        self._inside = length == len(data) and not is_final
        return data[length:]

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {"held": bytes_as_text(self._held), "is_inside": self._inside}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over a state that `snapshot` has returned; unknown keys are ignored."""
        self._held = text_as_bytes(saved.get("held"))
        self._inside = saved.get("is_inside") is True

    def flush(self) -> bytes:
        """Return the bytes held back, at the end of the stream."""
        held, self._held, self._inside = self._held, b"", False
        return held


def without_sequences(text: str) -> str:
    """Return text without control sequences."""
    return AnsiStripper().feed(text.encode()).decode("utf-8", "replace") if "\x1b" in text else text
