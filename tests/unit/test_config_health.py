"""Options that watch a running program: values, mistakes, and options without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.health import HealthConfig
from supervisor.config.model import ProcessConfig
from tests.support.configs import located, read, refusal

SCRIPT = "liveness_check_script=true\n"


def program(lines: str) -> str:
    """Return a configuration with a program `x`."""
    return f"[program:x]\ncommand=/bin/cat\n{lines}\n"


def health(directory: Path, lines: str) -> HealthConfig:
    """Return the options of a program `x`."""
    return read(directory, program(lines)).groups[0].process_configs[0].health


def test_the_defaults_are_those_of_the_go_clone(tmp_path: Path) -> None:
    found = health(tmp_path, "")
    assert found == HealthConfig()
    assert found.liveness_check_script is None
    assert (found.liveness_check_initial_delay, found.liveness_check_period) == (60.0, 60.0)
    assert (found.liveness_check_timeout, found.liveness_check_failure_action) == (30.0, "restart")
    assert found.liveness_check_success_threshold == 1
    assert found.liveness_check_failure_threshold == 3
    assert (found.watchdog, found.max_memory_restart, found.max_runtime) == (0, 0, 0)


def test_values(tmp_path: Path) -> None:
    found = health(
        tmp_path,
        "liveness_check_script=http://localhost:80%(process_num)02d/\n"
        "liveness_check_failure_action=/bin/sh -c 'echo %(program_name)s'\n"
        "max_memory_restart=512MB\nmax_runtime=1d\nwatchdog=500ms\nnotify=true",
    )
    assert found.liveness_check_script is not None
    assert found.liveness_check_script.text == "http://localhost:8000/"
    assert not isinstance(found.liveness_check_failure_action, str)
    assert found.liveness_check_failure_action.argv == ("/bin/sh", "-c", "echo x")
    assert (found.max_memory_restart, found.max_runtime) == (512 * 1024 * 1024, 86400.0)
    assert found.watchdog == 0.5


@pytest.mark.parametrize("word", ["restart", "RESTART", " stop "])
def test_words_for_the_action(tmp_path: Path, word: str) -> None:
    found = health(tmp_path, f"{SCRIPT}liveness_check_failure_action={word}")
    assert found.liveness_check_failure_action == word.strip().lower()


MISTAKES = {
    "liveness_check_script=": "command is empty",
    "liveness_check_script=tcp://a": "no port in 'tcp://a'",
    "liveness_check_script='a": "can't parse command \"'a\": No closing quotation",
    "liveness_check_initial_delay=x": ("not a time in seconds, such as 0.5, 500ms, 30s or 5m: 'x'"),
    "liveness_check_period=0": "time out of range: '0' (more than 0)",
    "liveness_check_timeout=0s": "time out of range: '0s' (more than 0)",
    "liveness_check_success_threshold=0": "'0' is out of range (at least 1)",
    "liveness_check_failure_threshold=x": "not a whole number: 'x'",
    "liveness_check_failure_action=": "command is empty",
    "liveness_check_failure_action=http://a/": ("neither restart, stop nor a command: 'http://a/'"),
    "watchdog=soon": "not a time in seconds, such as 0.5, 500ms, 30s or 5m: 'soon'",
    "max_memory_restart=10XB": "invalid literal for int() with base 10: '10xb'",
    "max_memory_restart=-1": "'-1' is out of range (at least 0)",
    "memory_check_period=0": "time out of range: '0' (more than 0)",
    "max_runtime=-5": "not a time in seconds, such as 0.5, 500ms, 30s or 5m: '-5'",
    "max_runtime_jitter=x": "not a time in seconds, such as 0.5, 500ms, 30s or 5m: 'x'",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_located(tmp_path: Path, line: str) -> None:
    option = line.partition("=")[0]
    assert refusal(tmp_path, program(line)) == located(MISTAKES[line], "program:x", option)


NO_SCRIPT = "there is no liveness_check_script"
NO_NOTIFY = "notify is not set, so the program cannot send WATCHDOG=1"

WITHOUT_EFFECT = {
    "liveness_check_initial_delay=5": NO_SCRIPT,
    "liveness_check_period=5": NO_SCRIPT,
    "liveness_check_timeout=5": NO_SCRIPT,
    "liveness_check_success_threshold=5": NO_SCRIPT,
    "liveness_check_failure_threshold=5": NO_SCRIPT,
    "liveness_check_failure_action=stop": NO_SCRIPT,
    f"{SCRIPT}liveness_check_failure_action=stop": None,
    "watchdog=5": NO_NOTIFY,
    "ready_log_line=ready\nwatchdog=5": NO_NOTIFY,
    "notify=all\nwatchdog=5": None,
    "memory_check_period=5": "there is no max_memory_restart",
    "max_memory_restart=1GB\nmemory_check_period=5": None,
    "max_runtime_jitter=5": "there is no max_runtime",
    "max_runtime=5\nmax_runtime_jitter=5": None,
    f"max_runtime=30\n{SCRIPT}".rstrip(): (
        "max_runtime ends the program within 30 seconds, and the first check would follow after 60"
    ),
    f"max_runtime=30\nmax_runtime_jitter=40\n{SCRIPT}".rstrip(): None,
}


@pytest.mark.parametrize("lines", WITHOUT_EFFECT)
def test_an_option_without_effect_is_a_warning(tmp_path: Path, lines: str) -> None:
    reason, option = WITHOUT_EFFECT[lines], lines.rpartition("\n")[2].partition("=")[0]
    where = f"in section 'program:x' (file: '{tmp_path}/c.conf')"
    expected = [] if reason is None else [f"option {option!r} {where} has no effect: {reason}"]
    assert list(read(tmp_path, program(lines)).warnings) == expected


@pytest.mark.parametrize(
    ("options", "is_monitored"),
    [
        ({}, False),
        ({"max_runtime": 5.0}, True),
        ({"max_memory_restart": 5}, True),
        ({"watchdog": 5.0}, False),
        ({"watchdog": 5.0, "notify": "true"}, True),
        ({"liveness_check_period": 5.0}, False),
    ],
)
def test_programs_that_are_monitored(options: dict[str, object], is_monitored: bool) -> None:  # noqa: FBT001 - a table
    config = ProcessConfig("x", "x", **options)
    assert config.health.is_effective(config.notify) is is_monitored
