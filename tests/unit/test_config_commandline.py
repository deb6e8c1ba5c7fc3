"""Command lines of daemon and client, the search for the file, and the client's settings."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from supervisor import confecho
from supervisor.common.version import VERSION
from supervisor.config import commandline
from supervisor.config.client import ClientConfiguration
from supervisor.config.commandline import (
    ConfigurationError,
    fail,
    read_client_configuration,
    read_server_configuration,
    search_paths,
)
from tests.support.configs import SAMPLE, located, uncommented_sample


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and no configuration file in any place of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/nonexistent/bin/supervisord"])
    monkeypatch.setattr(commandline, "search_paths", lambda: ["supervisord.conf"])
    return tmp_path


def client(directory: Path, text: str, *arguments: str) -> ClientConfiguration:
    """Return the client's configuration whose file has this text."""
    file = directory / "c.conf"
    file.write_text(text, encoding="utf-8")
    return read_client_configuration(["-c", str(file), *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--bogus", "option --bogus not recognized"),
        ("-Q", "option -Q not recognized"),
        ("-c", "option -c requires argument"),
        ("--min 5", "option --min not a unique prefix"),
        ("--nodaemon=1", "option --nodaemon must not have an argument"),
        ("-n extra", "positional arguments are not supported: ['extra']"),
        ("-n --nodaemon", "conflicting command line option '--nodaemon'"),
        ("-m 9", "invalid value for -m '9': 9 can not be converted to an octal type"),
        ("--loglevel=x", "invalid value for --loglevel 'x': bad logging level name 'x'"),
        (
            "-y 10XB",
            "invalid value for -y '10XB': invalid literal for int() with base 10: '10xb'",
        ),
        ("-c nope.conf", "could not find config file nope.conf"),
        ("-c .", "could not read config file .: Is a directory"),
    ],
)
def test_mistakes_on_the_command_line(arguments: str, message: str, nowhere: Path) -> None:
    """One line each, with the option as it was written."""
    assert nowhere.is_dir()
    with pytest.raises(ConfigurationError) as caught:
        read_server_configuration(arguments.split())
    assert str(caught.value) == message


def test_the_form_of_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts look for these two lines on stderr, and for status 2."""
    monkeypatch.setattr(sys, "argv", ["bin/supervisord"])
    with pytest.raises(SystemExit) as end:
        fail("no good")
    assert end.value.code == 2
    assert capsys.readouterr() == ("", "Error: no good\nFor help, use bin/supervisord -h\n")


@pytest.mark.parametrize("arguments", ["-v", "--version", "-n -v", "-v -y x"])
def test_version(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed as soon as it is met."""
    with pytest.raises(SystemExit) as end:
        read_server_configuration(arguments.split())
    assert not end.value.code
    assert capsys.readouterr().out == f"{VERSION}\n"


def test_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The usage lists every option and shows the name of the command as it was called."""
    monkeypatch.setattr(sys, "argv", ["bin/this"])
    for read, options in (
        (read_server_configuration, commandline.server_options()),
        (read_client_configuration, commandline.CLIENT_OPTIONS),
    ):
        usages = []
        for flag in ("-h", "--help", "-?"):
            with pytest.raises(SystemExit) as end:
                read([flag])
            usages.append(capsys.readouterr().out)
            assert not end.value.code
        usage = usages[0]
        assert usages == [usage] * 3
        assert "Usage: bin/this [options]" in usage
        for option in options:
            name = option.name.replace("history_file", "history-file")
            assert (f"-{option.short[0]}/--{name}" if option.short else f"--{name}") in usage


def test_search_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the executable, in the current directory, in /etc."""
    monkeypatch.setattr(sys, "argv", ["/opt/x/bin/supervisord"])
    assert search_paths() == [
        "/opt/x/etc/supervisord.conf",
        "/opt/x/supervisord.conf",
        "supervisord.conf",
        "etc/supervisord.conf",
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
    ]


def test_nothing_found(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names every place; the client does without a file."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(ConfigurationError, match=r"at default paths \(supervisord\.conf\); use"):
        read_server_configuration(["-n"])
    assert read_client_configuration(["status"]).configfile is None
    (nowhere / "supervisord.conf").write_text("[supervisord]\n", encoding="utf-8")
    settings = read_server_configuration(["-n"]).settings
    assert settings.configfile == str(nowhere / "supervisord.conf")


def test_root_is_warned_of_searching(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who can write to the current directory could run programs as root."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    (nowhere / "supervisord.conf").write_text("[supervisord]\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="running as root and it is searching"):
        read_server_configuration(["-n"])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read_server_configuration(["-n", "-c", "supervisord.conf"])
    assert said == []


# -- the client


def test_defaults_of_the_client(tmp_path: Path) -> None:
    """An empty section is enough; without an action there is a shell."""
    configuration = client(tmp_path, "[supervisorctl]\n")
    assert vars(configuration) == {
        "configfile": str(tmp_path / "c.conf"),
        "serverurl": "http://localhost:9001",
        "username": None,
        "password": None,
        "prompt": "supervisor",
        "history_file": None,
        "interactive": True,
        "args": [],
        "plugin_factories": [],
        "socket_owners": (),
    }


def test_users_to_whom_the_socket_of_the_daemon_may_belong(tmp_path: Path) -> None:
    """As the file writes them; what cannot be expanded is the daemon's to report."""
    text = "[supervisorctl]\n[supervisord]\nuser={}\n[unix_http_server]\nchown=web:www\n"
    assert client(tmp_path, text.format("joe")).socket_owners == ("joe", "web:www")
    assert client(tmp_path, text.format("%(nope)s")).socket_owners == ("web:www",)


def test_settings_of_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths know their directory, and everything knows the environment."""
    monkeypatch.setenv("WHO", "me")
    configuration = client(
        tmp_path,
        "[supervisorctl]\nserverurl=unix://%(here)s/s\nusername=%(ENV_WHO)s\npassword=a%%b\n"
        "prompt=p\nhistory_file=~/h\n",
        "status",
        "all",
    )
    assert configuration.serverurl == f"unix://{tmp_path}/s"
    assert configuration.history_file == os.path.expanduser("~/h")
    assert (configuration.username, configuration.password) == ("me", "a%b")
    assert configuration.prompt == "p"
    assert (configuration.interactive, configuration.args) == (False, ["status", "all"])


def test_the_clients_command_line_wins(tmp_path: Path) -> None:
    """Arguments after the action are passed to the action."""
    configuration = client(
        tmp_path,
        "[supervisorctl]\nserverurl=http://x\nusername=a\n",
        *["-i", "-s", "http://y:1", "-u", "u", "-p", "p", "tail", "-f", "x"],
    )
    assert configuration.serverurl == "http://y:1"
    assert (configuration.username, configuration.password) == ("u", "p")
    assert (configuration.interactive, configuration.args) == (True, ["tail", "-f", "x"])


def test_plugins_of_the_client(tmp_path: Path) -> None:
    """They are imported, and get their options as text."""
    text = "[supervisorctl]\n[ctlplugin:x]\nsupervisor.ctl_factory=os.path:join\nA=1\n"
    assert client(tmp_path, text).plugin_factories == [("x", os.path.join, {"a": "1"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[supervisord]\n",
            ".ini file does not include supervisorctl section (file: 'DIR/c.conf')",
        ),
        (
            "foo\n",
            "File contains no section headers.; file: 'DIR/c.conf', line: 1; 'foo\\n'",
        ),
        (
            "[supervisorctl]\n[ctlplugin:x]\n",
            located(
                "section [ctlplugin:x] does not specify a supervisor.ctl_factory",
                "ctlplugin:x",
                "supervisor.ctl_factory",
            ),
        ),
        (
            "[supervisorctl]\n[ctlplugin:x]\nsupervisor.ctl_factory=nope\n",
            located(
                "nope cannot be resolved within [ctlplugin:x]: No module named 'nope'",
                "ctlplugin:x",
                "supervisor.ctl_factory",
            ),
        ),
    ],
)
def test_mistakes_in_the_clients_file(tmp_path: Path, text: str, message: str) -> None:
    """One line each."""
    with pytest.raises(ConfigurationError) as caught:
        client(tmp_path, text)
    assert str(caught.value).replace(str(tmp_path), "DIR") == message


def test_the_client_imports_little(tmp_path: Path) -> None:
    """Start-up time is felt: what is heavy must not come in with the configuration."""
    (tmp_path / "c.conf").write_text("[supervisorctl]\n", encoding="utf-8")
    program = (
        "import sys; before = set(sys.modules);"
        "from supervisor.config.commandline import read_client_configuration as read;"
        "read(['-c', 'c.conf']); print(*(set(sys.modules) - before))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    heavy = "dataclasses inspect typing ssl email socket subprocess tempfile glob urllib.parse"
    assert not set(heavy.split()) & set(finished.stdout.split())


# -- the sample


def test_the_sample_is_echoed_byte_for_byte() -> None:
    """The command prints the file that is shipped."""
    out = io.StringIO()
    confecho.main(out)
    assert out.getvalue().encode() == SAMPLE.read_bytes()


def test_the_sample_is_a_configuration() -> None:
    """Daemon and client understand each other by it as it is."""
    configuration = read_server_configuration(["-c", str(SAMPLE)])
    assert configuration.groups == []
    assert [plugin.name for plugin in configuration.rpcinterfaces] == ["supervisor"]
    assert configuration.warnings == ()
    url = read_client_configuration(["-c", str(SAMPLE)]).serverurl
    assert configuration.serverurl == url == "unix:///tmp/supervisor.sock"


def test_the_sample_may_be_uncommented(tmp_path: Path) -> None:
    """Every line of it is right, once users and plugins exist."""
    file = tmp_path / "c.conf"
    file.write_text(uncommented_sample(), encoding="utf-8")
    configuration = read_server_configuration(["-c", str(file)])
    assert [group.name for group in configuration.groups] == [
        "theeventlistenername",
        "thefcgiprogramname",
        "thegroupname",
    ]
    assert read_client_configuration(["-c", str(file)]).plugin_factories


def test_all_but_the_programs(nowhere: Path) -> None:
    """Errors in the sections of programs do not matter then."""
    (nowhere / "c.conf").write_text(
        "[supervisord]\nidentifier=x\nexit_code_from=y\n[program:y]\npriority=no number\n"
        "[unix_http_server]\nfile=x.sock\n",
        encoding="utf-8",
    )
    arguments = ["-c", "c.conf"]
    with pytest.raises(ConfigurationError):
        read_server_configuration(arguments)
    found = read_server_configuration(arguments, with_programs=False)
    assert found.groups == []
    assert (found.settings.identifier, found.settings.exit_code_from) == ("x", "y")
    assert [each.section for each in found.servers] == ["unix_http_server"]


def test_the_file_of_a_client_may_be_a_path(tmp_path: Path) -> None:
    """jobflow-remote passes one."""
    file = tmp_path / "client.conf"
    file.write_text("[supervisorctl]\nserverurl=http://localhost:1234\n", encoding="ascii")
    argv: list[Any] = ["-c", file]
    assert read_client_configuration(argv).serverurl == "http://localhost:1234"
