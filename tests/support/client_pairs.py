"""Both supervisorctl beside each other, on daemons of the reference.

Two daemons with the same configuration, one for each client, because commands change things.
What differs is then the client's doing alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from subprocess import CompletedProcess
from typing import Any

from tests.support.children import child
from tests.support.comparison import assert_same, normalised, ours, temporary_directory
from tests.support.daemon import Daemon, reference
from tests.support.differences import without_additions
from tests.support.ports import free_port

# Help is in our own words; what can be typed is not.
HELP_LINE = re.compile(r"^((?:supervisor> )?\w+(?: [^\t\n]*)?)\t.*$", re.MULTILINE)
HELP_REST = re.compile(r"^(?:\t.*|Note: .*)\n", re.MULTILINE)
# Our own exceptions and those of the reference are raised in different places.
LONE_PID = re.compile(r"^[1-9]\d*$", re.MULTILINE)
PLACE = re.compile(r"file: \S+ line: \d+")

CONFIG = f"""
[inet_http_server]
port=<address>
username=user
password=word
[program:runs]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[program:missing]
command=/nonexistent/program
autostart=false
[program:flat]
command=/etc/passwd
autostart=false
[program:breaks]
command={child("exits", 3)}
startretries=0
autostart=false
[program:ended]
command={child("exits", 0)}
startsecs=0
autorestart=false
[program:many]
command={child("sleeper")}
process_name=m%(process_num)d
numprocs=2
startsecs=0
[program:left]
command={child("sleeper")}
startsecs=0
[program:right]
command={child("sleeper")}
startsecs=0
autostart=false
[group:pair]
programs=left,right
[program:nolog]
command={child("sleeper")}
stdout_logfile=NONE
stderr_logfile=NONE
startsecs=0
[program:echo]
command={child("echo")}
startsecs=0
"""
SETTLED = ("runs", "pair:left", "echo")

ADDRESSES: dict[Daemon, str] = {}
"""Where the HTTP server with a password is, by daemon."""

Ask = Callable[[Daemon], Any]


class Clients:
    """The reference's client and ours, each with a daemon of its own."""

    def __init__(self, theirs: Daemon, ours: Daemon) -> None:
        self.theirs, self.ours = theirs, ours

    def answers(self, ask: Ask) -> list[Any]:
        """Ask through both at the same time; the reference's answer is the first."""
        daemons = (self.theirs, self.ours)
        with ThreadPoolExecutor(len(daemons)) as pool:
            given = list(pool.map(ask, daemons))
        return [shown(answer, daemon) for answer, daemon in zip(given, daemons, strict=True)]

    def same(self, ask: Ask) -> Any:
        """Both clients must do the same; return what."""
        theirs, mine = self.answers(ask)
        assert_same(theirs, mine)
        return theirs


def shown(answer: Any, daemon: Daemon) -> Any:
    """Return what the user sees, without what is bound to differ."""
    if isinstance(answer, list):
        return [shown(each, daemon) for each in answer]
    if isinstance(answer, CompletedProcess):
        found = (answer.stdout, answer.stderr, answer.returncode)
        return [shown(each, daemon) for each in found]
    if isinstance(answer, str):
        answer = _in_no_words(answer).replace(ADDRESSES[daemon], "<address>")
    return normalised(answer, daemon.directory)


def _in_no_words(text: str) -> str:
    text = HELP_REST.sub("", text.replace("\r\n", "\n"))
    text = LONE_PID.sub("<pid>", without_additions(text))
    return PLACE.sub("<place>", HELP_LINE.sub(r"\1", text))


@contextmanager
def running_clients(config: str = CONFIG, settled: Iterable[str] = SETTLED) -> Iterator[Clients]:
    """Start two daemons of the reference; the second one's client is ours."""
    with ExitStack() as stack:
        daemons = []
        for _ in range(2):
            directory = stack.enter_context(temporary_directory())
            address = f"127.0.0.1:{free_port()}"
            text = config.replace("<address>", address)
            daemon = Daemon(directory, text, implementation=reference())
            ADDRESSES[daemon] = address
            stack.callback(daemon.kill)
            daemons.append(daemon)
        with ThreadPoolExecutor(len(daemons)) as pool:
            list(pool.map(Daemon.start, daemons))
        for daemon in daemons:
            for name in settled:
                daemon.wait_for_state(name, "RUNNING")
        daemons[1].implementation = replace(ours(), name="our client")
        yield Clients(*daemons)
