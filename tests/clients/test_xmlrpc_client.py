"""Python's `xmlrpc.client`: every method there is, over TCP and over the unix socket."""

from __future__ import annotations

import os
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import DIRECTORY as CHILDREN
from tests.support.children import child
from tests.support.comparison import (
    assert_same,
    normalised,
    ours,
    reference,
    temporary_directory,
)
from tests.support.daemon import Daemon, Implementation
from tests.support.differences import ADDED_METHODS
from tests.support.guarded import PASSWORD, USER, GuardedDaemon
from tests.support.transport import UnixConnection, UnixTransport
from tests.support.waiting import wait_until

SLEEPER = f"command={child('sleeper')}\nstartsecs=0\n"

CONFIG = f"""
[program:echo]
command={child("echo")}
startsecs=0
[program:talks]
command={child("two_streams", "to stdout", "to stderr")}
startsecs=0
[program:idle]
{SLEEPER}
autostart=false
[program:one]
{SLEEPER}
[program:two]
{SLEEPER}
[group:pair]
programs=one,two
[program:slow]
command={child("sleeper")}
startsecs=1
autostart=false
"""

NEW = f"""
[program:new]
{SLEEPER}
"""

Proxy = xmlrpc.client.ServerProxy
Connect = Callable[[GuardedDaemon], Proxy]


def over_the_unix_socket(daemon: GuardedDaemon) -> Proxy:
    return xmlrpc.client.ServerProxy(
        "http://localhost/RPC2", UnixTransport(str(daemon.socket_path))
    )


def over_tcp(daemon: GuardedDaemon) -> Proxy:
    return xmlrpc.client.ServerProxy(f"http://{USER}:{PASSWORD}@127.0.0.1:{daemon.port}/RPC2")


class Caller:
    """Calls methods by name and remembers what it was answered."""

    def __init__(self, daemon: GuardedDaemon, connect: Connect) -> None:
        self.daemon = daemon
        self.proxy = connect(daemon)
        self.answers: list[Any] = []
        self.called: set[str] = set()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method; a fault is an answer too."""
        self.called.add(method)
        try:
            answer = getattr(self.proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            answer = ["fault", fault.faultCode, fault.faultString]
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):
            answer.sort(key=itemgetter("group", "name"))  # they come in the order of the exits
        return answer

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method and remember the answer."""
        if method.startswith("supervisor.stop"):
            self.wait_for_children()
        self.answers.append([method, *arguments, self.ask(method, *arguments)])

    def wait_for_children(self) -> None:
        """Wait until all have been executed: before that the original loses a signal."""
        infos: Any = self.daemon.rpc.supervisor.getAllProcessInfo()
        for info in infos:
            if info["statename"] == "RUNNING":
                self.daemon.wait_for_child(f"{info['group']}:{info['name']}", CHILDREN)


# -- every method once ---------------------------------------------------------

FACTS = (
    ("system.listMethods",),
    ("system.methodSignature", "supervisor.startProcess"),
    ("supervisor.getAPIVersion",),
    ("supervisor.getVersion",),
    ("supervisor.getSupervisorVersion",),
    ("supervisor.getIdentification",),
    ("supervisor.getState",),
    ("supervisor.getAllProcessInfo",),
    ("supervisor.getProcessInfo", "talks"),
    ("supervisor.readLog", 0, 2),
    ("supervisor.readMainLog", 0, 2),
)

LOGS = (
    ("supervisor.readProcessLog", "talks", 0, 9),
    ("supervisor.readProcessStdoutLog", "talks", 0, 9),
    ("supervisor.readProcessStderrLog", "talks", 0, 0),
    ("supervisor.tailProcessLog", "talks", 0, 5),
    ("supervisor.tailProcessStdoutLog", "talks", 0, 5),
    ("supervisor.tailProcessStderrLog", "talks", 0, 5),
    ("supervisor.clearProcessLog", "talks"),
    ("supervisor.readProcessLog", "talks", 0, 0),
    ("supervisor.clearProcessLogs", "talks"),
    ("supervisor.clearAllProcessLogs",),
    ("supervisor.clearLog",),
)

CONTROL = (
    ("supervisor.startProcess", "idle"),
    ("supervisor.startProcess", "idle"),
    ("supervisor.stopProcess", "idle"),
    ("supervisor.stopProcess", "idle"),
    ("supervisor.startProcess", "slow"),
    ("supervisor.signalProcess", "slow", "CONT"),
    ("supervisor.stopProcessGroup", "pair"),
    ("supervisor.startProcessGroup", "pair"),
    ("supervisor.signalProcessGroup", "pair", "CONT"),
    ("supervisor.signalAllProcesses", "CONT"),
    ("supervisor.sendRemoteCommEvent", "greeting", "grüße"),
    ("supervisor.stopAllProcesses",),
    ("supervisor.startAllProcesses",),
)

CHANGES = (
    ("supervisor.reloadConfig",),
    ("supervisor.addProcessGroup", "new"),
    ("supervisor.addProcessGroup", "new"),
    ("supervisor.removeProcessGroup", "pair"),
    ("supervisor.stopProcessGroup", "pair", True),
    ("supervisor.removeProcessGroup", "pair"),
    ("supervisor.removeProcessGroup", "pair"),
)


def call_everything(caller: Caller) -> None:
    """Call every method there is on a daemon, which ends with that."""
    daemon = caller.daemon
    for name, text in (("talks", "READY\n"), ("echo", "READY\n")):
        daemon.wait_for_text(daemon.info(name)["stdout_logfile"], text)
    steps = (*FACTS, *LOGS, *CONTROL)
    for step in steps:
        caller.tell(*step)
    caller.answers.append(
        [
            caller.ask("supervisor.getPID") == daemon.pid,
            "struct" in caller.ask("system.methodHelp", "supervisor.getState"),
            [each["name"] for each in caller.ask("supervisor.getAllConfigInfo")],
            multicall(caller),
            echo(caller),
        ]
    )
    daemon.write_config(CONFIG.replace("[program:idle]", "[program:busy]") + NEW)
    for step in CHANGES:
        caller.tell(*step)
    caller.tell("supervisor.restart")
    daemon.wait_for_start(1)  # the log was cleared
    wait_until(lambda: _answers(caller))
    caller.tell("supervisor.shutdown")
    daemon.close_rpc()
    caller.proxy("close")()
    daemon.wait_for_exit()


def _answers(caller: Caller) -> bool:
    try:
        return bool(caller.ask("supervisor.getState")["statename"] == "RUNNING")
    except (OSError, xmlrpc.client.Error, TypeError):
        caller.proxy("close")()
        return False


def multicall(caller: Caller) -> Any:
    """Stop and start a process in one request: each call begins when the one before is done.

    Not by `xmlrpc.client.MultiCall`: it expects each answer in an array of its own, which the
    original does not do.
    """
    names = ("stopProcess", "getProcessInfo", "startProcess", "getProcessInfo", "stopProcessGroup")
    calls = [{"methodName": f"supervisor.{name}", "params": ["slow"]} for name in names]
    answers = caller.ask("system.multicall", calls)
    return [answer.get("statename") if isinstance(answer, dict) else answer for answer in answers]


def echo(caller: Caller) -> list[Any]:
    """Send input to a process and read it back."""
    answer = caller.ask("supervisor.sendProcessStdin", "echo", "grüße <&>\n")
    text = wait_until(
        lambda: (
            "grüße" in (log := caller.ask("supervisor.readProcessStdoutLog", "echo", 0, 0)) and log
        )
    )
    return [answer, text.partition("grüße")[1:]]


def answers_to_everything(implementation: Implementation, connect: Connect) -> list[Any]:
    """Call everything on a daemon of this implementation; return what it said."""
    with temporary_directory() as directory:
        daemon = GuardedDaemon(directory, CONFIG, implementation=implementation)
        try:
            caller = Caller(daemon.start(), connect)
            with caller.proxy:
                call_everything(caller)
        finally:
            daemon.kill()
        caller.answers[0][-1] = [
            name for name in caller.answers[0][-1] if name not in ADDED_METHODS
        ]
        assert caller.called == set(caller.answers[0][-1]), "not every method was called"
        found: list[Any] = normalised(caller.answers, directory)
        return found


@pytest.mark.timeout(120)  # four daemons, two of which take their time to restart
def test_every_method_answers_as_in_the_reference_over_both_sockets() -> None:
    with ThreadPoolExecutor(4) as pool:
        said = [
            pool.submit(answers_to_everything, implementation, connect)
            for implementation in (reference(), ours())
            for connect in (over_tcp, over_the_unix_socket)
        ]
        theirs, *others = (each.result() for each in said)
        for found in others:
            assert_same(theirs, found)


# -- connections ---------------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> Iterator[GuardedDaemon]:
    """A daemon of ours, for tests that leave it as it was."""
    with temporary_directory() as directory, GuardedDaemon(directory, CONFIG + MANY) as daemon:
        yield daemon


# Stopped by a signal that `sleep` ignores: it waits until the test ends it, well before KILL.
CALLERS = 200
MANY = f"""
[program:many]
command=/bin/sleep 1000
process_name=%(process_num)d
numprocs={CALLERS}
startsecs=0
stopsignal=WINCH
stopwaitsecs=15
autostart=false
"""


def test_calls_of_a_proxy_share_one_connection(site: GuardedDaemon) -> None:
    transport = xmlrpc.client.Transport(headers=_login())
    with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{site.port}/RPC2", transport) as proxy:
        proxy.supervisor.getState()
        address = _own_address(transport)
        with pytest.raises(xmlrpc.client.Fault):
            proxy.supervisor.getProcessInfo("nope")
        for _ in range(50):
            proxy.supervisor.getAllProcessInfo()
        assert _own_address(transport) == address


def _login() -> list[tuple[str, str]]:
    import base64

    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return [("Authorization", f"Basic {encoded}")]


def _own_address(transport: Any) -> Any:
    return transport._connection[1].sock.getsockname()


@pytest.mark.parametrize("login", ["", "operator:wrong@", f"nobody:{PASSWORD}@", "operator:@"])
def test_a_wrong_password_is_an_http_error(site: GuardedDaemon, login: str) -> None:
    with (
        xmlrpc.client.ServerProxy(f"http://{login}127.0.0.1:{site.port}/RPC2") as proxy,
        pytest.raises(xmlrpc.client.ProtocolError) as caught,
    ):
        proxy.supervisor.getState()
    assert (caught.value.errcode, caught.value.errmsg) == (401, "Unauthorized")


def test_values_of_every_type_reach_a_method(site: GuardedDaemon) -> None:
    """A method that takes text refuses what is none, in a fault; bytes are taken as text."""
    info: Any = site.rpc.supervisor.getProcessInfo(xmlrpc.client.Binary(b"talks"))
    assert info["name"] == "talks"
    for value in (5, 2.5, True, [], {}, xmlrpc.client.DateTime(0)):
        with pytest.raises(xmlrpc.client.Fault):
            site.rpc.supervisor.getProcessInfo(value)


def test_many_callers_wait_at_no_cost_and_are_all_answered(site: GuardedDaemon) -> None:
    site.rpc.supervisor.startProcessGroup("many")
    with ExitStack() as stack:
        callers = []
        for number in range(CALLERS):
            connection = UnixConnection(str(site.socket_path), timeout=30)
            stack.callback(connection.close)
            connection.request("POST", "/RPC2", _call("supervisor.stopProcess", f"many:{number}"))
            callers.append(connection)
        wait_until(lambda: _states(site) == {"STOPPING"})
        turns, ticks = _turns(site.pid), _ticks(site.pid)
        time.sleep(0.5)  # what this costs the daemon is the question
        assert _turns(site.pid) - turns <= 2
        assert _ticks(site.pid) - ticks <= 2
        killed: Any = site.rpc.supervisor.signalProcessGroup("many", "KILL")
        assert len(killed) == CALLERS
        for connection in callers:
            (answer,), _ = xmlrpc.client.loads(connection.getresponse().read())
            assert answer is True
    assert _states(site) == {"STOPPED"}


def _call(method: str, *arguments: Any) -> str:
    return xmlrpc.client.dumps(arguments, method)


def _states(daemon: Daemon) -> set[str]:
    infos: Any = daemon.rpc.supervisor.getAllProcessInfo()
    return {info["statename"] for info in infos if info["group"] == "many"}


def _turns(pid: int) -> int:
    """Return how often a process has gone to sleep: once for each turn of its loop."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def _ticks(pid: int) -> int:
    """Return the CPU time of a process, in ticks of the kernel (10 ms each)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 100 // os.sysconf("SC_CLK_TCK")
