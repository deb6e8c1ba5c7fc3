"""Configuration warnings about limits of programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.configs import read
from tests.support.tables import assert_none

WHERE = "in section 'program:x' (file: 'DIR/c.conf')"
PROTECTED = (
    f"option 'oom_score_adj' {WHERE} cannot be set: supervisord changes its user, and the kernel"
    " then protects its files in /proc"
)
ALONE = (
    f"option 'killmode' {WHERE} does not find descendants whose parents have exited"
    " (fix: subreaper=true in [supervisord])"
)
MISSING = f"option 'cpu_affinity' {WHERE} names CPU 8, but this machine has 0 to 7"


def warnings(directory: Path, settings: str, options: str) -> list[str]:
    """Return the warnings about a program with some options, with `<dir>` for the directory."""
    found = read(directory, f"{settings}\n[program:x]\ncommand=/bin/cat\n{options}\n").warnings
    return [line.replace(str(directory), "DIR") for line in found]


def test_limits_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "sysconf", lambda _name: 8)
    monkeypatch.setattr("supervisor.config.lint._unprotected", lambda _paths: [])
    cases = [
        ("", "oom_score_adj=5", []),
        ("user=nobody", "oom_score_adj=5", [PROTECTED]),
        ("user=root", "oom_score_adj=5", []),
        ("user=0", "oom_score_adj=5", []),
        ("user=nobody", "nice=5", []),
        ("", "cpu_affinity=0-7", []),
        ("", "cpu_affinity=0,8", [MISSING]),
        ("", "killmode=group", []),
        ("", "killmode=tree", [ALONE]),
        ("subreaper=false", "killmode=tree", [ALONE]),
        ("subreaper=TRUE", "killmode=tree", []),
    ]
    assert_none(
        f"{settings!r}, {options!r}: {found}"
        for settings, options, expected in cases
        if (found := warnings(tmp_path, settings, options)) != expected
    )
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert warnings(tmp_path, "", "killmode=tree") == []
