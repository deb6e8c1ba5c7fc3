"""A daemon that is to execute itself, when something goes wrong.

Before the execution nothing changes: the request is refused, or the daemon goes on.  After it, the
daemon takes over what it can, and never ends or starts a program twice because of it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.installations import install
from tests.support.meddler import SECTION as MEDDLER
from tests.support.namespaces import private_mounts
from tests.support.ports import free_port
from tests.support.strangers import UID, needs_root
from tests.support.transport import UnixConnection
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]

PROGRAM = f"""
[program:x]
command={child("sleeper")}
startsecs=0
"""

COUNTER = """
[program:counter]
command=sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'
startsecs=0
stdout_logfile=%(here)s/counter.log
redirect_stderr=true
"""

EXECUTES = "supervisord executes the installed version"
GOES_ON = "supervisord is not replaced, and goes on: "


def meddled(directory: Path, config: str = PROGRAM) -> Daemon:
    """Return a daemon whose code a test may change."""
    return Daemon(directory, f"{config}{MEDDLER}", environment={"PYTHONPATH": str(ROOT)})


def installed(directory: Path, config: str = PROGRAM) -> Daemon:
    """Return a daemon of its own installation."""
    install(directory / "installed")
    return Daemon(directory, config, environment={"PYTHONPATH": str(directory / "installed")})


def refusal(daemon: Daemon) -> str:
    """Request a replacement that fails; return the reason, without the name of the fault."""
    with pytest.raises(xmlrpc.client.Fault) as caught:
        daemon.rpc.supervisor.reexec()
    assert caught.value.faultCode == 30, caught.value
    text: str = caught.value.faultString
    return text.removeprefix("FAILED: ")


def replace(daemon: Daemon, number: int = 1) -> None:
    """Replace the daemon for the given time, and wait until it responds."""
    assert daemon.rpc.supervisor.reexec() is True
    wait_until(lambda: daemon.log_text().count("INFO resumed ") == number, what=daemon.log_text)
    daemon.close_rpc()
    assert daemon.rpc.supervisor.getPID() == daemon.pid


def assert_unchanged(daemon: Daemon, before: dict[str, object], name: str = "x") -> None:
    """Fail unless the process runs as before, and no text is one for developers."""
    now = daemon.info(name)
    assert (now["pid"], now["statename"]) == (before["pid"], "RUNNING"), daemon.log_text()
    for text in (daemon.log_text(), daemon.output_text()):
        assert "Traceback" not in text, text


# -- refused before anything happens -------------------------------------------------


BROKEN_INSTALLATIONS = (
    # the change of the installation, the reason
    (
        lambda package: shutil.rmtree(package),
        r"\S+: No module named supervisor\S*"
        r"|\S+: Error while finding module specification for 'supervisor\.supervisord'.*",
    ),
    (
        lambda package: (package / "daemon" / "start.py").write_text("def"),
        r"SyntaxError: .*",
    ),
    (
        lambda package: (package / "daemon" / "exits.py").unlink(),
        r"ModuleNotFoundError: No module named 'supervisor\.daemon\.exits'",
    ),
    (
        lambda package: (package / "daemon" / "resume.py").unlink(),
        r"error: supervisord \S+ is not completely installed: importing"
        r" supervisor\.daemon\.resume failed: ModuleNotFoundError: .*",
    ),
    (
        lambda package: (package / "process" / "hooks.py").write_text("1/0"),
        r"error: supervisord \S+ is not completely installed: importing"
        r" supervisor\.process\.hooks failed: ZeroDivisionError: .*",
    ),
    (
        lambda package: edit(package / "config" / "commandline.py", '"can-resume"', '"cannot"'),
        r"Error: option --can-resume not recognized",
    ),
    (
        lambda package: edit(package / "common" / "resume_format.py", "Final = 1", "Final = 0"),
        r"error: supervisord \S+ cannot resume processes in format 1, only formats 1 to 0",
    ),
)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_an_installation_that_does_not_work_is_refused(directory: Path) -> None:
    with installed(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        package = directory / "installed" / "supervisor"
        shutil.copytree(package, directory / "kept")
        for change, reason in BROKEN_INSTALLATIONS:
            change(package)
            found = refusal(daemon)
            assert re.fullmatch(reason, found), found
            shutil.rmtree(package, ignore_errors=True)
            shutil.copytree(directory / "kept", package)
        daemon.close_rpc()
        shutil.rmtree(package)
        tried = daemon.ctl("reexec")
        assert EXECUTES not in daemon.log_text()
        assert_unchanged(daemon, before)
        assert tried.returncode == 1
        shutil.copytree(directory / "kept", package)
        replace(daemon)
        assert_unchanged(daemon, before)


@pytest.mark.slow
def test_an_interpreter_that_is_gone_is_refused(directory: Path) -> None:
    """As when a virtual environment has been removed."""
    python = directory / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    within = ("sh", "-c", f'shift; exec {python} "$@"', "sh")
    path = os.pathsep.join(each for each in sys.path if each)
    daemon = Daemon(directory, PROGRAM, within=within, environment={"PYTHONPATH": path})
    with daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        python.unlink()
        reason = refusal(daemon)
        assert reason == f"the new version does not start: can't find command '{python}'"
        assert_unchanged(daemon, before)


CONFIGURATIONS = (
    ("[program:x]\nautostart=perhaps\n", r"\S+:\d+: error: .*perhaps.*"),
    ("not_an_option\n" + PROGRAM, r"\S+:\d+: error: .*"),
    (f"user=nobody-{os.getpid()}\n{PROGRAM}", r"\S+:\d+: error: .*nobody-.*"),
)


def test_a_configuration_with_errors_is_refused(directory: Path) -> None:
    with Daemon(directory, PROGRAM) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        for config, reason in CONFIGURATIONS:
            daemon.write_config(config)
            found = refusal(daemon)
            assert re.fullmatch(reason, found), found
        daemon.config_path.unlink()
        assert refusal(daemon) == f"Error: could not find config file {daemon.config_path}"
        daemon.write_config(PROGRAM)
        assert_unchanged(daemon, before)


def test_a_port_that_another_program_uses_is_refused(directory: Path) -> None:
    with Daemon(directory, PROGRAM) as daemon, socket.create_server(("127.0.0.1", 0)) as taken:
        before = daemon.wait_for_state("x", "RUNNING")
        port = taken.getsockname()[1]
        daemon.write_config(f"{PROGRAM}[inet_http_server]\nport=127.0.0.1:{port}\n")
        found = refusal(daemon)
        assert re.fullmatch(rf"\S+:\d+: error: .*127\.0\.0\.1:{port}.*", found), found
        assert_unchanged(daemon, before)


def test_a_plugin_may_refuse_it(directory: Path) -> None:
    with meddled(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.run("meddler.resume_unsafe = True")
        assert refusal(daemon) == "the RPC interface 'meddler' does not allow it"
        daemon.rpc.meddler.run("meddler.resume_unsafe = 'a match is being played'")
        assert refusal(daemon) == (
            "the RPC interface 'meddler' does not allow it: a match is being played"
        )
        done = daemon.ctl("reexec")
        assert done.stdout == (
            "error: supervisord was not replaced: the RPC interface 'meddler' does not allow it:"
            " a match is being played\n"
        )
        assert_unchanged(daemon, before)


STUBBORN = f"""
[program:stubborn]
command={child("stubborn")}
startsecs=0
stopwaitsecs=60
stdout_logfile=%(here)s/stubborn.log
"""


def test_it_is_refused_during_a_shutdown_and_an_update(directory: Path) -> None:
    with Daemon(directory, f"{PROGRAM}{STUBBORN}") as daemon:
        pid = daemon.wait_for_state("stubborn", "RUNNING")["pid"]
        daemon.wait_for_text("stubborn.log", "READY")
        daemon.write_config(PROGRAM)
        plan = daemon.rpc.supervisor.getUpdatePlan()
        assert isinstance(plan, dict)
        daemon.rpc.supervisor.applyUpdatePlan(plan["id"], False)  # noqa: FBT003
        daemon.wait_for_state("stubborn", "STOPPING")
        assert refusal(daemon) == "an update is in progress"
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(daemon.rpc.supervisor.getAllProcessInfo()) == 1)  # type: ignore[arg-type]
        daemon.write_config(f"{PROGRAM}{STUBBORN}")
        daemon.ctl("update")
        pid = daemon.wait_for_state("stubborn", "RUNNING")["pid"]
        daemon.rpc.supervisor.shutdown()
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.reexec()
        assert caught.value.faultString == "SHUTDOWN_STATE"
        os.kill(pid, signal.SIGKILL)
        daemon.wait_for_exit()
        assert EXECUTES not in daemon.log_text()


SLOW_CHECK = """
import supervisor.daemon.reexec as module
own = module.own_command
def slow(directory):
    command = own(directory)
    return ["/bin/sh", "-c", "sleep 0.5; exec \\"$@\\"", "sh", sys.executable, *command[1:]]
import sys
launch = module.launch
module.launch = lambda plan: launch(module.SpawnPlan(**{
    **{name: getattr(plan, name) for name in (
        "name environment directory umask uid stdin stdout stderr").split()},
    "executable": "/bin/sh",
    "argv": ("/bin/sh", "-c", "sleep 0.5; exec \\"$@\\"", "sh", sys.executable, *plan.argv[1:]),
}))
"""


def request(daemon: Daemon) -> UnixConnection:
    """Send a request for a replacement, and do not wait for the response."""
    connection = UnixConnection(str(daemon.socket_path), timeout=20)
    body = xmlrpc.client.dumps((), "supervisor.reexec")
    connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
    return connection


def test_a_second_request_is_refused_and_a_client_may_leave(directory: Path) -> None:
    with meddled(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.run(SLOW_CHECK)
        first = request(daemon)
        wait_until(lambda: len(proctable.marked(str(directory))) > 2)
        assert refusal(daemon) == "a replacement of the daemon is in progress"
        first.close()
        wait_until(lambda: "in progress" not in refusal_or_done(daemon))
        assert_unchanged(daemon, before)


def refusal_or_done(daemon: Daemon) -> str:
    """Request a replacement; return the reason for which it is refused, "" if it is not."""
    try:
        daemon.rpc.supervisor.reexec()
    except xmlrpc.client.Fault as fault:
        return fault.faultString
    except OSError:
        daemon.close_rpc()
        return ""
    return ""
