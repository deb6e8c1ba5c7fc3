"""Output of programs on a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client.terminal import RESET, TerminalSanitizer, is_terminal, sanitize


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünïcödé, a\ttab\r\n", "plain text, ünïcödé, a\ttab\r\n"),
        ("\x1b[31mred\x1b[0m", f"\x1b[31mred\x1b[0m{RESET}"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[Hgone", "\\x1b[2J\\x1b[Hgone"),
        ("\x9b31m", "\\x9b31m"),
        ("back\x08\x08\x7f", "back\\x08\\x08\\x7f"),
        ("cut \x1b[3", "cut \\x1b[3"),
        ("\x1bP+q\x1b\\\\", "\\x1bP+q\\x1b\\\\"),
        ("\x80\x85\x9f\x7f", "\\x80\\x85\\x9f\\x7f"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("\u061c\u200e\u200f", "\\u061c\\u200e\\u200f"),
        ("\u202a\u202b\u202c\u202d\u202e", "\\u202a\\u202b\\u202c\\u202d\\u202e"),
        ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),
        ("עברית العربية \u200d\u2013 \xa0", "עברית العربية \u200d\u2013 \xa0"),
    ],
)
def test_only_colours_pass(text: str, shown: str) -> None:
    assert sanitize(text) == shown


@given(st.text(alphabet="\x1b[]0;31mHJ\x07\x9b\x08ab\n", max_size=40), st.data())
def test_parts_are_shown_like_the_whole(text: str, data: st.DataObject) -> None:
    """Wherever the stream is cut; only an unfinished beginning at its end is still missing."""
    stream, shown, rest = TerminalSanitizer(), "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown += stream.feed(rest[:size])
        rest = rest[size:]
    whole = sanitize(text).removesuffix(RESET) if "\x1b" in sanitize(text) else sanitize(text)
    assert whole.startswith(shown)
    assert len(whole) - len(shown) <= 40


def test_streams_that_are_not_terminals() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(io.StringIO())
    assert not is_terminal(closed)
    assert not is_terminal(object())
