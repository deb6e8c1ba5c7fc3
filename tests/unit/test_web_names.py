"""Hostile names on the pages: control characters and overrides are visible, links work."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from supervisor.common.text import VISIBLE
from supervisor.states import ProcessStates
from supervisor.web import update
from tests.support.tables import assert_none
from tests.support.website import WebSite

HOSTILE = {
    "override": "exe.\u202ecod",
    "isolate": "a\u2066b\u2069",
    "marks": "a\u200eb\u200fc\u061cd",
    "escape": "a\x1b[31mb",
    "nul": "a\x00b\x7f",
    "c1": "a\x85b\x9bc",
    "markup": "<b>\u202e&\"'",
}

PATHS = (
    "/",
    "/?lang=zh",
    "/?ask=stop&processname={name}",
    "/?ask=stopgroup&processname={group}",
    "/?message=ERROR%3A%20Process%20{name}%3A%20spawn%20error",
    "/tail.html?processname={name}",
    "/tail.html?processname={name}&processname=cat",
    "/tail.html?processname={name}&stream=both",
    "/tail.html?processname=missing{name}",
    "/process.html?processname={name}",
    "/process.html?processname={name}&ask=stop",
    "/process.html?processname={name}&ask=signal&signal={name}",
    "/process.html?processname=missing{name}",
    "/update.html",
)
"""Pages with the name of a process or group, and of the daemon."""


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages of programs with hostile names, in a group and alone."""
    with closing(WebSite(directory, monkeypatch)) as made:
        made.add("cat")
        for name in HOSTILE.values():
            made.add(name)
            process = made.add(name, f"of{name}")
            process.state, process.spawnerr = ProcessStates.FATAL, f"no {name}"
        made.supervisord.options.identifier = HOSTILE["override"]
        monkeypatch.setattr(update.SupervisorNamespaceRPCInterface, "planUpdate", lambda _: plan)
        made.open()
        yield made


def plan() -> dict[str, Any]:
    """Return the plan of an update of programs with hostile names."""
    steps = [
        {
            "action": "restart",
            "group": f"of{name}",
            "name": name,
            "options": [{"name": "command", "old": name, "new": "x"}],
        }
        for name in HOSTILE.values()
    ]
    return {"id": "1", "steps": steps}


def read_texts(page: str) -> str:
    """Return everything of a page that is read or spoken: texts and labels."""
    labels = re.findall(r'(?:aria-label|title|alt|placeholder|data-label)="([^"]*)"', page)
    return html.unescape("\n".join([re.sub(r"<[^>]*>", "\n", page), *labels]))


def test_hostile_names_are_visible_everywhere(site: WebSite) -> None:
    def hidden() -> Iterator[str]:
        for kind, name in HOSTILE.items():
            values = {"name": quote(f"of{name}:{name}"), "group": quote(f"of{name}")}
            for path in PATHS:
                page = read_texts(site.get(path.format(**values)).text)
                found = sorted({ord(each) for each in page} & VISIBLE.keys())
                if found:
                    yield f"{kind} {path}: {[hex(each) for each in found]}"
                if name.translate(VISIBLE) not in page:
                    yield f"{kind} {path}: no name"

    assert_none(hidden())


def test_links_and_buttons_of_hostile_names_have_the_names_themselves(site: WebSite) -> None:
    page = site.get("/").text
    for name in HOSTILE.values():
        assert f"processname={quote(name, safe='')}" in page
        assert site.get(f"/process.html?processname={quote(name)}").status == 200


def test_the_message_of_an_action_is_visible_to_scripts(site: WebSite) -> None:
    name = HOSTILE["override"]
    query = f"action=stop&processname=missing{quote(name)}"
    answer = site.post(f"/index.html?{query}", "Accept: application/json")
    assert "[U+202E]" in answer.text
    assert site.message(query) == f"No such process named missing{name}"
