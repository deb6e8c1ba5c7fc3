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
    """Return the configuration whose file has this text."""
    file = directory / "c.conf"
    file.write_text(f"[supervisord]\n{text}", encoding="utf-8")
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
