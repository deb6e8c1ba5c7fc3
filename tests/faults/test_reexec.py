"""A daemon that is to execute itself, when something goes wrong.

Before the execution nothing changes: the request is refused, or the daemon goes on.  After it, the
daemon takes over what it can, and never ends or starts a program twice because of it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import xmlrpc.client
from pathlib import Path

import pytest

from tests.support import proctable
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.installations import install
from tests.support.meddler import SECTION as MEDDLER
from tests.support.namespaces import private_mounts
from tests.support.proctable import shared_fds, status_fields
from tests.support.strangers import UID, needs_root
from tests.support.transport import UnixConnection
from tests.support.waiting import wait_until

pytestmark = pytest.mark.as_started

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


INCOMPLETE = r"error: supervisord \S+ is not completely installed: importing supervisor\."

BROKEN_FILES = (
    # file of the package, its new content, the reason
    ("supervisord.py", "import missing", r"ModuleNotFoundError: No module named 'missing'"),
    ("daemon/start.py", "def", r"SyntaxError: .*"),
    ("daemon/exits.py", "", r"ImportError: cannot import name 'Exits' from .*"),
    ("daemon/resume.py", "import missing", rf"{INCOMPLETE}daemon\.resume failed: ModuleNot.*"),
    ("process/hooks.py", "1/0", rf"{INCOMPLETE}process\.hooks failed: ZeroDivisionError: .*"),
)

OLD_VERSIONS = (
    # file of the package, a text in it, another one, the reason
    (
        "config/commandline.py",
        '"can-resume"',
        '"cannot"',
        r"Error: option --can-resume not recognized",
    ),
    (
        "common/resume_format.py",
        "SNAPSHOT_FORMAT: Final = 1",
        "SNAPSHOT_FORMAT: Final =  0",  # of another size, or old bytecode would be used
        r"error: supervisord \S+ cannot resume processes in format 1, only up to format 0",
    ),
)


@pytest.mark.slow
def test_an_installation_that_does_not_work_is_refused(directory: Path) -> None:
    """As in the middle of an upgrade, and with a version that is too old."""
    with installed(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        package = directory / "installed" / "supervisor"
        changes = [*BROKEN_FILES]
        for name, old, new, reason in OLD_VERSIONS:
            text = (package / name).read_text(encoding="utf-8")
            assert old in text
            changes.append((name, text.replace(old, new), reason))
        for name, content, reason in changes:
            path = package / name
            kept = path.read_text(encoding="utf-8")
            path.write_text(content, encoding="utf-8")
            found = refusal(daemon)
            assert re.fullmatch(reason, found), found
            path.write_text(kept, encoding="utf-8")
        assert EXECUTES not in daemon.log_text()
        assert_unchanged(daemon, before)
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
        assert reason == f"the new version does not start: couldn't exec {python}: ENOENT"
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
        plan = daemon.rpc.supervisor.planUpdate()
        assert isinstance(plan, dict)
        update = request(daemon, "applyUpdate", plan["id"])
        daemon.wait_for_state("stubborn", "STOPPING")
        assert refusal(daemon) == "an update is in progress"
        os.kill(pid, signal.SIGKILL)
        assert update.getresponse().status == 200
        update.close()
        wait_until(lambda: len(daemon.rpc.supervisor.getAllProcessInfo()) == 1)  # type: ignore[arg-type]
        daemon.write_config(f"{PROGRAM}{STUBBORN}")
        daemon.ctl("update")
        pid = daemon.wait_for_state("stubborn", "RUNNING")["pid"]
        wait_until(lambda: daemon.text("stubborn.log").count("READY") == 2)
        daemon.rpc.supervisor.shutdown()
        with pytest.raises(xmlrpc.client.Fault) as caught:
            daemon.rpc.supervisor.reexec()
        assert caught.value.faultString == "SHUTDOWN_STATE"
        os.kill(pid, signal.SIGKILL)
        daemon.wait_for_exit()
        assert EXECUTES not in daemon.log_text()


SLOW_CHECK = """
import supervisor.daemon.reexec as module
own_command = module.own_command
def slowly(directory):
    command = own_command(directory)
    return [command[0], "-c", "import os, sys, time; time.sleep(1); os.execv(%r, sys.argv[1:])"
        % command[0], *command]
module.own_command = slowly
"""


def request(daemon: Daemon, method: str, *parameters: str) -> UnixConnection:
    """Send a request, and do not wait for the response."""
    connection = UnixConnection(str(daemon.socket_path), timeout=20)
    body = xmlrpc.client.dumps(parameters, f"supervisor.{method}")
    connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
    return connection


def test_a_second_request_is_refused_and_a_client_may_leave(directory: Path) -> None:
    with meddled(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.run(SLOW_CHECK)
        first = request(daemon, "reexec")
        wait_until(lambda: len(proctable.marked(str(directory))) > 2)
        assert refusal(daemon) == "a replacement of the daemon is in progress"
        first.close()
        wait_until(lambda: len(proctable.children(daemon.pid)) == 1)  # the check has ended
        daemon.rpc.supervisor.getState()
        assert EXECUTES not in daemon.log_text()  # none is left who asks for it
        replace(daemon)
        assert_unchanged(daemon, before)


UNNAMED = """
def undecorated(supervisord):
    return object()
make = (lambda function: lambda *arguments: function(*arguments))(undecorated)
"""


def test_a_factory_that_does_not_know_its_name(directory: Path) -> None:
    """Decorators change names.  One that a plugin has put in its place is refused."""
    (directory / "unnamed.py").write_text(UNNAMED, encoding="utf-8")
    section = "[rpcinterface:y]\nsupervisor.rpcinterface_factory=unnamed:make\n"
    environment = {"PYTHONPATH": f"{ROOT}:{directory}"}
    with Daemon(directory, f"{PROGRAM}{MEDDLER}{section}", environment=environment) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        for number in (1, 2):
            replace(daemon, number)
        daemon.rpc.meddler.run(
            "from supervisor.common.records import replace\n"
            "options = supervisord.options\n"
            "(first, *others) = options.configuration.rpcinterfaces\n"
            "others = (replace(first, factory=lambda: None), *others)\n"
            "options.configuration = replace(options.configuration, rpcinterfaces=others)\n"
        )
        assert refusal(daemon).endswith(" cannot be imported by a name")
        assert_unchanged(daemon, before)


WRAPPER = """
import sys
from supervisor.supervisord import main
sys.argv[1:] = [*sys.argv[4:], "--loglevel=info"]
main()
"""


def test_a_daemon_with_arguments_of_a_wrapper_is_not_replaced(directory: Path) -> None:
    """They are not in the command line, so the new version would not get them."""
    wrapper = directory / "wrapper.py"
    wrapper.write_text(WRAPPER, encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT)}
    within = (sys.executable, str(wrapper))
    with Daemon(directory, PROGRAM, environment=environment, within=within) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        assert refusal(daemon) == "its arguments are not those of its command line"
        assert_unchanged(daemon, before)


NO_FREE_FD = """
import os, resource
first_free = os.dup(0)
os.close(first_free)
resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, 4096))
"""


def test_without_free_fds_it_is_refused(directory: Path) -> None:
    with meddled(directory) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.run("import supervisor.daemon.reexec")
        fds = set(os.listdir(f"/proc/{daemon.pid}/fd"))
        daemon.rpc.meddler.run(NO_FREE_FD)
        found = refusal(daemon)
        assert found == "the new version does not start: [Errno 24] Too many open files"
        code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))"
        daemon.rpc.meddler.run(code)
        assert set(os.listdir(f"/proc/{daemon.pid}/fd")) == fds
        assert_unchanged(daemon, before)


LATE_REQUEST = """
from supervisor.common.faults import RPCError
try:
    reexec.request()
except RPCError as error:
    open({path!r}, "w").write(error.text)
"""


def test_a_request_before_the_execution_is_refused(directory: Path) -> None:
    """From a client whose connection is still served."""
    with meddled(directory) as daemon:
        daemon.rpc.meddler.before(LATE_REQUEST.format(path=str(directory / "refusal")))
        replace(daemon)
        assert daemon.text("refusal") == "FAILED: a replacement of the daemon is in progress"
        assert len(proctable.children(daemon.pid)) == 1


# -- the daemon goes on ----------------------------------------------------------------


FULL = """
import os, supervisor.daemon.reexec as module
def fail(fd, data):
    raise OSError(28, os.strerror(28))
module._write = fail
"""

FAILURES = (
    # code that runs between the check and the execution, the reason in the log
    ("import sys; sys.executable = '/nonexistent/python'", r"\[Errno 2\] No such file .*"),
    ("import os; os.environ['HUGE'] = 'x' * 200_000", r"\[Errno 7\] Argument list too long: .*"),
    (
        FULL,
        r"\[Errno 28\] No space left on device",
    ),
    ("meddler.resume_unsafe = 'not now'", r"the RPC interface 'meddler' does not allow it: not.*"),
    (
        "type(supervisord).has_update_in_progress = property(lambda self: True)",
        r"an update is in progress",
    ),
)


def test_the_daemon_goes_on_if_it_cannot_execute_itself(directory: Path) -> None:
    """Each failure is one line of the log; clients are served, signals are handled, exits noticed.

    systemd is informed that the daemon is ready again.
    """
    for number, (code, reason) in enumerate(FAILURES):
        folder = directory / str(number)
        folder.mkdir()
        with meddled(folder) as daemon:
            before = daemon.wait_for_state("x", "RUNNING")
            fds = set(os.listdir(f"/proc/{daemon.pid}/fd"))
            mask = status_fields(daemon.pid)
            daemon.rpc.meddler.before(code)
            assert daemon.rpc.supervisor.reexec() is True
            daemon.wait_for_log(GOES_ON)
            (line,) = [each for each in daemon.log_text().splitlines() if GOES_ON in each]
            assert re.fullmatch(rf".* ERRO {GOES_ON}{reason}", line), line
            assert_unchanged(daemon, before)
            assert set(os.listdir(f"/proc/{daemon.pid}/fd")) == fds
            assert status_fields(daemon.pid) == mask
            daemon.rpc.meddler.run("import os; os.environ.pop('HUGE', None)")
            daemon.rpc.supervisor.stopProcess("x")
            daemon.rpc.supervisor.startProcess("x")
            pid = daemon.wait_for_state("x", "RUNNING")["pid"]
            assert shared_fds(pid, daemon.pid) == set()
            done = daemon.ctl("reexec")  # a client does not wait in vain
            assert done.returncode == 1
            assert done.stdout.startswith("error: supervisord was not replaced"), done


@needs_root
def test_a_full_disk_does_not_prevent_it(directory: Path) -> None:
    """Neither a full log nor a full temporary directory: the snapshot is in memory."""
    full = directory / "full"
    full.mkdir()
    setup = f"mount -t tmpfs -o size=64k full {full}"
    config = f"logfile={full}/supervisord.log\n{PROGRAM}"
    daemon = Daemon(
        directory, config, within=private_mounts(setup), environment={"TMPDIR": str(full)}
    )
    with daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        root = Path(f"/proc/{daemon.pid}/root{full}")
        with pytest.raises(OSError, match="No space"):
            (root / "filler").write_bytes(bytes(65536))
        assert daemon.rpc.supervisor.reexec() is True
        daemon.close_rpc()
        wait_until(lambda: "INFO resumed 1 process" in daemon.output_text())
        assert_unchanged(daemon, before)


def test_a_slow_reader_of_the_activity_log_gets_all_lines(directory: Path) -> None:
    """Also the last one of the old daemon."""
    path = directory / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    config = f"logfile={path}\n{PROGRAM}"
    with Daemon(directory, config) as daemon, os.fdopen(reader, "r+b", 0) as pipe:
        daemon.wait_for_state("x", "RUNNING")
        for size in (4096, 1):
            while pipe.write(bytes(size)):
                pass
        assert daemon.rpc.supervisor.reexec() is True
        daemon.close_rpc()
        wait_until(lambda: "INFO resumed 1 process" in daemon.output_text())
        log = b""

        def read() -> bool:
            nonlocal log
            log += pipe.read(65536) or b""
            return b"INFO resumed 1 process" in log

        wait_until(read)
        assert EXECUTES in log.decode()


def test_without_a_file_in_memory_there_is_one_on_disk(directory: Path) -> None:
    """It has no name, because it contains the environment of all programs."""
    config = f"runtimedir=%(here)s\n{PROGRAM}"
    with meddled(directory, config) as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.before("import os; del os.memfd_create")
        names = sorted(path.name for path in directory.iterdir())
        replace(daemon)
        assert_unchanged(daemon, before)
        assert sorted(path.name for path in directory.iterdir()) == names


@pytest.mark.parametrize("arguments", [("-n",), ()], ids=["foreground", "background"])
def test_a_configuration_from_standard_input_is_kept(
    directory: Path, arguments: tuple[str, ...]
) -> None:
    within = ("sh", "-c", 'exec <"$5"; rm "$5"; cat | "$1" "$2" "$3" -c - $6', "sh")
    daemon = Daemon(directory, f"directory=/\n{PROGRAM}", arguments=arguments, within=within)
    with daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        assert not daemon.config_path.exists()
        for number in (1, 2):
            replace(daemon, number)
        assert daemon.rpc.supervisor.reloadConfig() == [[[], [], []]]
        assert_unchanged(daemon, before)


LATE_SIGNAL = """
import os, signal, threading, time, supervisor.daemon.reexec as module
threading.Thread(target=threading.Event().wait, daemon=True).start()
write = module._write
def interrupted(fd, data):
    os.kill(os.getpid(), signal.SIGTERM)
    while signal.SIGTERM not in supervisord.signals:
        time.sleep(0.001)
    write(fd, data)
module._write = interrupted
"""


def test_a_signal_that_a_thread_receives_after_the_snapshot_is_handled(directory: Path) -> None:
    """Plugins have threads, which do not block signals."""
    with meddled(directory) as daemon:
        daemon.wait_for_state("x", "RUNNING")
        daemon.rpc.meddler.run(LATE_SIGNAL)
        assert daemon.rpc.supervisor.reexec() is True
        daemon.wait_for_exit()
        text = daemon.log_text()
        assert "INFO resumed 1 process" in text
        assert text.count("received SIGTERM indicating exit request") == 1


def test_what_a_plugin_has_printed_is_kept(directory: Path) -> None:
    """Python has a buffer, which an execution drops."""
    with meddled(directory) as daemon:
        daemon.rpc.meddler.run("print('hello from a plugin')")
        replace(daemon)
        assert "hello from a plugin\n" in daemon.output_text()


# -- after the execution ---------------------------------------------------------------


DAMAGES = (
    # the change of the function that encodes the snapshot, reason, what the daemon finds
    ("encode(head, state)[:-3]", "it is not complete JSON", "from 4"),
    ("encode({'format': 2, **head}, state)", "its format 2 is that of a newer version", "from 4"),
    ("encode(head, [1])", "it is not a JSON object", "from 4"),
    ("b'nothing'", "it is not complete JSON", "found in /proc"),
    ("b'{}'", "it has no head", "found in /proc"),
    ("encode({**head, 'children': [{}]}, state)", "it has no head", "found in /proc"),
    ("b''", "it is not complete JSON", "found in /proc"),
)

ADOPTED = f"""
{COUNTER}
{PROGRAM}
[program:stopped]
command={child("sleeper")}
autostart=false
[program:many]
command={child("sleeper")}
process_name=%(process_num)d
numprocs=2
startsecs=0
[eventlistener:listener]
command={child("listener", "/dev/null")}
events=PROCESS_STATE
startsecs=0
[fcgi-program:f]
command={child("fastcgi")}
socket=unix://%(here)s/f.sock
startsecs=0
"""


@pytest.mark.slow
def test_a_damaged_snapshot_loses_no_process_and_starts_none_twice(directory: Path) -> None:
    for number, (code, reason, found) in enumerate(DAMAGES):
        folder = directory / str(number)
        folder.mkdir()
        with meddled(folder, ADOPTED) as daemon:
            check_adoption(daemon, code, reason, found)


DAMAGE = """
import supervisor.daemon.reexec as module
from supervisor.common import resume_format
encode, write, damaged = resume_format.encode, module._write, []
def encode_both(head, state):
    damaged.append({code})
    return encode(head, state)  # its fds stay open
resume_format.encode = encode_both
module._write = lambda fd, data: write(fd, damaged[0])
"""


def check_adoption(daemon: Daemon, code: str, reason: str, found: str) -> None:
    names = ("counter", "x", "many:0", "many:1", "f")
    before = {name: daemon.wait_for_state(name, "RUNNING")["pid"] for name in names}
    daemon.wait_for_state("listener", "RUNNING")
    daemon.rpc.meddler.before(DAMAGE.format(code=code))
    replace(daemon)
    log = daemon.log_text()
    assert f"CRIT the state of the daemon before cannot be read: {reason};" in log, log
    assert re.search(rf"INFO resumed 6 processes,? {found}", log), log
    for name, pid in before.items():
        assert f"CRIT {name} (pid {pid}) is adopted by its pid: its state has been lost" in log
        info = daemon.info(name)
        assert (info["pid"], info["statename"]) == (pid, "RUNNING")
    assert daemon.info("stopped")["statename"] == "STOPPED"
    assert "Traceback" not in log + daemon.output_text()
    # Output arrives, exits are noticed, and programs start as before.
    size = len(daemon.text("counter.log"))
    wait_until(lambda: len(daemon.text("counter.log")) > size + 10, what=daemon.log_text)
    numbers = [int(line) for line in daemon.text("counter.log").splitlines()[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    os.kill(before["x"], signal.SIGKILL)
    wait_until(lambda: daemon.info("x")["pid"] not in {0, before["x"]}, what=daemon.log_text)
    for name in ("counter", "many:0", "f", "listener"):
        daemon.wait_for_state(name, "RUNNING")
        daemon.rpc.supervisor.stopProcess(name)
        daemon.rpc.supervisor.startProcess(name)
    running = len(before) + 1
    wait_until(lambda: len(proctable.children(daemon.pid)) == running, what=daemon.log_text)


def test_without_a_snapshot_numbers_of_processes_are_in_the_state_file(directory: Path) -> None:
    with meddled(directory, f"statefile={directory}/state\n{ADOPTED}") as daemon:
        assert daemon.ctl("scale", "many", "3").returncode == 0
        pid = daemon.wait_for_state("many:2", "RUNNING")["pid"]
        daemon.wait_for_text("state", '"count": 3')
        daemon.rpc.meddler.before(DAMAGE.format(code="b''"))
        replace(daemon)
        for _ in range(2):
            assert daemon.rpc.supervisor.reloadConfig() == [[[], [], []]]
        assert daemon.info("many:2")["pid"] == pid


BROKEN_CONFIG = "open({path!r}, 'w').write('[program:x]\\nautostart=perhaps\\n')"


def test_a_configuration_that_breaks_after_the_check_leaves_the_settings(directory: Path) -> None:
    """Also if the snapshot cannot be read: then there is at least a daemon that supervises."""
    with meddled(directory, f"identifier=kept\n{PROGRAM}") as daemon:
        before = daemon.wait_for_state("x", "RUNNING")
        text = daemon.config_path.read_text(encoding="utf-8")
        daemon.rpc.meddler.before(BROKEN_CONFIG.format(path=str(daemon.config_path)))
        replace(daemon)
        assert "CRIT the settings stay as they were: " in daemon.log_text()
        assert daemon.rpc.supervisor.getIdentification() == "kept"
        assert_unchanged(daemon, before)
        assert "supervisord.conf" in refusal(daemon)
        daemon.config_path.write_text(text, encoding="utf-8")
        assert daemon.rpc.supervisor.reloadConfig() == [[[], [], []]]
        replace(daemon, 2)
        assert_unchanged(daemon, before)


def test_without_state_and_configuration_programs_are_still_stopped(directory: Path) -> None:
    with meddled(directory) as daemon:
        pid = daemon.wait_for_state("x", "RUNNING")["pid"]
        daemon.rpc.meddler.before(
            f"{BROKEN_CONFIG.format(path=str(daemon.config_path))}\n" + DAMAGE.format(code="b''")
        )
        assert daemon.rpc.supervisor.reexec() is True
        wait_until(lambda: "INFO resumed 1 process" in daemon.output_text())
        output = daemon.output_text()
        assert f"CRIT x (pid {pid}) is adopted by its pid" in output
        assert "CRIT the settings stay as they were" not in output
        assert "CRIT there are no settings and no servers: " in output
        assert proctable.is_alive(pid)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_exit()
        assert not proctable.is_alive(pid)
        assert "Traceback" not in daemon.output_text()


PARTS = (
    # change of the state, name of what fails, whether the state of x is lost
    ("state['groups'][0]['config'] = {'name': 'x'}", "taking over the group x", True),
    ("del state['groups'][0]['processes'][0]['attributes']", "taking over x", True),
    ("state['groups'][0]['processes'][0]['dispatchers'] = 5", "taking over x", True),
    ("state['event_serial'] = []; state['ticks'] = 5", "taking over ticks", False),
    ("state['orphans'] = 5", "taking over orphans", False),
    ("state['logs'] = 5", "open logs cannot be taken over", False),
    ("state['pidfile'] = 5", "the pid file cannot be taken over", False),
    ("state['pidfile']['path'] = 5", "the pid file cannot be taken over", False),
    ("state['configuration'] = 5", "", False),
    ("state['configuration']['scales'] = 5", "numbers of processes cannot be taken over", False),
    ("state['configuration'].update(directory='\\0', standard_input=5)", "", False),
    ("state['signal_mask'] = [[], 'x']", "", False),
    ("state['groups'] = 5", "x (pid ", True),
    ("state['groups'][0] = 5", "x (pid ", True),
    ("head['listeners'] = 5", "", False),
    ("head['listeners'][0]['fd'] = state['pidfile']['fd']", "taking over a server", False),
)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_part_that_cannot_be_read_is_one_line_and_prevents_nothing_else(directory: Path) -> None:
    for number, (code, what, is_lost) in enumerate(PARTS):
        folder = directory / str(number)
        folder.mkdir()
        with meddled(folder, f"{PROGRAM}{COUNTER}") as daemon:
            pids = {
                name: daemon.wait_for_state(name, "RUNNING")["pid"] for name in ("x", "counter")
            }
            daemon.rpc.meddler.before(CHANGE.format(code=code))
            replace(daemon)
            log = daemon.log_text()
            criticals = [each for each in log.splitlines() if f"CRIT {what}" in each]
            assert criticals, f"{code}\n{log}"
            assert (f"CRIT x (pid {pids['x']}) is adopted by its pid" in log) == is_lost, log
            assert "Traceback" not in log
            for name, pid in pids.items():
                info = daemon.info(name)
                assert (info["pid"], info["statename"]) == (pid, "RUNNING"), log
            size = len(daemon.text("counter.log"))
            wait_until(lambda: len(daemon.text("counter.log")) > size, what=daemon.log_text)  # noqa: B023


def test_a_socket_that_is_half_taken_over_is_closed_by_a_stop(directory: Path) -> None:
    with meddled(directory, ADOPTED) as daemon:
        pid = daemon.wait_for_state("f", "RUNNING")["pid"]
        code = "[x for x in state['groups'] if x['name'] == 'f'][0]['processes'][0]['parts'] = 5"
        daemon.rpc.meddler.before(CHANGE.format(code=code))
        replace(daemon)
        assert f"CRIT f (pid {pid}) is adopted by its pid" in daemon.log_text()
        daemon.rpc.supervisor.stopProcess("f")
        assert "INFO Closing socket" in daemon.log_text().partition("INFO resumed ")[2]


CHANGE = """
from supervisor.common import resume_format
encode = resume_format.encode
def changed(head, state):
    state["groups"].sort(key=lambda group: group["name"] != "x")
    {code}
    return encode(head, state)
resume_format.encode = changed
"""


@needs_root
def test_a_log_that_can_no_longer_be_opened_does_not_end_its_program(directory: Path) -> None:
    """Without the state, logs are opened again; the output returns when that is possible."""
    os.chown(directory, UID, UID)
    logs = directory / "logs"
    logs.mkdir()
    os.chown(logs, UID, UID)
    config = f"user={UID}\n{COUNTER.replace('counter.log', 'logs/counter.log')}"
    with meddled(directory, config) as daemon:
        os.chown(daemon.config_path, UID, UID)
        pid = daemon.wait_for_state("counter", "RUNNING")["pid"]
        lose_state = CHANGE.format(code="state = []")
        daemon.rpc.meddler.before(f"import os; os.chmod({str(logs)!r}, 0)\n{lose_state}")
        replace(daemon)
        daemon.wait_for_log("CRIT counter: the log of its stdout cannot be opened (")
        assert (daemon.info("counter")["pid"], daemon.info("counter")["statename"]) == (
            pid,
            "RUNNING",
        )
        logs.chmod(0o700)
        size = len(daemon.text("logs/counter.log"))
        daemon.signal(signal.SIGUSR2)
        wait_until(lambda: len(daemon.text("logs/counter.log")) > size, what=daemon.log_text)
        assert "Traceback" not in daemon.log_text()
