"""Plain sections of a large file: the fast path gives the same as configparser alone."""

from __future__ import annotations

import configparser
import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.config import parser as module
from supervisor.config.parser import UnhosedConfigParser
from supervisor.config.plain_sections import split_plain

LINES = st.sampled_from(
    [
        "[program:a]",
        "[program:b]",
        "[program:c]  ; a comment",
        "[DEFAULT]",
        "[a]b]",
        "[ program:d ]",
        "[program:e];x",
        "[broken",
        "[]",
        "",
        " ",
        "; a comment",
        "# a comment",
        " ; indented",
        "command=/bin/cat",
        "Command : /bin/cat  ",
        "command",
        "= 1",
        "priority=1 ; one",
        "priority=;1",
        "priority=2 # two",
        "environment=A=1,",
        "   B=2",
        "\tC=3",
        "x\x0b=\x1c1\x85",
        "x=1\r",
        "ä=ö",
        "a-b=1",
        "a b=1",
    ]
)
TEXTS = st.lists(LINES).map("\n".join)


def outcome(*texts: str) -> tuple[Any, ...]:
    """Return all that a parser has after some texts, and the error that each raises."""
    parser = UnhosedConfigParser()
    errors = []
    for text in texts:
        try:
            parser.read_string(text, "a.conf")
        except configparser.Error as error:
            errors.append((type(error), str(error)))
    sections = [(name, list(parser.items(name))) for name in parser.sections()]
    return errors, sections, list(parser.defaults().items()), parser.section_to_file


@given(texts=st.lists(TEXTS, max_size=2), ending=st.sampled_from(["", "\n"]))
@example(texts=["[program:a]\nx=1\n[program:b]\n y\nx\n[program:c]\nx=1"], ending="\n")
def test_the_result_is_that_of_configparser(texts: list[str], ending: str) -> None:
    texts = [text + ending for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIN_LARGE_CHARS", 0)
        fast = outcome(*texts)
        patch.setattr(module, "MIN_LARGE_CHARS", 10**9)
        assert fast == outcome(*texts)


def test_the_options_of_plain_sections_are_taken_out_of_the_text() -> None:
    text = "; all\n[program:a]\n\nA = 1\n[program:b]\nb=1 ; one\n[program:c]\n# c\nc: 3\n"
    rest, plain = split_plain(text)
    assert plain == {"program:a": {"a": "1"}, "program:c": {"c": "3"}}
    assert rest == "; all\n[program:a]\n\n\n[program:b]\nb=1 ; one\n[program:c]\n"


def test_a_parser_with_a_syntax_of_its_own_reads_all_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MIN_LARGE_CHARS", 0)
    parser = UnhosedConfigParser(delimiters=("=",))
    parser.read_string("[program:a]\nx:y=1\n")
    assert parser.get("program:a", "x:y") == "1"


def test_option_names_are_those_of_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_LARGE_CHARS", 0)
    parser = UnhosedConfigParser()
    setattr(parser, "optionxform", str)  # noqa: B010 - as the documentation of configparser does
    parser.read_string(f"[program:a]{os.linesep}X=1\n")
    assert parser.options("program:a") == ["X"]
