"""The files in contrib, each used for what it is for."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from supervisor.config.settings import Source, read
from tests.support import proctable
from tests.support.children import child
from tests.support.containers import Container, running
from tests.support.ctl import process
from tests.support.daemon import OURS, Daemon, clean_environment
from tests.support.fakeserver import rpc_answer, serving
from tests.support.strangers import needs_root
from tests.support.tools import tool
from tests.support.waiting import wait_until

CONTRIB = Path(__file__).parents[2] / "contrib"

PROGRAMS = f"""
[program:web]
command={child("sleeper")}
startsecs=0
[group:team]
programs=one,two
[program:one]
command={child("sleeper")}
startsecs=0
[program:two]
command={child("sleeper")}
startsecs=0
"""


def run(
    *command: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=env, cwd=cwd
    )


# -- completion ------------------------------------------------------------------------

COMPLETE = """
source {script}
COMP_LINE={line}
COMP_POINT=${{#COMP_LINE}}
_supervisorctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def daemon(directory: Path) -> Iterator[Daemon]:
    with Daemon(directory, PROGRAMS) as started:
        yield started


def bash(environment: dict[str, str], directory: Path, line: str, end: str = "") -> str:
    """Return what bash offers at the end of a line, or what commands at the end print."""
    script = COMPLETE.format(
        script=CONTRIB / "completions" / "supervisorctl.bash", line=shlex.quote(line)
    )
    if end:
        script = script.rpartition("printf")[0] + end
    result = run("bash", "-c", script, env=environment, cwd=directory)
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["re"], {"reexec", "reload", "remove", "reopen", "reread", "restart"}),
        (["help", "st"], {"start", "status", "stop"}),
        (["stop", ""], {"web", "team:one", "team:two", "team:*", "all"}),
        (["stop", "web", "te"], {"team:one", "team:two", "team:*"}),
        (["status", "w"], {"web"}),
        (["stop", "team:o"], {"one"}),
        (["start", "-"], {"--no-deps"}),
        (["restart", "--w"], {"--with-dependents"}),
        (["update", "--"], {"--plan", "--minimal", "--json"}),
        (["graph", "--format=m"], {"mermaid"}),
        (["status", "--"], {"--json", "--usage", "--verbose", "--watch"}),
        (["wait", "web", "s"], {"stopped"}),
        (["signal", "U"], {"USR1", "USR2"}),
        (["explain", "w"], {"web"}),
        (["version", ""], {""}),
    ],
    ids=lambda value: " ".join(sorted(value) if isinstance(value, set) else value),
)
def test_bash_completes_what_there_is(daemon: Daemon, words: list[str], expected: set[str]) -> None:
    line = " ".join([daemon.client_script(), "-c", str(daemon.config_path), *words])
    found = bash(daemon.environment, daemon.directory, line)
    assert set(found.split("\n")[:-1]) == expected


def test_bash_completes_nothing_without_a_daemon(directory: Path) -> None:
    daemon = Daemon(directory)
    line = f"{daemon.client_script()} -c {daemon.config_path} status "
    assert bash(daemon.environment, directory, line) == "\n"


def test_an_interactive_bash_replaces_the_part_behind_a_colon(daemon: Daemon) -> None:
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        env={**in_path(daemon), "PS1": "at-the-prompt "},
        cwd=str(daemon.directory),
        timeout=50,
        encoding="utf-8",
        dimensions=(24, 500),
    )
    try:
        shell.sendline(f"source {CONTRIB}/completions/supervisorctl.bash")
        shell.send(f"supervisorctl -c {daemon.config_path} status team:tw\t\n")
        shell.expect(r"team:two +RUNNING")
    finally:
        shell.close(force=True)


HOSTILE = (
    *("$(>f)", "`>f`", "${x:->f}", ";>f;", "|>f", "&>f", "*", "[a-z]*", "~", "a'b", 'c"d', "e\\f"),
    *("$((g[$(>f)]))", "#h", "--help", "h{i,j}", "!!", "日本", "plain", "$(>f):two", "team:one"),
)
"""Names that a server of another's making may tell of."""

DROPPED = ("del\x7f", "c1\x9b31m", "bidi\u202eexe")
"""Names with control characters, which would reach the terminal."""


@pytest.fixture
def hostile(directory: Path) -> Iterator[dict[str, str]]:
    """Return an environment in whose PATH is a supervisorctl of a server with such names."""
    processes = [process(name) for name in (*HOSTILE, *DROPPED)]
    with serving(lambda _: rpc_answer(processes)) as server:
        script = directory / "supervisorctl"
        command = " ".join(OURS.command("supervisorctl"))
        script.write_text(f'#!/bin/sh\nexec {command} -s {server.url} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        environment = clean_environment(directory)
        path = f"{directory}:{environment['PATH']}"
        yield {**environment, "PATH": path, "HOME": str(directory)}


def expected_names() -> set[str]:
    """Return the names that may be shown, and those of their groups."""
    return {"all", *HOSTILE, *(f"{name.split(':')[0]}:*" for name in HOSTILE if ":" in name)}


EVALUATE = """
for word in "${COMPREPLY[@]}"; do
    eval "printf '%s\\n' $word"
done
"""
"""Print what the words become on a command line."""


def test_bash_runs_no_names(directory: Path, hostile: dict[str, str]) -> None:
    """Neither at TAB nor when the line is run."""
    found = bash(hostile, directory, "supervisorctl status ", EVALUATE)
    assert set(found.splitlines()) == expected_names()
    assert not (directory / "f").exists()


def test_bash_quotes_names_of_files(directory: Path, hostile: dict[str, str]) -> None:
    (directory / "$(>f)").touch()
    found = bash(hostile, directory, f"supervisorctl -c {directory}/$")
    assert found == f"{directory}/\\$\\(\\>f\\)\n"


def test_fish_runs_no_names(directory: Path, hostile: dict[str, str]) -> None:
    script = f"source {CONTRIB}/completions/supervisorctl.fish; complete -C 'supervisorctl stop '"
    result = run(tool("fish"), "--no-config", "-c", script, env=hostile, cwd=directory)
    assert result.stderr == ""
    found = {line.partition("\t")[0] for line in result.stdout.splitlines()}
    assert found >= {"plain", "team:one", "team:*", "$(>f)", "`>f`"}
    assert not {name for name in found if not name.isprintable()}
    assert not (directory / "f").exists()


def in_path(daemon: Daemon) -> dict[str, str]:
    """Return the daemon's environment, with its supervisorctl in the PATH, at home with it."""
    directory = Path(daemon.client_script()).parent
    path = f"{directory}:{daemon.environment['PATH']}"
    return {**daemon.environment, "PATH": path, "HOME": str(directory), "TERM": "dumb"}


def test_fish_completes_what_there_is(daemon: Daemon) -> None:
    script = f"source {CONTRIB}/completions/supervisorctl.fish; complete -C"

    def completed(line: str) -> list[str]:
        command = f"{script} 'supervisorctl -c {daemon.config_path} {line}'"
        result = run(tool("fish"), "--no-config", "-c", command, env=in_path(daemon))
        assert result.stderr == ""
        return result.stdout.splitlines()

    assert completed("rel") == ["reload"]
    assert completed("stop te") == ["team:*", "team:one\tRUNNING", "team:two\tRUNNING"]
    assert completed("status w") == ["web\tRUNNING"]
    assert completed("stop web te") == ["team:*", "team:one\tRUNNING", "team:two\tRUNNING"]
    (found,) = completed("stop --w")
    assert found.startswith("--with-dependents\tStop the processes that depend on it")
    assert completed("graph --format=m") == ["--format=mermaid\ttext (default), mermaid or json"]


ZSH = """
fpath=({folder} $fpath)
autoload -Uz compinit
compinit -u -D
bindkey '^I' complete-word
compadd() {{ local -a found; builtin compadd -A found "$@"; print -r -- "<found $found>" }}
PROMPT='at''-the-prompt'
"""
"""Each match is said, instead of shown among escape sequences."""


def zsh_finds(
    environment: dict[str, str], directory: Path, lines: Iterable[tuple[str, set[str]]]
) -> None:
    """Check what a zsh in a directory finds at TAB for each line."""
    zsh = pexpect.spawn(
        tool("zsh"),
        ["-f", "-i"],
        env=environment,
        cwd=str(directory),
        timeout=50,
        encoding="utf-8",
        dimensions=(24, 500),
    )
    try:
        zsh.send(ZSH.format(folder=CONTRIB / "completions"))
        zsh.expect_exact("at-the-prompt")
        for line, expected in lines:
            zsh.send(f"\x15supervisorctl {line}\t")
            zsh.expect("<found ([^>]+)>")
            assert set(str(zsh.match[1]).split()) == expected
    finally:
        zsh.close(force=True)


def test_zsh_completes_what_there_is(daemon: Daemon) -> None:
    option = f"-c {daemon.config_path}"
    lines = (
        (f"{option} rel", {"reload"}),
        (f"{option} status w", {"web"}),
        (f"{option} stop t", {r"team:\*", "team:one", "team:two"}),
        (f"{option} start --n", {"--no-deps"}),
        (f"{option} wait web s", {"stopped"}),
    )
    zsh_finds(in_path(daemon), daemon.directory, lines)


def test_zsh_runs_no_names(directory: Path, hostile: dict[str, str]) -> None:
    environment = {**hostile, "TERM": "dumb"}
    zsh_finds(
        environment, directory, (("stop pl", {"plain"}), ("stop te", {r"team:\*", "team:one"}))
    )
    assert not (directory / "f").exists()


# -- init --------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("answer", ["-1", "0", "", "error: no pid"])
def test_the_init_script_signals_one_process_only(directory: Path, answer: str) -> None:
    """In a namespace of its own, because -1 would mean every process of the machine."""
    client = directory / "supervisorctl"
    client.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    client.chmod(0o755)
    (directory / "defaults").write_text(f"CLIENT={client}\n", encoding="utf-8")
    environment = clean_environment(directory, {"SUPERVISOR_DEFAULTS": f"{directory}/defaults"})
    alone = ("unshare", "--pid", "--fork", "--kill-child")
    result = run(*alone, "sh", str(CONTRIB / "init.sh"), "stop", env=environment)
    assert result.stderr == f"supervisord has no pid: {answer}\n"
    assert result.returncode == 1


def test_the_init_script(directory: Path) -> None:
    daemon = Daemon(directory, PROGRAMS, arguments=())
    server = directory / "supervisord"
    server.write_text(f'#!/bin/sh\nexec {" ".join(OURS.command("supervisord"))} "$@"\n')
    server.chmod(0o755)
    defaults = directory / "defaults"
    defaults.write_text(
        f"DAEMON={server}\nCLIENT={daemon.client_script()}\nCONFIG={daemon.config_path}\n"
    )
    environment = clean_environment(directory, {"SUPERVISOR_DEFAULTS": str(defaults)})

    def init(action: str) -> tuple[int, str]:
        result = run(str(CONTRIB / "init.sh"), action, env=environment)
        return result.returncode, result.stdout

    try:
        assert init("status") == (3, "supervisord is not running\n")
        assert init("start") == (0, "Starting supervisord\n")
        wait_until(lambda: init("status") == (0, "supervisord is running\n"))
        assert init("start") == (0, "supervisord is running already\n")
        assert init("reload") == (0, "Restarted supervisord\n")
        wait_until(lambda: daemon.log_text().count("started with pid") == 2)
        wait_until(lambda: init("status")[0] == 0)
        assert init("stop")[0] == 0
        assert proctable.marked(str(directory)) == []
        assert init("stop") == (0, "supervisord is not running\n")
        assert init("nonsense")[0] == 2
    finally:
        proctable.kill(proctable.marked(str(directory)))


# -- systemd, logrotate, containers ---------------------------------------------------------


@pytest.mark.parametrize("name", ["supervisord.service", "supervisord-forking.service"])
def test_units_name_what_there_is(name: str) -> None:
    """Each line is a setting of systemd's; commands have options that exist."""
    text = (CONTRIB / name).read_text(encoding="utf-8")
    for line in text.splitlines():
        assert re.fullmatch(r"(#.*|\[(Unit|Service|Install)\]|[A-Z]\w+=.+|)", line)
    kind = "notify" if name == "supervisord.service" else "forking"
    assert f"Type={kind}\n" in text
    assert (" -n " in text) == (kind == "notify")


def test_logrotate_rotates_a_running_programs_log(directory: Path) -> None:
    """With Debian's logrotate: each line is in one of the files, once."""
    logrotate = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert logrotate, "logrotate is missing: install it, or let root run tests/run, which does"
    logs = directory / "logs"
    logs.mkdir(mode=0o755)
    text = (CONTRIB / "logrotate.conf").read_text(encoding="utf-8")
    text = text.replace("/var/log/supervisor", str(logs))
    text = text.replace("/run/supervisord.pid", str(directory / "supervisord.pid"))
    config = directory / "logrotate.conf"
    config.write_text(text, encoding="utf-8")
    config.chmod(0o644)
    program = f"""
[program:speaks]
command={child("echo")}
stdout_logfile={logs}/speaks.log
stdout_logfile_maxbytes=0
"""
    with Daemon(directory, program) as daemon:
        daemon.wait_for_state("speaks", "RUNNING")
        log = logs / "speaks.log"
        daemon.rpc.supervisor.sendProcessStdin("speaks", "before\n")
        wait_until(lambda: "before" in log.read_text())
        result = run(logrotate, "-f", "-s", str(directory / "state"), str(config))
        assert result.returncode == 0, result.stderr
        daemon.wait_for_log("logreopen")
        wait_until(log.exists)
        daemon.rpc.supervisor.sendProcessStdin("speaks", "after\n")
        wait_until(lambda: log.read_text() == "after\n")
        assert (logs / "speaks.log.1").read_text().endswith("before\n")


@contextmanager
def shipped_container(directory: Path) -> Iterator[Container]:
    """Run the example as its Dockerfile does, with `directory` in place of /tmp."""
    folder = CONTRIB / "container"
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    command, *arguments, option, config = json.loads(entry)
    assert (command, option, config) == ("supervisord", "-c", "/etc/supervisord.conf")
    text = (folder / "supervisord.conf").read_text(encoding="utf-8")
    text = text.replace("/tmp/", f"{directory}/").replace("python3", sys.executable)  # noqa: S108
    with running(directory, text, *arguments) as started:
        for name in ("web", "clock"):
            started.wait_for(f"success: {name} entered RUNNING")
        wait_until(lambda: "Serving HTTP" in str(started.messages("web")), 20, what=started.text)
        yield started


@needs_root
def test_the_container_stops(directory: Path) -> None:
    with shipped_container(directory) as started:
        assert "supervisord started with pid 1" in started.text()
        command = [*OURS.command("supervisorctl"), "-c", str(directory / "c.conf")]
        status = run(*command, "status", env=clean_environment(directory))
        assert re.findall(r"^(\w+) +(\w+)", status.stdout, re.MULTILINE) == [
            ("clock", "RUNNING"),
            ("web", "RUNNING"),
        ]
        assert run(*command, "health", env=clean_environment(directory)).returncode == 0
        started.signal(signal.SIGTERM)
        assert started.wait() == 0


@needs_root
def test_the_container_ends_with_its_web_server(directory: Path) -> None:
    with shipped_container(directory) as started:
        daemon = started.main_process().pid
        (web,) = (
            each.pid
            for each in proctable.children(daemon)
            if b"http.server" in Path(f"/proc/{each.pid}/cmdline").read_bytes()
        )
        proctable.kill([web])
        assert started.wait() == 128 + signal.SIGKILL


def test_debians_configuration(tmp_path: Path) -> None:
    """With a program of its own file, as packages and people put it there."""
    text = (CONTRIB / "debian" / "supervisord.conf").read_text(encoding="utf-8")
    for path in ("/etc/supervisor", "/var/run", "/var/log/supervisor"):
        (tmp_path / path[1:]).mkdir(parents=True)
        text = text.replace(path, f"{tmp_path}{path}")
    (tmp_path / "etc/supervisor/conf.d").mkdir()
    (tmp_path / "etc/supervisor/conf.d/web.conf").write_text("[program:web]\ncommand=/bin/cat\n")
    file = tmp_path / "etc/supervisor/supervisord.conf"
    file.write_text(text, encoding="utf-8")
    configuration = read(Source(str(file)), {})
    assert [group.name for group in configuration.groups] == ["web"]
    assert not configuration.warnings


def test_the_container_example_is_what_the_documentation_shows() -> None:
    page = (CONTRIB.parent / "docs" / "howto" / "container.md").read_text(encoding="utf-8")
    shown, *_ = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    text = (CONTRIB / "container" / "supervisord.conf").read_text(encoding="utf-8")
    assert shown == text
