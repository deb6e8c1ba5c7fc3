"""A FastCGI application behind lighttpd, both supervised."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.tools import tool
from tests.support.transport import UnixConnection
from tests.support.waiting import wait_until

WEB_SERVER = """
server.document-root = "{directory}"
server.bind = "{directory}/web.sock"
server.modules = ("mod_fastcgi")
fastcgi.server = ("/" => ((
    "socket" => "{directory}/app.sock", "check-local" => "disable", "disable-time" => 0
)))
"""

CONFIG = f"""
[fcgi-program:app]
command={child("fastcgi")}
socket=unix://%(here)s/app.sock
numprocs=2
process_name=%(program_name)s_%(process_num)d
startsecs=0
[program:web]
command={{lighttpd}} -D -f %(here)s/lighttpd.conf
startsecs=0
"""


def ask(daemon: Daemon, method: str = "GET", body: str = "") -> tuple[int, list[str]]:
    """Send a request to the web server; return the status and the words of the answer."""
    connection = UnixConnection(str(daemon.directory / "web.sock"), timeout=10)
    try:
        connection.request(method, "/", body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode().split()
    finally:
        connection.close()


def answers(daemon: Daemon) -> bool:
    """Whether web server and application are up."""
    try:
        return ask(daemon)[0] == 200
    except OSError:
        return False


def start(directory: Path) -> Daemon:
    """Return a daemon that runs both, once they answer."""
    text = WEB_SERVER.format(directory=directory)
    (directory / "lighttpd.conf").write_text(text, encoding="ascii")
    return Daemon(directory, CONFIG.format(lighttpd=tool("lighttpd")))


def pid(daemon: Daemon, number: int) -> str:
    """Return the pid of one of the application's processes."""
    return str(daemon.info(f"app:app_{number}")["pid"])


def test_requests_reach_the_processes_that_share_the_socket(directory: Path) -> None:
    with start(directory) as daemon:
        wait_until(lambda: answers(daemon))
        status, (answering, method, body) = ask(daemon, "POST", "payload")
        assert (status, method, body) == (200, "POST", "payload")
        assert answering in {pid(daemon, 0), pid(daemon, 1)}


def test_one_process_answers_while_the_other_is_down(directory: Path) -> None:
    with start(directory) as daemon:
        wait_until(lambda: answers(daemon))
        daemon.rpc.supervisor.stopProcess("app:app_0")
        assert {ask(daemon)[1][0] for _ in range(5)} == {pid(daemon, 1)}
        killed = pid(daemon, 1)
        daemon.rpc.supervisor.startProcess("app:app_0")
        os.kill(int(killed), signal.SIGKILL)
        wait_until(lambda: pid(daemon, 1) not in {killed, "0"})
        assert ask(daemon)[0] == 200
        assert daemon.log_text().count("Closing socket") == 1  # the trial before the start


def test_nobody_listens_once_the_last_process_has_stopped(directory: Path) -> None:
    with start(directory) as daemon:
        wait_until(lambda: answers(daemon))
        daemon.rpc.supervisor.stopProcessGroup("app")
        assert ask(daemon)[0] == 503
        daemon.rpc.supervisor.startProcessGroup("app")
        wait_until(lambda: answers(daemon))
