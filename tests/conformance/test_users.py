"""Users and the directories that they may enter, as far as the daemon's own privileges reach."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.comparison import running_pair, temporary_directory
from tests.support.daemon import Daemon
from tests.support.namespaces import private_mounts
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = needs_root

NOBODY = 65534
SHOW = '/bin/sh -c "id; pwd; umask; grep Groups /proc/self/status; echo READY; exec sleep 1000"'

# name -> the program's options; PLACE is a directory that both daemons share.
PROGRAMS = {
    "own-directory": "user=nobody\ndirectory=PLACE/own",
    "closed-directory": "user=nobody\ndirectory=PLACE/closed",
    "below-closed": "user=nobody\ndirectory=PLACE/closed/below",
    "no-directory": "user=nobody\ndirectory=PLACE/none",
    "open-directory": "user=nobody\ndirectory=PLACE\numask=077",
    "as-root": "directory=PLACE/closed",
    "roots-executable": "user=nobody\ncommand=PLACE/private 1000",
    "member-of-groups": "user=games",
}

# What the daemon, which is root, may not do.
WITHIN = {
    "root": (),
    "root without DAC": ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"),
    "root without setgid": ("setpriv", "--bounding-set", "-setgid,-setuid", "--"),
}


def section(name: str, options: str, place: Path) -> str:
    """Return the section of a program that shows who and where it is."""
    command = "" if "command=" in options else f"command={SHOW}\n"
    lines = (
        f"startretries=0\nstdout_logfile=%(here)s/{name}.out\nstderr_logfile=%(here)s/{name}.err"
    )
    return f"[program:{name}]\n{command}{lines}\n{options}\n".replace("PLACE", str(place))


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that all may enter, with some that only their owners may."""
    with temporary_directory() as path:
        path.chmod(0o755)
        (path / "own").mkdir(mode=0o700)
        os.chown(path / "own", NOBODY, NOBODY)
        (path / "closed").mkdir(mode=0o700)
        (path / "closed" / "below").mkdir()
        shutil.copy("/bin/sleep", path / "private")
        (path / "private").chmod(0o700)
        groups = Path("/etc/group").read_text(encoding="utf-8")
        groups += "one:x:4242:nobody,games\ntwo:x:4243:games\nempty:x:4244:\n"
        (path / "group").write_text(groups, encoding="utf-8")
        yield path


def outcome(daemon: Daemon, name: str) -> tuple[str, str, str]:
    """Return whether a program runs, and all that it and the daemon have said in its logs."""
    state = daemon.wait_for_state(name, "RUNNING", "FATAL")["statename"]
    if state == "RUNNING":
        daemon.wait_for_text(f"{name}.out", "READY")
    else:
        wait_until(lambda: daemon.text(f"{name}.err"))
    return state, daemon.text(f"{name}.out"), daemon.text(f"{name}.err")


@pytest.mark.parametrize("within", WITHIN.values(), ids=WITHIN)
def test_who_runs_where(place: Path, within: tuple[str, ...]) -> None:
    config = "".join(section(name, options, place) for name, options in PROGRAMS.items())
    more_groups = private_mounts(f"mount --bind {place}/group /etc/group")
    with running_pair(config, within=more_groups + within) as pair:
        for name in PROGRAMS:
            pair.same(lambda daemon, name=name: outcome(daemon, name))


def test_a_user_that_cannot_be_taken(place: Path) -> None:
    """The original does not say why."""
    within = ("setpriv", "--bounding-set", "-setuid", "--")
    with running_pair(section("p", "user=nobody", place), within=within) as pair:
        last = "supervisor: child process was not spawned\n"
        pair.differ(
            lambda daemon: outcome(daemon, "p"),
            entry="Failures between fork and exec",
            theirs=["FATAL", "", last],
            ours=["FATAL", "", f"supervisor: couldn't setuid to {NOBODY}: EPERM\n{last}"],
        )


# As nginx (`access_log /dev/stdout`), php-fpm and shell scripts do.
OPEN_BY_NAME = (
    '/bin/sh -c "echo to-stdout > /dev/stdout; echo to-stderr > /dev/stderr;'
    ' read line < /dev/stdin && echo $line; echo READY >&2; echo READY; exec sleep 1000"'
)


@pytest.mark.parametrize("redirects", ["false", "true"])
def test_a_standard_stream_opened_by_name(place: Path, redirects: str) -> None:
    """The kernel opens the pipe once more, with the rights of the program's user (proc(5))."""
    # A directory that only its owner may enter makes the launcher fork.
    programs = {"vfork": f"directory={place}", "fork": f"directory={place}/own"}
    config = "".join(
        section(name, f"command={OPEN_BY_NAME}\nuser=nobody\nredirect_stderr={redirects}", place)
        + f"{options}\n"
        for name, options in programs.items()
    )

    def missing(daemon: Daemon, name: str) -> list[str]:
        daemon.rpc.supervisor.sendProcessStdin(name, "to-stdin\n")
        for stream in ("out",) if redirects == "true" else ("out", "err"):
            daemon.wait_for_text(f"{name}.{stream}", "READY")
        said = f"{daemon.text(f'{name}.out')}{daemon.text(f'{name}.err')}"
        return [word for word in ("to-stdout", "to-stderr", "to-stdin") if f"{word}\n" not in said]

    with running_pair(config) as pair:
        for name in programs:
            pair.differ(
                lambda daemon, name=name: missing(daemon, name),
                entry="Standard streams opened by name",
                theirs=["to-stdout", "to-stderr", "to-stdin"],
                ours=[],
            )
