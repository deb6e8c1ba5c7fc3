"""Every command of both clients on one kind of daemon, with good and bad arguments."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.support.client_pairs import ADDRESSES, Clients, running_clients
from tests.support.comparison import STEADY
from tests.support.daemon import Daemon
from tests.support.details import assert_valid
from tests.support.differences import declared

# One line each, and none changes anything that another one sees.
COMMANDS = """
status
status nope
status runs idle
status pair:*
status pair
status pair:
status nope:*
status :
status pair:left pair:*
status all
status runs runs
status nope runs idle
status pair:left runs:runs runs:nope
status ""
status "runs idle"
status 'a"b'
status é
start
start nope
start nope:*
start runs
start missing
start flat
start runs nope
start nope runs
start pair:left
start many:*
start many:
stop
stop nope
stop nope:*
stop idle
stop :
stop :x
stop missing nope
restart
restart nope
restart nope:*
signal
signal CONT
signal NOPE runs
signal CONT nope
signal CONT runs
signal cont runs
signal SIGCONT runs
signal 18 runs
signal 0 runs
signal 9999 runs
signal CONT idle
signal CONT many:*
signal CONT nope:*
signal NOPE all
signal CONT all
signal CONT idle runs nope
pid idle
pid nope
pid idle nope
pid nope idle
pid nope all
pid pair:*
help
help nope
help nope status
help EOF
help help
help status
? status
version
version x
avail
avail x
reread
reread x
update
update nope
update runs
update all
update all nope
update runs nope
add
add nope
add runs
add runs nope
remove
remove nope
remove runs
remove pair
remove runs nope pair
clear
clear nope
clear pair:*
clear idle
clear idle nope
tail
tail nope
tail runs
tail runs stderr
tail runs stdout
tail runs STDOUT
tail -5 runs
tail -5 runs stderr
tail -0 runs
tail runs nope
tail -x runs
tail -x runs nope
tail - runs
tail -5.0 runs
tail 5 runs
tail -5 nope
tail idle
tail nolog
tail nolog stderr
tail a b c
tail a b c d
tail pair:*
tail pair:left
tail -f
tail -f nolog
tail -f runs nope
tail runs -f
maintail x
maintail -x
maintail -f x
maintail a b
fg
fg nope
fg idle
fg a b
fg pair:*
reload x
shutdown x
open
open nonsense
open https://example.org
open unix:///tmp/nope-nope.sock
open http://localhost:1
exit
exit 5
quit
EOF
nonsense
STATUS
!ls
@x
""
"status runs ; x"
"status runs" idle
-i status nope
-i version
""".strip().splitlines()


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Both clients, each with a daemon of the reference."""
    with running_clients() as started:
        yield started


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(clients: Clients, command: str) -> None:
    clients.same(lambda daemon: daemon.ctl(*shlex.split(command)))


def test_following_an_unknown_process(clients: Clients) -> None:
    """The reference begins to follow, and succeeds."""
    declared("Following the log of an unknown process")
    theirs, ours = clients.answers(lambda daemon: daemon.ctl("tail", "-f", "nope"))
    assert "status code 404" in "".join(theirs[:2])
    assert theirs[2] == 0
    assert STEADY or ours == ["nope: ERROR (no such process name)\n", "", 1]


def test_help(clients: Clients) -> None:
    """All topics, in one session of the shell."""
    topics = clients.theirs.ctl("help").stdout.split("=\n")[1].split()
    clients.same(lambda daemon: daemon.ctl(stdin="".join(f"help {each}\n" for each in topics)))


@pytest.mark.parametrize("url", ["unix:///tmp/nope-nope.sock", "http://[::1]:1/", "unix:///tmp"])
@pytest.mark.parametrize("command", ["status", "pid", "start runs", "tail -f runs", "shutdown"])
def test_without_a_server(clients: Clients, url: str, command: str) -> None:
    clients.same(lambda daemon: daemon.ctl("-s", url, *command.split()))


@pytest.mark.parametrize("path", ["", "/some/path"])
@pytest.mark.parametrize("command", ["status runs", "tail runs", "tail -f nolog", "version"])
def test_over_tcp_with_a_password(clients: Clients, path: str, command: str) -> None:
    def ask(daemon: Daemon) -> object:
        url = f"http://{ADDRESSES[daemon]}{path}"
        return daemon.ctl("-s", url, "-u", "user", "-p", "word", *command.split())

    clients.same(ask)


@pytest.mark.parametrize("command", ["status", "reread", "shutdown"])
@pytest.mark.parametrize("credentials", ["", "-u user -p wrong"])
def test_a_wrong_password(clients: Clients, credentials: str, command: str) -> None:
    """Ours says so once; the status is the same."""

    def ask(daemon: Daemon) -> object:
        url = f"http://{ADDRESSES[daemon]}"
        return daemon.ctl("-s", url, *credentials.split(), *command.split())

    theirs, ours = clients.answers(ask)
    assert theirs[0].splitlines()[0] == "Server requires authentication"
    assert ours == ["Server requires authentication\n", *theirs[1:]]


# -- beyond the reference's client, on the reference's daemon -------------------------------


@pytest.mark.parametrize(
    ("command", "output", "status"),
    [
        ("status *:*ft r?ns", r"pair:left +RUNNING .*\nruns +RUNNING .*\n", 0),
        ("status *x", r"\*x: ERROR \(no such process\)\n", 4),
        ("stop [x]*", r"\[x\]\*: ERROR \(no such process\)\n", 1),
        ("signal CONT many:m?", r"many:m0: signalled\nmany:m1: signalled\n", 0),
        ("pid x* nol?g", r"No such process x\*\n<pid>\n", 1),
        ("tail two* stderr", r"two\*: ERROR \(no such process name\)\n", 1),
        ("tail r*s", "to stdout\nREADY\n\n", 0),
    ],
)
def test_patterns(clients: Clients, command: str, output: str, status: int) -> None:
    """The reference takes them for names; without a match, ours does as well."""
    theirs, ours = clients.answers(lambda daemon: daemon.ctl(*shlex.split(command)))
    declared("Wildcards in names")
    assert "ERROR" in theirs[0] or "No such process" in theirs[0]
    assert re.fullmatch(output, ours[0])
    assert ours[1:] == ["", status]


def test_further_commands_on_the_reference(clients: Clients) -> None:
    """What its daemon does not report is left out."""
    client = clients.ours.ctl
    (struct,) = json.loads(client("status", "--json", "runs").stdout)
    assert_valid([struct])
    assert (struct["name"], struct["statename"]) == ("runs", "RUNNING")
    assert "history" not in struct
    assert re.fullmatch(
        r"runs +RUNNING +pid \d+, uptime .*\n", client("status", "-v", "runs").stdout
    )
    found = client("wait", "runs", "pair:left", "running", "--timeout=20")
    assert (found.stdout, found.returncode) == ("runs: running\npair:left: running\n", 0)
    found = client("wait", "idle", "running", "--timeout=0.1")
    expected = "idle: ERROR (not running after 0.1 seconds: STOPPED)\n"
    assert (found.stdout, found.returncode) == (expected, 1)
    assert client("logs", "runs").stdout == (
        "runs        | to stdout\nruns        | READY\nruns stderr | to stderr\n"
    )
    assert client("explain", "runs").stdout.startswith("ERROR: supervisord does not know")
