"""Prose names only code that exists: the pages for contributors, docstrings and comments."""

from __future__ import annotations

from tests.support.floors import FILES, PACKAGE, ROOT
from tests.support.names import is_current, mentions
from tests.support.prose import comments, docstrings
from tests.support.tables import assert_none

PAGES = ("CONTRIBUTING.md", "README.md", "docs/development.md")


def test_which_mentions_are_current() -> None:
    table = {
        "engine/loop.py": True,
        "engine/wheel.py": False,
        "engine/": True,
        "motor/": False,
        "engine.loop": True,
        "engine.wheel": False,
        "loop.Loop.watch": True,
        "loop.Wheel": False,
        "loop.watch(channel)": True,
        "loop.frobnicate(channel)": False,
        "Subprocess.change_state()": True,
        "Subprocess.frobnicate()": False,
        "transition()": True,
        "frobnicate()": False,
        "OutputDispatcher": True,
        "OutputFrobnicator": False,
        "_next_step": True,
        "_frobnicate": False,
        "http.client": True,
        "http.guard": False,
        "config.stdout": True,
        "config.settings": True,
        "process.loop": False,
        "do_x(arg)": True,
        "tests.support.clock.FakeClock": True,
        "tests.support.clock.Watch": False,
        "stdout_logfile": True,
        "kill -9": True,
    }
    assert {mention: is_current(mention) for mention in table} == table


def test_pages_for_contributors_name_code_that_exists() -> None:
    assert_none(
        f"{page}: {mention}"
        for page in PAGES
        for mention in mentions((ROOT / page).read_text(encoding="utf-8"))
        if not is_current(mention)
    )


def test_docstrings_and_comments_name_code_that_exists() -> None:
    assert_none(
        f"{path.relative_to(PACKAGE.parent)}:{line}: {mention}"
        for path in FILES
        for line, text in (*docstrings(path), *comments(path))
        for mention in mentions(text)
        if not is_current(mention)
    )
