"""The daemon's configuration: its settings, and the processes of programs."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.model import (
    ProcessConfig,
    Settings,
)
from supervisor.datatypes import (
    Automatic,
    RestartUnconditionally,
    Syslog,
)
from tests.support.configs import located, read, refusal


def processes(directory: Path, lines: str) -> list[ProcessConfig]:
    """Return the processes of a [program:x] with these lines."""
    (group,) = read(directory, f"[program:x]\ncommand=/bin/cat\n{lines}").groups
    return group.process_configs


# -- settings


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty section gives what the sample shows."""
    monkeypatch.chdir(tmp_path)
    settings = read(tmp_path, "").settings
    assert settings.logfile == str(tmp_path / "supervisord.log")
    assert settings.pidfile == str(tmp_path / "supervisord.pid")
    assert settings.configfile == str(tmp_path / "c.conf")
    assert settings.here == str(tmp_path)
    assert (settings.logfile_maxbytes, settings.logfile_backups) == (50 * 1024**2, 10)
    assert (settings.minfds, settings.minprocs, settings.umask) == (1024, 200, 0o22)
    assert (settings.nodaemon, settings.silent, settings.nocleanup) == (False, False, False)
    assert (settings.uid, settings.gid, settings.directory) == (None, None, None)
    assert settings.identifier == "supervisor"
    assert settings.loglevel == 20
    assert os.path.isdir(settings.childlogdir)


def test_the_command_line_wins(tmp_path: Path) -> None:
    """Each option, short or long, replaces the value of the file."""
    text = "loglevel=info\nlogfile_maxbytes=7\nuser=nobodyxx\nminfds=9\numask=022\n"
    settings = read(
        tmp_path, text, "-nks", "-t", "-edebug", "-y1KB", "-u0", "--minfds=5", "-m", "077"
    ).settings
    assert (settings.loglevel, settings.logfile_maxbytes, settings.minfds) == (10, 1024, 5)
    assert (settings.uid, settings.gid, settings.umask) == (0, 0, 0o77)
    assert settings.nodaemon
    assert settings.strip_ansi
    assert settings.nocleanup
    assert settings.silent


def test_profile_options(tmp_path: Path) -> None:
    """Only the command line has them."""
    settings = read(tmp_path, "", "--profile_options=calls,callers").settings
    assert settings.profile_options == (["calls"], True)


def test_the_log_may_go_to_syslog(tmp_path: Path) -> None:
    """In exactly this spelling; anything else is a file."""
    assert read(tmp_path, "logfile=syslog\n").settings.logfile is Syslog
    assert read(tmp_path, "logfile=SYSLOG\n").settings.logfile == os.path.abspath("SYSLOG")


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """The same file read twice gives equal groups, and the environment stays as it was."""
    before = dict(os.environ)
    text = "environment=A_NEW_ONE=1\n[program:x]\ncommand=a\n[program:y]\ncommand=b\n"
    assert read(tmp_path, text).groups == read(tmp_path, text).groups
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("text", "message", "option"),
    [
        ("minfds=x\n", "invalid literal for int() with base 10: 'x'", "minfds"),
        ("loglevel=foo\n", "bad logging level name 'foo'", "loglevel"),
        ("logfile=/\n", "/ is a directory", "logfile"),
        ("logfile=a\0b\n", r"null byte in 'a\x00b'", "logfile"),
        ("umask=9\n", "9 can not be converted to an octal type", "umask"),
        ("user=nobodyxx\n", "Invalid user name nobodyxx", "user"),
        ("directory=/missing\n", "/missing is not an existing directory", "directory"),
        (
            "identifier=%(nope)s\n",
            (
                "Format string '%(nope)s' for 'supervisord.identifier' contains names ('nope') "
                "which cannot be expanded. Available names: ENV_ONE, here"
            ),
            "identifier",
        ),
    ],
)
def test_mistakes_in_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, option: str
) -> None:
    """Each is one error with the text that operators know, and with the place."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONE", "1")
    assert refusal(tmp_path, text) == located(message, "supervisord", option)


def test_where_the_activity_log_is_configured(tmp_path: Path) -> None:
    """An error that is found when the log is opened names the place, too."""
    place = located("", "supervisord", "logfile").replace("DIR", str(tmp_path))
    assert read(tmp_path, "logfile=x\n").settings.logfile_origin == place
    assert read(tmp_path, "").settings.logfile_origin == place
    overridden = read(tmp_path, "logfile=x\n", "-l", "y").settings.logfile_origin
    assert overridden == ", option '-l/--logfile'"


def test_an_unknown_user_on_the_command_line(tmp_path: Path) -> None:
    """The message names the flag, not the file, whose user may be a good one."""
    assert refusal(tmp_path, "user=root\n", "-u", "nobodyxx") == (
        "Invalid user name nobodyxx, option '-u/--user'"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"[supervisord]\nfoo\nbar\n",
            (
                "Source contains parsing errors: 'DIR/c.conf'; [line  2]: 'foo\\n'; "
                "[line  3]: 'bar\\n'"
            ),
        ),
        (
            b"foo\r\n",
            "File contains no section headers.; file: 'DIR/c.conf', line: 1; 'foo\\n'",
        ),
        (
            b"\xef\xbb\xbf[supervisord]\r\n# caf\xe9\r\n",
            (
                "'utf-8' codec can't decode byte 0xe9 in position 20: invalid continuation byte"
                " in line 2 (file: 'DIR/c.conf')"
            ),
        ),
        (b"[program:x]\n", ".ini file does not include supervisord section (file: 'DIR/c.conf')"),
        (
            b"[include]\n",
            located(".ini file has [include] section, but no files setting", "include", "files"),
        ),
        (
            b"[supervisord]\ndirectory=a\n  b\n",
            located("a; b is not an existing directory", "supervisord", "directory"),
        ),
    ],
)
def test_files_that_are_malformed(tmp_path: Path, content: bytes, message: str) -> None:
    """The message is one line, and names the file and, where there is one, the line."""
    assert refusal(tmp_path, content) == message


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Some editors begin every file with one, and end lines as they like."""
    content = b"\xef\xbb\xbf[supervisord]\r\nidentifier=a\r\n\r\n[program:x]\r\ncommand=b\r\n"
    configuration = read(tmp_path, content)
    assert configuration.settings.identifier == "a"
    assert configuration.groups[0].process_configs[0].command == "b"


# -- processes


def test_defaults_of_a_program(tmp_path: Path) -> None:
    """A command suffices, and a config that is read equals one that is constructed."""
    assert processes(tmp_path, "") == [ProcessConfig(name="x", command="/bin/cat")]


def test_everything_of_a_program(tmp_path: Path) -> None:
    """Each option arrives under its name."""
    text = """\
process_name=p
directory=/
umask=077
priority=5
autostart=false
autorestart=true
startsecs=2
startretries=4
user=0
stdout_logfile=/dev/null
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=2
stdout_capture_maxbytes=1MB
stdout_events_enabled=true
stdout_syslog=true
stderr_logfile=NONE
stderr_logfile_maxbytes=2KB
stderr_logfile_backups=3
stderr_capture_maxbytes=2MB
stderr_events_enabled=true
stderr_syslog=true
stopsignal=INT
stopwaitsecs=7
stopasgroup=true
exitcodes=0,2
environment=A="1"
serverurl=http://x
"""
    assert processes(tmp_path, text) == [
        ProcessConfig(
            name="p",
            command="/bin/cat",
            directory="/",
            umask=0o77,
            priority=5,
            autostart=False,
            autorestart=RestartUnconditionally,
            startsecs=2,
            startretries=4,
            uid=0,
            stdout_logfile="/dev/null",
            stdout_logfile_maxbytes=1024,
            stdout_logfile_backups=2,
            stdout_capture_maxbytes=1024**2,
            stdout_events_enabled=True,
            stdout_syslog=True,
            stderr_logfile=None,
            stderr_logfile_maxbytes=2048,
            stderr_logfile_backups=3,
            stderr_capture_maxbytes=2 * 1024**2,
            stderr_events_enabled=True,
            stderr_syslog=True,
            stopsignal=signal.SIGINT,
            stopwaitsecs=7,
            stopasgroup=True,
            killasgroup=True,
            exitcodes=[0, 2],
            environment={"A": "1"},
            serverurl="http://x",
        )
    ]


def test_numprocs(tmp_path: Path) -> None:
    """Each value that uses the number gets it; the processes are sorted by name."""
    text = (
        "numprocs=3\nnumprocs_start=9\nprocess_name=%(program_name)s-%(process_num)d\n"
        "directory=/%(process_num)d\nenvironment=N='%(process_num)d/%(numprocs)d'\n"
    )
    configs = processes(tmp_path, text)
    assert [(c.name, c.directory, c.environment["N"]) for c in configs] == [
        ("x-10", "/10", "10/3"),
        ("x-11", "/11", "11/3"),
        ("x-9", "/9", "9/3"),
    ]
    assert configs[0].exitcodes is not configs[1].exitcodes


@pytest.mark.parametrize("numprocs", [0, -1])
def test_no_processes_at_all(tmp_path: Path, numprocs: int) -> None:
    """The group is there, empty."""
    assert processes(tmp_path, f"numprocs={numprocs}\n") == []


def test_environment_of_all_programs(tmp_path: Path) -> None:
    """It is laid under a program's own, expanded once, and may be used in values."""
    text = (
        'environment=A=1,B="50%%"\n[program:x]\ncommand=%(ENV_A)s %(ENV_C)s\n'
        "environment=A=9,C='%(ENV_B)s'\n"
    )
    (group,) = read(tmp_path, text).groups
    (config,) = group.process_configs
    assert config.environment == {"A": "9", "B": "50%", "C": "50%"}
    assert config.command == "9 50%"


@pytest.mark.parametrize(
    ("lines", "file", "syslog", "warning"),
    [
        ("", Automatic, False, None),
        ("redirect_stderr=true\n", None, False, None),
        ("redirect_stderr=true\nstderr_syslog=true\n", None, True, None),
        (
            "redirect_stderr=true\nstderr_logfile=/dev/null\n",
            None,
            False,
            (
                "For [program:x], redirect_stderr=true but stderr_logfile has also been set to a "
                "filename, the filename has been ignored"
            ),
        ),
        (
            "stderr_logfile=syslog\n",
            None,
            True,
            (
                "For [program:x], stderr_logfile=syslog but this is deprecated and will be "
                "removed.  Use stderr_syslog=true to enable syslog instead."
            ),
        ),
    ],
)
def test_where_stderr_goes(
    tmp_path: Path,
    lines: str,
    file: Any,
    syslog: bool,  # noqa: FBT001 - a column of the table
    warning: str | None,
) -> None:
    """Redirected stderr has no file, and syslog is an option of its own."""
    configuration = read(tmp_path, f"[program:x]\ncommand=a\n{lines}")
    (config,) = configuration.groups[0].process_configs
    assert config.stderr_logfile is file
    assert config.stderr_syslog is syslog
    assert configuration.warnings == (() if warning is None else (warning,))


@pytest.mark.parametrize(
    ("lines", "message", "option"),
    [
        ("startsecs=abc", "invalid literal for int() with base 10: 'abc'", "startsecs"),
        ("autorestart=maybe", "invalid 'autorestart' value 'maybe'", "autorestart"),
        ("stopsignal=FOO", "value 'FOO' is not a valid signal name", "stopsignal"),
        ("exitcodes=300", "not a valid list of exit codes: '300'", "exitcodes"),
        ("process_name=a:b", "Invalid name: 'a:b' because of character: ':'", "process_name"),
        (
            "numprocs=2",
            "%(process_num) must be present within process_name when numprocs > 1",
            "process_name",
        ),
        (
            "stopasgroup=true\nkillasgroup=false",
            "Cannot set stopasgroup=true and killasgroup=false",
            "killasgroup",
        ),
        ("environment=A", "Unexpected end of key/value pairs in value 'A'", "environment"),
        (
            "command=50%",
            (
                "Format string '50%' for 'program:x.command' is badly formatted: "
                "incomplete format; a literal % is written %%"
            ),
            "command",
        ),
    ],
)
def test_mistakes_in_programs(tmp_path: Path, lines: str, message: str, option: str) -> None:
    """The message ends with the section, the file and the option."""
    text = f"[program:x]\ncommand=a\n{lines}\n"
    assert refusal(tmp_path, text) == located(message, "program:x", option)


def test_a_program_without_a_command(tmp_path: Path) -> None:
    """It is the only option that a program must have."""
    assert refusal(tmp_path, "[program:x]\n") == (
        "program section program:x does not specify a command"
        " in section 'program:x' (file: 'DIR/c.conf'), option 'command'"
    )


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"TMPDIR": "{good}"},
        {"TMPDIR": "{missing}"},
        {"TMPDIR": "", "TEMP": "{good}"},
        {"TMPDIR": "{file}", "TMP": "{good}"},
        {"TMP": "{good}/../{name}"},
        {"TEMP": "."},
    ],
)
def test_auto_logs_go_where_python_puts_temporary_files(
    named: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    places = {"good": tmp_path, "name": tmp_path.name}
    places |= {name: tmp_path / name for name in ("missing", "file")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", None)  # where it remembers what it has found
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    for name, value in named.items():
        monkeypatch.setenv(name, value.format(**places))
    assert Settings(configfile=None, here=None).childlogdir == tempfile.gettempdir()
