"""Mistakes around plugins and listeners: one clear line on stderr, and exit 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import OURS, Daemon, clean_environment

PLUGIN = """
def raises(supervisord, **options):
    raise RuntimeError(f"no good: {options}")

def takes_nothing(supervisord):
    return None
"""

MISTAKES = {
    "an unknown event": (
        "[eventlistener:x]\ncommand=x\nevents=TICK_5,NO_SUCH",
        "Unknown event type NO_SUCH in [eventlistener:x] events",
    ),
    "a listener for no events": (
        "[eventlistener:x]\ncommand=x",
        '[eventlistener:x] section requires an "events" line',
    ),
    "a listener whose stderr is redirected": (
        "[eventlistener:x]\ncommand=x\nevents=EVENT\nredirect_stderr=true",
        "[eventlistener:x] section sets redirect_stderr=true but this is not allowed",
    ),
    "a result handler that cannot be imported": (
        "[eventlistener:x]\ncommand=x\nevents=EVENT\nresult_handler=plugin:none",
        "plugin:none cannot be resolved within [eventlistener:x]: module 'plugin' has no",
    ),
    "a factory that cannot be imported": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=no_such_module:make",
        "no_such_module:make cannot be resolved within [rpcinterface:x]: No module named",
    ),
    "a factory that raises": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:raises\na=b",
        "Could not make x rpc interface",
    ),
    "a factory with options that it does not know": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:takes_nothing\na=b",
        "Could not make x rpc interface",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line_and_exit_2(directory: Path, mistake: str) -> None:
    config, expected = MISTAKES[mistake]
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    daemon = Daemon(directory, config)
    result = subprocess.run(
        [*OURS.command("supervisord"), "-n", "-s", "-c", str(daemon.config_path)],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=directory,
        env=clean_environment(directory, {"PYTHONPATH": str(directory)}),
        check=False,
    )
    first, second = result.stderr.splitlines()
    assert first.startswith(f"Error: {expected}")
    assert second.startswith("For help, use ")
    assert (result.stdout, result.returncode) == ("", 2)


def test_why_a_factory_failed_is_in_the_activity_log(directory: Path) -> None:
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    daemon = Daemon(directory, MISTAKES["a factory that raises"][0])
    subprocess.run(
        [*OURS.command("supervisord"), "-n", "-s", "-c", str(daemon.config_path)],
        capture_output=True,
        timeout=20,
        cwd=directory,
        env=clean_environment(directory, {"PYTHONPATH": str(directory)}),
        check=False,
    )
    assert " WARN Traceback" in daemon.log_text()
    assert "RuntimeError: no good: {'a': 'b'}" in daemon.log_text()
    assert not (directory / "s.sock").exists()


def test_a_factory_may_make_nothing(directory: Path) -> None:
    """knot-resolver's factories only patch the daemon, and return None."""
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    config = "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:takes_nothing\n"
    with Daemon(directory, config, environment={"PYTHONPATH": str(directory)}) as daemon:
        methods = daemon.rpc.system.listMethods()
    assert "supervisor.getState" in methods
    assert not [name for name in methods if name.startswith("x.")]
