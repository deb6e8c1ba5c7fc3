"""A thousand rows: the scripts stay quick."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.children import child
from tests.support.daemon import Daemon
from tests.support.ports import free_port, inet_server

pytestmark = pytest.mark.timeout(180)

MAX_SCRIPT_MS = 200
"""On an idle machine; the best of several runs must keep to it."""

MANY = f"""
[program:worker]
command={child("sleeper")}
process_name=worker-%(process_num)03d
numprocs=1000
autostart=false
"""

FILTERED = """
const field = document.querySelector("#q");
const times = ["9", "99", "", "1", ""].map((value) => {
  const before = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input"));
  document.body.offsetHeight; // layout
  return performance.now() - before;
});
return Math.min(...times.slice(0, 2));
"""


def test_a_thousand_rows_are_filtered_and_selected_quickly(page: Browser, directory: Path) -> None:
    port = free_port()
    with Daemon(directory, inet_server(port) + MANY):
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_until_live()
        assert page.driver.execute_script(FILTERED) < MAX_SCRIPT_MS
        page.click("#pick-all")
        page.wait_for_text("#all", "Stop 1000 selected")
        page.click("#all button[formaction*='stopall']")
        page.click("#confirm-yes")
        page.wait_for_text("#message", "1000 selected processes stopped at")
