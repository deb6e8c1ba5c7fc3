"""The shell of both clients: lines from a pipe, and a person at a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.support.client_pairs import ADDRESSES, Clients, running_clients
from tests.support.daemon import Daemon
from tests.support.differences import known_commands
from tests.support.waiting import wait_until

PROMPT = "supervisor> "
HEADER = "==> Press Ctrl-C to exit <=="
CTRL_C, CTRL_U = "\x03", "\x15"
WAIT_SECONDS = 20

SESSIONS = {
    "nothing": "",
    "a command": "version\n",
    "nothing after exit": "status idle\nexit\nstatus runs\n",
    "odd lines": "nonsense\n?\n? nope\nversion; pid\n#comment\n version\n!x\n@y\nquit x\n",
    "questions": "reload\nn\nshutdown\nno\nreload x\nshutdown x\nreload\n\nshutdown\nmaybe\n",
    "the end of the input": "version\n\nEOF\npid\n",
    "usage": "tail\nstart\nstop\nrestart\nsignal\nclear\nfg\nopen\n",
    "another server": "open unix:///tmp/nope-nope.sock\nversion\nstatus\nopen x\nversion\n",
    "quotes are no quotes": "status 'idle runs'\nstart \"runs\n",
}


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Both clients, each with a daemon of the reference."""
    with running_clients() as started:
        yield started


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_through_a_pipe(clients: Clients, name: str) -> None:
    clients.same(lambda daemon: daemon.ctl(stdin=SESSIONS[name]))


def test_the_prompt_and_the_interactive_option(clients: Clients) -> None:
    clients.same(lambda daemon: daemon.ctl("-i", stdin="version\n"))
    clients.same(lambda daemon: daemon.ctl("-i", "version", stdin="pid\n"))


class Person:
    """Sits at a terminal with a client; `seen` is what stood on it."""

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        command, *words = daemon.implementation.command("supervisorctl")
        self.child = pexpect.spawn(
            command,
            [*words, "-c", str(daemon.config_path), *arguments],
            encoding="utf-8",
            timeout=WAIT_SECONDS,
            dimensions=(50, 200),
            cwd=str(daemon.directory),
            env={**daemon.environment, "TERM": "dumb"},
        )
        self.seen = ""

    def sees(self, text: str) -> None:
        """Wait for a text, and take everything up to it."""
        self.child.expect_exact(text)
        self.seen += self.child.before + self.child.after

    def types(self, text: str) -> None:
        """Press keys."""
        self.child.send(text)

    def goes(self) -> None:
        """Switch the terminal off."""
        self.child.close(force=True)

    def leaves(self) -> list[Any]:
        """Wait for the end; return what was on the screen and the exit status."""
        self.child.expect(pexpect.EOF)
        self.seen += self.child.before
        self.child.close()
        return [self.seen, self.child.exitstatus, self.child.signalstatus]


def session(*steps: tuple[str, str], arguments: tuple[str, ...] = ()) -> Callable[[Daemon], Any]:
    """Return what a person does: waits for a text, then types, again and again."""

    def act(daemon: Daemon) -> Any:
        address = f"http://{ADDRESSES[daemon]}"
        person = Person(daemon, *(each.replace("<url>", address) for each in arguments))
        for awaited, keys in steps:
            person.sees(awaited)
            person.types(keys.replace("<url>", address))
        return person.leaves()

    return act


@pytest.mark.parametrize(
    "steps",
    [
        [(PROMPT, CTRL_C)],
        [(PROMPT, "ver"), ("ver", CTRL_C)],
        [(PROMPT, "\x04")],
        [(PROMPT, "status idle\n"), (PROMPT, "exit\n")],
        [(PROMPT, "shutdown\n"), ("y/N? ", "n\n"), (PROMPT, "quit\n")],
        [(PROMPT, "reload\n"), ("y/N? ", CTRL_C)],
    ],
    ids=["Ctrl-C", "Ctrl-C in a line", "Ctrl-D", "exit", "no shutdown", "Ctrl-C for an answer"],
)
def test_a_session_at_a_terminal(clients: Clients, steps: list[tuple[str, str]]) -> None:
    clients.same(session(*steps))


TYPED = """
sta|status |status ec|status pair:|start p|signal C|signal CONT m|tail ru|fg e|pid i|stop m
restart a|clear ec|add |update p|remove m|help st|reload |open |nonsense |avail |maintail |
"""


@pytest.mark.parametrize("typed", TYPED.strip().replace("\n", "|").split("|"))
def test_tab_completes(clients: Clients, typed: str) -> None:
    """Twice Tab: the first completes as far as it is clear, the second lists."""

    def complete(daemon: Daemon) -> str:
        person = Person(daemon)
        person.sees(PROMPT)
        person.types(f"{typed}\t\t")
        person.types(f"{CTRL_U}exit\n")
        screen = person.leaves()[0]
        words = str(re.sub(r"\s+", " ", re.sub(r"[\x07\x08]", " ", screen.split(PROMPT, 1)[1])))
        return words if typed else known_commands(words)

    clients.same(complete)


def test_the_shell_asks_for_user_and_password(clients: Clients) -> None:
    steps = [
        ("Username:", "user\n"),
        ("Password:", "wrong\n"),
        ("Username:", "user\n"),
        ("Password:", "word\n"),
        (PROMPT, "version\n"),
        (PROMPT, "exit\n"),
    ]
    clients.same(session(*steps, arguments=("-s", "<url>")))
    clients.same(session(*steps[2:4], arguments=("-s", "<url>", "-i", "status", "idle")))


def test_open_another_server_and_back(clients: Clients) -> None:
    steps = [
        (PROMPT, "open <url>\n"),
        ("Username:", "user\n"),
        ("Password:", "word\n"),
        (PROMPT, "version\n"),
        (PROMPT, "exit\n"),
    ]
    clients.same(session(*steps))


@pytest.mark.parametrize(
    ("line", "awaited"),
    [
        ("tail -f runs", "to stdout"),
        ("tail -f runs stderr", "to stderr"),
        ("maintail -f", "entered RUNNING state"),
    ],
)
def test_ctrl_c_ends_a_followed_log(clients: Clients, line: str, awaited: str) -> None:
    """In the shell one can go on; a command is over, and has done nothing wrong."""
    seen = clients.answers(session((awaited, CTRL_C), arguments=tuple(line.split())))
    assert seen[0][1:] == seen[1][1:] == [0, None]
    in_shell = session((PROMPT, f"{line}\n"), (awaited, CTRL_C), (PROMPT, "exit\n"))
    assert [each[1:] for each in clients.answers(in_shell)] == [[0, None]] * 2


def test_a_followed_log_shows_what_is_written(clients: Clients) -> None:
    def follow(daemon: Daemon) -> Any:
        person = Person(daemon, "tail", "-f", "echo")
        person.sees("READY")
        for text in ("one\n", "é, zwei\n"):
            daemon.rpc.supervisor.sendProcessStdin("echo", text)
            person.sees(text.strip())
        person.types(CTRL_C)
        return person.leaves()

    clients.same(follow)


def test_fg_shows_output_and_sends_input(clients: Clients) -> None:
    """Of the screen only the header is compared: echo and output come in any order."""

    def talk(daemon: Daemon) -> Any:
        person = Person(daemon)
        person.sees(PROMPT)
        person.types("fg echo\n")
        person.sees(HEADER)
        person.sees("READY")
        person.types("to the program\n")
        path = daemon.info("echo")["stdout_logfile"]
        wait_until(lambda: "to the program" in Path(path).read_text(encoding="utf-8"))
        person.types(CTRL_C)
        person.sees("Exiting foreground")
        person.sees(PROMPT)
        person.goes()
        return re.findall("==.*|Exiting.*", person.seen)

    clients.same(talk)


def test_fg_ends_with_its_program(clients: Clients) -> None:
    def talk(daemon: Daemon) -> Any:
        person = Person(daemon)
        person.sees(PROMPT)
        person.types("fg echo\n")
        person.sees("READY")
        daemon.rpc.supervisor.stopProcess("echo")
        person.types("are you there?\n")
        person.sees("Process got killed\r\nExiting foreground\r\n")
        daemon.rpc.supervisor.startProcess("echo")
        person.goes()
        return person.seen.split("there?")[-1]

    clients.same(talk)
