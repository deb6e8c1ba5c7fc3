"""The status page as a person meets it, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import textwrap
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import PHONE, Browser, row, state
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.pages import PROGRAMS, Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)


def test_a_crash_appears_by_itself(page: Browser, site: Site) -> None:
    """Without reloading: the document stays the same."""
    page.open(site.url)
    page.wait_until_live()
    page.driver.execute_script("window.isTheSame = true")
    before = site.daemon.info("stays")["pid"]
    page.wait_for_text(row("stays"), f"pid {before}")
    os.kill(before, signal.SIGKILL)
    page.wait(lambda: f"pid {before}," not in page.text(row("stays")))
    page.wait(lambda: f"pid {site.daemon.info('stays')['pid']}," in page.text(row("stays")))
    assert page.evaluate("window.isTheSame") is True


def test_waits_and_pauses_are_shown_and_follow_what_happens(page: Browser, directory: Path) -> None:
    """The text of a wait changes with its dependency, and a pause counts down."""
    port = free_port()
    config = f"""
        [program:db]
        command={child("sleeper")}
        startsecs=1
        autostart=false
        [program:web]
        command={child("sleeper")}
        startsecs=0
        depends_on=db
        [program:job]
        command={child("exits", 0)}
        startsecs=0
        autorestart=true
        restartpause=100
    """
    with Daemon(directory, inet_server(port) + textwrap.dedent(config)) as daemon:
        daemon.wait_for_state("job", "EXITED")
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_until_live()
        page.wait_for_text(f"{row('web')} .about", "waiting for db (STOPPED)")
        before = _pause(page)
        page.wait(lambda: _pause(page) < before)
        daemon.rpc.supervisor.startProcess("db", False)
        page.wait_for_text(f"{row('web')} .about", "waiting for db (STARTING)")
        page.wait_for_text(state("web"), "RUNNING")
        daemon.rpc.supervisor.stopProcess("job", False)
        page.wait(lambda: "restart in" not in page.text(f"{row('job')} .about"))


def _pause(page: Browser) -> int:
    """Return the seconds to the next start that the page shows."""
    found = re.search(r", restart in (\d+) s$", page.text(f"{row('job')} .about"))
    assert found is not None
    return int(found[1])


def test_start_and_stop_a_process(page: Browser, site: Site) -> None:
    """Starting is done at once; stopping asks first, and the answer stands in the row."""
    page.open(site.url)
    page.wait_until_live()
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text(state("idle"), "RUNNING")
    page.wait_for_text(f"{row('idle')} .result", "started")
    page.click(f"{row('idle')} button[formaction*='ask=stop']")
    page.wait_for_text("#confirm-question", "Stop idle?")
    page.click("#confirm-no")
    page.wait(lambda: not page.find("#confirm").is_displayed())
    assert site.daemon.info("idle")["statename"] == "RUNNING"
    page.click(f"{row('idle')} button[formaction*='ask=stop']")
    page.click("#confirm-yes")
    page.wait_for_text(state("idle"), "STOPPED")
    page.wait_for_text(f"{row('idle')} .result", "stopped")


def test_a_start_that_fails_is_told_in_the_row(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    page.click(f"{row('cannot')} button[formaction*='action=start']")
    page.wait_for_text(f"{row('cannot')} .result.trouble", "cannot")


def test_the_buttons_of_a_group(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    page.click("button[formaction*='ask=stopgroup']")
    page.click("#confirm-yes")
    page.wait_for_text(state("team:first"), "STOPPED")
    page.wait_for_text(state("team:second"), "STOPPED")
    assert site.daemon.info("stays")["statename"] == "RUNNING"
    page.click("button[formaction*='action=startgroup']")
    page.wait_for_text(state("team:second"), "RUNNING")


def test_a_group_that_is_added_and_removed_appears_and_goes(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    daemon = site.daemon
    daemon.rpc.supervisor.stopProcessGroup("team")
    daemon.rpc.supervisor.removeProcessGroup("team")
    page.wait(lambda: not page.find_all(row("team:first")))
    daemon.rpc.supervisor.addProcessGroup("team")
    page.wait_for_text(state("team:first"), "RUNNING")


def test_under_a_filter_the_buttons_for_all_act_on_what_is_shown(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    page.type("#q", "team")
    page.wait_for_text("#all", "Stop 2 shown")
    page.click("#all button[formaction*='stopall']")
    page.wait_for_text("#confirm-question", "Stop 2 shown?")
    page.click("#confirm-yes")
    page.wait_for_text("#message", "2 shown processes stopped at")
    for name, expected in {
        "team:first": "STOPPED",
        "team:second": "STOPPED",
        "stays": "RUNNING",
    }.items():
        assert site.daemon.info(name)["statename"] == expected
    page.type("#q", "no such process")
    page.wait_for_text("#none", "No process matches the filter.")
    assert not page.find("#all button[formaction*='stopall']").is_enabled()


def test_without_the_daemon_the_page_looks_dead(page: Browser, site: Site) -> None:
    page.open(site.url)
    page.wait_until_live()
    site.daemon.stop()
    page.wait_for_text("#live", "No response since")
    assert page.evaluate("document.querySelector('#processes').inert") is True
    assert page.evaluate("getComputedStyle(document.querySelector('#processes')).opacity") == "0.5"
    site.daemon.start()
    page.wait_until_live()
    assert page.evaluate("document.querySelector('#processes').inert") is False


def test_the_keyboard_is_enough(page: Browser, site: Site) -> None:
    """`/` leads to the filter; the focus stays on the button of a row that is replaced."""
    page.open(site.url)
    page.wait_until_live()
    page.find("body").send_keys("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.find("#q").send_keys("idle")
    page.wait(lambda: not page.find(row("stays")).is_displayed())
    page.find(f"{row('idle')} button").send_keys(Keys.ENTER)
    page.wait_for_text(state("idle"), "RUNNING")
    focused = page.evaluate("document.activeElement.closest('tr').dataset.name")
    assert focused == "idle"


def test_a_phone_shows_it_without_scrolling_sideways(page: Browser, site: Site) -> None:
    for path in ("", "tail.html?processname=speaks"):
        page.open(site.url + path, PHONE)
        page.wait_until_live()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE[0]
    page.open(site.url, PHONE)
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text(state("idle"), "RUNNING")


def test_everything_works_without_scripts(page: Browser, site: Site) -> None:
    """By forms: the question is a page of its own, the answer a message above the table."""
    page.allow_scripts(allowed=False)
    page.open(site.url)
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text("#message", "Process idle started")
    assert page.text(state("idle")) == "RUNNING"
    page.click(f"{row('idle')} button[formaction*='ask=stop']")
    page.wait_for_text("form.ask", "Stop idle?")
    page.click("form.ask button")
    page.wait_for_text("#message", "Process idle stopped")
    page.type("#q", "team")
    page.click("#apply")
    page.wait(lambda: not page.find(row("stays")).is_displayed())
    assert page.find(row("team:first")).is_displayed()


def test_a_server_with_a_password(page: Browser, directory: Path) -> None:
    """The page, its stream and its actions use what the browser was told once."""
    port = free_port()
    server = inet_server(port, "username=user", "password=secret")
    with Daemon(directory, server + PROGRAMS) as daemon:
        page.open(f"http://127.0.0.1:{port}/")
        assert not page.find_all("#processes")
        page.open(f"http://user:secret@127.0.0.1:{port}/")
        page.open(f"http://127.0.0.1:{port}/")  # fetch() refuses addresses with a password
        page.wait_until_live()
        page.click(f"{row('idle')} button[formaction*='action=start']")
        page.wait_for_text(state("idle"), "RUNNING")
        assert daemon.info("idle")["statename"] == "RUNNING"


def test_five_hundred_processes(page: Browser, directory: Path) -> None:
    """Found by name and by state, sorted, and acted upon."""
    port = free_port()
    many = f"""
[program:worker]
command={child("sleeper")}
process_name=worker-%(process_num)03d
numprocs=500
autostart=false
startsecs=0
"""
    with Daemon(directory, inet_server(port) + many) as daemon:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_until_live()
        assert page.text("#counts") == "500 processes: 500 stopped"
        page.type("#q", "worker-25")
        page.wait(lambda: len(visible_rows(page)) == 10)
        page.click(f"{row('worker:worker-257')} button[formaction*='action=start']")
        page.wait_for_text(state("worker:worker-257"), "RUNNING")
        page.find("#q").clear()
        page.find("#q").send_keys("w")
        page.choose("#state", "ok")
        page.wait(lambda: visible_rows(page) == ["worker:worker-257"])
        page.choose("#state", "")
        page.choose("#sort", "changed")
        page.wait(lambda: visible_rows(page)[0] == "worker:worker-257")
        page.choose("#sort", "name")
        page.wait(lambda: visible_rows(page)[0] == "worker:worker-000")
        page.choose("#sort", "state")
        page.wait(lambda: visible_rows(page)[0] == "worker:worker-257")
        assert visible_rows(page)[1:3] == ["worker:worker-000", "worker:worker-001"]
        daemon.rpc.supervisor.stopProcess("worker:worker-257")
        page.wait_for_text("#counts", "500 processes: 500 stopped")


def visible_rows(page: Browser) -> list[str]:
    """Return the names of the rows that are shown, in their order."""
    names: list[str] = page.evaluate(
        "[...document.querySelectorAll('tr[data-name]')]"
        ".filter((row) => row.offsetParent).map((row) => row.dataset.name)"
    )
    return names


def test_the_language_is_that_of_the_browser_or_chosen_by_hand(page: Browser, site: Site) -> None:
    """The choice is kept on all pages, and for what changes by itself."""
    page.open(site.url)
    page.wait_until_live()
    page.click("a.language")
    page.wait_for_text("#live", "实时")
    page.wait_for_text("#counts", "个进程")
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text(f"{row('idle')} .result", "进程 idle 已启动")
    page.wait_for_text(f"{row('idle')} .about", "已运行 0:00:0")
    page.click(f"{row('idle')} th a")
    page.wait_for_text(".reasons", "正在运行")
    page.click("a.language")
    page.wait_for_text(".reasons", "It runs with pid")
    page.open(site.url)
    page.wait_until_live()
