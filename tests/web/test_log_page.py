"""The log page as a person meets it, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.pages import Site

pytestmark = pytest.mark.timeout(180)


def say(site: Site, line: str) -> None:
    """Let the program write a line to its log."""
    site.daemon.rpc.supervisor.sendProcessStdin("speaks", f"{line}\n")


def open_log(page: Browser, site: Site) -> None:
    """Show the log of the program that writes."""
    page.open(f"{site.url}tail.html?processname=speaks")
    page.wait_until_live()


def test_a_log_is_followed(page: Browser, site: Site) -> None:
    say(site, "written before")
    open_log(page, site)
    page.wait_for_text("#log", "written before")
    say(site, "written after")
    page.wait_for_text("#log", "written after")


def test_a_pause_holds_back_what_comes(page: Browser, site: Site) -> None:
    open_log(page, site)
    say(site, "before the pause")
    page.wait_for_text("#log", "before the pause")
    page.click("#pause")
    page.wait_for_text("#live", "Paused")
    say(site, "during the pause")
    site.daemon.wait_for_text(log_name(site), "during the pause")
    assert "during the pause" not in page.text("#log")
    page.click("#pause")
    page.wait_for_text("#log", "during the pause")


def test_a_search_shows_the_lines_that_contain_a_text(page: Browser, site: Site) -> None:
    for line in ("an apple", "a pear", "another Apple"):
        say(site, line)
    open_log(page, site)
    page.wait_for_text("#log", "another Apple")
    page.type("#q", "apple")
    page.wait_for_text("#found", "2 lines")
    assert page.text("#log").splitlines() == ["an apple", "another Apple"]
    say(site, "one more apple")
    page.wait_for_text("#found", "3 lines")


def test_what_a_program_writes_is_text(page: Browser, site: Site) -> None:
    """Neither elements nor scripts."""
    say(site, "<b id=bold>bold</b><script>document.title = 'hacked'</script>")
    open_log(page, site)
    page.wait_for_text("#log", "<script>document.title = 'hacked'</script>")
    assert not page.find_all("#bold")
    assert page.evaluate("document.title") != "hacked"


def test_a_search_without_a_match_says_so(page: Browser, site: Site) -> None:
    say(site, "an apple")
    open_log(page, site)
    page.type("#q", "pear")
    page.wait_for_text("#found", "No line contains this")


def test_colours_of_programs_are_shown_and_other_sequences_are_not(
    page: Browser, site: Site
) -> None:
    line = (
        "\x1b[1;31mred\x1b[0m plain \x1b[38;5;46mgreen\x1b[39m"
        " \x1b[48;2;1;2;3mground\x1b[0m\x1b]0;title\x07\x1b[2K."
    )
    Path(site.daemon.directory, log_name(site)).write_bytes(f"{line}\n".encode())
    open_log(page, site)
    page.wait_for_text("#log", "red plain green ground.")
    assert page.find("#log span.bold.c1").text == "red"
    styles = page.evaluate(
        "[...document.querySelectorAll('#log span[style]')].map(e => e.style.cssText)"
    )
    assert styles == ["color: rgb(0, 255, 0);", "background-color: rgb(1, 2, 3);"]
    page.type("#q", "plain green")
    page.wait_for_text("#found", "1 line")
    assert page.find("#log span.bold.c1").text == "red"


def test_scrolling_up_loads_earlier_lines(page: Browser, site: Site) -> None:
    text = "".join(f"line {number:05}\n" for number in range(20_000))
    Path(site.daemon.directory, log_name(site)).write_text(text, encoding="utf-8")
    open_log(page, site)
    page.wait_for_text("#log", "line 19999")
    first = page.evaluate("document.querySelector('#log').textContent.split('\\n')[0]")
    assert first.startswith("line 1")  # a whole line
    whole = "document.querySelector('#log').textContent"

    def scrolled_to_the_start() -> bool:
        page.evaluate("document.querySelector('#log').scrollTop = 0")
        return bool(page.evaluate(f"{whole}.startsWith('line 00000')"))

    page.wait(scrolled_to_the_start)
    assert page.evaluate(whole) == text


def test_a_log_that_has_vanished(page: Browser, site: Site) -> None:
    """The page says so and stays a page."""
    Path(site.daemon.directory, log_name(site)).unlink()
    page.open(f"{site.url}tail.html?processname=speaks")
    page.wait_for_text("#log", "No file for speaks")


def log_name(site: Site) -> str:
    """Return the name of the program's log in the daemon's directory."""
    return Path(site.daemon.info("speaks")["stdout_logfile"]).name
