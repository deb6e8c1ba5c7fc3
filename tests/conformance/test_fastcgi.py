"""FastCGI programs: the socket that their processes share."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import Pair, call
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

CONFIG = f"""
[fcgi-program:shared]
command={child("sleeper")}
socket=unix://%(here)s/%(program_name)s.sock
socket_mode=0750
numprocs=2
process_name=%(program_name)s_%(process_num)s
startsecs=0
autostart=false
[fcgi-program:owned]
command={child("sleeper")}
socket=unix://%(here)s/owned.sock
socket_owner={os.getuid()}:{os.getgid()}
socket_backlog=7
startsecs=0
autostart=false
[fcgi-program:looks]
command={child("report")}
socket=unix://%(here)s/looks.sock
startsecs=0
stdout_logfile=%(here)s/looks.out
[fcgi-program:member]
command={child("report")}
socket=unix://%(here)s/member.sock
startsecs=0
stdout_logfile=%(here)s/member.out
[group:grouped]
programs=member
priority=1
"""

SETTLED = {"grouped:member": "RUNNING", "looks": "RUNNING"}


def lines_about(daemon: Daemon, name: str) -> list[str]:
    """Return the lines of the activity log about a program and its socket, without stamps.

    Whether a stop has to be waited for depends on how busy the machine is.
    """
    lines = (line.partition(" ")[2].partition(" ")[2] for line in daemon.log_text().splitlines())
    return [
        re.sub(r"pid \d+", "pid <pid>", line).replace(str(daemon.directory), "<dir>")
        for line in lines
        if name in line and "waiting for" not in line
    ]


def test_the_socket_lives_as_long_as_somebody_uses_it(pair: Pair) -> None:
    def use(daemon: Daemon) -> list[Any]:
        answers = []
        for action, number in (
            ("start", 0),
            ("start", 1),
            ("stop", 0),
            ("start", 0),
            ("stop", 1),
            ("stop", 0),
            ("start", 1),
        ):
            name = f"shared:shared_{number}"
            answers.append(call(daemon, f"supervisor.{action}Process", name))
            if action == "start":
                daemon.wait_for_child(name, CHILDREN)
        wait_until(lambda: sum("Closing" in line for line in lines_about(daemon, "shared")) == 2)
        return [answers, lines_about(daemon, "shared")]

    pair.same(use)


def test_the_socket_is_tried_once_before_anything_starts(pair: Pair) -> None:
    """Its file, with owner and mode, stays when the socket is closed."""

    def look(daemon: Daemon) -> Any:
        found = os.stat(daemon.directory / "owned.sock")
        is_socket = stat.S_ISSOCK(found.st_mode)
        mode = stat.S_IMODE(found.st_mode)
        return is_socket, oct(mode), found.st_uid, found.st_gid, lines_about(daemon, "owned.sock")

    pair.same(look)


def test_the_socket_is_the_childs_stdin(pair: Pair) -> None:
    pair.same(lambda daemon: fds(daemon, "looks"))


def test_in_a_group_it_is_a_program_like_any_other(pair: Pair) -> None:
    """There is no socket at all."""
    pair.same(lambda daemon: fds(daemon, "member"))
    pair.same(lambda daemon: lines_about(daemon, "member.sock"))
    pair.same(lambda daemon: (daemon.directory / "member.sock").exists())


def fds(daemon: Daemon, name: str) -> Any:
    """Return the kinds of the fds with which a program was born."""
    return json.loads(daemon.wait_for_text(f"{name}.out", "\n"))["fds"]


def test_nothing_can_be_sent_to_its_stdin(pair: Pair) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.sendProcessStdin", "looks", "x"))
