"""Another user's process where the client expects its daemon: it must not get the password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.client import peers
from supervisor.http_client import HTTPHandler, Listener
from tests.support.children import child
from tests.support.daemon import CLIENT_SECONDS, OURS, clean_environment
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

ANOTHER_USER, A_THIRD_USER = 65534, 65533
FIELD = "Authorization: Basic"

pytestmark = needs_root


@pytest.fixture
def open_folder(directory: Path) -> Path:
    """Return a folder such as /tmp, in one to which only root may write."""
    directory.chmod(0o755)
    made = directory / "tmp"
    made.mkdir()
    made.chmod(0o1777)
    return made


def private_folder(parent: Path, owner: int) -> Path:
    """Return a folder to which only its owner may write."""
    made = parent / f"of-{owner}"
    made.mkdir(mode=0o755)
    os.chown(made, owner, owner)
    return made


@contextmanager
def impostor(directory: Path, path: Path) -> Iterator[Path]:
    """Let another user listen on a socket; yield the file of what it has been sent."""
    got = directory / "got"
    words = [*child("impostor").split(), str(ANOTHER_USER), str(path), str(got)]
    process = subprocess.Popen(words)
    try:
        wait_until(lambda: got.exists() and b"ready" in got.read_bytes())
        yield got
    finally:
        process.kill()
        process.wait()


def ctl(
    directory: Path, path: Path, config: str = "", command: str = "status"
) -> subprocess.CompletedProcess[str]:
    """Run supervisorctl with a configuration that has a password."""
    file = directory / "c.conf"
    file.write_text(
        f"[supervisorctl]\nserverurl=unix://{path}\nusername=joe\npassword=secret\n{config}",
        encoding="utf-8",
    )
    return subprocess.run(
        [*OURS.command("supervisorctl"), "-c", str(file), *command.split()],
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
        env=clean_environment(directory),
        check=False,
    )


@pytest.mark.parametrize("command", ["status", "stop all", "tail -f x", "shutdown"])
def test_an_impostor_in_an_open_folder_gets_no_password(
    directory: Path, open_folder: Path, command: str
) -> None:
    path = open_folder / "s.sock"
    with impostor(directory, path) as got:
        found = ctl(directory, path, command=command)
        assert FIELD not in got.read_text()
    assert found.stdout == (
        f"unix://{path} is served by another user (uid {ANOTHER_USER}) in a folder that everyone"
        " can write to; no password was sent\n"
    )
    assert (found.stderr, found.returncode) == ("", 1)


def test_an_impostor_whose_folder_is_in_an_open_one_gets_no_password(
    directory: Path, open_folder: Path
) -> None:
    path = private_folder(open_folder, ANOTHER_USER) / "s.sock"
    with impostor(directory, path) as got:
        found = ctl(directory, path)
        assert FIELD not in got.read_text()
    assert "no password was sent" in found.stdout


def test_a_followed_log_is_not_asked_for_with_the_password(
    directory: Path, open_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also by those who use the handler without supervisorctl."""
    path = open_folder / "s.sock"
    with impostor(directory, path) as got:
        HTTPHandler(Listener(), "joe", "secret").get(f"unix://{path}", "/mainlogtail")
        assert FIELD not in got.read_text()
    assert "no password was sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    "config",
    [f"[supervisord]\nuser={ANOTHER_USER}\n", f"[unix_http_server]\nchown={ANOTHER_USER}\n"],
)
def test_a_daemon_of_a_user_that_the_file_names_gets_it(
    directory: Path, open_folder: Path, config: str
) -> None:
    path = open_folder / "s.sock"
    with impostor(directory, path) as got:
        ctl(directory, path, config)
        assert FIELD in got.read_text()


def test_a_daemon_of_the_user_who_owns_the_file_gets_it(directory: Path, open_folder: Path) -> None:
    path = open_folder / "s.sock"
    file = directory / "c.conf"
    file.touch()
    os.chown(file, ANOTHER_USER, ANOTHER_USER)
    with impostor(directory, path) as got:
        ctl(directory, path)
        assert FIELD in got.read_text()


def test_a_daemon_in_a_folder_of_its_own_gets_it(directory: Path, open_folder: Path) -> None:
    path = private_folder(open_folder.parent, ANOTHER_USER) / "s.sock"
    with impostor(directory, path) as got:
        ctl(directory, path)
        assert FIELD in got.read_text()


def test_which_folders_are_open_to_all(directory: Path, open_folder: Path) -> None:
    """A folder of a trusted user in an open one is not."""
    trusted = frozenset({0, A_THIRD_USER})
    inside = private_folder(open_folder, A_THIRD_USER)
    foreign = private_folder(open_folder, ANOTHER_USER)
    outside = private_folder(directory, ANOTHER_USER)
    (directory / "link").symlink_to(open_folder)
    folders = {
        "open": open_folder,
        "inside": inside,
        "foreign": foreign,
        "outside": outside,
        "link to open": directory / "link",
        "missing": directory / "nope",
    }
    found = {
        name: peers._is_open_to_all(str(folder / "s"), trusted) for name, folder in folders.items()
    }
    assert found == {
        "open": True,
        "inside": False,
        "foreign": True,
        "outside": False,
        "link to open": True,
        "missing": True,
    }
