"""A person at a terminal, `supervisorctl` and a daemon of ours: one working day."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pexpect
import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon, clean_environment
from tests.support.guarded import PASSWORD, USER, GuardedDaemon
from tests.support.waiting import wait_until

PROMPT = "supervisor> "
CTRL_C = "\x03"
WAIT_SECONDS = 20

CONFIG = f"""
[program:echo]
command={child("echo")}
startsecs=0
[program:idle]
command={child("sleeper")}
startsecs=0
autostart=false
[supervisorctl]
history_file=%(here)s/history
prompt=supervisor
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[GuardedDaemon]:
    """A daemon with a server on TCP that wants a password."""
    with GuardedDaemon(directory, CONFIG) as started:
        started.wait_for_state("echo", "RUNNING")
        yield started


@contextmanager
def shell(daemon: Daemon, *arguments: str) -> Iterator[pexpect.spawn[str]]:
    """A shell at a terminal; it must have ended by itself, with status 0."""
    command, *words = OURS.command("supervisorctl")
    person = pexpect.spawn(
        command,
        [*words, "-c", str(daemon.config_path), *arguments],
        encoding="utf-8",
        timeout=WAIT_SECONDS,
        dimensions=(50, 200),
        cwd=str(daemon.directory),
        env={**daemon.environment, "TERM": "dumb", "PYTHONWARNINGS": "error"},
    )
    try:
        yield person
        person.expect(pexpect.EOF)
    finally:
        person.close()
    assert (person.exitstatus, person.signalstatus) == (0, None)


def says(person: pexpect.spawn[str], line: str, *expected: str) -> None:
    """Type a line at the prompt and wait for texts, in this order."""
    person.expect_exact(PROMPT)
    person.sendline(line)
    for text in expected:
        person.expect(text)


def test_programs_are_looked_at_started_and_stopped(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        person.expect(r"echo +RUNNING +pid \d+, uptime 0:00:\d\d\r\nidle +STOPPED +Not started\r\n")
        says(person, "help", "default commands", "maintail")
        says(person, "help start", r"start <name>")
        says(person, "start idle", "idle: started\r\n")
        says(person, "status idle", r"idle +RUNNING")
        says(person, "restart idle", "idle: stopped\r\n", "idle: started\r\n")
        says(person, "stop idle nope", "idle: stopped\r\n", r"nope: ERROR \(no such process\)")
        says(person, "nonsense", r"\*\*\* Unknown syntax: nonsense")
        says(person, "exit")


def test_tab_completes_commands_and_names(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        person.expect_exact(PROMPT)
        person.send("sta\t\t")
        person.expect("start +status")
        person.expect_exact(f"{PROMPT}sta")
        person.send("rt id\t")
        person.expect_exact("idle")
        person.sendline()
        person.expect_exact("idle: started")
        says(person, "quit")


def test_the_history_is_kept_from_one_session_to_the_next(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        says(person, "pid echo", r"\d+\r\n")
        says(person, "exit")
    assert (daemon.directory / "history").read_text().splitlines() == ["pid echo", "exit"]
    up = "\x10"
    with shell(daemon) as person:
        person.expect_exact(PROMPT)
        person.send(f"{up}{up}\n")
        person.expect(rf"pid echo\r+\n{daemon.info('echo')['pid']}\r\n")
        says(person, "exit")


def test_a_log_is_followed_until_ctrl_c(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        says(person, "tail -f echo", "Press Ctrl-C to exit", "READY\r\n")
        daemon.rpc.supervisor.sendProcessStdin("echo", "a line\n")
        person.expect_exact("a line\r\n")
        person.send(CTRL_C)
        says(person, "maintail -f", "Press Ctrl-C to exit", "entered RUNNING state")
        person.send(CTRL_C)
        says(person, "version", r"4\.3\.\d+\r\n")
        says(person, "exit")


def test_what_a_program_writes_does_not_command_the_terminal(daemon: GuardedDaemon) -> None:
    """Followed, only colours come through; XML-RPC carries no control characters at all."""
    attack = "\x1b]0;owned\x07 \x1b[2J \x1b[32mgreen\x1b[0m\n"
    Path(daemon.info("echo")["stdout_logfile"]).write_text(attack, encoding="utf-8")
    with shell(daemon, "-u", USER, "-p", PASSWORD) as person:
        says(person, "tail echo", "\ufffd]0;owned\ufffd \ufffd\\[2J")
        says(person, "tail -f echo", r"\\x1b]0;owned\\x07 \\x1b\[2J \x1b\[32mgreen")
        person.send(CTRL_C)
        says(person, "exit")


def test_a_program_in_the_foreground_is_typed_to_until_ctrl_c(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        says(person, "fg echo", "READY\r\n")
        for line in ("hello", "gr\u00fc\u00dfe"):
            person.sendline(line)
            person.expect(rf"{line}\r\n(.*\n)*{line}\r\n")  # the terminal's echo and the program's
        person.send(CTRL_C)
        says(person, "status echo", r"echo +RUNNING")
        says(person, "exit")


def test_the_daemon_is_ended_only_by_a_yes(daemon: GuardedDaemon) -> None:
    with shell(daemon) as person:
        says(person, "shutdown", r"y/N\? ")
        person.sendline("n")
        says(person, "reload", r"y/N\? ")
        person.sendline("y")
        person.expect_exact("Restarted supervisord")
        daemon.close_rpc()
        daemon.wait_for_start(2)
        says(person, "shutdown", r"y/N\? ")
        person.sendline("y")
        person.expect_exact("Shut down")
        says(person, "exit")
    daemon.close_rpc()
    daemon.wait_for_exit()


def test_a_password_is_asked_for_and_not_shown(daemon: GuardedDaemon) -> None:
    screen = StringIO()
    with shell(daemon, "-s", f"http://127.0.0.1:{daemon.port}") as person:
        person.logfile_read = screen
        person.expect_exact("Server requires authentication")
        for password in ("wrong", PASSWORD):
            person.expect("Username:")
            person.sendline(USER)
            person.expect("Password:")
            person.sendline(password)
        person.expect(r"echo +RUNNING")
        says(person, "version", r"4\.3\.\d+\r\n")
        says(person, "exit")
    assert USER in screen.getvalue()
    assert not re.search(f"wrong|{PASSWORD}", screen.getvalue())


# -- colours and redrawing -------------------------------------------------------------


def with_colours(daemon: GuardedDaemon, *arguments: str, **more: str) -> pexpect.spawn[str]:
    """Run a command at a terminal that has colours."""
    command, *words = OURS.command("supervisorctl")
    return pexpect.spawn(
        command,
        [*words, "-c", str(daemon.config_path), "-u", USER, "-p", PASSWORD, *arguments],
        encoding="utf-8",
        timeout=WAIT_SECONDS,
        dimensions=(50, 200),
        cwd=str(daemon.directory),
        env={**daemon.environment, "TERM": "xterm", **more},
    )


def test_states_have_colours(daemon: GuardedDaemon) -> None:
    """At a capable terminal only, and not for those who do not want them."""
    green = r"echo +\x1b\[32mRUNNING   \x1b\[0mpid"
    for more, expected in (
        ({}, rf"{green} \d+, uptime .*\r\nidle +STOPPED   Not started\r\n"),
        (
            {"NO_COLOR": "1"},
            r"echo +RUNNING   pid \d+, uptime .*\r\nidle +STOPPED   Not started\r\n",
        ),
        (
            {"TERM": "dumb"},
            r"echo +RUNNING   pid \d+, uptime .*\r\nidle +STOPPED   Not started\r\n",
        ),
    ):
        person = with_colours(daemon, "status", **more)
        person.expect(expected)
        person.expect(pexpect.EOF)
        person.close()


def test_watched_states_are_drawn_in_place(daemon: GuardedDaemon) -> None:
    with_status = with_colours(daemon, "status", "--watch", "idle")
    with_status.expect(r"\x1b\[H.*idle +STOPPED   Not started\x1b\[K\r\n\x1b\[J")
    daemon.rpc.supervisor.startProcess("idle")
    with_status.expect(r"\x1b\[H.*idle +\x1b\[32mRUNNING")
    with_status.send(CTRL_C)
    with_status.expect(pexpect.EOF)
    with_status.close()
    assert with_status.exitstatus == 0


def test_followed_logs_have_colours(daemon: GuardedDaemon) -> None:
    Path(daemon.info("echo")["stdout_logfile"]).write_text("\x1b]0;owned\x07\n", encoding="utf-8")
    person = with_colours(daemon, "logs", "-f", "e*")
    person.expect(r"\x1b\[36mecho +\|\x1b\[0m \\x1b]0;owned\\x07")
    daemon.rpc.supervisor.sendProcessStdin("echo", "new\n")
    person.expect(r"\x1b\[36mecho +\|\x1b\[0m new")
    person.send(CTRL_C)
    person.expect(pexpect.EOF)
    person.close()
    assert person.exitstatus == 0


# -- hints -----------------------------------------------------------------------------


def at_a_terminal(directory: Path, command: str, *arguments: str) -> str:
    """Return what a person sees of a command."""
    program, *words = OURS.command(command)
    seen, _ = pexpect.run(
        " ".join([program, *words, *arguments]),
        cwd=str(directory),
        env={**clean_environment(directory), "TERM": "dumb", "COLUMNS": "300"},
        encoding="utf-8",
        timeout=WAIT_SECONDS,
        withexitstatus=True,
    )
    return str(seen).replace("\r\n", "\n")


def test_what_to_do_when_nobody_listens(directory: Path) -> None:
    """The text that scripts know, and behind it what may help; scripts see only the first."""
    daemon = Daemon(directory)
    seen = at_a_terminal(directory, "supervisorctl", "-c", str(daemon.config_path), "status")
    told = f"unix://{directory}/s.sock no such file\n"
    assert seen.startswith(f"{told}Hint: is supervisord running")
    result = daemon.ctl("status")
    assert (result.stdout, result.stderr) == (told, "")


def test_what_to_do_when_a_program_does_not_start(directory: Path) -> None:
    config = "[program:x]\ncommand=/bin/false\nstartretries=0\nautostart=false\n"
    with Daemon(directory, config) as daemon:
        seen = at_a_terminal(directory, "supervisorctl", "-c", str(daemon.config_path), "start x")
        assert seen.startswith("x: ERROR (spawn error)\nHint: Exited too quickly")
        assert "`supervisorctl tail x stderr`" in seen
        assert daemon.ctl("start", "x").stderr == ""


def test_what_was_meant_by_a_mistyped_word(directory: Path) -> None:
    config = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        for typed, expected in {
            "statsu": "*** Unknown syntax: statsu\nHint: did you mean `status`?\n",
            "status wbe": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n",
            "stop wbe": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n",
            "restart wbe": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n" * 2,
            "start wbe:*": "wbe: ERROR (no such group)\nHint: did you mean `web:*`?\n",
            "tail -f wbe": "wbe: ERROR (no such process name)\nHint: did you mean `web`?\n",
            "tail wbe": "wbe: ERROR (no such process name)\nHint: did you mean `web`?\n",
            "clear wbe": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n",
            "pid wbe": "No such process wbe\nHint: did you mean `web`?\n",
            "fg wbe": "ERROR: bad process name supplied\nHint: did you mean `web`?\n",
            "graph wbe": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n",
            "wait wbe running": "wbe: ERROR (no such process)\nHint: did you mean `web`?\n",
            "status --wacht": "--wacht: ERROR (no such process)\nHint: did you mean `--watch`?\n",
            "update wbe": "ERROR: no such group: wbe\nHint: did you mean `web`?\n",
        }.items():
            arguments = ("-c", str(daemon.config_path), f"'{typed}'")
            assert at_a_terminal(directory, "supervisorctl", *arguments) == expected


def test_a_restart_does_not_read_a_changed_file(directory: Path) -> None:
    config = f"[program:web]\ncommand={child('sleeper')}\nstartsecs=0\n"
    with Daemon(directory, config) as daemon:
        start = daemon.info("web")["start"]
        wait_until(lambda: time.time() > start + 1)  # `start` is in whole seconds
        daemon.config_path.touch()
        arguments = ("-c", str(daemon.config_path), "restart", "web")
        seen = at_a_terminal(directory, "supervisorctl", *arguments)
        file = daemon.config_path
        assert seen == (
            "web: stopped\nweb: started\n"
            f"Hint: {file} has changed since the processes started;"
            " `supervisorctl update` applies changes.\n"
        )


def test_what_to_do_without_any_configuration(directory: Path) -> None:
    seen = at_a_terminal(directory, "supervisord")
    assert "No config file found at default paths" in seen
    assert "Hint: create a configuration with `echo_supervisord_conf" in seen
