"""A working directory that no longer exists: relative paths lead nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon, clean_environment

GONE = "is relative to a working directory that no longer exists"

SECTION = "section 'supervisord' (file: 'FILE')"

STEP_ASIDE = """
import os, sys
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Execs a command in a directory that is deleted."""


def run_in_deleted(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory that has been deleted, to its end."""
    return subprocess.run(
        [sys.executable, "-c", STEP_ASIDE, *OURS.command(command[0]), *command[1:]],
        capture_output=True,
        text=True,
        cwd=directory,
        # `python -m` would look for the package in the working directory first.
        env=clean_environment(directory, {"PYTHONSAFEPATH": "1"}),
        timeout=20,
        check=False,
    )


def test_commands_of_the_client_are_faults(directory: Path) -> None:
    """The default for a log file is a relative path; everything goes on."""
    workplace = directory / "workplace"
    workplace.mkdir()
    config = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"
    daemon = Daemon(directory, config, within=("sh", "-c", 'cd workplace && exec "$@"', "sh"))
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(text.replace("logfile=%(here)s/", "logfile=", 1))
    with daemon:
        daemon.wait_for_state("web", "RUNNING")
        (workplace / "supervisord.log").unlink()
        workplace.rmdir()
        line = (
            f"ERROR: CANT_REREAD: supervisord.log {GONE} in section 'supervisord'"
            f" (file: '{daemon.config_path}'), option 'logfile'\n"
        )
        for command in ("reread", "update", "reload"):
            result = daemon.ctl(command)
            assert (result.stdout, result.stderr, result.returncode) == (line, "", 1)
        assert daemon.info("web")["statename"] == "RUNNING"


RELATIVE = "[supervisord]\nnodaemon=true\n"
ABSOLUTE = "[supervisord]\nnodaemon=true\nlogfile=/dev/null\npidfile={}/p\nlogfile_maxbytes=0\n"
CLIENT = "[supervisorctl]\nserverurl=unix://s.sock\n"


@pytest.mark.parametrize(
    ("text", "command", "line"),
    [
        (
            RELATIVE,
            "supervisord",
            f"Error: supervisord.log {GONE} in {SECTION}, option 'logfile'",
        ),
        (
            f"{RELATIVE}logfile=/dev/null\n",
            "supervisord",
            f"Error: supervisord.pid {GONE} in {SECTION}, option 'pidfile'",
        ),
        (ABSOLUTE, "supervisord -l a.log", f"Error: a.log {GONE}, option '-l/--logfile'"),
        (ABSOLUTE, "supervisord -j a.pid", f"Error: a.pid {GONE}, option '-j/--pidfile'"),
        (
            f"{ABSOLUTE}[unix_http_server]\nfile=s.sock\n",
            "supervisord",
            f"Error: s.sock {GONE} in section 'unix_http_server' (file: 'FILE'), option 'file'",
        ),
        (
            CLIENT,
            "supervisorctl version",
            f"Error: s.sock {GONE} in section 'supervisorctl' (file: 'FILE'), option 'serverurl'",
        ),
        (
            f"{CLIENT}history_file=h\n".replace("s.sock", "/s.sock"),
            "supervisorctl version",
            f"Error: h {GONE} in section 'supervisorctl' (file: 'FILE'), option 'history_file'",
        ),
    ],
)
def test_a_relative_path_is_one_line(directory: Path, text: str, command: str, line: str) -> None:
    """It names the option."""
    file = directory / "c.conf"
    file.write_text(text.format(directory), encoding="utf-8")
    name, *arguments = command.split()
    result = run_in_deleted(directory, name, "-c", str(file), *arguments)
    assert result.stderr.splitlines()[0] == line.replace("FILE", str(file))
    assert len(result.stderr.splitlines()) == 2
    assert (result.stdout, result.returncode) == ("", 2)


@pytest.mark.parametrize(
    ("command", "error", "status"),
    [
        ("supervisord -c a.conf", "Error: could not find config file a.conf", 2),
        ("supervisorctl -c a.conf version", "Error: could not find config file a.conf", 2),
        ("supervisorctl -s unix:///nonexistent/s version", "", 7),
        ("supervisord -v", "", 0),
        ("echo_supervisord_conf", "", 0),
        ("pidproxy a.pid true", "Can't find a.pid: the working directory no longer exists", 1),
        ("pidproxy /a.pid true", "", 0),
    ],
)
def test_what_needs_no_directory_works(
    directory: Path, command: str, error: str, status: int
) -> None:
    result = run_in_deleted(directory, *command.split())
    assert result.returncode == status
    assert (result.stderr.splitlines() or [""])[0] == error


def test_a_daemon_with_absolute_paths_starts(directory: Path) -> None:
    config = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"
    within = (sys.executable, "-c", STEP_ASIDE)
    environment = {"PYTHONSAFEPATH": "1"}
    with Daemon(directory, config, within=within, environment=environment) as daemon:
        daemon.wait_for_state("web", "RUNNING")
        assert os.readlink(f"/proc/{daemon.pid}/cwd").endswith(" (deleted)")
        assert daemon.ctl("reread").stdout == "No config updates to processes\n"
