"""The prose of comments and docstrings, in the package and its unit tests and journeys.

`TURNS` lists turns that every reader would have to translate back.  It grows when a review finds
another one.
"""

from __future__ import annotations

import re

from tests.support.floors import FILES, ROOT
from tests.support.prose import comments, docstrings, function_names
from tests.support.tables import assert_none

TURNS = re.compile(
    r"\b(whoever|whatever|somebody|nobody|anybody|anew|of ours|as ever|lets? go|is told|are told"
    r"|is said|stands|so many|amid|thereby|hence|someone|anyone|comes? (?:back|first)|tells? of)\b",
    re.IGNORECASE,
)

NO_OPENING = re.compile(r"(What|Who|Whoever|How)\b")
"""A docstring begins with a noun phrase, an imperative or "Whether"."""

TESTS = [path for folder in ("unit", "journeys") for path in (ROOT / "tests" / folder).glob("*.py")]


def test_comments_and_docstrings_have_no_such_turns() -> None:
    assert_none(
        f"{path.relative_to(ROOT)}:{line}: {found[0]!r}"
        for path in (*FILES, *TESTS)
        for line, text in (*docstrings(path), *comments(path), *function_names(path))
        if (found := TURNS.search(text))
    )


def test_docstrings_begin_plainly() -> None:
    assert_none(
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in (*FILES, *TESTS)
        for line, text in docstrings(path)
        if NO_OPENING.match(text)
    )
