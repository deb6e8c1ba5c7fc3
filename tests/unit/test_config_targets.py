"""The targets of output in the configuration: copies, and targets behind a log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from supervisor.config.changes import changed_options
from supervisor.config.model import ProcessConfig
from supervisor.config.parser import UnhosedConfigParser
from supervisor.config.programs import processes_from_section
from supervisor.datatypes import Automatic
from tests.support.configs import located, read, refusal

if TYPE_CHECKING:
    from pathlib import Path


def program(directory: Path, lines: str, settings: str = "") -> ProcessConfig:
    """Return the process of a [program:x] with these lines, below these of [supervisord]."""
    (group,) = read(directory, f"{settings}[program:x]\ncommand=/bin/cat\n{lines}").groups
    (config,) = group.process_configs
    return config


def test_there_are_no_copies_by_default(tmp_path: Path) -> None:
    for stream in (program(tmp_path, "").stdout, ProcessConfig("x", "/bin/cat").stderr):
        assert (stream.tee, stream.tee_format, stream.further_targets) == ((), "prefix", ())


@pytest.mark.parametrize(
    ("value", "targets"),
    [
        ("stdout", ["/dev/stdout"]),
        ("STDERR, syslog", ["/dev/stderr", "syslog"]),
        ("/dev/fd/1,/dev/stdout,stdout", ["/dev/stdout"]),
        ("/proc/self/fd/2", ["/dev/stderr"]),
        ("%(here)s/a b.log, ./c.log,", ["{here}/a b.log", "./c.log"]),
        ("%(here)s/%(program_name)s_%(process_num)s", ["{here}/x_0"]),
        ("NONE", []),
        ("off", []),
        ("", []),
    ],
)
def test_targets_of_a_copy(tmp_path: Path, value: str, targets: list[str]) -> None:
    expected = tuple(target.format(here=tmp_path) for target in targets)
    assert program(tmp_path, f"stderr_tee={value}\n").stderr.tee == expected


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("stdout_tee", "sdtout", "'sdtout' is not one of stdout, stderr, syslog, and no path"),
        ("stderr_tee", "stdout, AUTO", "'AUTO' is not one of stdout, stderr, syslog, and no path"),
        (
            "stdout_tee",
            "/no/such/x.log",
            "The directory named as part of the path /no/such/x.log does not exist",
        ),
        (
            "stdout_logfile",
            "/dev/null, /no/such/x.log",
            "The directory named as part of the path /no/such/x.log does not exist",
        ),
        (
            "stdout_tee_format",
            "jsn",
            "neither raw, prefix, timestamp, json nor a template with %(message)s: 'jsn'",
        ),
    ],
)
def test_mistakes_name_section_option_and_file(
    tmp_path: Path, option: str, value: str, problem: str
) -> None:
    text = f"[program:x]\ncommand=/bin/cat\n{option}={value}\n"
    assert refusal(tmp_path, text) == located(problem, "program:x", option)


@pytest.mark.parametrize(
    ("value", "log", "further"),
    [
        ("a.log, /dev/stdout", "a.log", ["/dev/stdout"]),
        ("a.log,  /dev/stderr, syslog", "a.log", ["/dev/stderr", "syslog"]),
        ("{here}/a.log, {here}/b.log, /dev/fd/1", "{here}/a.log", ["{here}/b.log", "/dev/stdout"]),
        ("NONE, /dev/stdout", None, ["/dev/stdout"]),
        ("AUTO, /dev/stdout", Automatic, ["/dev/stdout"]),
        # Names of files in Supervisor 4.3.0 as well.
        ("{here}/a,b.log", "{here}/a,b.log", []),
        ("{here}/a, b.log", "{here}/a, b.log", []),
        ("a.log, syslog", "a.log, syslog", []),
        ("{here}/c, /d.log", "{here}/c, /d.log", []),
    ],
)
def test_targets_behind_a_log(tmp_path: Path, value: str, log: object, further: list[str]) -> None:
    (tmp_path / "c, ").mkdir()
    stream = program(tmp_path, f"stdout_logfile={value.format(here=tmp_path)}\n").stdout
    assert stream.logfile == (log.format(here=tmp_path) if isinstance(log, str) else log)
    assert stream.further_targets == tuple(each.format(here=tmp_path) for each in further)


def test_redirected_stderr_has_no_targets(tmp_path: Path) -> None:
    config = program(tmp_path, "redirect_stderr=true\nstderr_logfile=AUTO, /dev/stderr\n")
    assert (config.stderr.logfile, config.stderr.further_targets) == (None, ())


def test_a_changed_target_is_a_change_of_the_log(tmp_path: Path) -> None:
    before, after = (
        program(tmp_path, f"stdout_logfile=AUTO{each}\n") for each in ("", ", /dev/stdout")
    )
    assert before != after
    assert changed_options(before, after) == ["stdout_logfile"]
    assert changed_options(before, program(tmp_path, "stdout_tee=syslog\n")) == ["stdout_tee"]


def test_a_name_is_read_in_the_directory_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.makedirs("a.log, /dev")
    assert program(tmp_path, "stdout_logfile=a.log, /dev/x\n").stdout.logfile == "a.log, /dev/x"


@pytest.mark.parametrize(
    ("lines", "copies"),
    [
        ("stdout_logfile=/dev/stdout\nstdout_tee=stdout", []),
        ("stdout_logfile=/proc/self/fd/1\nstdout_tee=stdout, stderr", ["/dev/stderr"]),
        ("stdout_logfile=a.log, /dev/stdout\nstdout_tee=stdout, syslog", ["/dev/stdout", "syslog"]),
        ("stdout_logfile=/dev/null, /dev/null, /dev/fd/1", ["/dev/stdout"]),
    ],
)
def test_a_target_gets_each_line_once(tmp_path: Path, lines: str, copies: list[str]) -> None:
    stream = program(tmp_path, lines).stdout
    assert [target for targets, _ in stream.copies for target in targets] == copies


@pytest.mark.parametrize(
    ("lines", "option", "reason"),
    [
        ("stdout_tee=stdout\nstdout_tee_format=json\nsyslog_tag=a\nstderr_syslog=true", "", ""),
        ("stdout_tee=syslog\nsyslog_stdout_priority=err", "", ""),
        ("stdout_tee=none\nstderr_tee=none\nredirect_stderr=true", "", ""),
        ("stderr_tee_format=json", "stderr_tee_format", "there is no stderr_tee"),
        ("syslog_tag=a", "syslog_tag", "the program's output does not go to syslog"),
        (
            "stdout_tee=syslog\nsyslog_stderr_priority=err",
            "syslog_stderr_priority",
            "stderr does not go to syslog",
        ),
        ("stderr_tee=stdout\nredirect_stderr=true", "stderr_tee", "stderr is part of stdout"),
        ("stdout_logfile=/dev/fd/1\nstdout_tee=stdout", "stdout_tee", "the log goes there"),
        ("stdout_logfile=a, /dev/fd/1\nstdout_tee=stdout", "stdout_tee", "the log goes there"),
    ],
)
def test_copies_that_cannot_work_are_warnings(
    tmp_path: Path, lines: str, option: str, reason: str
) -> None:
    text = f"[program:x]\ncommand=/bin/cat\n{lines}\n"
    found = [each for each in read(tmp_path, text).warnings if "effect" in each]
    start = "'/dev/stdout' in " if reason == "the log goes there" else ""
    where = f"{start}option {option!r} in section 'program:x' (file: '{tmp_path / 'c.conf'}')"
    assert found == ([f"{where} has no effect: {reason}"] if option else [])


def test_a_default_for_all_programs() -> None:
    """One place of the configuration sets it; a program may differ."""
    parser = UnhosedConfigParser()
    parser.read_string(
        "[program:x]\ncommand=a\n[program:y]\ncommand=a\nstdout_tee=NONE\nstderr_tee=stderr\n"
    )
    parser.program_defaults |= dict.fromkeys(("stdout_tee", "stderr_tee"), ("/dev/stdout",))
    tees = [
        (config.stdout.tee, config.stderr.tee)
        for name in "xy"
        for config in processes_from_section(parser, f"program:{name}", name, ProcessConfig)
    ]
    assert tees == [(("/dev/stdout",), ("/dev/stdout",)), ((), ("/dev/stderr",))]
