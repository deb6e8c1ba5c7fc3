"""Supvisors: its own tests, and two daemons that share an application."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import own_network_plugin
from tests.support.children import child
from tests.support.daemon import Daemon, Implementation
from tests.support.networks import ADDRESS, own_network
from tests.support.plugins import SUPVISORS, plugin_environment
from tests.support.shared_application import RULES, SHARED
from tests.support.strangers import needs_root
from tests.support.waiting import wait_until

pytestmark = [
    needs_root,
    pytest.mark.timeout(600),  # a thousand tests of another project, on a busy machine
]

# On the reference they fail too: they look for our host's address in the name service,
# for a file that is not in the package, and for a folder that root may not make.
LEFT_OUT = (
    "test_initializer.py::test_creation",
    "test_initializer.py::test_parser_exception",
    "test_initializer.py::test_psutil_exception",
    "test_viewhandler.py::test_write_style",
    "test_options.py::test_check_dirpath",
)


# Those that bind ports have a process each, since some leave them bound; the order of the
# others matters, since some leave patches behind.
SELECTIONS = (
    (("-k", "supvisorswebsockets.py or supvisorszmq.py", "-n", "29", "--dist", "load"), 29),
    (("-k", "not supvisorswebsockets.py and not supvisorszmq.py", "-n", "1"), 1064),
)


def test_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "own_network_plugin.py").symlink_to(own_network_plugin.__file__)
    environment = plugin_environment(SUPVISORS)
    (tests,) = environment.glob("lib/python*/site-packages/supvisors/tests")
    command = [str(environment / "bin" / "python"), "-m", "pytest", "-q", str(tests)]
    command += ["-p", "own_network_plugin", "-p", "no:cacheprovider", "--rootdir", str(tests)]
    for test in LEFT_OUT:
        command += ["--deselect", test]
    runs = [
        subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for options, _ in SELECTIONS
    ]
    for run, (_, count) in zip(runs, SELECTIONS, strict=True):
        said, _ = run.communicate()
        assert run.returncode == 0, said[-5000:]
        assert re.findall(r"(\d+) passed", said) == [str(count)]


# -- two daemons ------------------------------------------------------------------------------


def test_two_daemons_share_an_application(directory: Path) -> None:
    """By the rules it starts on the second; when that is killed, the first takes over."""
    rules = directory / "rules.xml"
    rules.write_text(RULES, encoding="utf-8")
    with own_network(directory) as there:
        python = str(plugin_environment(SUPVISORS) / "bin" / "python")
        ours_there = Implementation("ours", (*there, python, "-m", "supervisor."))
        one, two = (
            _daemon(directory / name, ours_there, SHARED.format(name=name, port=port, rules=rules))
            for name, port in (("one", 60001), ("two", 60002))
        )
        try:
            one.launch()
            two.launch()
            _wait_for(one, "sstatus", rf"shop +web +RUNNING +n/a +\['{ADDRESS}:60002'\]")
            assert "RUNNING" in two.ctl("status", "shop:web").stdout
            _wait_for(one, "sstate", r"one +\S+ +OPERATION")
            page = subprocess.run(
                [*there, "curl", "-s", f"http://{ADDRESS}:60001/"], capture_output=True, check=True
            )
            assert b"shop" in page.stdout
            two.kill()
            _wait_for(one, "sstatus", rf"shop +web +RUNNING +n/a +\['{ADDRESS}:60001'\]")
            assert "RUNNING" in one.ctl("status", "shop:web").stdout
        finally:
            two.kill()
            one.kill()
    assert "Traceback" not in one.log_text()


def _daemon(directory: Path, implementation: Implementation, config: str) -> Daemon:
    directory.mkdir()
    return Daemon(directory, config, implementation=implementation)


def _wait_for(daemon: Daemon, action: str, answer: str) -> None:
    wait_until(
        lambda: re.search(answer, daemon.ctl(action).stdout),
        60,
        what=lambda: (
            f"{answer} in {daemon.ctl(action).stdout}\n{daemon.output_text()}\n{daemon.log_text()}"
        ),
    )


SEQUENCE = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<root>
    <application name="shop">
        <start_sequence>1</start_sequence>
        <programs>
            <program name="web">
                <start_sequence>1</start_sequence>
                <required>true</required>
            </program>
            <program name="front">
                <start_sequence>2</start_sequence>
            </program>
        </programs>
    </application>
</root>
"""


def test_a_start_sequence_waits_for_readiness(directory: Path) -> None:
    """A program that takes five seconds, by its own message, is RUNNING before the next starts."""
    rules = directory / "rules.xml"
    rules.write_text(SEQUENCE, encoding="utf-8")
    config = SHARED.format(name="one", port=60001, rules=rules)
    config = config.replace(f",<two>{ADDRESS}:60002", "").replace(
        "programs=web", "programs=web,front"
    )
    slow = "/bin/sh -c 'sleep 5; echo >&3; exec sleep 1000'"
    config = config.replace(child("sleeper"), f"{slow}\nnotification_fd=3")
    config += f"[program:front]\ncommand={child('sleeper')}\nautostart=false\nstartsecs=0\n"
    with own_network(directory) as there:
        python = str(plugin_environment(SUPVISORS) / "bin" / "python")
        implementation = Implementation("ours", (*there, python, "-m", "supervisor."))
        daemon = _daemon(directory / "one", implementation, config)
        try:
            daemon.launch()
            _wait_for(daemon, "sstatus", r"shop +front +RUNNING")
            log = daemon.log_text()
            ready = log.index("success: web entered RUNNING state, process was ready after 5")
            assert ready < log.index("spawned: 'front'")
        finally:
            daemon.kill()
    assert "Traceback" not in log
