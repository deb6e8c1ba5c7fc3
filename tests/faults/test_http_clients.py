"""Clients that do not read, vanish or hold on, against a real daemon."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.idle_clients import CONFIG, READ, connect
from tests.support.proctable import fd_count, memory_bytes
from tests.support.waiting import wait_until


def test_a_client_that_does_not_read_a_large_answer(directory: Path) -> None:
    """One answer is kept for it, whatever it asks behind that; the others are answered."""
    with Daemon(directory, CONFIG) as daemon:
        (directory / "big.log").write_bytes(b"x" * 10_000_000)
        call = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(READ), READ)
        with connect(daemon, call * 20) as client:
            assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
            first = memory_bytes(daemon.pid)
            for _ in range(20):
                assert daemon.rpc.supervisor.getState()
            assert memory_bytes(daemon.pid) - first < 15_000_000


def test_a_client_that_does_not_read_a_followed_log(directory: Path) -> None:
    """It costs what one piece costs, however much is written."""
    with Daemon(directory, CONFIG) as daemon:
        log = directory / "big.log"
        with connect(daemon, b"GET /logtail/big HTTP/1.1\r\nHost: x\r\n\r\n"):
            before = memory_bytes(daemon.pid)
            with log.open("ab") as file:
                for _ in range(30):
                    file.write(b"x" * 1_000_000)
                    file.flush()
                    assert daemon.rpc.supervisor.getState()
            assert memory_bytes(daemon.pid) - before < 5_000_000


def test_clients_that_vanish_leave_nothing_behind(directory: Path) -> None:
    """While they follow a log, in the midst of a request, and before one."""
    with Daemon(directory, CONFIG) as daemon:
        assert daemon.rpc.supervisor.getState()
        before = fd_count(daemon.pid)
        requests = [
            b"GET /logtail/big HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /mainlogtail HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
            b"GET / HT",
            b"",
        ]
        clients = [connect(daemon, request) for request in requests for _ in range(10)]
        assert daemon.rpc.supervisor.getState()
        for client in clients:
            client.close()
        wait_until(lambda: fd_count(daemon.pid) == before)


def test_many_clients_at_once(directory: Path) -> None:
    """Each of three hundred is answered, or makes room for those who ask."""
    with Daemon(directory, CONFIG) as daemon:
        clients = [connect(daemon, b"") for _ in range(300)]
        assert daemon.rpc.supervisor.getState()
        for client in clients:
            client.sendall(b"GET /ok.html HTTP/1.0\r\n\r\n")
        answers = 0
        for client in clients:
            with client:
                try:
                    answers += client.recv(12) == b"HTTP/1.0 200"
                except ConnectionError:
                    continue
        assert answers >= 200


SLOW = f"""
[program:slow]
command={child("sleeper")}
autostart=false
startsecs=1
"""

START = (
    b"<methodCall><methodName>supervisor.startProcess</methodName><params>"
    b"<param><value>slow</value></param></params></methodCall>"
)


def test_a_client_that_stops_sending_gets_an_answer_that_takes_a_second(directory: Path) -> None:
    """As `nc -N` does; of one that leaves meanwhile nothing is kept."""
    call = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(START), START)
    with Daemon(directory, CONFIG + SLOW) as daemon:
        assert daemon.rpc.supervisor.startProcess("slow")
        before = fd_count(daemon.pid)
        assert daemon.rpc.supervisor.stopProcess("slow")
        with connect(daemon, call) as client:
            client.shutdown(socket.SHUT_WR)
            answer = client.makefile("rb").read()
        assert b"<boolean>1</boolean>" in answer
        assert daemon.rpc.supervisor.stopProcess("slow")
        with connect(daemon, call) as client:
            client.shutdown(socket.SHUT_WR)
            daemon.wait_for_state("slow", "STARTING", "RUNNING")
        wait_until(lambda: fd_count(daemon.pid) == before)
        daemon.wait_for_state("slow", "RUNNING")
