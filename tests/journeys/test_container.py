"""The daemon as the main process of a container, which has nothing but its configuration."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.containers import running
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = needs_root

LINES = 40


def program(name: str, command: str, options: str = "") -> str:
    """Return the section of a program that may end at once."""
    return f"[program:{name}]\ncommand={command}\nstartsecs=0\n{options}\n"


def test_five_programs_in_one_log(directory: Path) -> None:
    """Each line is complete, and names its program: no log file is needed."""
    script = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; done; exec sleep 1000"
    names = [f"p{number}" for number in range(5)]
    config = "[supervisord]\n" + "".join(program(name, f"sh -c '{script}'") for name in names)
    with running(directory, config, "--container=json") as started:
        expected = [f"line {number + 1}" for number in range(LINES)]
        for name in names:
            wait_until(
                lambda name=name: len(started.messages(name)) == LINES, 20, what=started.text
            )
            assert started.messages(name) == expected
        assert {line["stream"] for line in started.lines() if "name" in line} == {"stdout"}
        assert "supervisord started with pid 1" in started.text()
        started.signal(signal.SIGTERM)
        assert started.wait() == 0
        assert started.lines()[-1]["message"].startswith("stopped: ")
    assert sorted(path.name for path in directory.iterdir()) == ["c.conf", "output"]


def test_orphans_are_reaped_quietly(directory: Path) -> None:
    leave = f"sh -c '(sleep 0.1 &); echo left; exec {child('sleeper')}'"
    with running(directory, f"[supervisord]\n{program('p', leave)}", "--container") as started:
        started.wait_for("[p] left")
        daemon = started.main_process().pid
        wait_until(lambda: len(proctable.children(daemon)) == 1)
        assert "unknown pid" not in started.text()
        started.signal(signal.SIGTERM)
        assert started.wait() == 0


def test_a_program_that_does_not_stop_ends_in_time(directory: Path) -> None:
    config = f"""
[supervisord]
shutdown_timeout=0.5
{program("stubborn", child("stubborn"), "stopwaitsecs=unlimited")}
"""
    with running(directory, config, "--container") as started:
        started.wait_for("[stubborn] READY")
        started.signal(signal.SIGTERM)
        assert started.wait() == 0
        assert "stubborn" in started.text().rpartition("received SIGTERM")[2]


@pytest.mark.parametrize(
    ("config", "status"),
    [
        pytest.param(program("job", "true"), 0, id="a job that is done"),
        pytest.param(program("job", "sh -c 'exit 7'", "autorestart=false"), 7, id="a failed job"),
        pytest.param(
            program("web", "sh -c 'exit 3'", "essential=true\nautorestart=false")
            + program("other", child("sleeper")),
            3,
            id="the end of an essential program",
        ),
        pytest.param(
            program("web", "sh -c 'kill -9 $$'", "essential=true\nautorestart=false")
            + program("other", child("sleeper")),
            137,
            id="a signal",
        ),
        pytest.param(program("web", "/nonexistent", "essential=true"), 127, id="no such command"),
    ],
)
def test_the_exit_status_of_the_container(directory: Path, config: str, status: int) -> None:
    with running(directory, f"[supervisord]\n{config}", "--container") as started:
        assert started.wait() == status, started.text()
