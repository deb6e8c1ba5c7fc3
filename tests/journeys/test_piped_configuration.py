"""A daemon that gets its configuration from a pipe: `-c -`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.children import child
from tests.support.daemon import Daemon

PIPED = ("sh", "-c", 'exec <"$5"; rm "$5"; cat | "$1" "$2" "$3" -c - $6', "sh")
"""Replaces `-c FILE` by the file's text, and the file is gone."""

CONFIG = f"""
directory=/
[program:web]
command={child("sleeper")}
startsecs=0
[include]
files=more/*.conf
"""

MORE = f"[program:more]\ncommand={child('sleeper')}\nstartsecs=0\n"


@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_it_is_kept_for_rereads_and_reloads(directory: Path, arguments: tuple[str, ...]) -> None:
    included = directory / "more"
    included.mkdir()
    daemon = Daemon(directory, CONFIG, arguments=arguments, within=PIPED)
    text = daemon.config_path.read_text(encoding="utf-8")
    with daemon:
        daemon.wait_for_state("web", "RUNNING")
        assert not daemon.config_path.exists()
        details = daemon.rpc.supervisor.getProcessDetails("web")
        assert isinstance(details, dict)
        assert details["config_file"] == "<stdin>"
        assert details["config_line"] == 1 + text[: text.index("[program:web]")].count("\n")
        assert daemon.rpc.supervisor.reloadConfig() == [[[], [], []]]
        (included / "more.conf").write_text(MORE, encoding="utf-8")
        assert daemon.rpc.supervisor.reloadConfig() == [[["more"], [], []]]
        daemon.rpc.supervisor.restart()
        daemon.wait_for_start(2)
        for name in ("web", "more"):
            daemon.wait_for_state(name, "RUNNING")
