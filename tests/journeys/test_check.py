"""`supervisord --check` beside daemons, as any user, and as a hook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon, clean_environment
from tests.support.ports import free_port
from tests.support.strangers import UID, give_away, needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

CONFIG = """
[inet_http_server]
port=127.0.0.1:{port}
[program:x]
command={sleeper}
[fcgi-program:f]
command={sleeper}
socket=tcp://127.0.0.1:{other_port}
"""

PERMITTED = "OK: 2 processes in 2 groups\n"


def config() -> str:
    """Return programs, and all kinds of sockets."""
    return CONFIG.format(port=free_port(), other_port=free_port(), sleeper=child("sleeper"))


def run(file: Path, *arguments: str, uid: int | None = None) -> tuple[int, str, str]:
    """Return the exit status of a check, its stdout and its stderr."""
    result = subprocess.run(
        [*OURS.command("supervisord"), "--check", "-c", str(file), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean_environment(file.parent),
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
    )
    return result.returncode, result.stdout, result.stderr


def listing(directory: Path) -> list[tuple[str, int, int, int]]:
    """Return name, inode, size and time of each file."""
    files = [directory, *sorted(directory.rglob("*"))]
    status = [(path, path.lstat()) for path in files if path.name != "output.txt"]
    return [(str(path), each.st_ino, each.st_size, each.st_mtime_ns) for path, each in status]


def is_quiet(daemon: Daemon) -> bool:
    """Whether both programs are running and have written their line."""
    logs = list(daemon.directory.glob("*-stdout---*.log"))
    text = daemon.log_path.read_text(encoding="utf-8")
    return (
        text.count("entered RUNNING state")
        == len(logs)
        == sum(log.stat().st_size > 0 for log in logs)
    )


def test_beside_the_daemon_of_the_same_configuration(directory: Path) -> None:
    """Its addresses are in use, which is no mistake, and nothing changes."""
    with Daemon(directory, config()) as daemon:
        wait_until(lambda: is_quiet(daemon), what="the last lines of the start")
        before = listing(directory)
        assert run(daemon.config_path) == (0, PERMITTED, "")
        assert run(daemon.config_path, "--strict", "--json") == (0, "[]\n", "")
        assert listing(directory) == before
        # The running daemon is recognized by its command line too.
        text = daemon.config_path.read_text(encoding="utf-8")
        daemon.config_path.write_text(text.replace("supervisord.pid", "new.pid"), encoding="utf-8")
        assert run(daemon.config_path) == (0, PERMITTED, "")


def test_a_check_that_finds_nothing_creates_nothing(directory: Path) -> None:
    daemon = Daemon(directory, config())
    before = listing(directory)
    assert run(daemon.config_path) == (0, PERMITTED, "")
    assert listing(directory) == before


def test_beside_another_daemon(directory: Path) -> None:
    """Each of its addresses is a mistake, in the words of the start that would fail."""
    with Daemon(directory, config()) as daemon:
        other = directory / "other.conf"
        text = daemon.config_path.read_text(encoding="utf-8")
        other.write_text(text.replace("supervisord.pid", "other.pid"), encoding="utf-8")
        status, printed, errors = run(other)
        assert (status, errors) == (2, "")
        texts = [line.partition(": error: ")[2] for line in printed.splitlines()]
        assert [bool(re.search(rf"pid {daemon.pid} ", line)) for line in texts] == [
            True,
            True,
            False,
        ]
        assert "Could not create FastCGI socket" in texts[2]
        start = subprocess.run(
            [*OURS.command("supervisord"), "-n", "-c", str(other)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=daemon.environment,
        )
        assert start.stderr.splitlines()[0] == f"Error: {texts[0]}"


@needs_root
def test_as_another_user(directory: Path) -> None:
    """The descriptors of the daemon are hidden; then the file cannot be read either."""
    directory.chmod(0o755)
    with Daemon(directory, config()) as daemon:
        daemon.config_path.chmod(0o644)
        assert run(daemon.config_path, uid=UID) == (0, PERMITTED, "")
    daemon.config_path.chmod(0o600)
    text = f"{daemon.config_path}: error: could not read config file {daemon.config_path}"
    assert run(daemon.config_path, uid=UID) == (2, f"{text}: Permission denied\n", "")


@needs_root
def test_before_the_daemon_is_replaced_by_another_version(directory: Path) -> None:
    """With the arguments and the user of a daemon that has dropped its privileges."""
    directory.chmod(0o755)
    give_away(directory)
    with Daemon(directory, f"user={UID}\n{config()}") as daemon:
        give_away(daemon.config_path)
        wait_until(lambda: is_quiet(daemon), what="the last lines of the start")
        before = listing(directory)
        for arguments in (("-n",), ("-n", "--loglevel=debug", "-u", str(UID))):
            assert run(daemon.config_path, *arguments, "--can-resume=1", uid=UID) == (
                0,
                PERMITTED,
                "",
            )
        status, printed, errors = run(daemon.config_path, "-n", "--can-resume=9", uid=UID)
        assert (status, errors) == (2, "")
        assert "cannot resume processes in format 9" in printed
        assert listing(directory) == before


def test_a_file_that_does_not_exist(directory: Path) -> None:
    status, printed, errors = run(directory / "x.conf")
    assert (status, printed) == (2, "")
    assert errors.startswith(f"Error: could not find config file {directory}/x.conf\n")


def test_the_hook_for_pre_commit(directory: Path) -> None:
    """Its command gets `-c FILE` from the user's configuration."""
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^[- ] (\w+): (.*)$", hook, re.MULTILINE))
    name, *words = fields["entry"].split()
    assert (name, fields["pass_filenames"], fields["language"]) == (
        "supervisord",
        "false",
        "python",
    )
    file = directory / "supervisord.conf"
    file.write_text("[supervisord]\nlogfile=/dev/null\npidfile=/dev/null\nx=1\n", encoding="utf-8")
    result = subprocess.run(
        [*OURS.command(name), *words, "-c", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean_environment(directory),
        cwd=directory,
    )
    assert (result.returncode, result.stderr) == (1, "")
    assert "unknown option 'x'" in result.stdout


@pytest.mark.parametrize("arguments", [["--check", "--help"], ["--check", "--version"]])
def test_help_and_version_have_precedence(arguments: list[str]) -> None:
    result = subprocess.run(
        [*OURS.command("supervisord"), *arguments], capture_output=True, timeout=30, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
