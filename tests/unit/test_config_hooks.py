"""The options of hooks: their values, errors and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from supervisor.config.changes import changed_options
from supervisor.config.hooks import HOOKS, HookCommand
from tests.support.configs import located, read, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from supervisor.config.model import ProcessConfig


def program(lines: str) -> str:
    return f"[supervisord]\n[program:x]\ncommand=/bin/cat\n{lines}\n"


def processes(path: Path, lines: str) -> list[ProcessConfig]:
    """Return the processes of the program."""
    return read(path, program(lines)).groups[0].process_configs


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/bin/a", HookCommand(("/bin/a",))),
        ("a 'b c' \"d\"", HookCommand(("a", "b c", "d"))),
        ("-/bin/a -b", HookCommand(("/bin/a", "-b"), is_optional=True)),
        ("- a", HookCommand(("a",), is_optional=True)),
        ("a $MAINPID 100%%", HookCommand(("a", "$MAINPID", "100%"))),
    ],
)
@pytest.mark.parametrize("name", HOOKS)
def test_commands(tmp_path: Path, name: str, text: str, command: HookCommand) -> None:
    (config,) = processes(tmp_path, f"{name}={text}")
    assert config.hooks.names == (name,)
    assert getattr(config, name) == command


def test_each_process_has_its_own(tmp_path: Path) -> None:
    lines = "numprocs=2\nprocess_name=x%(process_num)d\npre_start_hook=a %(process_num)d"
    found = [config.hooks.pre_start_hook for config in processes(tmp_path, lines)]
    assert found == [HookCommand(("a", "0")), HookCommand(("a", "1"))]


def test_defaults(tmp_path: Path) -> None:
    (config,) = processes(tmp_path, "")
    assert (config.hooks.names, config.hooks.hook_timeout) == ((), 60.0)


def test_a_change_needs_a_restart(tmp_path: Path) -> None:
    (old,), (new,) = processes(tmp_path, ""), processes(tmp_path, "stopcommand=a\nhook_timeout=5m")
    assert old != new
    assert changed_options(old, new) == ["stopcommand", "hook_timeout"]


ERRORS = {
    "pre_start_hook=": "command is empty",
    "post_stop_hook=-": "command is empty",
    "stopcommand=''": "command is empty",
    "pre_stop_hook='a": "can't parse command \"'a\": No closing quotation",
    "hook_timeout=0": "time out of range: '0' (more than 0)",
    "hook_timeout=soon": "not a time in seconds, such as 0.5, 500ms, 30s or 5m: 'soon'",
}


@pytest.mark.parametrize("lines", ERRORS)
def test_an_error_names_section_option_and_file(tmp_path: Path, lines: str) -> None:
    option = lines.partition("=")[0]
    assert refusal(tmp_path, program(lines)) == located(ERRORS[lines], "program:x", option)


WITHOUT_EFFECT = {
    "hook_timeout=5": "option 'hook_timeout' {} has no effect: there is no hook",
    "stopcommand=a\nhook_timeout=5": "option 'hook_timeout' {} has no effect: there is no hook",
    "pre_stop_hook=a\nhook_timeout=5": None,
    "stopcommand=a\nstopwaitsecs=0": "option 'stopcommand' {} has no effect: stopwaitsecs is 0",
    "stopcommand=a\nstopwaitsecs=1": None,
}


@pytest.mark.parametrize("lines", WITHOUT_EFFECT)
def test_options_without_effect_are_warnings(tmp_path: Path, lines: str) -> None:
    text, where = WITHOUT_EFFECT[lines], f"in section 'program:x' (file: '{tmp_path}/c.conf')"
    expected = [] if text is None else [text.format(where)]
    assert [line for line in read(tmp_path, program(lines)).warnings if "x" in line] == expected
