"""The page of one process: its sections, its actions, and untrusted content."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.common.dependency_graph import Requirement
from supervisor.common.env_files import SecretFile
from supervisor.common.probes import parse_probe
from supervisor.common.text import visible
from supervisor.datatypes import RestartUnconditionally
from supervisor.process.dependencies import ProcessIndex
from supervisor.states import ProcessStates
from supervisor.web.kinds import FLAPPING_RESTARTS, flaps_until
from tests.support.website import WebSite


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with one program that is stopped."""
    made = WebSite(directory, monkeypatch)
    made.add("cat", stdout_logfile=str(directory / "out"), directory="/srv")
    made.open()
    yield made
    made.close()


def page(site: WebSite, name: str = "cat", *lines: str) -> str:
    """Return the page of a process."""
    answer = site.get(f"/process.html?processname={name}", *lines)
    assert answer.status == 200
    return answer.text


def facts(text: str) -> dict[str, str]:
    """Return the terms and values of the configuration."""
    return dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi>", text, re.DOTALL))


def buttons(text: str) -> list[str]:
    """Return the labels of the buttons for the actions."""
    return re.findall(r'<button [^>]*formaction="process\.html[^>]*>(\w[\w ]*)', text)


def running(site: WebSite, name: str = "cat") -> None:
    """Start a process of the test."""
    process = site.supervisord.process_groups[name].processes[name]
    process.spawn()
    site.run_once()
    process.transition()


# -- what it shows ----------------------------------------------------------------------


def test_the_state_is_explained(site: WebSite) -> None:
    text = page(site)
    assert "<li>It has not been started.</li>" in text
    assert '<span class="state off">STOPPED</span>' in text
    assert buttons(text) == ["Start", "Clear Log"]
    assert re.search(r'<section [^>]*hidden="hidden" id="control"', text)
    for absent in ("Timeline", "Dependencies", "Processes of the system"):
        assert absent not in text


def test_the_colour_of_the_state_is_that_of_its_timeline(site: WebSite) -> None:
    running(site)
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.history.restarted_at = (site.clock.time(),) * FLAPPING_RESTARTS
    assert flaps_until(process)
    assert page(site).count('<span class="state ok">RUNNING</span>') == 2


def test_a_running_process_has_a_timeline_and_controls(site: WebSite) -> None:
    running(site)
    site.clock.advance(61)
    text = page(site)
    assert buttons(text) == ["Restart", "Stop", "Clear Log"]
    start = int(site.clock.time()) - 61
    assert (
        f'<li data-pid="1001" data-start="{start}">It runs with pid 1001, uptime 0:01:01.' in text
    )
    changes = re.findall(r'<li><time>[^<]+</time> <span class="state \w+">(\w+)', text)
    assert changes == ["RUNNING", "STARTING"]
    assert 'action="process.html?ask=signal&amp;processname=cat"' in text
    assert '<option value="USR1">USR1</option>' in text


def test_the_configuration_has_names_of_variables_and_no_values(site: WebSite) -> None:
    site.add(
        "web",
        command="/bin/web --port 80",
        environment={"TOKEN": "s3cret", "A": "s3cret"},
        secretfiles=(SecretFile("KEY", "/run/key"),),
        stopsignal=signal.SIGINT,
    )
    text = page(site, "web")
    known = facts(text)
    assert known["Command"] == "/bin/web --port 80"
    assert known["Environment (names)"] == "A, KEY, TOKEN"
    assert known["Stop signal"] == "SIGINT"
    assert known["Directory"].startswith("that of supervisord (/")
    assert "s3cret" not in text
    assert facts(page(site))["Directory"] == "/srv"


def test_the_options_that_decide_about_starts_and_stops_are_shown(site: WebSite) -> None:
    """With the value that a file would set, and the others that differ from their default."""
    site.add("plain", autostart=True)
    basic = {
        "autostart": "true",
        "autorestart": "unexpected",
        "startsecs": "0",
        "startretries": "3",
        "exitcodes": "0",
        "stopwaitsecs": "10",
        "priority": "999",
    }
    assert options(site, "plain") == basic
    site.add(
        "web",
        autorestart=RestartUnconditionally,
        stopwaitsecs=60,
        exitcodes=[0, 2],
        max_memory_restart=50 << 20,
        redirect_stderr=True,
        liveness_check_script=parse_probe("http://localhost/?key=s3cret"),
        liveness_check_failure_threshold=5,
        umask=0o27,
    )
    assert options(site, "web") == basic | {
        "autostart": "false",
        "autorestart": "true",
        "exitcodes": "0,2",
        "stopwaitsecs": "60",
        "max_memory_restart": "50MB",
        "redirect_stderr": "true",
        "liveness_check_script": "(set, not shown)",
        "liveness_check_failure_threshold": "5",
        "umask": "(set, not shown)",
    }
    assert "s3cret" not in page(site, "web")


def options(site: WebSite, name: str) -> dict[str, str]:
    """Return the options on the page of a process."""
    return {
        term: value
        for term, value in facts(page(site, name)).items()
        if "_" in term or term.islower()
    }


def test_the_output_is_beside_it_without_sequences(site: WebSite) -> None:
    (site.directory / "out").write_text("\x1b[31mred\x1b[0m <b>\n\x00\u202e\n")
    text = page(site)
    assert "red &lt;b&gt;\n\u2400[U+202E]\n</pre>" in text
    assert 'data-follow="follow-logs?processname=cat&amp;stream=stdout"' in text
    assert "stream=stderr" not in text


def test_dependencies_in_both_directions(site: WebSite) -> None:
    site.add("db")
    web = site.add(
        "web", depends_on=(Requirement("db"),), depends_on_completed=(Requirement("cat"),)
    )
    site.runtime.services.processes = ProcessIndex(site.supervisord.process_groups)
    assert web.starts.gate is not None
    text = page(site, "web")
    links = re.findall(r'<a href="process.html\?processname=(\w+)">\w+</a> <span[^>]*>(\w*)', text)
    assert sorted(links) == [("cat", "completed"), ("db", "")]
    assert 'href="process.html?processname=web"' in page(site, "db")


def test_it_is_translated(site: WebSite) -> None:
    running(site)
    text = page(site, "cat", "Accept-Language: zh")
    assert "正在运行：pid 1001，已运行 0:00:00。" in text
    assert "已运行 startsecs 秒" in text
    assert "共启动 1 次。" in text
    assert "要求启动" in text or "start" not in text.partition("<ol")[2].partition("</ol>")[0]


# -- untrusted content --------------------------------------------------------------------

ODD = "<b>\"'&%(x)s@@x@@{x}\x1b\u202e"


def test_names_and_reasons_are_text(site: WebSite) -> None:
    from urllib.parse import quote

    process = site.add(ODD, command=ODD)
    process.state, process.spawnerr = ProcessStates.FATAL, ODD
    text = page(site, quote(ODD))
    assert "<b>" not in text
    assert (
        "\u202e"
        not in text.replace(f'data-name="{ODD}"', "").partition("<body")[2].partition(">")[2]
    )
    assert "&lt;b&gt;" in text
    assert "{x}\u241b[U+202E]" in text


@pytest.mark.parametrize("name", ["nope", "", "cat:*", "%00", "%3Cb%3E", "x" * 5000])
def test_there_is_no_such_process(site: WebSite, name: str) -> None:
    answer = site.get(f"/process.html?processname={name}&ask=stop")
    assert answer.status == 404
    assert "<b>" not in answer.text
    assert "<button" not in answer.text.partition("<dialog")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain \u4e2d\n\t", "plain \u4e2d\n\t"),
        ("a\r\nb\rc", "a\nb\u240dc"),
        ("\x00\x1b\x7f", "\u2400\u241b\u2421"),
        ("\u202eevil\u2066", "[U+202E]evil[U+2066]"),
    ],
)
def test_control_characters_become_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


# -- what it does ---------------------------------------------------------------------------


def location(site: WebSite, query: str) -> str:
    """Act by a form; return the address of the redirect."""
    answer = site.post(f"/process.html?{query}")
    assert answer.status == 303
    return answer.header("Location") or ""


def test_an_action_returns_to_the_page(site: WebSite) -> None:
    expected = "process.html?processname=cat&message=Process%20cat%20started"
    assert location(site, "action=start&processname=cat") == expected
    text = site.get(f"/{expected}").text
    assert re.search(r'<p class="message"[^>]*>Process cat started</p>', text)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("action=stopall&processname=cat", "Unknown%20action%20stopall"),
        ("action=signal&processname=nope", "No%20such%20process%20named%20nope"),
        ("action=stdin&processname=cat", "unexpected%20rpc%20fault%20%5B70%5D%20NOT_RUNNING"),
        ("action=signal&processname=cat&signal=HUP", "unexpected%20rpc%20fault%20%5B70%5D"),
    ],
)
def test_what_cannot_be_done_is_reported(site: WebSite, query: str, message: str) -> None:
    assert f"message={message}" in location(site, query)


def test_signals(site: WebSite) -> None:
    running(site)
    confirmation = site.post("/process.html?ask=signal&processname=cat", content=b"signal=HUP").text
    assert "Send HUP to cat?" in confirmation
    assert 'action="process.html?action=signal&amp;processname=cat&amp;signal=HUP"' in confirmation
    assert site.signals == []
    location(site, "action=signal&processname=cat&signal=HUP")
    assert site.signals == [(1001, signal.SIGHUP)]
    assert "BAD_SIGNAL" in location(site, "action=signal&processname=cat&signal=nope")


def test_a_line_for_stdin(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    running(site)
    written: list[bytes] = []
    process = site.supervisord.process_groups["cat"].processes["cat"]
    monkeypatch.setattr(process, "write", written.append)
    answer = site.post("/process.html?action=stdin&processname=cat", content=b"chars=a+%E4%B8%AD")
    assert (
        answer.header("Location") == "process.html?processname=cat&message=Line%20sent%20to%20cat"
    )
    assert written == ["a \u4e2d\n".encode()]


def test_a_page_of_another_site_does_not_act(site: WebSite) -> None:
    running(site)
    query = "/process.html?action=signal&processname=cat&signal=KILL"
    assert site.post(query, "Sec-Fetch-Site: cross-site").status == 403
    assert site.get(query, "Sec-Fetch-Site: cross-site").status == 403
    assert site.signals == []
