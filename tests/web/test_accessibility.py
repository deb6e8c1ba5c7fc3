"""What axe finds on the pages: contrast, labels, landmarks, in light and dark, wide and narrow.

It tries the rules of WCAG 2.2, levels A and AA, and its own of best practice.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import PHONE, WIDE, Browser, row
from tests.support.pages import Site
from tests.support.tools import axe_script

pytestmark = pytest.mark.timeout(180)

PAGES = {
    "status": "",
    "a question": "index.html?ask=stop&processname=stays",
    "a message": "index.html?message=Process%20stays%20stopped",
    "a failure": "index.html?message=ERROR%3A%20Process%20cannot%3A%20no%20such%20file",
    "log": "tail.html?processname=speaks",
    "both streams": "tail.html?processname=speaks&stream=both",
    "a search": "tail.html?processname=speaks&q=READY",
    "a line that was found": "tail.html?processname=speaks&q=READY&at=0#at",
    "CPU and memory": "?usage=1",
    "no plan": "update.html",
    "no page": "nope/nope",
    "process": "process.html?processname=speaks",
    "no process": "process.html?processname=nope",
    "Chinese": "process.html?processname=speaks&ask=stop&lang=zh",
    "English again": "?lang=en",
    "no log": "tail.html?processname=nope",
    "activity log": "tail.html?log=main",
}


def set_scheme(page: Browser, scheme: str) -> None:
    """Let the system prefer light or dark colours, and no animations."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def findings(page: Browser) -> list[str]:
    """Return what axe objects to on the page that is shown, a line for each element."""
    page.driver.execute_script(axe_script())
    result: Any = page.driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
    )
    assert result["passes"], "axe has tried nothing"
    return [
        f"{rule['id']}: {node['html'][:120]}: {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_and_use_it(page: Browser, site: Site, name: str, scheme: str) -> None:
    site.daemon.rpc.supervisor.sendProcessStdin("speaks", "a line\n")
    set_scheme(page, scheme)
    for size in (WIDE, PHONE):
        page.open(site.url + PAGES[name], size)
        assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_so_with_results_and_questions(page: Browser, site: Site, scheme: str) -> None:
    """Each state, a result of either kind in its row, and the question before stopping."""
    set_scheme(page, scheme)
    page.open(site.url)
    page.wait_until_live()
    page.click(f"{row('cannot')} button[formaction*='action=start']")
    page.wait_for_text(f"{row('cannot')} .result.trouble", "cannot")
    page.click(f"{row('idle')} button[formaction*='action=start']")
    page.wait_for_text(f"{row('idle')} .result", "started")
    assert findings(page) == []
    page.click(f"{row('idle')} button[formaction*='ask=stop']")
    page.wait_for_text("#confirm-question", "Stop idle?")
    assert findings(page) == []
