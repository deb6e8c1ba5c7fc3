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


def test_the_whole_log_is_searched(page: Browser, site: Site) -> None:
    """Also the part that the page has not loaded; the way back leads to the log."""
    text = "a red Apple\n" + "".join(f"line {number:05}\n" for number in range(20_000))
    Path(site.daemon.directory, log_name(site)).write_text(text, encoding="utf-8")
    open_log(page, site)
    page.type("#q", "apple")
    page.wait_for_text("#found", "No line contains this")
    page.click("#find button[type=submit]")
    page.wait_for_text("#found", "1 line found")
    assert page.text("#log") == "a red Apple"
    page.click("#back")
    page.wait_until_live()
    page.wait_for_text("#log", "line 19999")


def test_a_line_that_was_found_leads_to_its_place(page: Browser, site: Site) -> None:
    """In the middle of a long log: marked, in view, and with the lines around it."""
    text = "".join(f"2026-11-29T13:04:05Z line {number:05}\n" for number in range(20_000))
    Path(site.daemon.directory, log_name(site)).write_text(text, encoding="utf-8")
    page.open(f"{site.url}tail.html?processname=speaks&q=line+10000")
    assert page.text("#log time").strip() == "2026-11-29T13:04:05Z"
    page.click("#log a")
    page.wait_for_text("#at", "line 10000")
    assert page.text("#log").find("line 10001") > page.text("#log").find("line 09999") > 0
    mark, log = (page.find(each).rect for each in ("#at", "#log"))
    assert log["y"] < mark["y"] < log["y"] + log["height"]
    page.click("#back")
    page.wait_until_live()


def test_lines_are_wrapped_and_time_stamps_hidden_on_request(page: Browser, site: Site) -> None:
    say(site, "2026-11-29T13:04:05.123Z stamped " + "wide " * 300)
    open_log(page, site)
    page.wait_for_text("#log", "stamped")
    assert page.text("#log time").strip() == "2026-11-29T13:04:05.123Z"
    wide = "document.querySelector('#log').scrollWidth > document.querySelector('#log').clientWidth"
    assert not page.evaluate(wide)
    page.click("#wrap")
    assert page.evaluate(wide)
    page.click("#times")
    assert not page.find("#log time").is_displayed()
    page.click("#times")
    assert page.find("#log time").is_displayed()


def test_several_logs_side_by_side_and_together(page: Browser, site: Site) -> None:
    """Together they are in the order of their time stamps, and marked with their names."""
    say(site, "2026-11-29T13:04:05Z one")
    other = Path(site.daemon.info("stays")["stdout_logfile"])
    other.write_text("2026-11-29T13:04:04Z zero\n2026-11-29T13:04:06Z two\n", encoding="utf-8")
    page.open(f"{site.url}tail.html?processname=speaks")
    page.choose("#add select", "stays")
    page.click("#add button")
    page.wait_until_live()
    page.wait_for_text("#log-0", "one")
    page.wait_for_text("#log-1", "two")
    page.click("#together")
    page.wait_for_text("#merged", "two")
    words = [line.split()[-1] for line in page.text("#merged").splitlines() if "2026" in line]
    assert words == ["zero", "one", "two"]
    assert not page.find("#log-0").is_displayed()
    say(site, "later")
    page.wait_for_text("#merged", "speaks Stdout later")
    page.click("#together")
    page.wait_for_text("#log-0", "later")


def test_names_in_the_merged_view_are_links(page: Browser, site: Site) -> None:
    """A program cannot make one of another address."""
    say(site, "mine")
    forged = b"\x1b]log;0\x07forged\x1b]log;\x07 \x1b]log;http://evil.example/\x07evil\n"
    Path(site.daemon.info("stays")["stdout_logfile"]).write_bytes(forged)
    page.open(f"{site.url}tail.html?processname=speaks&processname=stays")
    page.wait_until_live()
    page.wait_for_text("#log-1", "evil")
    assert not page.find_all("#log-1 a")
    page.click("#together")
    page.wait_for_text("#merged", "mine")
    links = "[...document.querySelectorAll('#merged a')].map(a => a.textContent + ' ' + a.search)"
    assert sorted(set(page.evaluate(links))) == [
        "forged ?processname=speaks",
        "speaks Stdout ?processname=speaks",
        "stays Stdout ?processname=stays",
    ]
    page.click("#merged a[href$=speaks]")
    page.wait_for_text("h1", "speaks")


def test_an_empty_log_leaves_the_space_to_the_other(page: Browser, site: Site) -> None:
    page.open(f"{site.url}tail.html?processname=speaks&stream=both")
    page.wait_until_live()
    page.wait(lambda: page.find("#log-1.empty"))
    say(site, "first")
    page.wait_for_text("#log-0", "first")
    page.wait(lambda: not page.find_all("#log-0.empty"))
    full, empty = (page.find(each).rect for each in ("#log-0", "#log-1"))
    assert full["width"] == empty["width"]
    assert full["height"] > 4 * empty["height"]
    content = "getComputedStyle(document.querySelector('#log-1'), '::before').content"
    assert page.evaluate(content) == '"No output yet"'
    page.type("#q", "nothing like this")
    page.wait_for_text("#found", "No line contains this")
    assert not page.find_all("#log-0.empty")


MERGED = """
const [parts, isEarlier, done] = arguments;
import("./scripts/logs.js").then(({ Merger }) => {
  const text = new Merger(["a", "b"]).merge(parts, { isEarlier });
  done(text.replace(/\\x1b(?:\\[\\d+m|\\]log;\\d*\\x07)/g, "").trim().split("\\n"));
});
"""


def stamped(second: int, text: str) -> str:
    """Return a line with a time stamp."""
    return f"2026-11-29T13:04:0{second}Z {text}\n"


def test_the_tools_of_several_logs_are_on_one_line(page: Browser, site: Site) -> None:
    say(site, stamped(1, "one"))
    page.open(f"{site.url}tail.html?processname=speaks&stream=both", (1280, 900))
    page.wait_until_live()
    page.wait(lambda: page.find("#times").is_displayed())
    tools = [each for each in page.find_all(".bar > *") if each.is_displayed()]
    middles = [each.rect["y"] + each.rect["height"] / 2 for each in tools]
    assert len(tools) >= 4
    assert max(middles) - min(middles) < 5


def test_lines_without_a_time_stamp_keep_their_place_in_a_merged_view(
    page: Browser, site: Site
) -> None:
    """Behind the line before, and at the start of a log with the first line that has a stamp."""
    first = stamped(1, "one") + "  more of one\n" + stamped(4, "four")
    second = "the rest of two\n" + stamped(2, "two") + "\n  more of two\n" + stamped(3, "three")
    open_log(page, site)
    for is_earlier in (False, True):
        merged = page.driver.execute_async_script(MERGED, [first, second], is_earlier)
        words = [line.replace("2026-11-29T13:04:0", "") for line in merged]
        assert words == [
            "1Z a one",
            "a   more of one",
            "b the rest of two",
            "2Z b two",
            "b ",
            "b   more of two",
            "3Z b three",
            "4Z a four",
        ]


def test_output_of_programs_cannot_disguise_itself(page: Browser, site: Site) -> None:
    log = Path(site.daemon.directory, log_name(site))
    log.write_bytes(b"a\x00b\xe2\x80\xaec\xff\r\nnext\rover\n")
    open_log(page, site)
    page.wait_for_text("#log", "a\u2400b[U+202E]c\ufffd\nnext\u240dover")


def test_a_line_of_ten_megabytes_does_not_fill_the_page(page: Browser, site: Site) -> None:
    open_log(page, site)
    log = Path(site.daemon.directory, log_name(site))
    with log.open("a", encoding="utf-8") as file:
        file.write("x" * 10_000_000 + "\nthe end\n")
    text = "document.querySelector('#log').textContent"
    page.wait(lambda: page.evaluate(f"{text}.endsWith('\u2026\\nthe end\\n')"))
    assert page.evaluate(f"{text}.length") < 30_000


def test_a_log_that_has_vanished(page: Browser, site: Site) -> None:
    """The page says so and stays a page."""
    Path(site.daemon.directory, log_name(site)).unlink()
    page.open(f"{site.url}tail.html?processname=speaks")
    page.wait_for_text("#log", "No file for speaks")


def log_name(site: Site) -> str:
    """Return the name of the program's log in the daemon's directory."""
    return Path(site.daemon.info("speaks")["stdout_logfile"]).name
