"""Signals: which reach a program and its children, and how it ends."""

from __future__ import annotations

import os
import signal
from itertools import product
from typing import Any

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.comparison import Pair, call
from tests.support.daemon import Daemon
from tests.support.traces import lines
from tests.support.waiting import wait_until

SECONDS = 30

# Those that do not end the program are followed by KILL.
STOPS = ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "KILL", "SIGTERM", "15", "sighup")

OPTIONS = {
    "alone": "",
    "kill": "killasgroup=true\n",
    "stop": "stopasgroup=true\n",
    "both": "stopasgroup=true\nkillasgroup=true\n",
}
FAMILIES = tuple(f"{own}-{option}" for own, option in product(("signals", "stubborn"), OPTIONS))

CONFIG = f"""
[program:hears]
command={child("signals")}
startsecs=0
[program:kin]
command={child("family", "%(here)s/kin.kin", "signals")}
startsecs=0
[program:left]
command={child("signals")}
startsecs=0
[program:right]
command={child("signals")}
startsecs=0
[group:group]
programs=left,right
[program:idle]
command={child("signals")}
autostart=false
"""
CONFIG += "".join(
    f"[program:stop-{name}]\ncommand={child('signals')}\n"
    f"stopsignal={name}\nstopwaitsecs=1\nstartsecs=0\n"
    for name in STOPS
)
CONFIG += "".join(
    f"[program:{name}]\ncommand={child('family', f'%(here)s/{name}.kin', name.partition('-')[0])}\n"
    f"stopwaitsecs=1\nstartsecs=0\n{OPTIONS[name.partition('-')[2]]}"
    for name in FAMILIES
)


def words(daemon: Daemon, name: str) -> list[str]:
    """Return what a program has said, once it is ready."""
    path = daemon.info(name)["stdout_logfile"]
    return daemon.wait_for_text(path, "READY", SECONDS).split()


@pytest.mark.parametrize("name", STOPS)
def test_the_signal_that_stops(pair: Pair, name: str) -> None:
    name = f"stop-{name}"

    def stop(daemon: Daemon) -> list[Any]:
        words(daemon, name)
        daemon.wait_for_state(name, "RUNNING")
        answer = call(daemon, "supervisor.stopProcess", name)
        info = call(daemon, "supervisor.getProcessInfo", name)
        return [answer, words(daemon, name), info, lines(daemon, name)]

    pair.same(stop)


@pytest.mark.parametrize(
    "name",
    ["HUP", "hup", "SIGHUP", "sighup", "1", 1, " 1", "INT", "QUIT", "USR1", "10", 12, "ALRM"],
    ids=repr,
)
def test_a_signal_that_is_sent(pair: Pair, name: object) -> None:
    def send(daemon: Daemon) -> list[Any]:
        before = words(daemon, "hears")
        answer = call(daemon, "supervisor.signalProcess", "hears", name)
        if answer is not True:
            return [answer]
        heard = wait_until(lambda: words(daemon, "hears")[len(before) :], SECONDS)
        return [answer, heard]

    pair.same(send)


@pytest.mark.parametrize("process", ["hears", "idle", "nope", "group:*", "group:left"])
@pytest.mark.parametrize("name", ["", "NOPE", "999", -1, 65, "SIG", "SIG_IGN", "1.0"], ids=repr)
def test_a_signal_that_does_not_exist(pair: Pair, name: object, process: str) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.signalProcess", process, name))


@pytest.mark.parametrize("process", ["idle", "nope", "group:nope", "nope:*", "hears:nope"])
def test_a_signal_to_nobody(pair: Pair, process: str) -> None:
    pair.same(lambda daemon: call(daemon, "supervisor.signalProcess", process, "HUP"))


def test_a_signal_to_a_group_reaches_its_members(pair: Pair) -> None:
    def send(daemon: Daemon) -> list[Any]:
        names = ("group:left", "group:right")
        before = [len(words(daemon, name)) for name in names]
        answer = call(daemon, "supervisor.signalProcessGroup", "group", "WINCH")
        heard = [
            wait_until(lambda name=name, known=known: words(daemon, name)[known:], SECONDS)
            for name, known in zip(names, before, strict=True)
        ]
        return [answer, heard]

    pair.same(send)


def kin_after(daemon: Daemon, name: str) -> list[Any]:
    """Ask a program's child whether it lives, by a signal; return what it has heard.

    Of the signals that wait, the kernel and Python take the lower number first: whatever it was
    sent before, it hears before WINCH, and KILL before anything.
    """
    pid = int(daemon.text(f"{name}.kin.pid"))
    if proctable.is_alive(pid):
        os.kill(pid, signal.SIGWINCH)

    def heard() -> list[str]:
        return daemon.text(f"{name}.kin").partition("SIGTERM")[0].split()

    def ends() -> bool:
        return "SIGTERM" in daemon.text(f"{name}.kin")

    wait_until(
        lambda: ("SIGWINCH" in heard() and not ends()) or not proctable.is_alive(pid), SECONDS
    )
    return [proctable.is_alive(pid), heard(), ends()]


def await_family(daemon: Daemon, name: str) -> None:
    """Wait until a program and its child are ready for signals."""
    daemon.wait_for_text(f"{name}.kin", "READY", SECONDS)
    words(daemon, name)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_stop_and_the_children_of_a_program(pair: Pair, name: str) -> None:
    def stop(daemon: Daemon) -> list[Any]:
        await_family(daemon, name)
        answer = call(daemon, "supervisor.stopProcess", name)
        kin = kin_after(daemon, name)
        if kin[0]:
            proctable.kill([int(daemon.text(f"{name}.kin.pid"))])
        info = call(daemon, "supervisor.getProcessInfo", name)
        return [answer, kin, words(daemon, name), info, lines(daemon, name)]

    pair.same(stop)


def test_a_signal_that_is_sent_reaches_the_program_alone(pair: Pair) -> None:
    def send(daemon: Daemon) -> list[Any]:
        await_family(daemon, "kin")
        answer = call(daemon, "supervisor.signalProcess", "kin", "HUP")
        heard = wait_until(lambda: words(daemon, "kin")[1:], SECONDS)
        kin = kin_after(daemon, "kin")
        proctable.kill([int(daemon.text("kin.kin.pid"))])
        return [answer, heard, kin]

    pair.same(send)
