"""multivisor: an interface that serves its own protocol from a thread inside the daemon."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon, clean_environment
from tests.support.plugins import ours_with_plugins, plugin_script

CLIENT = """
import json, sys
from multivisor.zerorpc import Client

def client():
    return Client(sys.argv[1], timeout=20)

print(json.dumps([process["name"] for process in client().getAllProcessInfo()]))
print(json.dumps([client().stopProcess("x"), client().startProcess("x")]))
events = client().event_stream()
next(events)  # says only that the stream is open
client().stopProcess("x")
stops = (event for event in events if "STOPP" in event["eventname"])
print(json.dumps([next(stops) for _ in range(2)]))  # events of the start may come late
"""

CONFIG = f"""
[rpcinterface:multivisor]
supervisor.rpcinterface_factory=multivisor.rpc:make_rpc_interface
bind={{address}}
[program:x]
command={child("sleeper")}
startsecs=0
"""


def test_it_controls_processes_and_streams_events(directory: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = CONFIG.format(address=address)
    with Daemon(directory, config, implementation=ours_with_plugins()) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        result = subprocess.run(
            [plugin_script("python"), "-c", CLIENT, f"tcp://{address}"],
            capture_output=True,
            text=True,
            timeout=40,
            env=clean_environment(directory),
            check=False,
        )
    assert result.returncode == 0, result.stderr
    names, answers, events = map(json.loads, result.stdout.splitlines())
    assert names == ["x"]
    assert answers == [True, True]
    assert [event["eventname"] for event in events] == [
        "PROCESS_STATE_STOPPING",
        "PROCESS_STATE_STOPPED",
    ]
