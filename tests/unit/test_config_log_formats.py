"""The formats of logs in the configuration: defaults, fields, rereads and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from supervisor.config.model import ProcessConfig
from tests.support.configs import located, read, refusal

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = "%(asctime)s %(process_num)02d %(message)s 100%%"


def processes(directory: Path, lines: str, settings: str = "") -> list[ProcessConfig]:
    """Return the processes of a [program:x] with these lines, below these of [supervisord]."""
    (group,) = read(directory, f"{settings}[program:x]\ncommand=/bin/cat\n{lines}").groups
    return group.process_configs


def formats(directory: Path, lines: str, settings: str = "") -> tuple[str, str]:
    """Return the formats of stdout and stderr of a program."""
    (config,) = processes(directory, lines, settings)
    return config.stdout.logfile_format, config.stderr.logfile_format


def test_logs_are_raw_by_default(tmp_path: Path) -> None:
    assert formats(tmp_path, "") == ("raw", "raw")
    plain = ProcessConfig("x", "/bin/cat")
    assert (plain.stdout.logfile_format, plain.stderr.logfile_format) == ("raw", "raw")


def test_each_stream_has_a_format(tmp_path: Path) -> None:
    lines = f"stdout_logfile_format=JSON\nstderr_logfile_format={TEMPLATE}\n"
    assert formats(tmp_path, lines) == ("json", TEMPLATE)


def test_the_default_of_all_programs(tmp_path: Path) -> None:
    settings = "childlog_format=prefix\n"
    assert formats(tmp_path, "", settings) == ("prefix", "prefix")
    assert formats(tmp_path, "stderr_logfile_format=raw\n", settings) == ("prefix", "raw")
    text = f"{settings}[eventlistener:e]\ncommand=a\nevents=TICK_5\n"
    (pool,) = read(tmp_path, text).groups
    assert pool.process_configs[0].stdout.logfile_format == "prefix"


def test_a_changed_default_is_a_change_of_the_program(tmp_path: Path) -> None:
    before, after = (
        processes(tmp_path, "", f"childlog_format={each}\n") for each in ("raw", "json")
    )
    assert before == processes(tmp_path, "")
    assert before != after


def test_processes_know_their_number(tmp_path: Path) -> None:
    lines = "process_name=%(process_num)d\nnumprocs=2\nnumprocs_start=3\n"
    assert [config.process_num for config in processes(tmp_path, lines)] == [3, 4]


def test_the_format_of_the_activity_log(tmp_path: Path) -> None:
    assert read(tmp_path, "").settings.logfile_format == "%(asctime)s %(levelname)s %(message)s"
    template = "%(levelname)s%% %(message)s"
    assert read(tmp_path, f"logfile_format={template}\n").settings.logfile_format == template
    assert read(tmp_path, "logfile_format=Json\n").settings.logfile_format == "json"


@pytest.mark.parametrize("section", ["supervisord", "program:x"])
def test_mistakes_name_section_option_and_file(tmp_path: Path, section: str) -> None:
    option = "childlog_format" if section == "supervisord" else "stdout_logfile_format"
    text = f"{option}=jsn\n"
    if section != "supervisord":
        text = f"[{section}]\ncommand=/bin/cat\n{text}"
    problem = "neither raw, prefix, timestamp, json nor a template with %(message)s: 'jsn'"
    assert refusal(tmp_path, text) == located(problem, section, option)


def test_a_mistake_in_the_format_of_the_activity_log(tmp_path: Path) -> None:
    assert refusal(tmp_path, "logfile_format=%(pid)d %(message)s\n") == located(
        "unknown field %(pid)d in '%(pid)d %(message)s', use asctime, levelname, message",
        "supervisord",
        "logfile_format",
    )


@pytest.mark.parametrize(
    ("lines", "unused"),
    [
        ("stdout_logfile_format=json\n", None),
        ("stdout_logfile_format=json\nstdout_logfile=%(here)s/x\n", None),
        ("stdout_logfile_format=json\nstdout_logfile=None\n", "stdout"),
        ("stdout_logfile_format=json\nstdout_logfile=syslog\n", "stdout"),
        ("stderr_logfile_format=json\nredirect_stderr=True\n", "stderr"),
        ("stdout_logfile_format=json\nredirect_stderr=true\n", None),
    ],
)
def test_a_format_without_a_log_is_a_warning(
    tmp_path: Path, lines: str, unused: str | None
) -> None:
    text = f"[program:x]\ncommand=/bin/cat\n{lines}"
    warnings = [each for each in read(tmp_path, text).warnings if "_format" in each]
    where = f"in section 'program:x' (file: '{tmp_path / 'c.conf'}')"
    reason = f"the program has no {unused}_logfile"
    expected = f"option '{unused}_logfile_format' has no effect {where}: {reason}"
    assert warnings == ([] if unused is None else [expected])
