"""Journey: FastCGI sockets that cannot be opened."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.support.daemon import OURS, Daemon, clean_environment


def test_a_socket_that_cannot_be_opened_is_one_line_and_exit_2(directory: Path) -> None:
    daemon = Daemon(directory, "[fcgi-program:x]\ncommand=x\nsocket=unix:///nonexistent/x.sock\n")
    command = [*OURS.command("supervisord"), "-n", "-s", "-c", str(daemon.config_path)]
    result: Any = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=20,
        cwd=directory,
        env=clean_environment(directory),
        check=False,
    )
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first == (
        "Error: Could not create FastCGI socket unix:///nonexistent/x.sock:"
        " [Errno 2] No such file or directory"
    )
    assert second.startswith("For help, use ")


def test_a_group_whose_socket_cannot_be_opened_is_not_added(directory: Path) -> None:
    with Daemon(directory, "[program:other]\ncommand=/bin/cat\n") as daemon:
        daemon.write_config("[fcgi-program:x]\ncommand=x\nsocket=unix:///nonexistent/x.sock\n")
        result = daemon.ctl("update")
        assert "Could not create FastCGI socket unix:///nonexistent/x.sock" in result.stdout
        assert "x" not in daemon.ctl("status").stdout.split()
