"""The same question to the reference and to ours; the answers must agree.

What is bound to differ (pids, times, directories, generated names) is made equal first. What
differs on purpose is in the table of `differences`, and shown by a test that says `differ`.

With SUPERVISOR_CONFORMANCE=steady the reference is compared with itself, which shows whether a
scenario is steady before ours is blamed.
"""

from __future__ import annotations

import os
import pprint
import re
import shutil
import subprocess
import tempfile
import xmlrpc.client
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import OURS, Daemon, Implementation, clean_environment, reference
from tests.support.differences import ADDED_METHODS, declared

STEADY = os.environ.get("SUPERVISOR_CONFORMANCE") == "steady"

# What differs from run to run: pattern -> what is shown instead, in this order.
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"), "<stamp>"),
    (
        re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}"),
        "<ctime>",
    ),
    (re.compile(r"\b[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M"), "<day and minute>"),
    (re.compile(r"\b\d+:\d\d:\d\d\b"), "<uptime>"),
    (re.compile(r"\bpid[ :]\d+"), "pid <pid>"),
    (re.compile(r"^[1-9]\d+$"), "<pid>"),
    (re.compile(r"\(\d+\) with SIG"), "(<pid>) with SIG"),
    (re.compile(r"(-(?:stdout|stderr)---[\w.]+-)\w{8}\.log"), r"\1<random>.log"),
    (re.compile(r"\b4\.3\.[01]\b"), "<version>"),
)

# What only ours warns of: see "Configuration warnings" in docs/differences.md.
DOUBT = re.compile(
    r"contains a password and can be read|controls what runs as root but"
    r"|is (defined|set) \d+ times|unknown option '.*' in section|unknown section \["
    r"|is ignored in an included file|a literal % is written"
    r"|, which every program inherits"
    r"|is shared by \d+ processes"
)

# Fields of process structs: only whether they are zero is told.
VARYING_FIELDS = {"pid", "start", "stop", "now"}

COMMAND_SECONDS = 20

comparisons: Counter[str] = Counter()
"""How many there were, by the module that made them."""

Ask = Callable[[Daemon], object]


def ours() -> Implementation:
    """Return the implementation under test: ours, or the reference for a test of steadiness."""
    return reference() if STEADY else OURS


def normalised(value: Any, directory: Path) -> Any:
    """Return a value with everything that differs from run to run replaced."""
    if isinstance(value, subprocess.CompletedProcess):
        value = {
            "status": value.returncode,
            "stdout": value.stdout.splitlines(),
            "stderr": value.stderr.splitlines(),
        }
    if isinstance(value, dict):
        return {
            key: bool(item) if key in VARYING_FIELDS else normalised(item, directory)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [normalised(item, directory) for item in value]
    return _normalised_text(value, directory) if isinstance(value, str) else value


def _normalised_text(text: str, directory: Path) -> str:
    text = text.replace(str(directory), "<dir>")
    for command in ("supervisord", "supervisorctl", "pidproxy", "confecho"):
        text = re.sub(rf"[\w/.-]*/{command}(?:\.py|/__main__\.py)?(?= |$)", command, text)
    for pattern, shown in VARYING:
        text = pattern.sub(shown, text)
    return text


class Pair:
    """The reference and ours, running on the same configuration."""

    def __init__(self, theirs: Daemon, ours: Daemon) -> None:
        self.theirs = theirs
        self.ours = ours

    def answers(self, ask: Ask) -> tuple[Any, Any]:
        """Ask both at the same time; return the normalised answers, the reference's first."""
        daemons = (self.theirs, self.ours)
        with ThreadPoolExecutor(len(daemons)) as pool:
            given = pool.map(ask, daemons)
        theirs, ours = (
            normalised(answer, daemon.directory)
            for answer, daemon in zip(given, daemons, strict=True)
        )
        return theirs, ours

    def same(self, ask: Ask) -> None:
        """Both must give the same answer."""
        theirs, ours = self.answers(ask)
        assert_same(theirs, ours)

    def differ(self, ask: Ask, *, entry: str, theirs: object, ours: object) -> None:
        """The answers must be these two, and `entry` be in the table of differences."""
        declared(entry)
        given = self.answers(ask)
        assert_same(theirs, given[0])
        if not STEADY:
            assert_same(ours, given[1])


def methods(daemon: Daemon) -> list[str]:
    """Return the methods of a daemon, without those that are added."""
    names: Any = call(daemon, "system.listMethods")
    return [name for name in names if name not in ADDED_METHODS]


def assert_same(expected: object, found: object) -> None:
    """Fail, and show the lines that differ, unless both are equal; print the first."""
    module = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    comparisons[Path(module).stem] += 1
    shown, other = (pprint.pformat(value, width=120) for value in (expected, found))
    print(shown)
    if found != expected:
        rows = unified_diff(shown.splitlines(), other.splitlines(), "the reference", "ours", n=2)
        pytest.fail("\n".join(rows))


def run_both(
    command: str, *arguments: str, files: Mapping[str, str] | None = None, stdin: str = ""
) -> tuple[Any, Any]:
    """Run a command of each in a directory of its own; return the normalised results."""

    def run(implementation: Implementation) -> Any:
        with temporary_directory() as directory:
            write_files(directory, files or {})
            result = subprocess.run(
                [*implementation.command(command), *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                cwd=directory,
                env=clean_environment(directory),
                check=False,
            )
            return normalised(result, directory)

    with ThreadPoolExecutor(2) as pool:
        theirs, mine = pool.map(run, (reference(), ours()))
    return theirs, mine


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write files, and the directories they are in."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory with a short path; all of them have paths of the same length."""
    path = Path(tempfile.mkdtemp(prefix="sv-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def running_pair(
    config: str,
    settled: Mapping[str, str] | None = None,
    *,
    files: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = ("-n",),
    within: tuple[str, ...] = (),
) -> Iterator[Pair]:
    """Start both on a configuration and wait until the named processes are in these states.

    `files` are written beside the configuration first; `arguments` are those of the command line,
    `within` is put before the command.
    """
    with ExitStack() as stack:
        daemons = []
        for implementation in (reference(), ours()):
            directory = stack.enter_context(temporary_directory())
            write_files(directory, files or {})
            daemon = Daemon(
                directory,
                config,
                implementation=implementation,
                arguments=arguments,
                within=within,
            )
            daemons.append(daemon)
            # The reference takes a second for each group; ours has to end properly.
            stack.callback(daemon.kill if implementation == reference() else daemon.stop)
        with ThreadPoolExecutor(len(daemons)) as pool:
            list(pool.map(Daemon.start, daemons))
        for daemon in daemons:
            for name, state in (settled or {}).items():
                daemon.wait_for_state(name, state, seconds=20)
        yield Pair(*daemons)


def call(daemon: Daemon, method: str, *arguments: Any) -> Any:
    """Call an XML-RPC method; a fault or an HTTP error is an answer too."""
    try:
        return getattr(daemon.rpc, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        return ["fault", fault.faultCode, fault.faultString]
    except xmlrpc.client.ProtocolError as error:
        daemon.close_rpc()
        return ["http", error.errcode, error.errmsg]
