"""The documentation: it builds without a warning, and what it shows is true."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from supervisor.config import schema
from supervisor.config.commandline import read_server_configuration
from supervisor.config.settings import Source, read
from tests.support import proctable
from tests.support.daemon import clean_environment
from tests.support.ports import free_port
from tests.support.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.relative_to(DOCS) for path in DOCS.rglob("*.md"))

INI = re.compile(r"^```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(ini|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What differs from run to run, as the tutorial writes it.
SHOWN = (
    (re.compile(r"pid \d+"), "pid <pid>"),
    (re.compile(r"\d+:\d\d:\d\d$", re.MULTILINE), "<uptime>"),
    (re.compile(r"^\w{3} .*\d\d:\d\d:\d\d.*$", re.MULTILINE), "<date>"),
)

LINE_OF_CONTAINER = re.compile(
    r"^\S+ (?:[\d:,]+ (?:INFO|WARN) )?(.*?)(?: with pid \d+)?$", re.MULTILINE
)
"""Lines of the log without times and pids."""

STARTED = re.compile("(STARTING|RUNNING) .*")

PID = re.compile(r" with pid \d+| \(\d+\)")

FENCED = re.MULTILINE | re.DOTALL

LOG_EVENT = re.compile(r"INFO (spawned|success|exited): '?(\w+)")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("builder", ["html", "man"])
def test_it_builds_without_a_warning(builder: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder]
    result = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    texts = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*conf*[l5]")}
    text = texts["configuration.html" if builder == "html" else "supervisord.conf.5"]
    for options in schema.SECTIONS.values():
        assert [option.name for option in options if option.name not in text] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "tutorial.md"], ids=str)
def test_its_configurations_can_be_read(page: Path, tmp_path: Path) -> None:
    """Alone, or where a page shows only a part, behind an empty `[supervisord]`."""
    for number, shown in enumerate(INI.findall((DOCS / page).read_text(encoding="utf-8"))):
        text = re.sub(r"supvisors\.\w+:\w+", "os:getpid", shown)  # not installed here
        text = text.replace("/var/log/supervisor", str(tmp_path))
        file = tmp_path / f"{number}.conf"
        head = "" if "[supervisord]" in text else "[supervisord]\n"
        file.write_text(f"{head}{text}", encoding="utf-8")
        assert read_server_configuration(["-c", str(file)])
        warnings = read(Source(str(file)), {}).warnings
        assert not [line for line in warnings if "unknown option" in line]


@pytest.mark.timeout(180)
def test_the_tutorial_to_the_letter(directory: Path) -> None:
    """Files are written and commands typed as it says; each must answer as it says."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    scripts = Path(sys.executable).parent
    environment = clean_environment(directory)
    environment["PATH"] = f"{scripts}:{os.environ['PATH']}"
    config = directory / "supervisord.conf"
    try:
        for kind, text in BLOCK.findall(page):
            if kind == "ini":
                with config.open("a", encoding="utf-8") as file:
                    file.write(text.replace("9001", str(free_port())) + "\n")
                continue
            for step in text.removeprefix("$ ").split("\n$ "):
                line, _, expected = step.partition("\n")
                take_step(line, expected, directory, environment)
    finally:
        proctable.kill(proctable.marked(str(directory)))


@pytest.mark.timeout(180)
def test_starts_in_order_to_the_letter(directory: Path) -> None:
    """The example starts in the order that the page shows, and its commands print what it says."""
    page = (DOCS / "howto" / "ordered.md").read_text(encoding="utf-8")
    examples = directory / "docs" / "examples"
    shutil.copytree(DOCS / "examples", examples, ignore=shutil.ignore_patterns("run"))
    config = examples / "ordered.conf"
    text = config.read_text(encoding="utf-8").replace("9002", str(free_port()))
    config.write_text(text.replace("/tmp/", f"{directory}/"), encoding="utf-8")  # noqa: S108
    environment = clean_environment(directory, {"TMPDIR": str(directory)})
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    log = directory / "log.txt"
    with log.open("wb") as output:
        command = ["supervisord", "-c", str(config)]
        daemon = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        shown = LOG_EVENT.findall(page)
        assert shown[-1] == ("spawned", "worker")

        def has_started_in_order() -> bool:
            return LOG_EVENT.findall(log.read_text(encoding="utf-8"))[: len(shown)] == shown

        wait_until(has_started_in_order, 40, what=lambda: log.read_text(encoding="utf-8"))
        for _, text in BLOCK.findall(page):
            for step in text.removeprefix("$ ").split("\n$ ") if text.startswith("$ ") else ():
                line, _, expected = step.partition("\n")
                take_step(line, expected, directory, environment)
        daemon.terminate()
        assert daemon.wait(20) == 0
    finally:
        proctable.kill(proctable.marked(str(directory)))
        daemon.wait()


@pytest.mark.timeout(180)
def test_programs_that_hang_to_the_letter(directory: Path) -> None:
    """The commands of the page lead to the lines that it shows, in this order."""
    page = (DOCS / "howto" / "health.md").read_text(encoding="utf-8")
    page = page.partition("## Liveness checks")[0]
    examples = directory / "docs" / "examples"
    shutil.copytree(DOCS / "examples", examples, ignore=shutil.ignore_patterns("run"))
    config = examples / "health.conf"
    text = config.read_text(encoding="utf-8").replace("9004", str(free_port()))
    config.write_text(text.replace("/tmp/", f"{directory}/"), encoding="utf-8")  # noqa: S108
    environment = clean_environment(directory, {"TMPDIR": str(directory)})
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    log = directory / "log.txt"
    with log.open("wb") as output:
        command = ["supervisord", "-c", str(config)]
        daemon = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    seen = 0

    def found() -> str:
        return PID.sub("", log.read_text(encoding="utf-8"))[seen:]

    def shows(line: str) -> bool:
        return line in found()

    try:
        wait_until(lambda: "success: web" in found() and "success: worker" in found(), 40)
        seen = len(found())
        for kind, shown in re.findall(r"^```(console|text)\n(.*?)^```$", page, FENCED):
            if kind == "console":
                line, _, expected = shown.removeprefix("$ ").partition("\n")
                take_step(line, expected, directory, environment)
            for line in shown.splitlines() if shown.startswith(("WARN", "INFO")) else ():
                wait_until(partial(shows, line), 40, what=found)
                seen += found().index(line)
        daemon.terminate()
        assert daemon.wait(20) == 0
    finally:
        proctable.kill(proctable.marked(str(directory)))
        daemon.wait()


def test_the_example_of_a_container(directory: Path) -> None:
    """Its log begins as the page shows; the status of the web server is that of the daemon."""
    page = (DOCS / "howto" / "container.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    examples = directory / "docs" / "examples"
    shutil.copytree(DOCS / "examples", examples, ignore=shutil.ignore_patterns("run"))
    config = examples / "container.conf"
    text = config.read_text(encoding="utf-8").replace("9003", str(free_port()))
    config.write_text(text.replace("/tmp/", f"{directory}/"), encoding="utf-8")  # noqa: S108
    log = directory / "log.txt"
    (line,) = re.findall(r"^\$ (supervisord .*container.conf)$", page, re.MULTILINE)
    environment = clean_environment(directory)
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def found() -> str:
        return log.read_text(encoding="utf-8")

    with log.open("wb") as output:
        daemon = subprocess.Popen(
            line.split(), cwd=directory, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: "[worker] waiting for work" in found(), 40, what=found)
        shown_lines = LINE_OF_CONTAINER.findall(shown)
        assert len(shown_lines) == shown.count("\n")
        assert set(shown_lines) <= set(LINE_OF_CONTAINER.findall(found()))
        (web,) = re.findall(r"spawned: 'web' with pid (\d+)", found())
        proctable.kill([int(web)])
        assert daemon.wait(20) == 128 + signal.SIGKILL
    finally:
        proctable.kill(proctable.marked(str(directory)))
        daemon.wait()


def test_the_example_of_hooks(directory: Path) -> None:
    """Its log is that of the page, in the same order."""
    page = (DOCS / "howto" / "hooks.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    config = DOCS / "examples" / "hooks.conf"
    text = config.read_text(encoding="utf-8")
    (part,) = re.findall(r"^```ini\n(.*?web\.py.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert part in text
    text = text.replace("/tmp/", f"{directory}/").replace("9004", str(free_port()))  # noqa: S108
    own = directory / "hooks.conf"
    own.write_text(text.replace("%(here)s", str(config.parent)), encoding="utf-8")
    log = directory / "log.txt"

    def found() -> str:
        return log.read_text(encoding="utf-8")

    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(own)],
            env=clean_environment(directory),
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: "[post_start_hook] registering pid" in found(), 40, what=found)
        daemon.terminate()
        assert daemon.wait(20) == 0
        expected = LINE_OF_CONTAINER.findall(shown)
        assert [each for each in LINE_OF_CONTAINER.findall(found()) if each in expected] == expected
    finally:
        proctable.kill(proctable.marked(str(directory)))
        daemon.wait()


def take_step(line: str, expected: str, directory: Path, environment: dict[str, str]) -> None:
    """Type a line; what only looks may be typed again until it shows what is expected."""

    def typed() -> str:
        result = subprocess.run(
            ["sh", "-c", line],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        text = result.stdout
        for pattern, shown in SHOWN:
            text = pattern.sub(shown, text)
        return text

    def is_as_expected() -> bool:
        text = typed()
        lines = [each.rstrip() for each in text.strip().splitlines()]
        if " tail " in line:
            lines = lines[-1:]
        said.append(text)
        if "STARTING" in expected:  # it may be too late to see that
            lines = [STARTED.sub("STARTING", each) for each in lines]
        return lines == expected.strip().splitlines()

    said: list[str] = []
    # `shutdown` may come in the moment in which a reload has no socket.
    if re.search(r" (status|tail|shutdown) ?|^kill", line) and expected:
        wait_until(is_as_expected, 40, what=lambda: f"{line}\n{expected}\nnot\n{said[-1]}")
    else:
        assert is_as_expected() or not expected, f"{line}\n{expected}\nnot\n{said[-1]}"
