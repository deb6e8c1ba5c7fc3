"""`restart --rolling` of our client, on a daemon of the reference and on ours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import CLIENT_SECONDS, OURS, Daemon, reference

if TYPE_CHECKING:
    from tests.support.daemon import Implementation

CONFIG = """\
[program:web]
command=sh -c 'test ! -e %(here)s/broken%(process_num)d && exec sleep 1000'
process_name=%(program_name)s_%(process_num)d
numprocs=4
startretries=0
"""


def restart(daemon: Daemon, *arguments: str) -> tuple[list[str], int]:
    """Run our client on a daemon; return the lines of its output, and its exit status."""
    command = [*OURS.command("supervisorctl"), "-c", str(daemon.config_path), "restart"]
    ended = subprocess.run(
        [*command, "--rolling", *arguments],
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
        env=daemon.environment,
        check=False,
    )
    assert not ended.stderr
    return ended.stdout.splitlines(), ended.returncode


def restarted(*numbers: int) -> list[str]:
    return [f"web:web_{n}: {text}" for n in numbers for text in ("stopped", "started")]


@pytest.mark.parametrize("make", [reference, lambda: OURS], ids=["reference", "ours"])
def test_on_either_daemon(directory: Path, make: type[Implementation]) -> None:
    with Daemon(directory, CONFIG, implementation=make()) as daemon:
        pids = [daemon.wait_for_state(f"web:web_{n}", "RUNNING")["pid"] for n in range(4)]
        assert restart(daemon, "--batch", "2", "web:*") == (restarted(0, 1, 2, 3), 0)
        infos = [daemon.info(f"web:web_{n}") for n in range(4)]
        assert {each["statename"] for each in infos} == {"RUNNING"}
        assert not set(pids) & {each["pid"] for each in infos}
        (directory / "broken2").touch()
        lines, status = restart(daemon, "web:web_*")
        assert (lines, status) == (
            [
                *restarted(0, 1),
                "web:web_2: stopped",
                "web:web_2: ERROR (spawn error)",
                "restarted: web:web_0, web:web_1",
                "failed: web:web_2",
                "not restarted: web:web_3",
            ],
            1,
        )
        assert daemon.info("web:web_3")["pid"] == infos[3]["pid"]
