"""The rows of the status page: restarts, exits, countdowns, CPU and memory."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import PHONE, Browser, row, state
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.pages import Site
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)

PROGRAMS = f"""
[program:flaps]
command=/bin/sh -c 'sleep 1.1; exit 3'
startsecs=0
autorestart=true
[program:fails]
command=/bin/sh -c 'echo "no <b>database</b>" >&2; exit 127'
startretries=0
[program:steady]
command={child("sleeper")}
startsecs=0
[program:laravel-worker]
command={child("sleeper")}
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
[program:obstinate]
command=/bin/sh -c 'trap "" TERM; while :; do sleep 1; done'
startsecs=0
stopwaitsecs=6
killasgroup=true
"""


@pytest.fixture
def zoo(directory: Path) -> Iterator[Site]:
    """A daemon with programs in trouble."""
    port = free_port()
    with Daemon(directory, inet_server(port) + textwrap.dedent(PROGRAMS)) as daemon:
        daemon.wait_for_state("obstinate", "RUNNING")
        daemon.wait_for_state("fails", "FATAL")
        yield Site(daemon, f"http://127.0.0.1:{port}/")


def test_trouble_is_seen_in_the_rows(page: Browser, zoo: Site) -> None:
    """Restarts, the last exit with its meaning, the last line of stderr, the next SIGKILL."""
    page.open(zoo.url)
    page.wait_until_live()
    page.wait_for_text(row("fails"), "last exit: status 127: command not found")
    assert page.text(f"{row('fails')} samp").endswith("\nno <b>database</b>")
    page.wait(lambda: re.search(r"[3-9] in 10 min", page.text(f"{row('flaps')} .warning")))
    assert page.find(row("flaps")).get_attribute("data-kind") == "flapping"
    page.wait_for_text("#counts", "1 failed, 1 flapping")
    page.choose("#state", "flapping")
    page.wait(lambda: not page.find(row("steady")).is_displayed())
    assert page.find(row("flaps")).is_displayed()
    page.choose("#state", "")
    zoo.daemon.rpc.supervisor.stopProcess("obstinate", False)
    page.wait_for_text(state("obstinate"), "STOPPING")
    before = _seconds_to_kill(page)
    page.wait(lambda: _seconds_to_kill(page) < before)
    page.wait_for_text(f"{row('obstinate')} .facts", "for 2 s")
    page.wait_for_text(f"{row('obstinate')} .facts", "last exit: stopped, terminated by SIGKILL")
    page.open(zoo.url, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def _seconds_to_kill(page: Browser) -> int:
    found = re.search(r"KILL in (\d+) s", page.text(f"{row('obstinate')} .facts"))
    assert found is not None
    return int(found[1])


def test_cpu_and_memory_are_measured_while_the_page_is_open(page: Browser, zoo: Site) -> None:
    """With a chart; a process that has ended has none."""
    page.open(zoo.url)
    page.wait_until_live()
    page.wait(lambda: re.search(r"\d %\s+[\d.]+ MB", page.text(f"{row('steady')} .usage")))
    count = "document.querySelector('tr[data-name=steady] polyline').points.length"
    page.wait(lambda: page.evaluate(count) >= 2)
    assert page.find(row("steady")).find_element("css selector", "svg").is_displayed()
    assert page.text(f"{row('fails')} .usage") == ""
    page.driver.execute_script("window.fetch = () => new Promise(() => {})")  # no further sample
    zoo.daemon.rpc.supervisor.stopProcess("steady")
    page.wait_for_text(state("steady"), "STOPPED")
    assert page.text(f"{row('steady')} .usage") == ""


def test_a_name_takes_a_line_for_its_group_and_one_for_itself(page: Browser, zoo: Site) -> None:
    """In a list that is sorted over all groups, at the usual width."""
    page.open(f"{zoo.url}?sort=memory", (1280, 900))
    page.wait_until_live()
    name = f"{row('laravel-worker:laravel-worker_00')} th a > span"
    heights = [each.rect["height"] for each in page.find_all(name)]
    assert len(heights) == 2
    assert max(heights) < 30
