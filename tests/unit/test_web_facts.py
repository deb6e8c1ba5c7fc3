"""The facts of a row beside its description, and the use of CPU and memory."""

from __future__ import annotations

import html
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.common.probes import parse_probe
from supervisor.datatypes import RestartUnconditionally
from supervisor.process import usage
from supervisor.process.child import Subprocess
from supervisor.process.history import MAX_RESTART_TIMES
from supervisor.states import ProcessStates
from supervisor.web.facts import last_line
from supervisor.web.kinds import CALM_SECONDS, FLAPPING_RESTARTS, FLAPPING_SECONDS
from supervisor.web.usage import usage_text
from tests.support.tables import assert_none
from tests.support.website import WebSite

EXIT_0, EXIT_3, EXIT_127, EXIT_137 = 0, 3 << 8, 127 << 8, 137 << 8
SEGV = signal.SIGSEGV.value


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages without a program."""
    made = WebSite(directory, monkeypatch)
    made.open()
    yield made
    made.close()
    last_line.cache_clear()


def row(site: WebSite, name: str) -> str:
    """Return the row of a process."""
    found = re.search(
        rf'<tr [^>]*data-name="{re.escape(name)}".*?</tr>', site.get("/").text, re.DOTALL
    )
    assert found is not None
    return found[0]


def facts(site: WebSite, name: str = "web") -> list[str]:
    """Return the facts in the row of a process, as they are read."""
    _, _, found = row(site, name).partition('<span class="facts">')
    shown = found.partition("</td>")[0].partition("<samp")[0]
    return [html.unescape(each) for each in re.findall(r">([^<]+)</", shown)]


def start(site: WebSite, process: Subprocess) -> None:
    """Start a process that runs at once."""
    process.spawn()
    site.run_once()
    process.transition()


def die(site: WebSite, process: Subprocess, status: int) -> None:
    """End the child."""
    process.finish(process.pid, status)
    site.run_once()


def test_a_program_that_just_runs_or_was_never_started_has_no_facts(site: WebSite) -> None:
    """Its row has the exact time of its start."""
    web = site.add("web")
    assert facts(site) == []
    start(site, web)
    assert facts(site) == []
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d">pid 1001, ', row(site, "web"))


def stopped(site: WebSite, web: Subprocess) -> None:
    web.stop()
    die(site, web, signal.SIGTERM)
    site.clock.advance(300)


def stubborn(site: WebSite, web: Subprocess) -> None:
    web.stop()
    site.clock.advance(6)


def killed(site: WebSite, web: Subprocess) -> None:
    web.stop()
    die(site, web, signal.SIGKILL)


def restarted(status: int, reason: str = "") -> Callable[[WebSite, Subprocess], None]:
    """Return a function that stops and starts a process; with a reason, as the daemon does."""

    def restart(site: WebSite, web: Subprocess) -> None:
        if reason:
            web.starts.planned_stop.stop(reason)
        else:
            web.stop()
        die(site, web, status)
        web.is_plain = False  # one that has no restarts shows no facts while it is RUNNING
        if reason:
            web.history.restarted(site.clock.time())
        start(site, web)

    return restart


def exited(status: int) -> Callable[[WebSite, Subprocess], None]:
    def end(site: WebSite, web: Subprocess) -> None:
        die(site, web, status)
        site.clock.advance(7200)

    return end


def failed_start(site: WebSite, web: Subprocess) -> None:
    die(site, web, EXIT_3)
    web.change_state(ProcessStates.STARTING)
    web.spawnerr = "Exited too quickly"
    web.change_state(ProcessStates.BACKOFF)


def unhealthy(site: WebSite, web: Subprocess) -> None:
    assert web.health is not None
    assert web.health._liveness is not None
    web.health._liveness._check.task.begin(site.clock.monotonic())
    web.health._liveness._checked("connection refused")


CASES: dict[str, tuple[Callable[[WebSite, Subprocess], None], list[str]]] = {
    "stopped": (stopped, ["5 min ago"]),
    "stubborn": (stubborn, ["for 6 s", "KILL in 4 s"]),
    "unhealthy": (unhealthy, ["last failure: connection refused"]),
    "killed": (
        killed,
        ["0 s ago", "last exit: stopped, terminated by SIGKILL"],
    ),
    "restarted": (restarted(EXIT_3), ["last exit: stopped"]),
    "restarted by signal": (restarted(signal.SIGTERM), ["last exit: stopped"]),
    "restarted by the daemon": (
        restarted(signal.SIGTERM, "has run for 1 second (max_runtime)"),
        ["1 restart", "last exit: stopped: has run for 1 second (max_runtime)"],
    ),
    "done": (exited(EXIT_0), ["2 h ago", "last exit: status 0"]),
    "own code": (exited(EXIT_3), ["2 h ago", "last exit: status 3"]),
    "no command": (exited(EXIT_127), ["2 h ago", "last exit: status 127: command not found"]),
    "by a shell": (exited(EXIT_137), ["2 h ago", "last exit: status 137: ended by SIGKILL"]),
    "crashed": (
        exited(SEGV),
        ["2 h ago", "last exit: terminated by SIGSEGV: invalid access to memory"],
    ),
    "back-off": (
        failed_start,
        ["0 s ago", "restarts in 1 s", "last exit: status 3"],
    ),
}


def test_facts_by_what_has_happened(site: WebSite) -> None:
    def different() -> Iterator[str]:
        for name, (happen, expected) in CASES.items():
            probe = parse_probe("tcp://127.0.0.1:1") if name == "unhealthy" else None
            web = site.add(name, startsecs=0, autorestart=False, liveness_check_script=probe)
            start(site, web)
            happen(site, web)
            found = facts(site, name)
            if found != expected:
                yield f"{name}: {found}"

    assert_none(different())


def test_an_unlimited_wait_is_not_counted_down(site: WebSite) -> None:
    web = site.add("web", stopwaitsecs=2**62)
    start(site, web)
    web.stop()
    assert facts(site) == ["for 0 s"]


def test_a_program_that_is_restarted_again_and_again_is_trouble_for_a_while(site: WebSite) -> None:
    web = site.add("web", autorestart=RestartUnconditionally)
    start(site, web)
    for count in range(1, FLAPPING_RESTARTS + 1):
        assert 'data-kind="ok"' in row(site, "web")
        die(site, web, EXIT_3)
        site.clock.advance(1)
        web.history.restarted(site.clock.time())
        start(site, web)
        assert facts(site)[0] == f"{count} restart{'s' if count > 1 else ''}"
    assert facts(site)[1:] == ["3 in 10 min", "last exit: status 3"]
    assert 'data-kind="flapping"' in row(site, "web")
    assert 'data-calm="ok"' in row(site, "web")
    assert '<a href="./?state=flapping" data-state="flapping">1 flapping</a>' in site.get("/").text
    assert 'data-name="web"' in site.get("/?state=flapping").text
    site.clock.advance(FLAPPING_SECONDS)
    assert facts(site) == ["3 restarts", "last exit: status 3"]
    assert 'data-kind="ok"' in row(site, "web")


def flap(site: WebSite, web: Subprocess, seconds: float, times: int = FLAPPING_RESTARTS) -> None:
    """Let a program end and be restarted, each time after some seconds."""
    for _ in range(times):
        site.clock.advance(seconds)
        die(site, web, EXIT_3)
        web.history.restarted(site.clock.time())
        start(site, web)


@pytest.mark.parametrize(
    ("seconds", "calm_after"), [(1, CALM_SECONDS), (90, 180), (200, FLAPPING_SECONDS - 400)]
)
def test_a_program_that_stays_up_is_no_longer_flapping(
    site: WebSite, seconds: float, calm_after: float
) -> None:
    """One that crashes every few minutes must not look calm in between."""
    web = site.add("web", autorestart=False)
    start(site, web)
    flap(site, web, seconds)
    assert f'data-calm-at="{site.clock.time() + calm_after:.0f}"' in row(site, "web")
    site.clock.advance(calm_after - 1)
    assert 'data-kind="flapping"' in row(site, "web")
    site.clock.advance(1)
    assert 'data-kind="ok"' in row(site, "web")


def test_a_number_of_restarts_that_is_not_known_exactly(site: WebSite) -> None:
    web = site.add("web", autorestart=False)
    start(site, web)
    flap(site, web, 1, MAX_RESTART_TIMES - 1)
    assert facts(site)[1] == "98 in 10 min"
    flap(site, web, 1, 2)
    assert facts(site)[:2] == ["100 restarts", "99+ in 10 min"]


def test_the_last_line_of_a_program_that_is_up_again(site: WebSite, directory: Path) -> None:
    """While it is flapping or starting, that of the exit: its new run writes others."""
    log = directory / "web.err"
    web = site.add("web", stderr_logfile=str(log), startsecs=1, autorestart=False)
    web.spawn()
    site.clock.advance(2)
    web.transition()
    log.write_text("cannot bind\n", encoding="utf-8")
    die(site, web, EXIT_3)
    assert "cannot bind" in row(site, "web")
    web.history.restarted(site.clock.time())
    web.spawn()
    assert web.state == ProcessStates.STARTING
    assert "cannot bind" in row(site, "web")
    site.clock.advance(2)
    web.transition()
    assert "<samp>" not in row(site, "web")
    flap(site, web, 2)
    site.clock.advance(2)
    web.transition()
    assert "cannot bind" in row(site, "web")
    log.write_text("listening\n", encoding="utf-8")
    assert "cannot bind" in row(site, "web")
    web.stop()
    die(site, web, signal.SIGTERM)
    assert "<samp>" not in row(site, "web")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"first\nlast <b>&\n\n", "last &lt;b&gt;&amp;"),
        (b"\x1b[31mred\x00\xff", "␛[31mred␀\N{REPLACEMENT CHARACTER}"),
        ("\u202egnp.exe\n".encode(), "[U+202E]gnp.exe"),
        (b"x" * 10_000, "x" * 160),
    ],
)
def test_the_last_line_of_a_failed_program(
    site: WebSite, directory: Path, written: bytes, expected: str
) -> None:
    """As text, also if it is markup or has control characters."""
    log = directory / "web.err"
    web = site.add("web", stderr_logfile=str(log))
    log.write_bytes(written)
    start(site, web)
    die(site, web, EXIT_0)
    assert "<samp>" not in row(site, "web")
    web.change_state(ProcessStates.FATAL)
    found = re.search(r"<samp>.*?</span>(.*)</samp>", row(site, "web"))
    assert found is not None
    assert found[1] == expected


@pytest.mark.parametrize("kind", ["missing", "fifo", "empty"])
def test_a_log_without_a_last_line(site: WebSite, directory: Path, kind: str) -> None:
    log = directory / "web.err"
    if kind == "fifo":
        os.mkfifo(log)
    elif kind == "empty":
        log.touch()
    web = site.add("web", stdout_logfile=str(log), redirect_stderr=True)
    web.history.exited(EXIT_3, 1.0)
    web.state = ProcessStates.FATAL
    assert "<samp>" not in row(site, "web")


@pytest.mark.parametrize(
    ("query", "is_measured"),
    [("", False), ("?sort=state", False), ("?usage=1", True), ("?sort=memory", True)],
)
def test_the_use_of_cpu_and_memory_without_scripts(
    site: WebSite, monkeypatch: pytest.MonkeyPatch, query: str, *, is_measured: bool
) -> None:
    """Measured only if the request asks for it; an ordinary page reads nothing."""
    monitor = site.runtime.services.usage
    begun: list[bool] = []
    monkeypatch.setattr(monitor, "_read", lambda: begun.append(True) or iter(()))
    monkeypatch.setattr(monitor, "usage", lambda _pid: usage.Usage(12.5, 3.0, 5 << 20, 2))
    site.add("off")
    start(site, site.add("web"))
    page = site.get(f"/{query}").text
    assert bool(begun) == is_measured
    assert ('<body class="measured"' in page) == is_measured
    assert page.count('<td class="usage">12 %, 5.0 MB</td>') == is_measured
    text = "Hide" if is_measured else "Show"
    assert f">{text} CPU and memory</a>" in page


def test_the_link_to_the_use_of_cpu_and_memory_keeps_the_filter(site: WebSite) -> None:
    assert 'href="./?q=a%26b&amp;usage=1"' in site.get("/?q=a%26b").text
    assert (
        'href="./?q=a%26b"' in site.get("/?q=a%26b&usage=1").text.partition('id="measure"')[0][-60:]
    )
    assert 'href="./"' in site.get("/?usage=1").text.partition('id="measure"')[0][-60:]


@pytest.mark.parametrize(
    ("percent", "size", "expected"),
    [
        (0.0, 0, "0.0 %, 0.0 MB"),
        (9.94, 10 << 20, "9.9 %, 10 MB"),
        (250.0, 1536 << 20, "250 %, 1.5 GB"),
    ],
)
def test_figures_of_cpu_and_memory(percent: float, size: int, expected: str) -> None:
    """As the script shows them."""
    assert usage_text(usage.Usage(percent, 0.0, size, 1)) == expected


def test_the_use_of_cpu_and_memory(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the processes that run; measured when a page asks."""
    monitor = site.runtime.services.usage
    monkeypatch.setattr(monitor, "usage", lambda pid: usage.Usage(12.5, 3.0, pid * 1000, 2))
    site.add("off")
    start(site, site.add("<web>", "both"))
    answer = site.get("/usage")
    assert answer.header("Content-Type") == "application/json"
    assert json.loads(answer.text) == {
        "usage": {"both:<web>": [12.5, 1001000]},
        "outdated": False,
    }
