"""Plugins in a daemon that executes itself: they are made again, and their programs go on."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon, Implementation, clean_environment
from tests.support.networks import ADDRESS, own_network
from tests.support.plugins import SUPVISORS, ours_with_plugins, plugin_environment, plugin_script
from tests.support.shared_application import RULES, SHARED
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until


def replace(daemon: Daemon) -> None:
    """Replace the daemon, and wait until it responds."""
    number = daemon.log_text().count("resumed ") + 1
    done = daemon.ctl("reexec")
    assert done.returncode == 0, (done, daemon.log_text())
    wait_until(lambda: daemon.log_text().count("resumed ") == number, what=daemon.log_text)
    daemon.close_rpc()
    assert "Traceback" not in daemon.log_text()


INTERFACES = f"""
[rpcinterface:twiddler]
supervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface
[rpcinterface:cache]
supervisor.rpcinterface_factory=supervisor_cache.rpcinterface:make_cache_rpcinterface
[group:pets]
programs=dog,cat
[program:dog]
command={child("sleeper")}
startsecs=0
[program:cat]
command={child("sleeper")}
startsecs=0
"""


def test_processes_that_twiddler_has_added_or_removed(directory: Path) -> None:
    """They are no part of the configuration, but of the running daemon."""
    options = {"command": child("sleeper"), "startsecs": "0", "numprocs": 1}
    with Daemon(directory, INTERFACES, implementation=ours_with_plugins()) as daemon:
        assert daemon.rpc.twiddler.addProgramToGroup("pets", "parrot", options)
        pid = daemon.wait_for_state("pets:parrot", "RUNNING")["pid"]
        daemon.rpc.supervisor.stopProcess("pets:cat")
        assert daemon.rpc.twiddler.removeProcessFromGroup("pets", "cat")
        daemon.rpc.cache.store("key", "value")
        for _ in range(2):
            replace(daemon)
            assert daemon.info("pets:parrot")["pid"] == pid
            infos = daemon.rpc.supervisor.getAllProcessInfo()
            assert isinstance(infos, list)
            assert sorted(each["name"] for each in infos) == ["dog", "parrot"]
        assert daemon.rpc.twiddler.getGroupNames() == ["pets"]
        assert daemon.rpc.cache.getKeys() == []  # it is in the memory of the plugin
        assert daemon.rpc.twiddler.addProgramToGroup("pets", "cat", options)
        daemon.wait_for_state("pets:cat", "RUNNING")


MULTIVISOR = f"""
[rpcinterface:multivisor]
supervisor.rpcinterface_factory=multivisor.rpc:make_rpc_interface
bind={{address}}
[program:x]
command={child("sleeper")}
startsecs=0
"""

CLIENT = """
import json, sys
from multivisor.zerorpc import Client

client = Client(sys.argv[1], timeout=20)
print(json.dumps([[process["name"], process["pid"]] for process in client.getAllProcessInfo()]))
"""


def test_multivisor_serves_its_protocol_again(directory: Path) -> None:
    """It listens by itself, in a thread, on an address that the daemon before has just used."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = MULTIVISOR.format(address=address)
    with Daemon(directory, config, implementation=ours_with_plugins()) as daemon:
        pid = daemon.wait_for_state("x", "RUNNING")["pid"]
        for _ in range(2):
            result = subprocess.run(
                [plugin_script("python"), "-c", CLIENT, f"tcp://{address}"],
                capture_output=True,
                text=True,
                timeout=40,
                env=clean_environment(directory),
                check=False,
            )
            assert result.returncode == 0, result.stderr
            assert json.loads(result.stdout) == [["x", pid]]
            replace(daemon)


LISTENERS = """
[program:fat]
command={sleeper}
startsecs=0
autostart=false
[program:crashes]
command={exits}
startsecs=0
autostart=false
autorestart=false
[eventlistener:memmon]
command={memmon} -p fat=1KB -m me@example.com -s "{mailbox} memmon.mail"
events=TICK_5
[eventlistener:crashmail]
command={crashmail} -a -m me@example.com -s "{mailbox} crash.mail"
events=PROCESS_STATE_EXITED
"""


@pytest.mark.slow
def test_listeners_go_on(directory: Path) -> None:
    """They have noticed nothing: the same processes get the events of the new daemon."""
    config = LISTENERS.format(
        sleeper=child("sleeper"),
        exits=child("exits", 3),
        mailbox=child("mailbox"),
        memmon=plugin_script("memmon"),
        crashmail=plugin_script("crashmail"),
    )
    with Daemon(directory, config, implementation=ours_with_plugins()) as daemon:
        names = ("memmon", "crashmail")
        pids = [daemon.wait_for_state(name, "RUNNING")["pid"] for name in names]
        for _ in range(2):
            replace(daemon)
        daemon.rpc.supervisor.startProcess("crashes")
        mail = daemon.wait_for_text("crash.mail", "unexpectedly", 20)
        assert "Process crashes in group crashes exited unexpectedly" in mail
        daemon.rpc.supervisor.startProcess("fat")
        daemon.wait_for_text("memmon.mail", "bytes RSS", 25)
        assert [daemon.info(name)["pid"] for name in names] == pids, daemon.log_text()


@needs_root
@pytest.mark.timeout(300)
def test_supvisors_refuses(directory: Path) -> None:
    """Its instances compare counters of each other, and would start the program a second time."""
    rules = directory / "rules.xml"
    rules.write_text(RULES, encoding="utf-8")
    running = rf"shop +web +RUNNING +n/a +\['{ADDRESS}:60002'\]"
    with own_network(directory) as there:
        python = str(plugin_environment(SUPVISORS) / "bin" / "python")
        implementation = Implementation("ours", (*there, python, "-m", "supervisor."))
        daemons = []
        for name, port in (("one", 60001), ("two", 60002)):
            (directory / name).mkdir()
            config = SHARED.format(name=name, port=port, rules=rules)
            daemons.append(Daemon(directory / name, config, implementation=implementation))
        one, two = daemons
        try:
            one.launch()
            two.launch()
            wait_for(one, "sstatus", running)
            done = two.ctl("reexec")
            assert done.returncode == 1
            assert done.stdout == (
                "error: supervisord was not replaced: the RPC interface 'supvisors' does not allow"
                " it: other instances would take it for a crash, and start its programs elsewhere\n"
            )
            wait_for(one, "sstatus", running)
        finally:
            two.kill()
            one.kill()


def wait_for(daemon: Daemon, action: str, answer: str) -> None:
    """Wait until a command of Supvisors prints a text."""
    wait_until(
        lambda: re.search(answer, daemon.ctl(action).stdout),
        60,
        what=lambda: f"{answer} in {daemon.ctl(action).stdout}\n{daemon.log_text()}",
    )
