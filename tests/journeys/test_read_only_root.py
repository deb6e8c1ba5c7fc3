"""A container with a read-only root file system, in a mount namespace of its own."""

from __future__ import annotations

import signal
import subprocess
import xmlrpc.client
from pathlib import Path

from tests.support.children import child
from tests.support.daemon import OURS, clean_environment
from tests.support.namespaces import MAKE_DEV, private_mounts
from tests.support.ports import free_port
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = needs_root

READ_ONLY_ROOT = f"{MAKE_DEV}\nmount --bind / /\nmount -o remount,ro,bind /\ncd /"
"""Also with a /dev of its own: root's daemon has /dev/null as its log and its pid file."""

CONFIG = """
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=/dev/null
[inet_http_server]
port=127.0.0.1:{port}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:speaks]
command=sh -c "echo ready; exec {sleeper}"
stdout_logfile={logfile}
stdout_logfile_maxbytes=0
redirect_stderr=true
startsecs=0
"""


def launch(directory: Path, port: int, logfile: str) -> subprocess.Popen[str]:
    """Start a daemon that can write nowhere."""
    file = directory / "c.conf"
    text = CONFIG.format(port=port, sleeper=child("sleeper"), logfile=logfile)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    environment = clean_environment(directory)
    environment.pop("TMPDIR", None)
    return subprocess.Popen(
        [*private_mounts(READ_ONLY_ROOT), *OURS.command("supervisord"), "-c", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def test_a_read_only_root_without_a_temporary_directory(directory: Path) -> None:
    port = free_port()
    with launch(directory, port, "/dev/stdout") as daemon:
        try:
            rpc = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}/RPC2")

            def is_running() -> bool:
                try:
                    return bool(rpc.supervisor.getProcessInfo("speaks")["statename"] == "RUNNING")
                except OSError:
                    return False

            wait_until(is_running, 20)
            rpc("close")()
        finally:
            daemon.send_signal(signal.SIGTERM)
        output, _ = daemon.communicate(timeout=20)
    assert "ready\n" in output
    assert "Traceback" not in output
    assert daemon.returncode == 0


def test_an_auto_log_names_the_directory_that_cannot_be_written(directory: Path) -> None:
    with launch(directory, free_port(), "AUTO") as daemon:
        output, _ = daemon.communicate(timeout=20)
    assert daemon.returncode == 2
    last = output.strip().splitlines()[-2:]
    assert last[0].startswith(
        "Error: Cannot create a log in /tmp: [Errno 30] Read-only file system"
    )
