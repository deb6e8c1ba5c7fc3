"""Command lines that end at once: texts, streams and exit statuses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.comparison import assert_same, run_both
from tests.support.daemon import OURS, Daemon, reference
from tests.support.differences import ADDED_OPTIONS, declared, without_additions
from tests.support.ports import free_port

SUPERVISORD = (
    "-v",
    "--version",
    "-t -v",
    "-s --version",
    "--nosuch",
    "-x",
    "-l",
    "-i",
    "--logfile",
    "--no",
    "--min -v",
    "--ch=. -v",
    "--st -v",
    "--por -v",
    "--js",
    "--nodaemon=yes",
    "extra",
    "-n extra more",
    "-c /nonexistent",
    "--con /nonexistent",
    "-e nosuch",
    "-m 999",
    "-m 8",
    "-m",
    "-z x",
    "-y 5XB",
    "-y -",
    "-a x",
    "--minprocs=x",
    "--min=x",
    "-j /nonexistent/x",
    "-l /nonexistent/x",
    "-d /nonexistent",
    "-q /nonexistent",
    "-n -n -v",
    "-? -Z",
    "-? extra",
    "-v -?",
)

SUPERVISORCTL = (
    "--nosuch",
    "-c",
    "-c /nonexistent",
    "-c /nonexistent version",
    "-s nonsense version",
    "-c client.conf version",
    "-c client.conf help",
    "-c client.conf help nosuch",
    "-c client.conf nosuch",
    "-c client.conf status",
    "-c client.conf start x",
    "-c client.conf stop x",
    "-c client.conf restart x",
    "-c client.conf tail x",
    "-c client.conf maintail",
    "-c client.conf clear x",
    "-c client.conf signal HUP x",
    "-c client.conf shutdown",
    "-c client.conf fg x",
    "-s unix:///nonexistent/s.sock status",
    "-s http://127.0.0.1:1 status",
    "-s http://127.0.0.1:1 start x",
    "-s http://127.0.0.1:1 shutdown",
)

# A file that cannot be used.
FILE_ERRORS = (
    "supervisord -n -c .",
    "supervisord -n -c empty.conf",
    "supervisord -n -c broken.conf",
    "supervisord -n -c wrong.conf",
    "supervisord -n -u no-such-user -c empty.conf",
    "supervisorctl -c empty.conf status",
)

FILES = {
    "empty.conf": "",
    "broken.conf": "[supervisord\n",
    "wrong.conf": "[supervisord]\nlogfile_backups=many\n",
    "client.conf": "[supervisorctl]\nserverurl=unix:///nonexistent/s.sock\n",
}


NO_SERVER = "unix:///nonexistent/s.sock no such file"

SECTION = re.compile(r"^;?\[([\w-]+)")
COMMENTED = re.compile(r"^;(\w[\w.]*)\s*=\s*\S")
ACTIVE = re.compile(r"^(\w[\w.]*)\s*=\s*(\S.*?)(?:\s+;.*)?$")


@pytest.mark.parametrize("arguments", SUPERVISORD)
def test_supervisord(arguments: str) -> None:
    assert_same(*run_both("supervisord", *arguments.split(), files=FILES))


@pytest.mark.parametrize("arguments", SUPERVISORCTL)
def test_supervisorctl(arguments: str) -> None:
    results = run_both("supervisorctl", *arguments.split(), files=FILES)
    for result in results:
        result["stdout"] = without_additions("\n".join(result["stdout"]) + "\n").splitlines()
    assert_same(*results)


@pytest.mark.parametrize(
    "command", ["supervisord -?", "supervisord -n?", "supervisorctl -?", "supervisorctl -? status"]
)
def test_a_question_mark_prints_the_usage(command: str) -> None:
    """Its words are our own."""
    declared("Help texts")
    theirs, ours = (
        (result["status"], result["stderr"], "Usage: " in "\n".join(result["stdout"]))
        for result in run_both(*command.split())
    )
    assert theirs == (0, [], True)
    assert_same(theirs, ours)


@pytest.mark.parametrize("command", FILE_ERRORS)
def test_an_error_in_a_file_is_told_in_one_line(command: str) -> None:
    """It begins as the original's, and may say more about where the mistake is."""
    declared("One line for an error in a file")
    theirs, ours = run_both(*command.split(), files=FILES)
    told, *_, help_line = theirs.pop("stderr")
    line, help_line_of_ours = ours.pop("stderr")
    assert line.startswith(told)
    assert (ours, help_line_of_ours) == (theirs, help_line)


@pytest.mark.parametrize("command", ["pid", "avail", "reread", "update", "add x", "remove x"])
def test_without_a_server_there_is_one_clear_line(command: str) -> None:
    declared("One clear line without a server")
    theirs, ours = run_both("supervisorctl", "-c", "client.conf", *command.split(), files=FILES)
    assert_same({**theirs, "stdout": [NO_SERVER]}, ours)


@pytest.mark.parametrize("arguments", ["", "only-a-pidfile"])
def test_pidproxy_without_a_command_shows_its_usage(arguments: str) -> None:
    """The words are ours; status and stream are the same."""
    theirs, ours = run_both("pidproxy", *arguments.split())
    for result in (theirs, ours):
        assert "Usage: pidproxy" in "\n".join(result.pop("stdout"))
    assert_same(theirs, ours)


def test_an_unknown_kind_of_url_is_an_error() -> None:
    """The text of the original names a line of its source."""
    theirs, ours = run_both("supervisorctl", "-s", "ftp://localhost", "status")
    assert_same(theirs["status"], ours["status"])
    assert "ftp://localhost" in ours["stdout"][0]


@pytest.mark.parametrize("command", ["supervisord", "supervisorctl"])
def test_help_names_the_same_options(command: str) -> None:
    """The words of the help are ours; what it names and where it goes is the same."""
    declared("Checking a configuration")
    declared("The main process of a container")
    theirs, ours = run_both(command, "-h")
    for result in (theirs, ours):
        text = "\n".join(result.pop("stdout"))
        options = set(re.findall(r"(?<![\w-])--?[a-z_]+(?:-[a-z_]+)*", text))
        result["options"] = sorted(options - set(ADDED_OPTIONS))
    assert_same(theirs, ours)


def test_a_check_beside_the_original(directory: Path) -> None:
    """The daemon to be replaced uses the addresses of its configuration, which is no mistake."""
    declared("Checking a configuration")
    config = f"[inet_http_server]\nport=127.0.0.1:{free_port()}\n"
    with Daemon(directory, config, implementation=reference()) as daemon:
        result = subprocess.run(
            [*OURS.command("supervisord"), "--check", "-c", str(daemon.config_path)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=daemon.environment,
        )
    assert (result.returncode, result.stdout) == (0, "OK: 0 processes in 0 groups\n")


def test_the_sample_shows_every_kind_of_section_and_the_same_active_lines() -> None:
    """Commented or not; its words are ours, and it may show more."""
    theirs, ours = (result["stdout"] for result in run_both("echo_supervisord_conf"))
    assert kinds_of_sections(theirs) <= kinds_of_sections(ours)
    assert_same(active_lines(theirs), active_lines(ours))


def test_the_sample_has_what_recipes_edit() -> None:
    """Every option with its comment sign, and two lines that recipes replace with sed."""
    declared("The sample configuration")
    theirs, ours = (result["stdout"] for result in run_both("echo_supervisord_conf"))
    assert commented_options(theirs) <= commented_options(ours)
    for begin in (";serverurl=http://127.0.0.1:9001", ";files = relative/directory/*.ini"):
        for sample in (theirs, ours):
            assert len([line for line in sample if line.startswith(begin)]) == 1


def commented_options(sample: list[str]) -> set[tuple[str, str]]:
    """Return (section, option) of each line that is commented out."""
    section, found = "", set()
    for line in sample:
        if match := SECTION.match(line):
            section = match[1]
        elif match := COMMENTED.match(line):
            found.add((section, match[1]))
    return found


def kinds_of_sections(sample: list[str]) -> set[str]:
    """Return `program`, `group` ... for each section of a sample."""
    return {found[1] for line in sample if (found := SECTION.match(line))}


def active_lines(sample: list[str]) -> list[str]:
    """Return the options of a sample that are not commented out."""
    return sorted(ACTIVE.sub(r"\1=\2", line) for line in sample if ACTIVE.match(line))
