"""Options for the exit of the daemon: values, mistakes, and options without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.configs import located, read, refusal

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = "[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\n"
FOREVER = "autorestart=true\nstartretries=unlimited\n"
SELECTED = "the exit status of the daemon depends on no program"
ENDLESS = "is restarted without end (autorestart=true, startretries=unlimited)"


def program(lines: str = "", name: str = "x") -> str:
    return f"[program:{name}]\ncommand=/bin/cat\n{lines}\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", "any"), (" Yes ", "any"), ("Failure", "failure"), ("false", ""), ("0", "")],
)
def test_values_of_essential(tmp_path: Path, value: str, expected: str) -> None:
    groups = read(tmp_path, program(f"essential={value}")).groups
    assert groups[0].process_configs[0].essential == expected


MISTAKES = {
    "essential=maybe": ("program:x", "not a valid boolean value: 'maybe'"),
    "essential=": ("program:x", "not a valid boolean value: ''"),
    "exit_codes_ok=256": ("program:x", "not a valid list of exit codes: '256'"),
    "exit_codes_ok=a": ("program:x", "not a valid list of exit codes: 'a'"),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_of_a_program(tmp_path: Path, line: str) -> None:
    section, message = MISTAKES[line]
    option = line.partition("=")[0]
    assert refusal(tmp_path, program(line)) == located(message, section, option)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("exit_code_from=y", "unknown program 'y'"),
        ("exit_code_from=g:y", "unknown program 'g:y'"),
        ("exit_code_from=", "unknown program ''"),
        ("exit_when_all_exited=x", "not a valid boolean value: 'x'"),
        ("shutdown_timeout=-1", "not a time in seconds, such as 0.5, 500ms, 30s or 5m: '-1'"),
    ],
)
def test_a_mistake_of_the_daemon(tmp_path: Path, line: str, message: str) -> None:
    text = f"{line}\n{program()}[group:g]\nprograms=x\n"
    assert refusal(tmp_path, text) == located(message, "supervisord", line.partition("=")[0])


@pytest.mark.parametrize("target", ["x", "x:*", "x:x", "l"])
def test_sources_of_the_exit_status(tmp_path: Path, target: str) -> None:
    found = read(tmp_path, f"exit_code_from={target}\n{program()}{LISTENER}")
    assert (found.settings.exit_code_from, found.warnings) == (target, ())


def test_the_order_of_the_file(tmp_path: Path) -> None:
    text = program("priority=9", "b") + program("priority=1", "a")
    groups = read(tmp_path, text).groups
    configs = sorted((group.process_configs[0] for group in groups), key=lambda c: c.position)
    assert [each.name for each in configs] == ["b", "a"]


AT_ONCE = "option 'exit_when_all_exited' in section 'supervisord' (file: 'DIR/c.conf') ends the"
AT_ONCE += " daemon at once: no program starts by itself"


def without_effect(option: str, section: str, reason: str) -> str:
    return f"option {option!r} in section {section!r} (file: 'DIR/c.conf') has no effect: {reason}"


WARNINGS = {
    f"exit_when_all_exited=true\n{LISTENER}": [AT_ONCE],
    f"exit_when_all_exited=true\n{program('autostart=false')}": [AT_ONCE],
    f"exit_when_all_exited=true\n{program()}": [],
    f"exit_when_all_exited=true\n{program('autorestart=true')}": [],
    f"exit_when_all_exited=true\n{program(FOREVER)}": [
        without_effect("exit_when_all_exited", "supervisord", f"[program:x] {ENDLESS}")
    ],
    program(f"essential=true\n{FOREVER}"): [
        without_effect("essential", "program:x", f"the program {ENDLESS}")
    ],
    program(f"essential=true\nstartlimit_burst=3\n{FOREVER}"): [],
    program("exit_codes_ok=143"): [without_effect("exit_codes_ok", "program:x", SELECTED)],
    program("exit_codes_ok=143\nessential=true"): [],
    f"exit_when_all_exited=true\n{program('exit_codes_ok=143')}": [],
    f"exit_code_from=x\n{program('exit_codes_ok=143')}": [],
}


@pytest.mark.parametrize("text", WARNINGS)
def test_an_option_without_effect_is_a_warning(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text).warnings
    assert [line.replace(str(tmp_path), "DIR") for line in found] == WARNINGS[text]
