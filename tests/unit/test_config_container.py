"""The defaults of a container: `supervisord --container`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.common.text import ACTIVITY_FORMAT
from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import Configuration

SETTINGS = {
    "nodaemon": True,
    "silent": False,
    "logfile": "/dev/null",
    "logfile_maxbytes": 0,
    "logfile_format": ACTIVITY_FORMAT,
    "pidfile": "/dev/null",
    "subreaper": True,
    "exit_when_all_exited": True,
    "shutdown_timeout": 8,
}


def read(directory: Path, text: str, *arguments: str) -> Configuration:
    """Return the configuration whose file has this text, with a program."""
    file = directory / "c.conf"
    programs = "" if "[" in text else "\n[program:any]\ncommand=cat\n"
    file.write_text(f"[supervisord]\n{text}{programs}", encoding="utf-8")
    return read_server_configuration(["-c", str(file), *arguments])


def settings(configuration: Configuration) -> dict[str, Any]:
    """Return the settings for which there are defaults."""
    return {name: getattr(configuration.settings, name) for name in SETTINGS}


@pytest.mark.parametrize(
    ("text", "arguments", "changed"),
    [
        pytest.param("", "--container", {}, id="all defaults"),
        pytest.param("", "--container=prefix", {}, id="the format by name"),
        pytest.param("", "--container=json", {"logfile_format": "json"}, id="json"),
        pytest.param("nodaemon=false", "--container", {}, id="never in the background"),
        pytest.param("", "-n --container", {}, id="with -n"),
        pytest.param("silent=true", "--container", {"silent": True}, id="silent in the file"),
        pytest.param(
            "logfile=/dev/stdout\nlogfile_maxbytes=5",
            "--container",
            {"logfile": "/dev/stdout", "logfile_maxbytes": 5, "silent": True},
            id="stdout is not written twice",
        ),
        pytest.param(
            "logfile=/a.log\npidfile=/a.pid",
            "--container -l /dev/fd/2 -j /b.pid",
            {"logfile": "/dev/fd/2", "pidfile": "/b.pid", "silent": True},
            id="the command line wins",
        ),
        pytest.param(
            "subreaper=no\nexit_when_all_exited=no\nshutdown_timeout=0\nlogfile_format=%(message)s",
            "--container=json",
            {
                "subreaper": False,
                "exit_when_all_exited": False,
                "shutdown_timeout": 0,
                "logfile_format": "%(message)s",
            },
            id="the file wins",
        ),
    ],
)
def test_settings(tmp_path: Path, text: str, arguments: str, changed: dict[str, Any]) -> None:
    found = read(tmp_path, text, *arguments.split())
    assert settings(found) == {**SETTINGS, **changed}
    assert found.warnings == ()


def test_without_the_flag_nothing_changes(tmp_path: Path) -> None:
    found = settings(read(tmp_path, ""))
    assert not found["nodaemon"]
    assert not found["subreaper"]
    assert found["logfile"].endswith("/supervisord.log")
    assert found["pidfile"].endswith("/supervisord.pid")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--container=xml", "invalid value for --container 'xml': expected prefix or json"),
        ("--container=", "invalid value for --container '': expected prefix or json"),
        ("--container --container=json", "conflicting command line option '--container'"),
        ("--container json", "positional arguments are not supported: ['json']"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, "", *arguments.split())
    assert str(raised.value) == error


def test_an_abbreviation_of_supervisor_4_is_still_unique(tmp_path: Path) -> None:
    """`--con` is `--configuration`."""
    file = tmp_path / "c.conf"
    file.write_text("[supervisord]\nidentifier=short\n", encoding="utf-8")
    assert read_server_configuration(["--con", str(file)]).settings.identifier == "short"


PREFIXED = (None, "raw", ("/dev/stdout",), "prefix")
"""Log, its format, targets of the copy, and their format."""


@pytest.mark.parametrize(
    ("options", "arguments", "stdout", "stderr"),
    [
        pytest.param("", "--container", PREFIXED, PREFIXED, id="copies instead of logs"),
        pytest.param(
            "",
            "--container=json",
            (None, "raw", ("/dev/stdout",), "json"),
            (None, "raw", ("/dev/stdout",), "json"),
            id="json",
        ),
        pytest.param(
            "stdout_logfile=/a.log\nstderr_logfile=/%(program_name)s.log",
            "--container",
            ("/a.log", "raw", ("/dev/stdout",), "prefix"),
            ("/fd.log", "raw", ("/dev/stdout",), "prefix"),
            id="copies beside logs",
        ),
        pytest.param(
            "stdout_logfile=/dev/stdout\nstderr_logfile=/dev/%(group_name)s/2",
            "--container=json",
            ("/dev/stdout", "json", (), "prefix"),
            ("/dev/fd/2", "json", (), "prefix"),
            id="no copy beside a log on a standard stream",
        ),
        pytest.param(
            "stdout_logfile=/dev/stdout\nstdout_logfile_format=raw\nredirect_stderr=true",
            "--container=json",
            ("/dev/stdout", "raw", (), "prefix"),
            (None, "raw", ("/dev/stdout",), "json"),
            id="the format of the program",
        ),
        pytest.param(
            "stdout_logfile=/b.log, /dev/stdout\n",
            "--container",
            ("/b.log", "prefix", (), "prefix"),
            PREFIXED,
            id="a further target",
        ),
        pytest.param(
            "stdout_tee=/b.log\nstdout_tee_format=raw\nstderr_tee=NONE",
            "--container",
            (None, "raw", ("/b.log",), "raw"),
            (None, "raw", (), "prefix"),
            id="copies of the program",
        ),
    ],
)
def test_output_of_programs(
    tmp_path: Path,
    options: str,
    arguments: str,
    stdout: tuple[object, ...],
    stderr: tuple[object, ...],
) -> None:
    found = read(tmp_path, f"[program:fd]\ncommand=cat\n{options}", arguments)
    (config,) = found.groups[0].process_configs
    streams = [
        (each.logfile, each.logfile_format, each.tee, each.tee_format)
        for each in (config.stdout, config.stderr)
    ]
    assert streams == [stdout, stderr]
    assert found.warnings == ()


def test_a_format_of_all_logs_is_kept(tmp_path: Path) -> None:
    text = "childlog_format=raw\n[program:web]\ncommand=cat\nstdout_logfile=/dev/stdout\n"
    (group,) = read(tmp_path, text, "--container=json").groups
    assert group.process_configs[0].stdout.logfile_format == "raw"


def test_the_protocol_of_a_listener_is_not_copied(tmp_path: Path) -> None:
    text = "[eventlistener:hears]\ncommand=cat\nevents=TICK_60\n"
    (group,) = read(tmp_path, text, "--container").groups
    (config,) = group.process_configs
    assert (config.stdout.tee, config.stderr.tee) == ((), ("/dev/stdout",))


def test_rereading_finds_no_change(tmp_path: Path) -> None:
    text = "[program:web]\ncommand=cat\n"
    first, second = (read(tmp_path, text, "--container").groups for _ in range(2))
    assert first == second
