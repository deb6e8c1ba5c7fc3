"""Chromium, driven by selenium, and what a person does with a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.tools import tool
from tests.support.waiting import wait_until

T = TypeVar("T")

PATIENCE_SECONDS = 30

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root may run Chromium only so
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name whose owner makes it mean the loopback address.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)

WIDE = (1200, 800)
PHONE = (390, 844)

GONE = (NoSuchElementException, StaleElementReferenceException)
"""What an element says that is not there, or that has been replaced meanwhile."""


class Browser:
    """A window on the pages of a daemon."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str, size: tuple[int, int] = WIDE) -> None:
        """Show a page in a window of a size in CSS pixels, also below Chromium's smallest."""
        width, height = size
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get(url)

    def allow_scripts(self, *, allowed: bool) -> None:
        """Switch the pages' scripts on or off."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def forget(self) -> None:
        """Forget the language, and all else that the pages have set."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression}")

    # -- looking ----------------------------------------------------------------

    def find(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """Return all elements that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return what is to be read there."""
        return self.find(selector).text

    def wait(self, question: Callable[[], T], what: str = "") -> T:
        """Wait until the answer is true; an element that is not there is no answer."""

        def answer() -> Any:
            try:
                return question()
            except GONE:
                return None

        found: T = wait_until(
            answer, PATIENCE_SECONDS, what=lambda: f"{what}\n{self.find('body').text}"
        )
        return found

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until a text is to be read somewhere."""
        self.wait(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def wait_until_live(self) -> None:
        """Wait until the page says that it follows what happens."""
        self.wait_for_text("#live", "Live")

    # -- acting -----------------------------------------------------------------

    def click(self, selector: str) -> None:
        """Click on an element that may be replaced while we look for it."""

        def clicked() -> bool:
            self.find(selector).click()
            return True

        self.wait(clicked, f"a click on {selector}")

    def type(self, selector: str, text: str) -> None:
        """Write into a field what takes the place of what is there."""
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list."""
        self.click(f"{selector} option[value='{value}']")


def row(name: str) -> str:
    """Return the selector of a process's row."""
    return f"tr[data-name='{name}']"


def state(name: str) -> str:
    """Return the selector of a process's state."""
    return f"{row(name)} .state"


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that knows nothing from before."""
    options = ChromeOptions()
    options.binary_location = tool("chromium")
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    driver = Chrome(options, Service(tool("chromedriver")))
    try:
        driver.set_page_load_timeout(PATIENCE_SECONDS)
        yield Browser(driver)
    finally:
        driver.quit()
