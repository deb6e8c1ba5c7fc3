"""Included files: which are read, in which order, and what the activity log says of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.comparison import DOUBT, assert_same, call, run_both, running_pair
from tests.support.daemon import Daemon


def program(name: str, options: str = "") -> str:
    """Return a section that starts nothing."""
    return f"[program:{name}]\ncommand=/bin/cat %(here)s\nautostart=false\n{options}"


A, B, C = program("a"), program("b", "priority=5\n"), program("c")

# name -> the value of `files=`, and the files
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "no value": ("", {}),
    "one": ("a.conf", {"a.conf": A}),
    "two": ("b.conf a.conf", {"a.conf": A, "b.conf": B}),
    "one twice": ("a.conf a.conf", {"a.conf": A}),
    "lines": ("\n a.conf\n b.conf", {"a.conf": A, "b.conf": B}),
    "a pattern": ("*.inc", {"b.inc": B, "a.inc": A, "c.other": C}),
    "a pattern of one character": ("?.inc", {"b.inc": B, "aa.inc": A}),
    "a set of characters": ("[ab].inc", {"b.inc": B, "a.inc": A, "c.inc": C}),
    "a folder": ("conf.d/*.conf", {"conf.d/a.conf": A, "conf.d/b.conf": B}),
    "folders": ("*/*.conf", {"x/a.conf": A, "y/b.conf": B}),
    "hidden files": ("*", {".a.conf": A}),
    "a full path": ("%(here)s/sub/*.conf", {"sub/a.conf": A}),
    "nothing": ("none*.conf", {}),
    "nothing and something": ("none.conf a.conf no?e", {"a.conf": A}),
    "an empty file": ("a.conf b.conf", {"a.conf": "", "b.conf": B}),
    "a comment only": ("a.conf", {"a.conf": "; nothing\n"}),
    "includes within": ("a.conf", {"a.conf": f"{A}[include]\nfiles=b.conf\n", "b.conf": B}),
    "the same program twice": (
        "a.conf b.conf",
        {"a.conf": A, "b.conf": program("a", "priority=7\n")},
    ),
    "a section in two parts": ("a.conf", {"a.conf": "[program:main]\npriority=3\n"}),
    "a group of others": (
        "a.conf b.conf g.conf",
        {"a.conf": A, "b.conf": B, "g.conf": "[group:g]\nprograms=b,a\n"},
    ),
    "options of the daemon": ("a.conf", {"a.conf": "[supervisord]\nidentifier=included\n"}),
    "a variable": ("%(ENV_LC_ALL)s.conf", {"C.UTF-8.conf": A}),
    "a variable within": (
        "a.conf",
        {"a.conf": program("a", "user=%(ENV_HOME)s\n").replace("user=", "serverurl=")},
    ),
}

BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "an unknown name": ("%(nope)s.conf", {}),
    "a bad number": ("a.conf", {"a.conf": program("a", "priority=many\n")}),
    "an unknown member": ("a.conf", {"a.conf": "[group:g]\nprograms=nope\n"}),
    "no command": ("a.conf", {"a.conf": "[program:a]\n"}),
}


@pytest.mark.parametrize(
    "name",
    [
        # A daemon that reads its own output as configuration is not replaced.
        pytest.param(name, marks=[pytest.mark.as_started] if name == "hidden files" else [])
        for name in CASES
    ],
)
def test_what_is_included(name: str) -> None:
    patterns, files = CASES[name]

    def told(daemon: Daemon) -> list[Any]:
        infos: Any = call(daemon, "supervisor.getAllConfigInfo")
        for info in infos:
            info.pop("autorestart", None)
        lines = [
            line
            for line in daemon.log_text().splitlines()
            if re.search("(?i)inclu", line) and not DOUBT.search(line)
        ]
        return [call(daemon, "supervisor.getIdentification"), infos, lines]

    config = f"{program('main')}[include]\nfiles={patterns}\n"
    with running_pair(config, files=files) as pair:
        pair.same(told)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_an_include(name: str) -> None:
    """Ours says more about where the mistake is, behind the same text."""
    patterns, files = BROKEN[name]
    main = f"[supervisord]\n{program('main')}[include]\nfiles={patterns}\n"
    theirs, ours = run_both(
        "supervisord", "-n", "-c", "main.conf", files={**files, "main.conf": main}
    )
    told, said = theirs.pop("stderr"), ours.pop("stderr")
    assert_same(theirs, ours)
    assert said[0].startswith(told[0])
