"""RPC interfaces and commands that other people wrote, at work in our daemon and client."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Iterator

import pytest

from tests.support.children import child
from tests.support.comparison import temporary_directory
from tests.support.daemon import Daemon
from tests.support.plugins import ours_with_plugins
from tests.support.waiting import wait_until

CONFIG = f"""
[rpcinterface:twiddler]
supervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface
[rpcinterface:cache]
supervisor.rpcinterface_factory=supervisor_cache.rpcinterface:make_cache_rpcinterface
[ctlplugin:cache]
supervisor.ctl_factory=supervisor_cache.controllerplugin:make_cache_controllerplugin
[ctlplugin:wildcards]
supervisor.ctl_factory=supervisorwildcards.controllerplugin:make_wildcards_controllerplugin
[program:cat-1]
command={child("echo")}
startsecs=0
[program:cat-2]
command={child("echo")}
startsecs=0
[program:dog]
command={child("echo")}
startsecs=0
[group:empty-one]
programs=nothing
[program:nothing]
command={child("sleeper")}
autostart=false
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon with interfaces and commands of three packages."""
    with (
        temporary_directory() as directory,
        Daemon(directory, CONFIG, implementation=ours_with_plugins()) as started,
    ):
        yield started


# -- supervisor_twiddler ------------------------------------------------------------


def test_twiddler_adds_a_program_to_a_running_group(daemon: Daemon) -> None:
    options = {"command": child("report"), "startsecs": "0", "numprocs": 1}
    assert daemon.rpc.twiddler.addProgramToGroup("empty-one", "added", options)
    daemon.wait_for_state("empty-one:added", "RUNNING")
    log = daemon.info("empty-one:added")["stdout_logfile"]
    assert "added-stdout---test-" in log
    daemon.wait_for_text(log, "SUPERVISOR_GROUP_NAME")
    assert "empty-one" in daemon.text(log)


def test_twiddler_removes_a_process_and_it_does_not_come_back(daemon: Daemon) -> None:
    options = {"command": child("sleeper"), "startsecs": "0", "autorestart": "true"}
    daemon.rpc.twiddler.addProgramToGroup("empty-one", "passing", options)
    daemon.wait_for_state("empty-one:passing", "RUNNING")
    daemon.rpc.supervisor.stopProcess("empty-one:passing")
    assert daemon.rpc.twiddler.removeProcessFromGroup("empty-one", "passing")
    assert "empty-one:passing" not in daemon.ctl("status").stdout


def test_twiddler_refuses_options_that_are_wrong(daemon: Daemon) -> None:
    with pytest.raises(xmlrpc.client.Fault, match="INCORRECT_PARAMETERS"):
        daemon.rpc.twiddler.addProgramToGroup("empty-one", "bad", {"startsecs": "x"})


def test_twiddler_writes_to_the_activity_log(daemon: Daemon) -> None:
    assert daemon.rpc.twiddler.log("said by a plugin", "WARN")
    daemon.wait_for_log("WARN said by a plugin")


def test_the_methods_of_plugins_are_listed_with_their_signatures(daemon: Daemon) -> None:
    methods = daemon.rpc.system.listMethods()
    assert {"twiddler.addProgramToGroup", "cache.store", "supervisor.getState"} <= {*methods}
    assert daemon.rpc.system.methodSignature("cache.store") == ["boolean", "string", "string"]


# -- supervisor_cache -----------------------------------------------------------------


def test_cache_keeps_a_value(daemon: Daemon) -> None:
    assert daemon.rpc.cache.store("key", "gr\xfc\xdfe")
    assert daemon.rpc.cache.fetch("key") == "gr\xfc\xdfe"
    with pytest.raises(xmlrpc.client.Fault, match="BAD_NAME"):
        daemon.rpc.cache.fetch("no such key")


def test_the_commands_of_cache(daemon: Daemon) -> None:
    assert daemon.ctl("cache_store", "shown", "value").stdout == ""
    assert daemon.ctl("cache_fetch", "shown").stdout == "'value'\n"
    assert "'shown'" in daemon.ctl("cache_keys").stdout
    assert "cache_fetch" in daemon.ctl("help").stdout


# -- supervisor-wildcards ---------------------------------------------------------------


def test_wildcards_stop_what_matches_in_threads(daemon: Daemon) -> None:
    result = daemon.ctl("mstop", "cat-*")
    assert sorted(result.stdout.splitlines()) == ["cat-1: stopped", "cat-2: stopped"]
    assert daemon.info("dog")["statename"] == "RUNNING"
    result = daemon.ctl("mstart", "cat-*")
    assert sorted(result.stdout.splitlines()) == ["cat-1: started", "cat-2: started"]
    assert daemon.ctl("mstop", "horse-*").stdout == "No process matched given expression.\n"


# -- what plugins do behind our back ----------------------------------------------------


def test_processes_are_looked_at_once_a_second(daemon: Daemon) -> None:
    """The interface of somebody else may have assigned to them."""
    crashes_once = child("flaky", daemon.directory / "runs", 1, 1)
    options = {"command": crashes_once, "startsecs": "0", "autorestart": "true"}
    daemon.rpc.twiddler.addProgramToGroup("empty-one", "flaps", options)
    wait_until(lambda: daemon.log_text().count("spawned: 'flaps'") >= 2)
    daemon.rpc.supervisor.stopProcess("empty-one:flaps")
