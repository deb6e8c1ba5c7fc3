"""Journey: variables from files, and secrets, on their way to the program and nowhere else."""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.children import child
from tests.support.daemon import OURS, Daemon, clean_environment
from tests.support.strangers import needs_root
from tests.support.transport import UnixConnection
from tests.support.waiting import wait_until

SHOW = (
    "/bin/sh -c 'env >%(here)s/out/{0}.new; mv %(here)s/out/{0}.new %(here)s/out/{0};"
    " exec sleep 1000'"
)


@pytest.fixture
def place(directory: Path) -> Path:
    """A directory in which programs of every user can leave their environments in `out`."""
    directory.chmod(0o755)
    (directory / "out").mkdir()
    (directory / "out").chmod(0o777)
    return directory


def program(name: str, *options: str, kind: str = "program") -> str:
    """Return the section of a program that shows its environment and stays."""
    lines = (f"[{kind}:{name}]", f"command={SHOW.format(name)}", "startsecs=0", *options)
    return "\n".join((*lines, ""))


def shown(place: Path, name: str) -> dict[str, str]:
    """Wait until a program has shown its environment; return and forget it."""
    path = place / "out" / name
    wait_until(path.exists)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.unlink()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@needs_root
def test_every_kind_of_program_gets_variables_that_its_user_could_not_read(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    (private / "a.env").write_text("FROM=a\nONLY='in a'\n", encoding="utf-8")
    (private / "secret").write_text("word\n", encoding="utf-8")
    files = (
        "user=nobody",
        "login_environment=true",
        "envfiles=%(here)s/private/a.env,-%(here)s/private/none.env",
        "secretfiles=SECRET:%(here)s/private/secret",
        'environment=FROM="own"',
    )
    config = "\n".join(
        (
            program("plain", *files),
            program("listener", *files, "events=TICK_3600", kind="eventlistener"),
            program("app", *files, "socket=unix://%(here)s/app.sock", kind="fcgi-program"),
            program("vfork", "user=nobody", "login_environment=true"),
        )
    )
    with Daemon(place, config) as daemon:
        for name in ("plain", "listener", "app", "vfork"):
            found = shown(place, name)
            assert (found["USER"], found["LOGNAME"]) == ("nobody", "nobody")
            if name != "vfork":
                assert (found["FROM"], found["ONLY"], found["SECRET"]) == ("own", "in a", "word")
            daemon.wait_for_state(name, "RUNNING")


def test_a_clean_environment(place: Path) -> None:
    options = ("clean_environment=true", "pass_environment=PATH,LC_*", "environment=A=b")
    with Daemon(place, program("x", *options), environment={"LC_TIME": "C", "TOKEN": "secret"}):
        found = shown(place, "x")
    for added_by_the_shell in ("PWD", "SHLVL", "_"):
        found.pop(added_by_the_shell, None)
    own = {name: found.pop(name) for name in list(found) if name.startswith("SUPERVISOR_")}
    assert own["SUPERVISOR_PROCESS_NAME"] == "x"
    assert found == {"A": "b", "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LC_TIME": "C"}


def test_files_are_read_at_each_start(place: Path) -> None:
    """A changed option restarts the program at an update, a changed file does not."""
    file = place / "0.env"
    file.write_text("A=1\n", encoding="utf-8")
    options = ("numprocs=1", "process_name=%(process_num)d", "envfiles=%(process_num)d.env")
    with Daemon(place, program("x", *options)) as daemon:
        assert shown(place, "x")["A"] == "1"
        file.write_text("A=2\n", encoding="utf-8")
        assert daemon.ctl("update").stdout == ""
        assert daemon.ctl("restart", "x:0").returncode == 0
        assert shown(place, "x")["A"] == "2"
        daemon.write_config(program("x", *options, "secretfiles=B:%(here)s/0.env"))
        assert daemon.ctl("update").stdout.splitlines()[-1] == "x: updated process group"
        assert shown(place, "x")["B"] == "A=2"


def test_a_start_without_its_file_fails_until_the_file_is_there(place: Path) -> None:
    once = "startretries=0"
    config = program("x", "envfiles=a.env", once, "stderr_logfile=%(here)s/x.log")
    config += program("y", "secretfiles=KEY:%(here)s/key", once)
    with Daemon(place, config) as daemon:
        assert daemon.wait_for_state("x", "FATAL")["spawnerr"] == "cannot read a.env: ENOENT"
        reason = f"cannot read KEY from {place}/key: ENOENT"
        assert daemon.wait_for_state("y", "FATAL")["spawnerr"] == reason
        assert daemon.text("x.log") == (
            "supervisor: cannot read a.env: ENOENT\nsupervisor: child process was not spawned\n"
        )
        assert "spawnerr: cannot read a.env: ENOENT" in daemon.log_text()
        (place / "a.env").write_text("# Variables\nnot a pair\n", encoding="utf-8")
        start = daemon.ctl("start", "x")
        assert (start.stdout, start.returncode) == ("x: ERROR (spawn error)\n", 7)
        assert daemon.info("x")["spawnerr"] == "a.env:2: expected KEY=VALUE"
        (place / "a.env").write_text("A=b\n", encoding="utf-8")
        assert daemon.ctl("start", "x").stdout == "x: started\n"
        assert shown(place, "x")["A"] == "b"


def test_a_readiness_check_has_the_variables(place: Path) -> None:
    (place / "a.env").write_text("PORT=80\n", encoding="utf-8")
    check = "/bin/sh -c 'test \"$PORT\" = 80'"
    options = ("envfiles=a.env", f"readiness_check_script={check}", "readiness_check_period=0.1")
    with Daemon(place, program("x", *options)) as daemon:
        daemon.wait_for_state("x", "RUNNING")


# -- secrecy ----------------------------------------------------------------------

SECRETS = ("hush-in-an-env-file", "hush-in-a-secret-file", "hush-on-a-bad-line")
COMMON = b"hush-"

ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (),
    ("good",),
    ("bad",),
    ("good", 0, 0),
    ("bad", 0, 1000),
    ("good", "HUP"),
    (0, 0),
    ([{"methodName": "supervisor.getAllProcessInfo", "params": []}],),
)
"""Arguments with which each method is called; some fit."""

ENDS = {"supervisor.shutdown", "supervisor.restart"}

PAGES = (
    "/",
    "/index.html",
    "/?processname=good&action=restart",
    "/?processname=bad&action=start",
    "/update.html",
    *(
        page.format(name)
        for name in ("good", "bad", "lost")
        for page in (
            "/process.html?processname={}",
            "/tail.html?processname={}&limit=10000",
            "/tail.html?processname={}&stream=both&q=b",
        )
    ),
)

COMMANDS = tuple(
    line.split()
    for line in (
        "status -v",
        "status --json --usage",
        "avail",
        "update --plan",
        "update --plan --json",
        "reread",
        "update",
        "graph",
        "pid all",
        "version",
        "maintail -100000",
        "start bad",
        "restart good",
        "restart lost",
        *(
            command.format(name)
            for name in ("good", "bad", "lost", "x:*")
            for command in (
                "explain {}",
                "logs {}",
                "tail -9999 {}",
                "tail -9999 {} stderr",
                "status {}",
            )
        ),
    )
)


def answers(daemon: Daemon) -> Iterator[str]:
    """Yield the results and faults of each method with each of the `ARGUMENTS`."""
    methods: Any = daemon.rpc.system.listMethods()
    for method, arguments in itertools.product(sorted(set(methods) - ENDS), ARGUMENTS):
        try:
            yield repr(getattr(daemon.rpc, method)(*arguments))
        except xmlrpc.client.Fault as fault:
            yield repr(fault)


def pages(daemon: Daemon) -> Iterator[str]:
    """Yield the pages."""
    for page in PAGES:
        connection = UnixConnection(str(daemon.socket_path), 20)
        connection.request("GET", page, headers={"Host": "localhost"})
        response: http.client.HTTPResponse = connection.getresponse()
        yield response.read().decode()
        connection.close()


def check(daemon: Daemon, *flags: str) -> subprocess.CompletedProcess[str]:
    """Check the configuration of a daemon."""
    return subprocess.run(
        [*OURS.command("supervisord"), "--check", "-c", str(daemon.config_path), *flags],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean_environment(daemon.directory),
        cwd=daemon.directory,
    )


def memory(pid: int) -> Iterator[bytes]:
    """Yield the writable memory of a process (proc_pid_mem(5))."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in maps:
            span, mode, *_ = line.split()
            if mode.startswith("rw"):
                start, end = (int(word, 16) for word in span.split("-"))
                file.seek(start)
                yield file.read(end - start)


@needs_root
def test_a_secret_is_in_the_program_and_nowhere_else(place: Path) -> None:
    """At the log level of most lines, in every place that shows anything of a program."""
    (place / "good.env").write_text(f"A={SECRETS[0]}\n", encoding="utf-8")
    (place / "secret").write_text(f"{SECRETS[1]}\n", encoding="utf-8")
    (place / "bad.env").write_text(f"A=b\n{SECRETS[2]}\n", encoding="utf-8")
    files = ("envfiles=%(here)s/good.env", "secretfiles=B:%(here)s/secret")
    config = "\n".join(
        (
            "loglevel=blather",
            "statefile=%(here)s/state",
            program("good", *files),
            program("bad", "envfiles=%(here)s/bad.env", "startretries=0", *files[1:]),
            program("lost", *files, "directory=%(here)s/none", "startretries=0"),
            f"[eventlistener:events]\ncommand={child('listener', '%(here)s/events')}",
            "events=EVENT",
        )
    )
    with Daemon(place, config) as daemon:
        found = shown(place, "good")
        assert (found["A"], found["B"]) == SECRETS[:2]
        daemon.wait_for_state("bad", "FATAL")
        assert daemon.wait_for_state("lost", "FATAL")["spawnerr"].endswith("ENOENT")
        daemon.wait_for_text("events", "PROCESS_STATE_FATAL")
        texts = [*answers(daemon), *pages(daemon)]
        for command in COMMANDS:
            done = daemon.ctl(*command)
            texts += [done.stdout, done.stderr]
        for flags in ([], ["--json"], ["--portable", "--strict"]):
            done = check(daemon, *flags)
            assert done.stdout
            texts += [done.stdout, done.stderr]
        wait_until((place / "state").exists)
        assert "bad.env:2: expected KEY=VALUE" in "".join(texts)
        assert COMMON.decode() not in "".join(texts)
        assert not [number for number, part in enumerate(memory(daemon.pid)) if COMMON in part]
    own = {place / name for name in ("good.env", "secret", "bad.env")}
    left = [path for path in place.rglob("*") if path.is_file() and "out" not in path.parts]
    assert place / "supervisord.log" in left
    assert [path for path in left if COMMON in path.read_bytes()] == sorted(own, key=left.index)
