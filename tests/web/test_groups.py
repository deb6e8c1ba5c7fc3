"""Groups that fold, sorting by column, numbers that filter, and actions on a selection."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, row, state
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.pages import Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)

PROGRAMS = f"""
[program:team]
command={child("sleeper")}
process_name=member_%(process_num)d
numprocs=3
startsecs=0
[program:alone]
command={child("sleeper")}
startsecs=0
[program:broken]
command=/nonexistent/program
startretries=0
"""

FOLD = "tbody[data-group=team] .fold"
MEMBER = "team:member_1"


@pytest.fixture
def site(directory: Path) -> Iterator[Site]:
    """A daemon with a group of three, one that runs, and one that has failed."""
    port = free_port()
    with Daemon(directory, inet_server(port) + textwrap.dedent(PROGRAMS)) as daemon:
        daemon.wait_for_state("broken", "FATAL")
        daemon.wait_for_state("team:member_2", "RUNNING")
        yield Site(daemon, f"http://127.0.0.1:{port}/")


def box(name: str) -> str:
    """Return the selector of the checkbox of a process."""
    return f"{row(name)} .pick input"


def test_a_group_folds_and_tells_how_many_run(page: Browser, site: Site) -> None:
    """The URL keeps what is folded; with a filter, members of folded groups are shown too."""
    page.open(site.url)
    page.wait_until_live()
    assert page.find(f"{row(MEMBER)} .prefix").size["width"] <= 1  # for screen readers alone
    assert page.text(".tally") == "3 of 3 running"
    site.daemon.rpc.supervisor.stopProcess(MEMBER)
    page.wait_for_text(".tally", "2 of 3 running")
    page.click(FOLD)
    page.wait(lambda: not page.find(row(MEMBER)).is_displayed())
    assert page.find(FOLD).get_attribute("aria-expanded") == "false"
    page.open(page.driver.current_url)
    page.wait_until_live()
    assert not page.find(row(MEMBER)).is_displayed()
    page.type("#q", "member_1")
    page.wait(lambda: page.find(row(MEMBER)).is_displayed())
    assert page.text("#all").splitlines()[0] == "Start 1 shown"


def test_columns_sort_and_numbers_filter(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    page.click("thead a[href*='sort=state']")
    page.wait(lambda: page.find("tbody tr").get_attribute("data-name") == "broken")
    assert page.find("th[data-column=state]").get_attribute("aria-sort") == "descending"
    assert "sort=state" in page.driver.current_url
    page.click("thead a[href*='sort=memory']")
    page.wait(lambda: page.find("tbody tr:last-child").get_attribute("data-name") == "broken")
    page.click("#counts a[data-state=bad]")
    page.wait(lambda: not page.find(row("alone")).is_displayed())
    assert page.text("#all").splitlines() == ["Start 1 failed", "Restart 1 failed", "Stop 1 failed"]
    page.click("#counts a[data-state=bad]")
    page.wait(lambda: page.find(row("alone")).is_displayed())


def test_an_action_on_a_selection(page: Browser, site: Site) -> None:
    """It names how many it is on, and forgets the selection when it has succeeded."""
    page.open(site.url)
    page.wait_until_live()
    page.click("tbody[data-group=team] .pick-group")
    page.click(box(MEMBER))
    page.click(box("alone"))
    page.wait_for_text("#all", "Stop 3 selected")
    assert page.find(".pick-group").get_property("indeterminate")
    page.type("#q", "team")  # what is out of sight is not selected
    page.wait_for_text("#all", "Stop 2 selected")
    page.click("#all button[formaction*='stopall']")
    page.wait_for_text("#confirm-question", "Stop 2 selected?")
    page.click("#confirm-yes")
    page.wait_for_text("#message", "2 selected processes stopped at")
    page.wait_for_text(state("team:member_0"), "STOPPED")
    assert page.text(state(MEMBER)) == "RUNNING"
    assert site.daemon.info("alone")["statename"] == "RUNNING"
    assert not page.find(box("team:member_0")).is_selected()


def test_a_selection_without_scripts(page: Browser, site: Site) -> None:
    page.allow_scripts(allowed=False)
    page.open(site.url)
    page.click(box("alone"))
    page.click(box(MEMBER))
    page.click("#all button[formaction*='stopall']")
    page.wait_for_text("form.ask", "Stop 2 selected?")
    page.click("form.ask button")
    page.wait_for_text("#message", "2 selected processes stopped")
    assert page.text(state("alone")) == "STOPPED"
    page.click(FOLD)
    page.wait(lambda: not page.find(row(MEMBER)).is_displayed())
    page.click("#counts a[data-state=off]")
    page.wait(lambda: page.find(row(MEMBER)).is_displayed())
    page.choose("#sort", "memory")
    page.click("#apply")
    page.wait(lambda: page.find("#sort").get_property("value") == "memory")
