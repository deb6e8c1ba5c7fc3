"""What a child is born with: environment, fds, directory, umask, groups, signals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import Pair
from tests.support.daemon import Daemon

REPORT = child("report")

CONFIG = f"""
environment=FROM_DAEMON="d",BOTH="daemon",QUOTED="a,b"
umask=027
[program:plain]
command={REPORT}
[program:environment]
command={REPORT}
environment=BOTH="program",OWN='1',EMPTY="",NAME="%(program_name)s",PATH_TOO="%(ENV_PATH)s"
[program:umask]
command={REPORT}
umask=077
[program:directory]
command={REPORT}
directory=/
[program:redirected]
command={REPORT}
redirect_stderr=true
[program:member]
command={REPORT}
process_name=%(program_name)s_%(process_num)d
numprocs=2
numprocs_start=3
environment=NUMBER="%(process_num)d"
[program:url]
command={REPORT}
serverurl=http://example.com:1234
[program:expanded]
command={REPORT} %(program_name)s %(group_name)s %(process_num)d %(numprocs)d %%(x)s
[program:silent]
command=/bin/sh -c "exec {REPORT} > %(here)s/silent.json"
stdout_logfile=NONE
stderr_logfile=NONE
[group:together]
programs=url,expanded
"""

NAMES = (
    "plain",
    "environment",
    "umask",
    "directory",
    "redirected",
    "member:member_3",
    "member:member_4",
    "together:url",
    "together:expanded",
)


def report(daemon: Daemon, name: str) -> Any:
    """Return what a child has reported of itself."""
    path = daemon.info(name)["stdout_logfile"]
    text = daemon.wait_for_text(path, "}\n")
    return json.loads(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_child_is_born_with_the_same(pair: Pair, name: str) -> None:
    pair.same(lambda daemon: report(daemon, name))


def test_a_child_whose_output_nobody_keeps(pair: Pair) -> None:
    pair.same(lambda daemon: json.loads(daemon.wait_for_text("silent.json", "}\n")))


def test_the_arguments_are_expanded(pair: Pair) -> None:
    def command_line(daemon: Daemon) -> list[str]:
        pid = daemon.wait_for_state("together:expanded", "RUNNING")["pid"]
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as cmdline:
            return cmdline.read().split("\0")[-6:]

    pair.same(command_line)
