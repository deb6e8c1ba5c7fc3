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
        "Could not make x rpc interface: RuntimeError: no good: {'a': 'b'}",
    ),
    "a factory that is no function": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin",
        "Could not make x rpc interface: TypeError: 'module' object is not callable",
    ),
    "a factory with options that it does not know": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:takes_nothing\na=b",
        "Could not make x rpc interface: TypeError: takes_nothing() got an unexpected keyword",
    ),
    "a factory that takes nothing": (
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=os:getpid",
        "Could not make x rpc interface: TypeError: ",
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


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if "TypeError" in MISTAKES[m][1]])
def test_a_factory_that_cannot_be_called_needs_no_traceback(directory: Path, mistake: str) -> None:
    """No code of the plugin has failed, only the file is wrong."""
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    daemon = Daemon(directory, MISTAKES[mistake][0], environment={"PYTHONPATH": str(directory)})
    assert daemon.launch().wait(20) == 2
    assert "Could not make x rpc interface: TypeError" in daemon.output_text()
    assert "Traceback" not in daemon.output_text() + daemon.log_text()


@pytest.mark.parametrize(
    "factory", ["os:sep", "os:getpid", "plugin:raises", "plugin:takes_nothing"]
)
def test_a_plugin_of_the_client_that_cannot_be_made(directory: Path, factory: str) -> None:
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    config = f"[ctlplugin:x]\nsupervisor.ctl_factory={factory}\n"
    daemon = Daemon(directory, config, environment={"PYTHONPATH": str(directory)})
    result = daemon.ctl("version")
    assert (result.stdout, result.returncode) == ("", 2)
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: Could not make x plugin: ")
    assert second.startswith("For help, use ")


def test_a_factory_that_nothing_calls_does_no_harm(directory: Path) -> None:
    """Interfaces are made for servers; here there is none."""
    daemon = Daemon(directory)
    config = daemon.config_path.read_text(encoding="utf-8").partition("[unix_http_server]")[0]
    plugin = "[rpcinterface:x]\nsupervisor.rpcinterface_factory=os\n"
    daemon.config_path.write_text(f"{config}{plugin}", encoding="utf-8")
    daemon.launch()
    daemon.wait_for_log("supervisord started with pid")
    daemon.stop()
    assert "Traceback" not in daemon.output_text() + daemon.log_text()


def test_a_factory_may_make_nothing(directory: Path) -> None:
    """knot-resolver's factories only patch the daemon, and return None."""
    (directory / "plugin.py").write_text(PLUGIN, encoding="ascii")
    config = "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plugin:takes_nothing\n"
    with Daemon(directory, config, environment={"PYTHONPATH": str(directory)}) as daemon:
        methods = daemon.rpc.system.listMethods()
    assert "supervisor.getState" in methods
    assert not [name for name in methods if name.startswith("x.")]
