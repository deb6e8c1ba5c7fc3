"""What event listeners read, byte by byte."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.comparison import STEADY, Pair, assert_same, call, normalised, running_pair
from tests.support.daemon import Daemon
from tests.support.traces import recorded, without_serials
from tests.support.waiting import wait_until

STOPPING = "SUPERVISOR_STATE_CHANGE_STOPPING"

EVERYTHING = (
    "PROCESS_STATE,PROCESS_COMMUNICATION,PROCESS_LOG,PROCESS_GROUP,"
    "REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE"
)

LISTENER = f"""
loglevel=debug
[eventlistener:all]
command={child("recorder", "%(here)s/all")}
events={EVERYTHING}
startsecs=0
buffer_size=100
"""

CONFIG = f"""{LISTENER}
[eventlistener:often]
command={child("recorder", "%(here)s/often")}
events=EVENT,PROCESS_GROUP_ADDED,PROCESS_GROUP
startsecs=0
buffer_size=1000
[eventlistener:ticks]
command={child("recorder", "%(here)s/ticks")}
events=TICK
startsecs=0
[eventlistener:refuses]
command={child("recorder", "%(here)s/refuses", "FAIL", "FAIL")}
events=PROCESS_STATE_STARTING
startsecs=0
[eventlistener:talks-nonsense]
command={child("recorder", "%(here)s/nonsense", "RESULT abc")}
events=REMOTE_COMMUNICATION
startsecs=0
[eventlistener:late]
command={child("recorder", "%(here)s/late", "WAIT")}
events=REMOTE_COMMUNICATION
buffer_size=2
startsecs=0
[eventlistener:pair]
command={child("recorder", "%(here)s/pair%(process_num)s")}
process_name=%(program_name)s%(process_num)s
numprocs=2
events=PROCESS_GROUP_REMOVED
startsecs=0
[program:lives]
command={child("sleeper")}
startsecs=0
autostart=false
[program:takes-its-time]
command={child("sleeper")}
startsecs=60
autostart=false
[program:ends-well]
command={child("exits", 0)}
startsecs=0
autostart=false
autorestart=false
[program:ends-badly]
command={child("exits", 3)}
startsecs=0
autostart=false
autorestart=false
[program:fails]
command={child("exits", 3)}
startsecs=60
startretries=1
autostart=false
[program:speaks]
command={child("communicator")}
stdout_capture_maxbytes=40
stderr_capture_maxbytes=1MB
startsecs=0
[program:writes]
command={child("communicator")}
stdout_events_enabled=true
stderr_events_enabled=true
startsecs=0
[group:grouped]
programs=in-a-group
[program:in-a-group]
command={child("sleeper")}
autostart=false
"""

SETTLED = dict.fromkeys(
    (
        "all",
        "often",
        "ticks",
        "refuses",
        "talks-nonsense",
        "late",
        "pair:pair0",
        "pair:pair1",
        "speaks",
        "writes",
    ),
    "RUNNING",
)


def of_process(name: str, last: str) -> Callable[[Daemon], Any]:
    """Return a question: the events of a process until one whose name ends in `last`."""

    def ask(daemon: Daemon) -> Any:
        def found() -> list[tuple[str, str]]:
            events = recorded(daemon, "all")
            return [each for each in events if each[1].startswith(f"processname:{name} ")]

        wait_until(
            lambda: any(f"{last} " in header for header, _ in found()),
            what=lambda: f"{last} of {name}: {found()}\n{daemon.log_text()}",
        )
        return without_serials(found())

    return ask


def wait_for(daemon: Daemon, name: str, text: str, count: int = 1) -> None:
    """Wait until a listener has read a text so many times."""
    daemon.wait_for_text(name, text)
    wait_until(lambda: "".join(map("\n".join, recorded(daemon, name))).count(text) >= count)


# -- states -----------------------------------------------------------------------


def test_a_life_from_start_to_stop(pair: Pair) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.startProcess", "lives"))
    pair.same(lambda daemon: call(daemon, "supervisor.stopProcess", "lives"))
    pair.same(of_process("lives", "STATE_STOPPED"))


def test_a_program_stopped_while_it_starts(pair: Pair) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.startProcess", "takes-its-time", False))
    pair.same(of_process("takes-its-time", "STATE_STARTING"))
    pair.same(lambda daemon: call(daemon, "supervisor.stopProcess", "takes-its-time"))
    pair.same(of_process("takes-its-time", "STATE_STOPPED"))


@pytest.mark.parametrize("name", ["ends-well", "ends-badly"])
def test_a_program_that_ends_by_itself(pair: Pair, name: str) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.startProcess", name))
    pair.same(of_process(name, "STATE_EXITED"))


def test_a_program_that_cannot_stay_up(pair: Pair) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.startProcess", "fails"))
    pair.same(of_process("fails", "STATE_FATAL"))


# -- groups, remote communication, ticks --------------------------------------------


def test_a_group_that_leaves_and_comes_back(pair: Pair) -> None:
    """One pool has subscribed three times over: each subscription brings the event."""

    def leave_and_come_back(daemon: Daemon) -> Any:
        answers = [
            call(daemon, f"supervisor.{method}ProcessGroup", "grouped")
            for method in ("remove", "add")
        ]
        wait_for(daemon, "all", "groupname:grouped\n", 3)
        wait_for(daemon, "often", "groupname:grouped\n", 8)
        wait_until(lambda: daemon.text("pair0") + daemon.text("pair1"))
        return answers

    def about_the_group(daemon: Daemon) -> Any:
        return {
            name: without_serials(
                [each for each in recorded(daemon, name) if "groupname:grouped\n" in each[1]]
            )
            for name in ("all", "often", "pair0", "pair1")
        }

    pair.same(leave_and_come_back)
    pair.same(about_the_group)


@pytest.mark.parametrize(
    ("kind", "data"),
    [("plain", "text"), ("", ""), ("umlaut", "gr\xfc\xdfe \u20ac \U0001f600"), ("lines", "a\nb\n")],
)
def test_remote_communication(pair: Pair, kind: str, data: str) -> None:
    """The header counts characters, not bytes."""

    def send(daemon: Daemon) -> Any:
        answer = call(daemon, "supervisor.sendRemoteCommEvent", kind, data)
        wait_for(daemon, "all", f"type:{kind}\n{data}")
        return answer, [
            each
            for each in without_serials(recorded(daemon, "all"))
            if each[1].startswith(f"type:{kind}\n")
        ]

    pair.same(send)


def test_a_tick_on_the_boundary_of_five_seconds(pair: Pair) -> None:
    def tick(daemon: Daemon) -> Any:
        wait_for(daemon, "ticks", "TICK_5 ")
        events = [each for each in recorded(daemon, "ticks") if "TICK_5 " in each[0]]
        (when,) = re.findall(r"^when:(\d+)$", events[0][1])
        return int(when) % 5, without_serials([(events[0][0], "when:<seconds>")])

    pair.same(tick)


# -- output -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("before<inside>after", "inside"),
        ("x<|one, |two|>", "one, two"),
        ("!on <stderr>", "stderr"),
        ("<umlaut: gr\xfc\xdfe>", "gr\xfc\xdfe"),
        ("<first>between<second>", "second"),
        ("<longer than the forty bytes that are kept of it>", "kept of it"),
    ],
)
def test_captured_output(pair: Pair, line: str, expected: str) -> None:
    def send(daemon: Daemon) -> Any:
        before = len(recorded(daemon, "all"))
        call(daemon, "supervisor.sendProcessStdin", "speaks", f"{line}\n")
        wait_until(lambda: any(expected in each[1] for each in recorded(daemon, "all")[before:]))
        events = without_serials(recorded(daemon, "all")[before:])
        return [each for each in events if "PROCESS_COMMUNICATION" in each[0]]

    pair.same(send)


@pytest.mark.parametrize("line", ["on stdout", "!on stderr", "gr\xfc\xdfe", "<not captured>"])
def test_logged_output(pair: Pair, line: str) -> None:
    def send(daemon: Daemon) -> Any:
        before = len(recorded(daemon, "all"))
        call(daemon, "supervisor.sendProcessStdin", "writes", f"{line}\n")
        wait_until(lambda: "\n" in _written(daemon, before))
        events = without_serials(recorded(daemon, "all")[before:])
        return [each for each in events if "PROCESS_LOG" in each[0]]

    pair.same(send)


def _written(daemon: Daemon, before: int) -> str:
    events = recorded(daemon, "all")[before:]
    return "".join(text.partition("\n")[2] for header, text in events if "PROCESS_LOG" in header)


# -- listeners that misbehave ---------------------------------------------------------


def log_lines(daemon: Daemon, name: str) -> list[str]:
    """Return the lines of the activity log that name a listener, without stamps."""
    return [
        normalised(re.sub(r"^\S+ \S+ ", "", line), daemon.directory)
        for line in daemon.log_text().splitlines()
        if name in line
    ]


def test_a_rejected_event_comes_back_with_its_serials(pair: Pair) -> None:
    """It stands at the head of the queue again."""

    def ask(daemon: Daemon) -> Any:
        wait_until(
            lambda: len(recorded(daemon, "refuses")) >= 3,
            what=lambda: f"{daemon.text('refuses')}\n{daemon.log_text()}",
        )
        events = recorded(daemon, "refuses")[:3]
        assert events[0] == events[1] == events[2]
        return log_lines(daemon, "refuses: event was rejected")

    pair.same(ask)


def test_a_listener_that_talks_nonsense_gets_no_more_events(pair: Pair) -> None:
    def provoke(daemon: Daemon) -> Any:
        call(daemon, "supervisor.sendRemoteCommEvent", "nonsense", "1")
        daemon.wait_for_log("talks-nonsense: has entered the UNKNOWN state")
        call(daemon, "supervisor.sendRemoteCommEvent", "nonsense", "2")
        wait_for(daemon, "all", "type:nonsense\n2")
        warnings = [line for line in log_lines(daemon, "talks-nonsense") if "WARN" in line]
        return (
            warnings,
            daemon.info("talks-nonsense")["statename"],
            recorded(daemon, "nonsense")[1:],
        )

    pair.same(provoke)


def test_the_oldest_events_go_when_the_buffer_is_full(pair: Pair) -> None:
    def overflow(daemon: Daemon) -> Any:
        for number in range(4):
            call(daemon, "supervisor.sendRemoteCommEvent", "overflow", str(number))
        wait_for(daemon, "all", "type:overflow\n3")
        Path(daemon.directory, "late.go").touch()
        wait_for(daemon, "late", "type:overflow\n3")
        lost = [line for line in log_lines(daemon, "pool late ") if "ERRO" in line]
        return (
            sorted({re.sub(r"event \d+$", "event <number>", line) for line in lost}),
            [text for _, text in recorded(daemon, "late")],
        )

    pair.same(overflow)


# -- a whole life ---------------------------------------------------------------------


def test_all_that_a_listener_reads_in_its_life() -> None:
    """From the daemon's start to its end, with every serial."""

    def live(daemon: Daemon) -> None:
        wait_for(daemon, "all", "PROCESS_STATE_RUNNING")
        call(daemon, "supervisor.startProcess", "one")
        wait_for(daemon, "all", "PROCESS_STATE_RUNNING", 2)
        call(daemon, "supervisor.stopProcess", "one")
        wait_for(daemon, "all", "PROCESS_STATE_STOPPED")
        call(daemon, "supervisor.sendRemoteCommEvent", "kind", "data")
        call(daemon, "supervisor.startProcess", "one")
        wait_for(daemon, "all", "PROCESS_STATE_RUNNING", 3)
        call(daemon, "supervisor.shutdown")
        daemon.wait_for_exit()

    config = f"{LISTENER}[program:one]\ncommand={child('sleeper')}\nstartsecs=0\nautostart=false\n"
    with running_pair(config, {"all": "RUNNING"}) as pair:
        lives = []
        for daemon in (pair.theirs, pair.ours):
            live(daemon)
            lives.append(normalised(recorded(daemon, "all"), daemon.directory))
    assert_same(*map(before_the_end, lives))
    end = lives[1][len(before_the_end(lives[1])) :]
    assert STEADY or (STOPPING in end[0][0] and "PROCESS_STATE_STOPPED" in end[-1][0])


def before_the_end(events: list[list[str]]) -> list[list[str]]:
    """Return the events before the daemon stops.

    What comes then, the original may send to a listener that it kills before it has read it.
    """
    return list(itertools.takewhile(lambda event: STOPPING not in event[0], events))
