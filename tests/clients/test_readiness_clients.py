"""Programs that people run, and clients of sd_notify(3): each is RUNNING when it is ready."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.strangers import needs_root
from tests.support.tools import tool
from tests.support.waiting import wait_until

WAIT = "while ! test -e %(here)s/go; do sleep 0.02; done"

SDNOTIFY = """
import os, signal, sys, time
import sdnotify
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
notifier = sdnotify.SystemdNotifier(debug=True)
notifier.notify("STATUS=all well")
notifier.notify("READY=1")
signal.pause()
"""

PINGS = """
import os, signal, sys, time
import sdnotify
notifier = sdnotify.SystemdNotifier(debug=True)
notifier.notify("READY=1")
seconds = int(os.environ["WATCHDOG_USEC"]) / 1_000_000
while not os.path.exists(sys.argv[1]):
    notifier.notify("WATCHDOG=1")
    time.sleep(seconds / 4)
signal.pause()
"""

NGINX = """
daemon off;
error_log %(here)s/error.log;
pid %(here)s/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path %(here)s/body;
    proxy_temp_path %(here)s/proxy;
    fastcgi_temp_path %(here)s/fastcgi;
    uwsgi_temp_path %(here)s/uwsgi;
    scgi_temp_path %(here)s/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /health {{ return 204; }}
    }}
}}
"""


def check(directory: Path, options: str) -> None:
    """Run a program `x`: it is STARTING until the file `go` exists, and RUNNING soon after."""
    with Daemon(directory, f"[program:x]\nstartsecs=0\n{options}") as daemon:
        daemon.wait_for_log("spawned: 'x'")
        assert daemon.info("x")["statename"] == "STARTING"
        (directory / "go").touch()
        daemon.wait_for_state("x", "RUNNING")
        assert "process was ready after" in daemon.log_text()
        assert "ignored a notification" not in daemon.log_text()


@pytest.mark.parametrize("mode", ["true", "all"])
def test_sdnotify(directory: Path, mode: str) -> None:
    """The Python package of this name."""
    (directory / "x.py").write_text(SDNOTIFY, encoding="utf-8")
    check(directory, f"command={sys.executable} %(here)s/x.py %(here)s/go\nnotify={mode}")


def test_sdnotify_with_a_watchdog(directory: Path) -> None:
    """It is left alone while it reports, and aborted soon after it has stopped to."""
    (directory / "x.py").write_text(PINGS, encoding="utf-8")
    config = f"[program:x]\ncommand={sys.executable} %(here)s/x.py %(here)s/go\nnotify=true\n"
    config += "watchdog=1\nstartsecs=0\nautorestart=false\n"
    config += "[program:y]\ncommand=/bin/sleep 1000\nautostart=false\nstartsecs=3\n"
    with Daemon(directory, config) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        pid = daemon.info("x")["pid"]
        daemon.rpc.supervisor.startProcess("y")  # three seconds later
        assert daemon.info("x")["pid"] == pid
        (directory / "go").touch()
        daemon.wait_for_state("x", "EXITED")
        assert "with SIGABRT: watchdog: no WATCHDOG=1 for 1 second" in daemon.log_text()
        assert "(terminated by SIGABRT" in daemon.log_text()


def test_systemd_notify_in_a_script(directory: Path) -> None:
    """It is a process of its own, which is refused without notify=all, except for root."""
    script = f"{WAIT}; {tool('systemd-notify')} --ready --status=fine; exec sleep 1000"
    check(directory, f'command=/bin/sh -c "{script}"\nnotify=all')


@needs_root
def test_systemd_notify_of_another_user(directory: Path) -> None:
    directory.chmod(0o755)
    script = f"{WAIT}; {tool('systemd-notify')} --ready; exec sleep 1000"
    check(directory, f'command=/bin/sh -c "{script}"\nnotify=all\nuser=nobody')


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:{port}", "http://localhost:{port}/health"])
def test_nginx_is_ready_when_it_accepts_connections(directory: Path, url: str) -> None:
    """A program that depends on it reaches it at once, though nginx is slow to begin."""
    port = free_port()
    conf = NGINX.replace("%(here)s", str(directory)).format(port=port)
    (directory / "nginx.conf").write_text(conf, encoding="utf-8")
    nginx = f"{tool('nginx')} -c %(here)s/nginx.conf -e %(here)s/error.log"
    config = f"""
        [program:client]
        command={tool("curl")} -fsS http://127.0.0.1:{port}/health
        depends_on=nginx
        startsecs=0
        startretries=0
        autorestart=false
        [program:nginx]
        command=/bin/sh -c "{WAIT}; exec {nginx}"
        startsecs=0
        readiness_check_script={url.format(port=port)}
        readiness_check_period=100ms
    """
    with Daemon(directory, config) as daemon:
        daemon.wait_for_log("spawned: 'nginx'")
        assert daemon.info("client")["statename"] == "STOPPED"
        (directory / "go").touch()
        daemon.wait_for_state("nginx", "RUNNING")
        wait_until(lambda: "exited: client" in daemon.log_text())
        assert daemon.info("client")["exitstatus"] == 0
