"""The states of processes: their order as listeners read it, how they end, what is told of it.

Compared is what happens in which order, not how long it takes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.support.children import child
from tests.support.comparison import Pair, call
from tests.support.daemon import Daemon
from tests.support.traces import lines, recorded, without_serials
from tests.support.waiting import wait_until

SECONDS = 30


class Life(NamedTuple):
    """A program, the state in which it comes to rest, and after how many starts."""

    last: str
    starts: int
    command: str
    options: str


def crashing(times: int, how: str) -> str:
    """Return a command that ends so the first times it runs, and then stays."""
    runs = "%(here)s/%(program_name)s.runs"
    stay = f"test $(wc -l < {runs}) -gt {times} && exec sleep 1000"
    return f"/bin/sh -c 'echo run >> {runs}; {stay}; {how}'"


EXITS = "/bin/sh -c 'exit {}'"
LATE = "/bin/sh -c 'sleep 2.5; exit {}'"
DIES = "/bin/sh -c 'kill -s {} $$'"

AT_ONCE = "startsecs=0\n"
# The reference may notice a death as late as a second after it.
SOON = "startsecs=4\n"
NEVER = "autorestart=false\n"
ALWAYS = "autorestart=true\n"
UNEXPECTED = "autorestart=unexpected\n"

LIVES = {
    "once-0": Life("EXITED", 1, EXITS.format(0), AT_ONCE + NEVER),
    "once-2": Life("EXITED", 1, EXITS.format(2), AT_ONCE + NEVER),
    "once-255": Life("EXITED", 1, EXITS.format(255), AT_ONCE + NEVER),
    "once-term": Life("EXITED", 1, DIES.format("TERM"), AT_ONCE + NEVER),
    "once-kill": Life("EXITED", 1, DIES.format("KILL"), AT_ONCE + NEVER),
    "once-usr1": Life("EXITED", 1, DIES.format("USR1"), AT_ONCE + NEVER),
    "listed-code": Life("EXITED", 1, EXITS.format(7), AT_ONCE + NEVER + "exitcodes=3,7\n"),
    "no-codes": Life("EXITED", 1, EXITS.format(0), AT_ONCE + NEVER + "exitcodes=\n"),
    "always-0": Life("RUNNING", 3, crashing(2, "exit 0"), AT_ONCE + ALWAYS),
    "always-2": Life("RUNNING", 3, crashing(2, "exit 2"), AT_ONCE + ALWAYS),
    "always-kill": Life("RUNNING", 2, crashing(1, "kill -s KILL $$"), AT_ONCE + ALWAYS),
    "unexpected-0": Life("EXITED", 1, EXITS.format(0), AT_ONCE + UNEXPECTED),
    "unexpected-2": Life("RUNNING", 3, crashing(2, "exit 2"), AT_ONCE + UNEXPECTED),
    "unexpected-kill": Life("RUNNING", 2, crashing(1, "kill -s KILL $$"), AT_ONCE + UNEXPECTED),
    "unexpected-listed": Life("EXITED", 1, EXITS.format(2), AT_ONCE + UNEXPECTED + "exitcodes=2\n"),
    "unexpected-unlisted": Life(
        "RUNNING", 2, crashing(1, "exit 0"), AT_ONCE + UNEXPECTED + "exitcodes=2\n"
    ),
    "unexpected-no-codes": Life(
        "RUNNING", 2, crashing(1, "exit 0"), AT_ONCE + UNEXPECTED + "exitcodes=\n"
    ),
    "too-soon-0": Life("FATAL", 1, EXITS.format(0), SOON + "startretries=0\n"),
    "too-soon-once": Life("FATAL", 2, EXITS.format(2), SOON + "startretries=1\n"),
    "too-soon-twice": Life(
        "FATAL", 3, EXITS.format(0), SOON + "startretries=2\nautorestart=false\n"
    ),
    "too-soon-kill": Life("FATAL", 2, DIES.format("KILL"), SOON + "startretries=1\n"),
    "stays-at-last": Life("RUNNING", 3, crashing(2, "exit 4"), SOON + "startretries=3\n"),
    "stays-at-the-last-try": Life("RUNNING", 2, crashing(1, "exit 4"), SOON + "startretries=1\n"),
    "late-0": Life("EXITED", 1, LATE.format(0), NEVER),
    "late-2": Life("EXITED", 1, LATE.format(2), NEVER),
    "late-unexpected-0": Life("EXITED", 1, LATE.format(0), UNEXPECTED),
    "missing": Life("FATAL", 2, "/nonexistent/program", "startretries=1\n"),
    "missing-at-once": Life("FATAL", 1, "/nonexistent/program", AT_ONCE + "startretries=0\n"),
    "stays": Life("RUNNING", 1, "/bin/sleep 1000", ""),
}

CONFIG = f"""
[eventlistener:states]
command={child("recorder", "%(here)s/states")}
events=PROCESS_STATE
startsecs=0
buffer_size=10000
""" + "\n".join(
    f"[program:{name}]\ncommand={life.command}\n{life.options}" for name, life in LIVES.items()
)


def states(daemon: Daemon, name: str) -> list[tuple[str, str]]:
    """Return the events of a program that the listener has read."""
    events = recorded(daemon, "states")
    return without_serials([each for each in events if f"processname:{name} " in each[1]])


def settle(daemon: Daemon, name: str) -> None:
    """Wait until a program has come to rest and the listener has heard of it."""
    life = LIVES[name]

    def at_rest() -> bool:
        names = [header.partition("eventname:PROCESS_STATE_")[2] for header, _ in found()]
        kinds = [each.split()[0] for each in names]
        return kinds.count("STARTING") == life.starts and kinds[-1] == life.last

    def found() -> list[tuple[str, str]]:
        return states(daemon, name)

    wait_until(at_rest, SECONDS, what=lambda: f"{name}: {found()}\n{daemon.log_text()}")


@pytest.mark.parametrize("name", LIVES)
def test_the_order_of_states(pair: Pair, name: str) -> None:
    def order(daemon: Daemon) -> Any:
        settle(daemon, name)
        return states(daemon, name)

    pair.same(order)


@pytest.mark.parametrize("name", LIVES)
def test_what_is_told_at_the_end(pair: Pair, name: str) -> None:
    def told(daemon: Daemon) -> Any:
        settle(daemon, name)
        return call(daemon, "supervisor.getProcessInfo", name)

    pair.same(told)


@pytest.mark.parametrize("name", LIVES)
def test_the_lines_of_a_life(pair: Pair, name: str) -> None:
    """Whether `success:` is said of a program that ends at once is a matter of microseconds."""
    brief = LIVES[name].options.startswith(AT_ONCE)

    def told(daemon: Daemon) -> list[str]:
        settle(daemon, name)
        return [line for line in lines(daemon, name) if not (brief and "success:" in line)]

    pair.same(told)
