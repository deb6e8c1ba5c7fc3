"""The section with defaults of all programs, and the options of the state file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from supervisor.config.problems import Findings
from supervisor.config.settings import Source
from supervisor.rpc.info import config_info
from tests.support.configs import HANDLER, located, read, refusal

if TYPE_CHECKING:
    from pathlib import Path


def processes(directory: Path, text: str) -> dict[str, Any]:
    """Return the configs of all processes by name."""
    return {
        each.name: each for group in read(directory, text).groups for each in group.process_configs
    }


PROGRAMS = "[program:a]\n[program:b]\ncommand=/bin/b\nstartsecs=7\n"


def test_programs_have_what_they_do_not_set_from_the_defaults(tmp_path: Path) -> None:
    text = (
        "[program-default]\ncommand=/bin/%(program_name)s %(process_num)d\nstartsecs=3\n"
        f"stdout_logfile=%(here)s/%(program_name)s.log\npriority=5\n{PROGRAMS}"
    )
    found = processes(tmp_path, text)
    assert {name: (each.command, each.startsecs) for name, each in found.items()} == {
        "a": ("/bin/a 0", 3),
        "b": ("/bin/b", 7),
    }
    assert found["a"].stdout.logfile == f"{tmp_path}/a.log"
    assert [group.priority for group in read(tmp_path, text).groups] == [5, 5]


def test_only_programs_have_the_defaults(tmp_path: Path) -> None:
    found = processes(
        tmp_path,
        "[program-default]\nstartsecs=3\n"
        f"[eventlistener:l]\ncommand=l\nevents=TICK_5\n{HANDLER}"
        "[fcgi-program:f]\ncommand=f\nsocket=tcp://localhost:1\n"
        "[group:g]\nprograms=a\n[program:a]\ncommand=a\n",
    )
    assert {name: each.startsecs for name, each in found.items()} == {"l": 1, "f": 1, "a": 3}


def test_the_defaults_are_more_specific_than_the_default_section(tmp_path: Path) -> None:
    found = processes(
        tmp_path,
        "[DEFAULT]\nstartsecs=1\nstopwaitsecs=2\n[program-default]\nstartsecs=3\n"
        "[program:a]\ncommand=a\n[program:b]\ncommand=b\nstartsecs=4\n",
    )
    assert [(each.startsecs, each.stopwaitsecs) for each in found.values()] == [(3, 2), (4, 2)]


def test_included_files_may_have_defaults(tmp_path: Path) -> None:
    (tmp_path / "more.ini").write_text(
        "[program-default]\nstartsecs=3\nstopwaitsecs=4\n[program:b]\ncommand=b\n",
        encoding="utf-8",
    )
    found = processes(
        tmp_path,
        "[include]\nfiles=more.ini\n[program-default]\nstartsecs=2\n[program:a]\ncommand=a\n",
    )
    assert {(each.startsecs, each.stopwaitsecs) for each in found.values()} == {(3, 4)}


def test_a_mistake_names_the_section_that_sets_the_option(tmp_path: Path) -> None:
    problem = "invalid literal for int() with base 10: 'x'"
    text = f"[program-default]\nstartsecs=x\n{PROGRAMS}"
    assert refusal(tmp_path, text) == located(problem, "program-default", "startsecs")
    text = f"[program-default]\ncommand=c\n{PROGRAMS}".replace("startsecs=7", "startsecs=x")
    assert refusal(tmp_path, text) == located(problem, "program:b", "startsecs")
    found = Findings()
    file = tmp_path / "d.conf"
    file.write_text(
        "[supervisord]\n[program-default]\ncommand=c\nstopsignal=x\n[program:a]\n[program:b]\n",
        encoding="utf-8",
    )
    found.read(Source(str(file)), {})
    assert [(each.severity, each.section, each.line) for each in found.problems] == [
        ("error", "program-default", 4)
    ]


def test_warnings_about_the_defaults(tmp_path: Path) -> None:
    text = f"[program-default]\ncommand=/bin/date +%%s\nstartsec=1\nready_timeout=5\n{PROGRAMS}"
    (warning,) = read(tmp_path, text).warnings
    where = "in section 'program-default' (file: 'DIR/c.conf')"
    assert warning.replace(str(tmp_path), "DIR") == (
        f"unknown option 'startsec' {where}; did you mean 'startsecs'?"
    )


# -- the state file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message", "option"),
    [
        (
            "statefile=/nowhere/state",
            "The directory named as part of the path /nowhere/state does not exist",
            "statefile",
        ),
        ("statefile=/etc", "/etc is a directory", "statefile"),
        ("leftovers=kill", "leftovers=kill requires a statefile", "leftovers"),
        ("leftovers=stop", "'stop' is not one of ignore, kill", "leftovers"),
    ],
)
def test_mistakes(tmp_path: Path, lines: str, message: str, option: str) -> None:
    assert refusal(tmp_path, f"{lines}\n") == located(message, "supervisord", option)


def test_remember_is_a_kind_of_true(tmp_path: Path) -> None:
    text = "[program:a]\ncommand=/bin/a\nautostart=Remember\n"
    (group,) = read(tmp_path, text).groups
    (config,) = group.process_configs
    assert config.autostart == "remember"
    assert config_info(group, config, inuse=True)["autostart"] is True
    assert refusal(tmp_path, text.replace("Remember", "maybe")) == located(
        "not a valid boolean value: 'maybe'", "program:a", "autostart"
    )
    (warning,) = read(tmp_path, text).warnings
    where = "in section 'program:a' (file: 'DIR/c.conf')"
    assert warning.replace(str(tmp_path), "DIR") == (
        f"autostart=remember {where} means true: [supervisord] has no statefile"
    )
    assert not read(tmp_path, f"statefile=%(here)s/state\n{text}").warnings
