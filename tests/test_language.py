"""The prose of comments and docstrings: the field's words, in plain sentences.

`TURNS` lists turns that every reader would have to translate back.  It grows when a review finds
another one.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.floors import FILES, PACKAGE, parsed
from tests.support.tables import assert_none

TURNS = re.compile(
    r"\b(whoever|whatever|somebody|nobody|anybody|anew|of ours|as ever|lets? go|is told|are told"
    r"|is said|stands|so many|amid)\b",
    re.IGNORECASE,
)

NO_OPENING = re.compile(r"(What|Who|Whoever|How)\b")
"""A docstring begins with a noun phrase, an imperative or "Whether"."""

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring of a file, those of attributes included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text
        for statement in getattr(node, "body", [])[1:] if isinstance(node, DOCUMENTED) else ():
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
                yield statement.lineno, str(value.value)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment of a file."""
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_comments_and_docstrings_have_no_such_turns() -> None:
    assert_none(
        f"{path.relative_to(PACKAGE.parent)}:{line}: {found[0]!r}"
        for path in FILES
        for line, text in (*docstrings(path), *comments(path))
        if (found := TURNS.search(text))
    )


def test_docstrings_begin_plainly() -> None:
    assert_none(
        f"{path.relative_to(PACKAGE.parent)}:{line}: {text.splitlines()[0]}"
        for path in FILES
        for line, text in docstrings(path)
        if NO_OPENING.match(text)
    )
