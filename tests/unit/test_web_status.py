"""The status page: what it shows, what its addresses do, and what they answer."""

from __future__ import annotations

import html
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.common.dependency_graph import parse_requirements
from supervisor.process import usage
from supervisor.process.dependencies import ProcessIndex
from supervisor.states import ProcessStates
from tests.support.httpsite import get
from tests.support.website import WebSite


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with one program that is stopped."""
    made = WebSite(directory, monkeypatch)
    made.add("cat")
    made.open()
    yield made
    made.close()


def rows(page: str) -> dict[str, str]:
    """Return the rows of a page by name."""
    return {
        found[1]: found[0]
        for found in re.finditer(
            r'<tr data-changed="\d+"[^>]*data-name="([^"]*)".*?</tr>', page, re.DOTALL
        )
    }


def shown(page: str) -> list[str]:
    """Return the names of the rows that are not hidden, in their order."""
    return [name for name, row in rows(page).items() if " hidden>" not in row.partition("\n")[0]]


def buttons(row: str) -> list[str]:
    """Return what the buttons of a row say."""
    return re.findall(r"<button[^>]*>([^<]*)", row)


# -- what is shown ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/index.html", "//index.html", "/%69ndex.html"])
def test_the_page_has_several_addresses(site: WebSite, path: str) -> None:
    answer = site.get(path)
    assert answer.status == 200
    assert list(rows(answer.text)) == ["cat"]


@pytest.mark.parametrize(
    ("state", "kind", "expected"),
    [
        (ProcessStates.STOPPED, "off", ["Start", "Clear Log"]),
        (ProcessStates.STARTING, "busy", ["Stop", "Clear Log"]),
        (ProcessStates.RUNNING, "ok", ["Restart", "Stop", "Clear Log"]),
        (ProcessStates.BACKOFF, "bad", ["Stop", "Clear Log"]),
        (ProcessStates.STOPPING, "busy", ["Clear Log"]),
        (ProcessStates.EXITED, "off", ["Start", "Clear Log"]),
        (ProcessStates.FATAL, "bad", ["Start", "Clear Log"]),
        (ProcessStates.UNKNOWN, "bad", ["Start", "Clear Log"]),
        (12345, "bad", ["Start", "Clear Log"]),
    ],
)
def test_a_state_has_its_look_and_its_buttons(
    site: WebSite, state: int, kind: str, expected: list[str]
) -> None:
    """A plugin may even assign a state that does not exist."""
    site.supervisord.process_groups["cat"].processes["cat"].state = state
    row = rows(site.get("/").text)["cat"]
    assert f'data-kind="{kind}"' in row
    assert f'class="state {kind}"' in row
    assert buttons(row) == expected


def test_a_running_process_shows_its_uptime(site: WebSite) -> None:
    """The script lets the uptime go on from what is written in the row."""
    site.supervisord.process_groups["cat"].processes["cat"].spawn()
    site.run_once()
    site.supervisord.process_groups["cat"].processes["cat"].transition()
    site.clock.advance(61)
    row = rows(site.get("/").text)["cat"]
    assert "pid 1001, uptime 0:01:01" in row
    assert f'data-pid="1001" data-start="{int(site.clock.time()) - 61}"' in row


def test_groups_have_headings_and_buttons(site: WebSite) -> None:
    site.add("one", "both")
    site.add("two", "both")
    page = site.get("/").text
    assert shown(page) == ["cat", "both:one", "both:two"]
    heading = re.search(r'<tr class="group">.*?</tr>', page, re.DOTALL)
    assert heading is not None
    assert buttons(heading[0]) == ["Start", "Restart", "Stop"]
    assert "index.html?action=startgroup&amp;processname=both" in heading[0]
    assert page.count('<tr class="group">') == 1


def test_each_row_has_a_form_of_its_own(site: WebSite) -> None:
    """A browser needs milliseconds to move a row with buttons in a form of thousands of buttons."""
    site.add("one", "both")
    site.add("two", "both")
    page = site.get("/").text
    table = page.partition('id="processes"')[2].partition("</section>")[0]
    assert table.count("<form ") == table.count("</form>") == 4  # with the heading
    assert not re.sub("<form .*?</form>", "", table, flags=re.DOTALL).count("<button")


def test_names_are_escaped(site: WebSite) -> None:
    name = "<script>alert(1)</script>\"'&%(x)s@@name@@"
    site.add(name)
    page = site.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;%(x)s@@name@@" in page
    assert "processname=%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27%26%25%28x%29s" in page


def test_descriptions_are_escaped(site: WebSite) -> None:
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.state, process.spawnerr = ProcessStates.FATAL, "can't find command '<b>'"
    assert "can&#39;t find command &#39;&lt;b&gt;&#39;" in site.get("/").text


def test_a_message_is_escaped(site: WebSite) -> None:
    page = site.get("/?message=%3Cb%3E%26%22hi%22%0d%0aSet-Cookie:x").text
    assert "&lt;b&gt;&amp;&quot;hi&quot;" in page
    assert "<b>" not in page


def test_a_bad_message_is_shown_as_one(site: WebSite) -> None:
    assert 'class="message trouble"' in site.get("/?message=ERROR%3A+x").text
    assert 'class="message "' in site.get("/?message=fine").text


def test_rows_are_chosen_by_name_and_state(site: WebSite) -> None:
    """Without scripts too: those that are not chosen are there, and hidden."""
    site.add("dog").state = ProcessStates.RUNNING
    site.add("cattle")
    assert shown(site.get("/?q=CAT").text) == ["cat", "cattle"]
    assert shown(site.get("/?state=ok").text) == ["dog"]
    assert shown(site.get("/?q=cat&state=ok").text) == []
    page = site.get("/?q=%22%3E&state=nonsense&sort=nonsense").text
    assert 'value="&quot;&gt;"' in page
    assert len(rows(page)) == 3


def test_a_group_without_a_row_that_matches_is_hidden(site: WebSite) -> None:
    """With its head; a folded group is not."""
    site.add("one", "both")
    site.add("two", "both")
    head = 'class="of-group" data-group="both"'
    for query, is_hidden in (
        ("q=cat", True),
        ("state=ok", True),
        ("q=two", False),
        ("fold=both", False),
    ):
        assert (f"{head} hidden>" in site.get(f"/?{query}").text) == is_hidden


def test_buttons_for_all_count_the_rows_of_a_filter(site: WebSite) -> None:
    site.add("dog").state = ProcessStates.RUNNING
    site.add("cattle")

    def labels(query: str) -> list[str]:
        form = site.get(f"/?{query}").text.partition('id="all"')[2].partition("</form>")[0]
        return buttons(form)[1:]  # the first is Refresh

    assert labels("") == ["Start All", "Restart All", "Stop All"]
    assert labels("q=CAT") == ["Start 2 shown", "Restart 2 shown", "Stop 2 shown"]
    page = site.get("/?q=cat&state=off&ask=stopall").text
    assert 'formaction="index.html?ask=stopall&amp;q=cat&amp;state=off"' in page
    assert "Stop 2 shown?" in page
    assert 'action="index.html?action=stopall&amp;q=cat&amp;state=off"' in page


def test_actions_on_all_act_on_what_is_shown(site: WebSite) -> None:
    site.add("cattle")
    site.add("dog")
    message = site.message("action=startall&q=CAT&state=off")
    assert re.fullmatch(r"2 shown processes started at [\w :]+", message)
    assert sorted(plan.name for plan in site.plans) == ["cat", "cattle"]
    assert re.match("1 shown process started", site.message("action=startall&q=dog"))
    assert re.match("0 shown processes stopped", site.message("action=stopall&q=nothing"))
    assert len(site.plans) == 3


def test_an_unknown_kind_of_state_matches_no_process(site: WebSite) -> None:
    """A typing error in a script must not stop all programs."""
    message = site.message("action=startall&state=failed")
    assert re.match("0 shown processes started", message)
    assert site.plans == []
    page = site.get("/?state=failed&ask=stopall").text
    assert shown(page) == []
    assert "Stop 0 shown?" in page


def test_a_redirect_keeps_the_filter(site: WebSite) -> None:
    answer = site.get("/?action=startall&q=c%26t&state=off")
    assert (answer.header("Location") or "").startswith("./?q=c%26t&state=off&message=0%20shown")


def test_rows_are_sorted(site: WebSite) -> None:
    site.add("zebra").state = ProcessStates.FATAL
    late = site.add("ant", "zoo")
    late.laststart = site.clock.time()
    assert shown(site.get("/?sort=state").text) == ["zebra", "zoo:ant", "cat"]
    assert shown(site.get("/?sort=changed").text)[0] == "zoo:ant"
    assert shown(site.get("/?sort=name").text) == ["cat", "zebra", "zoo:ant"]


def test_processes_are_counted(site: WebSite) -> None:
    """The number of a kind is a link that shows only these, and one back to all."""
    site.add("zebra").state = ProcessStates.FATAL

    def counts(query: str) -> str:
        return site.get(f"/?{query}").text.partition('id="counts">')[2].partition("</p>")[0]

    assert re.sub("<[^>]*>", "", counts("")) == "2 processes: 1 failed, 1 stopped"
    assert '<a href="./?state=bad" data-state="bad">' in counts("")
    assert '<a href="./" data-state="bad" aria-current="true">' in counts("state=bad")


def test_groups_tell_how_many_run_and_fold(site: WebSite) -> None:
    """The links of the headings fold without scripts; a filter shows folded rows too."""
    for name in ("one", "two", "three"):
        site.add(name, "a,b").state = ProcessStates.RUNNING
    site.add("four", "a,b").state = ProcessStates.FATAL
    site.add("five", "other").state = ProcessStates.STOPPED
    site.add("six", "other").state = ProcessStates.STOPPED
    page = site.get("/?sort=name").text
    assert ">3 of 4 running, 1 failed<" in page
    assert ">0 of 2 running<" in page
    assert 'href="./?fold=a%252Cb"' in page
    folded = site.get("/?fold=a%252Cb").text
    assert shown(folded) == ["cat", "other:five", "other:six"]
    assert 'aria-expanded="false"' in folded
    assert 'href="./"' in folded.partition('aria-expanded="false"')[2].partition(">")[0]
    assert 'href="./?fold=a%252Cb%2Cother"' in folded
    assert shown(site.get("/?fold=a%252Cb&state=bad").text) == ["a,b:four"]


def test_columns_sort(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links in the head of the table keep the filter."""
    monitor = site.runtime.services.usage
    monkeypatch.setattr(monitor, "usage", lambda pid: usage.Usage(pid, 1.0, 5000 - pid, 1))
    for name in ("ant", "bee"):
        process = site.add(name)
        process.spawn()
    process.history.restarted(1.0)
    head = site.get("/?q=e&sort=memory").text.partition("<thead>")[2].partition("</thead>")[0]
    assert 'href="./?q=e&amp;sort=cpu"' in head
    assert re.findall('aria-sort="([a-z]*)"', head) == ["none", "none", "none", "descending"]
    assert shown(site.get("/?sort=restarts").text)[0] == "bee"
    assert shown(site.get("/?sort=cpu").text)[0] == "bee"  # its pid is 1002
    assert shown(site.get("/?sort=memory").text) == ["cat", "ant", "bee"]


def test_actions_on_a_selection(site: WebSite) -> None:
    """Without scripts, the fields of the checkboxes are in the body, and in the confirmation."""
    for name in ("<dog>", "eel"):
        site.add(name)
    body = b"selected=%3Cdog%3E&selected=cat"
    page = site.post("/index.html?ask=stopall", content=body).text
    assert "Stop 2 selected?" in page
    asked = re.search(r'name="selected" type="hidden" value="([^"]*)"', page)
    assert asked is not None
    assert sorted(html.unescape(asked[1]).split("\n")) == ["<dog>", "cat"]
    answer = site.post("/index.html?action=startall", content=b"selected=%3Cdog%3E%0D%0Acat")
    assert "2%20selected%20processes%20started%20at" in (answer.header("Location") or "")
    assert "selected=" not in (answer.header("Location") or "")
    assert len(site.plans) == 2
    answer = site.post("/index.html?action=startall&q=nothing", content=b"selected=eel")
    assert "0%20selected%20processes" in (answer.header("Location") or "")
    assert len(site.plans) == 2


def test_an_action_names_the_kind_of_its_processes(site: WebSite) -> None:
    site.add("dog").state = ProcessStates.FATAL
    page = site.get("/?state=bad").text
    assert ">Restart 1 failed<" in page
    assert "Restart 1 failed?" in site.get("/?state=bad&ask=restartall").text


def test_a_daemon_without_programs(site: WebSite) -> None:
    site.supervisord.process_groups.clear()
    page = site.get("/").text
    assert "No programs are configured." in page
    assert "0 processes" in page


def test_headers_keep_foreign_things_out(site: WebSite) -> None:
    for path in ("/", "/tail.html?processname=cat", "/index.html?action=refresh"):
        answer = site.get(path)
        policy = answer.header("Content-Security-Policy") or ""
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Referrer-Policy") == "same-origin"
        assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("path", ["/", "/tail.html?processname=cat"])
def test_nothing_in_a_page_is_inline_or_absolute(site: WebSite, path: str) -> None:
    """The policy forbids the one, a proxy's sub-path the other."""
    page = site.get(path).text
    assert re.search(r"<script(?![^>]*\bsrc=)", page) is None
    assert re.search(r"<style|\sstyle=|\son\w+=|javascript:", page) is None
    for address in re.findall(r'(?:href|src|action|formaction)="([^"]*)"', page):
        assert not address.startswith(("/", "http"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/stylesheets/supervisor.css", 200),
        ("/scripts/status.js", 200),
        ("/scripts/tail.js", 200),
        ("/images/icon.png", 200),
        ("/status.html", 404),
        ("/tail.html/", 404),
        ("/../web/views.py", 404),
        ("/scripts/../../version.txt", 404),
    ],
)
def test_static_files_are_from_their_folder_only(site: WebSite, path: str, expected: int) -> None:
    request = get(path).replace(b"Host: x", b"Host: localhost")
    assert f" {expected} ".encode() in site.ask(request)[:15]


# -- what is done -------------------------------------------------------------------------


def test_start(site: WebSite) -> None:
    assert site.message("action=start&processname=cat") == "Process cat started"
    assert site.message("action=start&processname=cat") == "ERROR: Process cat: already started"


def test_start_waits_until_the_process_is_up(site: WebSite) -> None:
    """The response follows the notification of the process; nothing polls."""
    process = site.add("slow", startsecs=5)
    client = site.connect()
    client.send(get("/index.html?action=start&processname=slow").replace(b" x\r", b" localhost\r"))
    site.turn_until(lambda: process.state == ProcessStates.STARTING)
    site.pass_time(4.9)
    client.receive()
    assert client.received == b""
    site.pass_time(0.2)
    assert b"Location: ./?message=Process%20slow%20started" in client.answer()


def test_stop_waits_until_the_process_has_stopped(site: WebSite) -> None:
    process = site.supervisord.process_groups["cat"].processes["cat"]
    site.message("action=start&processname=cat")
    client = site.connect()
    client.send(get("/index.html?action=stop&processname=cat").replace(b" x\r", b" localhost\r"))
    site.turn_until(lambda: site.signals)
    client.receive()
    assert client.received == b""
    process.finish(1001, signal.SIGTERM)
    assert b"Process%20cat%20stopped" in client.answer()


def test_stop_of_a_stopped_process(site: WebSite) -> None:
    expected = "unexpected rpc fault [70] NOT_RUNNING: cat"
    assert site.message("action=stop&processname=cat") == expected


def test_restart_of_a_stopped_process_starts_it(site: WebSite) -> None:
    assert site.message("action=restart&processname=cat") == "Process cat restarted"
    assert len(site.plans) == 1


def test_restart_reports_a_start_that_fails(site: WebSite) -> None:
    site.add("bad", command="/nonexistent")
    assert site.message("action=restart&processname=bad") == "ERROR: Process bad: no such file"


def test_clear_log(site: WebSite) -> None:
    log = site.directory / "log"
    process = site.add("noisy", stdout_logfile=str(log))
    process.spawn()
    log.write_text("old")
    assert site.message("action=clearlog&processname=noisy") == "Log for noisy cleared"
    assert log.read_text() == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("action=start&processname=nope", "No such process named nope"),
        ("action=stop&processname=cat:*", "No such process named cat:*"),
        ("action=stop&processname=a%0d%0ab%3Ci%3E", "No such process named a\r\nb<i>"),
        ("action=start", "No process name found"),
        ("action=startgroup&processname=nope", "No such group named nope"),
        ("action=wat", "Unknown action wat"),
        ("action=%00%ff", "Unknown action \x00\ufffd"),
    ],
)
def test_what_cannot_be_done_is_reported(site: WebSite, query: str, expected: str) -> None:
    assert site.message(query) == expected


def test_all_and_groups(site: WebSite) -> None:
    site.add("one", "both")
    site.add("bad", "both", command="/nonexistent")
    message = site.message("action=startgroup&processname=both")
    assert re.fullmatch(r"Group both started at .* \d{4}; failed: bad \(no such file\)", message)
    assert re.match(r"All started at .*; failed: bad", site.message("action=startall"))
    assert len(site.plans) == 2
    site.supervisord.process_groups.pop("both")
    site.supervisord.process_groups.pop("cat")
    assert re.fullmatch(r"All stopped at [\w :]+", site.message("action=stopall"))
    assert re.fullmatch(r"All restarted at [\w :]+", site.message("action=restartall"))
    assert re.fullmatch(r"Page refreshed at [\w :]+", site.message("action=refresh"))


def test_a_refused_start_has_its_reason(site: WebSite) -> None:
    """It is not that of a program that cannot be started."""
    site.runtime.services.processes = ProcessIndex(site.supervisord.process_groups)
    site.add("web", autostart=True, depends_on=parse_requirements("search"))
    reason = "dependency 'search' is unknown"
    assert site.message("action=start&processname=web") == f"ERROR: Process web: {reason}"
    assert site.message("action=startall").endswith(f"; failed: web ({reason})")


def test_only_some_failures_are_named(site: WebSite) -> None:
    for number in range(9):
        site.add(f"p{number}", "many", command="/nonexistent")
    message = site.message("action=startgroup&processname=many")
    assert message.endswith("p4 (no such file), 4 more")


def test_while_shutting_down_nothing_is_done(site: WebSite) -> None:
    site.supervisord.options.mood = -1
    assert "[6] SHUTDOWN_STATE" in site.message("action=start&processname=cat")
    assert site.message("action=stopall").startswith("unexpected rpc fault [6]")


def test_a_form_acts_like_an_address(site: WebSite) -> None:
    answer = site.post("/index.html", content=b"action=start&processname=cat")
    assert answer.status == 303
    assert len(site.plans) == 1
    assert site.post("/index.html?action=stop&processname=nope").status == 303


def test_a_head_request_does_not_act(site: WebSite) -> None:
    site.connect().send(get("/?action=start&processname=cat", command="HEAD"))
    site.run_once(20)
    assert site.plans == []


def test_a_script_receives_json(site: WebSite) -> None:
    accept = "Accept: application/json"
    answer = site.post("/index.html?action=start&processname=cat", accept)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert json.loads(answer.text) == {"message": "Process cat started", "trouble": False}
    answer = site.post("/index.html?action=start&processname=cat", accept)
    assert json.loads(answer.text)["trouble"] is True


def test_a_confirmation_is_first_where_it_is_requested(site: WebSite) -> None:
    """The buttons for what destroys lead here when there are no scripts."""
    page = site.post("/index.html?ask=stop&processname=%3Ccat%3E").text
    assert "Stop &lt;cat&gt;?" in page
    assert 'action="index.html?action=stop&amp;processname=%3Ccat%3E"' in page
    assert "Stop All?" in site.post("/index.html?ask=stopall").text
    assert 'class="ask"' not in site.get("/?ask=nonsense").text
    assert site.plans == []


@pytest.mark.parametrize("content", [b"\xff\xfe=1", b"&".join([b"a=1"] * 5001)])
def test_a_body_that_is_no_form(site: WebSite, content: bytes) -> None:
    assert site.post("/index.html", content=content).status == 400


def test_other_methods_are_refused(site: WebSite) -> None:
    assert site.get("/", command="DELETE").status == 405
