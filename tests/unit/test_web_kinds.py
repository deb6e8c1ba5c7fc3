"""The kind of a process: trouble or not, by its state, its last exit and its restarts."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.dependency_graph import parse_requirements
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.child import Subprocess
from supervisor.process.dependencies import ProcessIndex
from supervisor.states import ProcessStates
from tests.support.tables import assert_none
from tests.support.website import WebSite

EXIT_0, EXIT_2, EXIT_3 = 0, 2 << 8, 3 << 8
KILLED = signal.SIGKILL.value


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages without a program."""
    with closing(WebSite(directory, monkeypatch)) as made:
        made.open()
        yield made


def exited(status: int) -> Callable[[WebSite, Subprocess], None]:
    """Return a function that ends the child of a process by itself."""

    def end(site: WebSite, process: Subprocess) -> None:
        process.finish(process.pid, status)
        site.run_once()

    return end


def stopped(site: WebSite, process: Subprocess) -> None:
    """Stop a process, which then exits with a code that is not expected."""
    process.stop()
    exited(EXIT_3)(site, process)


def stopped_during_the_pause(site: WebSite, process: Subprocess) -> None:
    """Stop a process that has failed and waits for its restart."""
    exited(EXIT_3)(site, process)
    process.stop()


def never_exited(_site: WebSite, process: Subprocess) -> None:
    """Let a plugin assign the state."""
    process.pid, process.state = 0, ProcessStates.EXITED


CASES: dict[str, tuple[Callable[[WebSite, Subprocess], None], str]] = {
    "unexpected": (exited(EXIT_3), "bad"),
    "crashed": (exited(KILLED), "bad"),
    "expected": (exited(EXIT_0), "off"),
    "configured": (exited(EXIT_2), "off"),
    "stopped": (stopped, "off"),
    "pausing": (exited(EXIT_3), "bad"),
    "withdrawn": (stopped_during_the_pause, "off"),
    "assigned": (never_exited, "off"),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "pausing": {"autorestart": RestartUnconditionally, "restartpause": 8},
    "withdrawn": {"autorestart": RestartUnconditionally, "restartpause": 8},
}


def add_exited(site: WebSite, name: str) -> None:
    """Add a process for a case, and let it happen."""
    options = {"autorestart": False, "exitcodes": [0, 2], **OPTIONS.get(name, {})}
    process = site.add(name, **options)
    process.spawn()
    site.run_once()
    process.transition()
    CASES[name][0](site, process)


def row(page: str, name: str) -> str:
    """Return the row of a process."""
    found = re.search(rf'<tr [^>]*data-name="{name}".*?</tr>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_only_an_unexpected_exit_that_was_not_requested_is_trouble(site: WebSite) -> None:
    for name in CASES:
        add_exited(site, name)
    page = site.get("/").text
    assert_none(
        f"{name}: {found}"
        for name, (_, expected) in CASES.items()
        for found in [row(page, name)]
        if f'data-kind="{expected}"' not in found or f'class="state {expected}"' not in found
    )
    counts = page.partition('id="counts">')[2].partition("</p>")[0]
    assert re.sub("<[^>]*>", "", counts) == "8 processes: 3 failed, 5 stopped"
    assert "images/trouble.png" in page
    order = re.findall(r'data-name="(\w+)"', site.get("/?sort=state").text)
    assert order[:3] == ["crashed", "pausing", "unexpected"]
    chosen = site.get("/?state=bad").text
    assert [name for name in CASES if " hidden>" not in row(chosen, name).partition("\n")[0]] == [
        "unexpected",
        "crashed",
        "pausing",
    ]


def test_the_page_of_a_process_shows_the_same_kind(site: WebSite) -> None:
    """Its timeline too: only the last exit is known to be unexpected."""
    for name, kind in (("unexpected", "bad"), ("expected", "off")):
        add_exited(site, name)
        page = site.get(f"/process.html?processname={name}").text
        assert re.findall(r'class="state (\w+)"', page) == [kind, kind, "ok", "busy"]


def test_the_last_line_of_a_program_that_exited_unexpectedly(
    site: WebSite, directory: Path
) -> None:
    (directory / "err").write_text("cannot bind\n", encoding="utf-8")
    for status, is_shown in ((EXIT_3, True), (EXIT_0, False)):
        name = f"web-{status}"
        process = site.add(name, stderr_logfile=str(directory / "err"), autorestart=False)
        process.spawn()
        site.run_once()
        process.transition()
        exited(status)(site, process)
        assert ("cannot bind" in row(site.get("/").text, name)) == is_shown


def test_a_wait_for_a_program_that_has_failed_is_trouble(site: WebSite) -> None:
    """Through others too; a wait for one that was not started is none, and for no program it is."""
    site.runtime.services.processes = ProcessIndex(site.supervisord.process_groups)
    search = site.add("search")
    for name, need in (("web", "search"), ("proxy", "web"), ("shop", "db"), ("job", "nothing")):
        site.add(name, autostart=True, depends_on=parse_requirements(need))
    site.add("db")
    for group in [*site.supervisord.process_groups.values()]:
        for process in group.processes.values():
            process.transition()
    site.run_once()

    def kinds() -> dict[str, str]:
        page = site.get("/").text
        found = re.findall(r'data-kind="(\w+)" data-name="(\w+)"', page)
        return {name: kind for kind, name in found}

    assert kinds() == dict.fromkeys(("search", "web", "proxy", "shop", "db"), "off") | {
        "job": "bad"
    }
    search.change_state(ProcessStates.STARTING)
    search.change_state(ProcessStates.BACKOFF)
    search.fail("too many start retries too quickly")
    for _ in range(3):
        site.run_once()
    assert kinds() == dict.fromkeys(("search", "web", "proxy", "job"), "bad") | {
        "shop": "off",
        "db": "off",
    }
    assert 'class="state bad">STOPPED' in row(site.get("/").text, "web")
