"""The page of a log, and the streams that follow and download one."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import meld3
import pytest

from supervisor.web import search
from supervisor.web.log_sources import MAX_SOURCES
from supervisor.web.search import STEP_BYTES
from supervisor.web.tail import MIN_BYTES
from supervisor.web.templates import template
from tests.support.httpsite import get
from tests.support.website import WebSite


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with a program whose logs are there."""
    made = WebSite(directory, monkeypatch)
    (directory / "out").write_text("first\nsecond <b>\n")
    (directory / "err").write_text("trouble\n")
    made.add("cat", stdout_logfile=str(directory / "out"), stderr_logfile=str(directory / "err"))
    made.add("silent")
    made.open()
    yield made
    made.close()


def log_of(page: str) -> str:
    """Return what a page shows of a log."""
    found = re.search(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def test_the_end_of_a_log(site: WebSite) -> None:
    answer = site.get("/tail.html?processname=cat")
    assert answer.status == 200
    assert "<title>Supervisor tail of process cat</title>" in answer.text
    assert log_of(answer.text) == "first\nsecond <b>\n"
    assert "<b>" not in answer.text


def test_stderr_has_a_page_too(site: WebSite) -> None:
    page = site.get("/tail.html?processname=cat&stream=stderr").text
    assert log_of(page) == "trouble\n"
    assert 'data-follow="follow-logs?processname=cat&amp;stream=stderr"' in page
    assert 'href="download?processname=cat&amp;stream=stderr"' in page


def test_the_activity_log(site: WebSite) -> None:
    path = site.directory / "supervisord.log"
    path.write_text("INFO hello\n")
    site.supervisord.options.logfile = str(path)
    page = site.get("/tail.html?log=main").text
    assert log_of(page) == "INFO hello\n"
    assert 'data-follow="follow-logs?log=main"' in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "No process name found"),
        ("processname=nope", "ERROR: unexpected rpc fault [10] BAD_NAME: nope"),
        ("processname=cat:*", "ERROR: unexpected rpc fault [10] BAD_NAME: cat:*"),
        ("processname=%3Ci%3E", "ERROR: unexpected rpc fault [10] BAD_NAME: <i>"),
        ("processname=silent", "No file for silent"),
        ("log=main", "No file for the activity log"),
    ],
)
def test_why_there_is_no_log(site: WebSite, query: str, expected: str) -> None:
    answer = site.get(f"/tail.html?{query}")
    assert answer.status == 200
    assert log_of(answer.text) == expected
    assert "data-follow" not in answer.text
    assert "Download" not in answer.text


def test_a_log_that_has_vanished(site: WebSite) -> None:
    (site.directory / "out").unlink()
    assert log_of(site.get("/tail.html?processname=cat").text) == "No file for cat"
    assert site.get("/follow?processname=cat").status == 404
    assert site.get("/download?processname=cat").status == 404


def test_a_log_of_rubbish(site: WebSite) -> None:
    (site.directory / "out").write_bytes(bytes(range(256)) * 4)
    answer = site.get("/tail.html?processname=cat")
    assert answer.status == 200
    assert "abc" in log_of(answer.text)


@pytest.mark.parametrize(
    ("limit", "size"),
    [
        ("5000", 5000),
        ("3", MIN_BYTES),
        ("abc", MIN_BYTES),
        ("-5", MIN_BYTES),
        ("", MIN_BYTES),
        ("\u0665", MIN_BYTES),
        ("9" * 5000, 10000),
    ],
)
def test_how_much_is_shown(site: WebSite, limit: str, size: int) -> None:
    (site.directory / "out").write_text("x" * 10000)
    from urllib.parse import quote

    page = site.get(f"/tail.html?processname=cat&limit={quote(limit)}").text
    assert len(log_of(page)) == size


def test_a_plugin_may_use_the_template() -> None:
    """Supvisors shows the activity log with it, through meld3 alone and as XHTML."""
    root = template("ui/tail.html").clone()
    root.findmeld("title").content("Supervisor tail")
    root.findmeld("tailbody").content("what was logged")
    root.findmeld("refresh_anchor").attributes(href="maintail.html?limit=1024")
    page = root.write_xhtmlstring().decode()
    assert "what was logged" in page
    assert 'href="maintail.html?limit=1024"' in page
    assert meld3.parse_xmlstring(page) is not None
    for name in ("script", "nav", "pre", "form", "output"):
        assert not re.search(rf"<{name}\b[^>]*/>", page), f"HTML does not know <{name}/>"


# -- streams ----------------------------------------------------------------------------------


def test_following_begins_with_the_end_and_goes_on(site: WebSite) -> None:
    client = site.connect()
    client.send(get("/follow?processname=cat").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: b"second <b>\n" in client.received)
    assert b"Content-Type: text/plain" in client.received
    assert b"X-Accel-Buffering: no" in client.received
    with (site.directory / "out").open("a") as file:
        file.write("third\n")
    site.pass_time(1)
    client.wait_for(lambda: b"third\n" in client.received)


def test_following_begins_with_a_whole_line_and_its_offset(site: WebSite) -> None:
    lines = [f"line {number:05}\n" for number in range(10_000)]
    (site.directory / "out").write_text("".join(lines))
    client = site.connect()
    client.send(get("/follow?processname=cat").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: b"line 09999\n" in client.received)
    head, _, body = client.received.partition(b"\r\n\r\n")
    offset = int(head.partition(b"X-Log-Offset: ")[2].split(b"\r\n")[0])
    assert offset % len(lines[0]) == 0
    assert body.partition(b"\r\n")[2].startswith(lines[offset // len(lines[0])].encode())


def test_following_continues_at_a_position(site: WebSite) -> None:
    log = site.directory / "out"
    log.write_text("first\nsecond\n")
    inode = log.stat().st_ino
    for begin, position, body in (
        ("", f"{inode}:0", b"first\nsecond\n"),
        (f"{inode}:8", f"{inode}:8", b"cond\n"),
    ):
        client = site.connect()
        request = get(f"/follow?processname=cat&from={begin}")
        client.send(request.replace(b" x\r", b" localhost\r"))
        client.wait_for(lambda: body in client.received)  # noqa: B023 - at once
        assert f"X-Log-Position: {position}\r\n".encode() in client.received
        assert f"X-Log-Offset: {position.partition(':')[2]}\r\n".encode() in client.received
        assert client.received.count(b"first") == body.count(b"first")
    log.rename(site.directory / "out.1")
    site.pass_time(1)
    log.write_text("third\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.endswith(b"0\r\n\r\n"))


def test_earlier_parts_of_a_log_join_without_a_gap(site: WebSite) -> None:
    content = "".join(f"line {number:05}\n" for number in range(20_000))
    (site.directory / "out").write_text(content)
    before, parts = len(content), []
    while before:
        answer = site.get(f"/earlier?processname=cat&before={before}")
        assert answer.text.startswith("line ")
        parts.insert(0, answer.text)
        before = int(answer.header("X-Log-Offset") or "")
    assert "".join(parts) == content
    assert len(parts) == 4


@pytest.mark.parametrize("before", ["0", "", "x", "-5", "9" * 30, "%C2%B2"])
def test_nothing_is_earlier_than_the_start_or_beyond_the_end(site: WebSite, before: str) -> None:
    answer = site.get(f"/earlier?processname=cat&before={before}")
    assert (answer.status, answer.text) == (200, "")


def test_one_very_long_line_is_sent_in_parts(site: WebSite) -> None:
    (site.directory / "out").write_text("x" * 150_000)
    answer = site.get("/earlier?processname=cat&before=150000")
    assert len(answer.text) == 65536
    assert answer.header("X-Log-Offset") == str(150_000 - 65536)


def test_without_scripts_colours_are_left_out(site: WebSite) -> None:
    (site.directory / "out").write_text("\x1b[31mred\x1b[0m\n")
    assert log_of(site.get("/tail.html?processname=cat").text) == "red\n"


def test_redirected_stderr_is_explained(site: WebSite) -> None:
    site.add("merged", redirect_stderr=True)
    page = site.get("/tail.html?processname=merged&stream=stderr").text
    assert "The stderr of merged goes into its stdout log (redirect_stderr=true)" in page


def test_a_download_has_the_whole_file(site: WebSite) -> None:
    """As long as it was when it began: a log that grows quickly has no end."""
    content = b"0123456789" * 30000
    (site.directory / "out").write_bytes(content)
    client = site.connect()
    request = get("/download?processname=cat", version="1.0")
    client.send(request.replace(b" x\r", b" localhost\r"))
    client.wait_for_end()
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert b"Content-Disposition: attachment; filename*=UTF-8''out" in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert body == content


@pytest.mark.parametrize("page", ["follow", "download", "earlier"])
@pytest.mark.parametrize("query", ["", "processname=nope", "processname=silent", "log=main"])
def test_no_log_no_stream(site: WebSite, page: str, query: str) -> None:
    answer = site.get(f"/{page}?{query}")
    assert answer.status == 404
    assert answer.text == "There is no such log.\n"


@pytest.mark.parametrize("kind", ["device", "fifo", "directory"])
def test_what_is_no_regular_file_is_not_served(site: WebSite, directory: Path, kind: str) -> None:
    os.mkfifo(directory / "fifo")
    (directory / "device").symlink_to("/dev/zero")
    (directory / "directory").mkdir()
    site.add("odd", stdout_logfile=str(directory / kind))
    for view in ("download", "follow", "earlier"):
        assert site.get(f"/{view}?processname=odd&before=10").status == 404
    page = site.get("/tail.html?processname=odd").text
    assert log_of(page).endswith(f"cannot read {directory / kind}: it is a {kind}")


def test_the_null_device_is_an_empty_log(site: WebSite) -> None:
    site.add("quiet", stdout_logfile=os.devnull)
    answer = site.get("/download?processname=quiet")
    assert (answer.status, answer.text) == (200, "")
    assert log_of(site.get("/tail.html?processname=quiet").text) == ""


# -- several logs ---------------------------------------------------------------------------


def panes(page: str) -> list[str]:
    """Return the texts of the logs of a page."""
    return [unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]


def test_both_streams_and_several_processes(site: WebSite) -> None:
    (site.directory / "dog").write_text("woof\n")
    site.add("dog", stdout_logfile=str(site.directory / "dog"))
    page = site.get("/tail.html?processname=cat&stream=both").text
    assert panes(page) == ["first\nsecond <b>\n", "trouble\n"]
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Stdout", "Stderr"]
    page = site.get("/tail.html?processname=cat&processname=dog&processname=cat").text
    assert panes(page) == ["first\nsecond <b>\n", "woof\n"]
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["cat Stdout", "dog Stdout"]
    assert 'data-follow="follow-logs?processname=cat&amp;processname=dog"' in page
    assert "earlier?processname=cat earlier?processname=dog" in page
    assert "Download" not in page


def test_other_processes_can_be_added(site: WebSite) -> None:
    page = site.get("/tail.html?processname=cat&stream=both").text
    form = page.partition('id="add"')[2].partition("</form>")[0]
    assert re.findall(r'type="hidden" (?:name="(\w+)" )?', form)
    assert set(re.findall(r'name="(\w+)"', form)) == {"processname", "stream"}
    assert re.findall(r'<option value="([^"]*)"', form)[:2] == ["", "silent"]


def test_one_missing_log_of_several_is_explained(site: WebSite) -> None:
    page = site.get("/tail.html?processname=cat&processname=silent&processname=nope").text
    assert panes(page)[1] == "No file for silent"
    assert panes(page)[2].startswith("ERROR: unexpected rpc fault [10] BAD_NAME")


def test_the_number_of_logs_is_bounded(site: WebSite) -> None:
    query = "&".join(f"processname=p{number}" for number in range(50))
    assert len(panes(site.get(f"/tail.html?stream=both&{query}").text)) == MAX_SOURCES


def news_of(site: WebSite, query: str, count: int) -> list[dict[str, Any]]:
    """Return the first lines of the stream of several logs."""
    client = site.connect()
    client.send(get(f"/follow-logs?{query}").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: client.received.count(b"}\n") >= count)
    return [json.loads(line) for line in re.findall(rb"\{.*\}", client.received)]


def test_several_logs_are_followed_on_one_connection(site: WebSite) -> None:
    client = site.connect()
    client.send(get("/follow-logs?processname=cat&stream=both").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: client.received.count(b"}\n") == 2)
    (site.directory / "err").write_text("trouble\nmore\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.count(b"}\n") == 3)
    lines = [json.loads(line) for line in re.findall(rb"\{.*\}", client.received)]
    assert lines == [
        {"log": 0, "text": "first\nsecond <b>\n", "offset": 0},
        {"log": 1, "text": "trouble\n", "offset": 0},
        {"log": 1, "text": "more\n"},
    ]


def test_a_character_that_is_written_in_parts_stays_whole(site: WebSite) -> None:
    (site.directory / "out").write_bytes("a \u4e2d".encode()[:-1])
    client = site.connect()
    client.send(get("/follow-logs?processname=cat").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: client.received.count(b"}\n") == 1)
    with (site.directory / "out").open("ab") as file:
        file.write("\u4e2d".encode()[-1:])
    site.pass_time(1)
    client.wait_for(lambda: client.received.count(b"}\n") == 2)
    texts = [json.loads(line)["text"] for line in re.findall(rb"\{.*\}", client.received)]
    assert texts == ["a ", "\u4e2d"]


def test_a_log_that_does_not_exist_yet_is_followed(site: WebSite) -> None:
    (site.directory / "err").unlink()
    client = site.connect()
    client.send(get("/follow-logs?processname=cat&stream=both").replace(b" x\r", b" localhost\r"))
    client.wait_for(lambda: client.received.count(b"}\n") == 2)
    (site.directory / "err").write_text("new\n")
    site.pass_time(1)
    client.wait_for(lambda: client.received.count(b"}\n") == 3)
    assert b'{"log": 1, "text": "new\\n"}' in client.received


def test_the_followed_part_begins_with_a_line(site: WebSite) -> None:
    text = "".join(f"line {number:05}\n" for number in range(20_000))
    (site.directory / "out").write_text(text)
    (first,) = news_of(site, "processname=cat", 1)[:1]
    assert first["text"].startswith("line ")
    assert text[first["offset"] :].startswith(first["text"])


# -- the search -----------------------------------------------------------------------------


def test_a_search_shows_the_lines_of_the_whole_log(site: WebSite) -> None:
    """Without scripts; the address can be bookmarked."""
    lines = [f"line {number:05}\n" for number in range(20_000)]
    (site.directory / "out").write_text("<b>Apple\n" + "".join(lines))
    page = site.get("/tail.html?processname=cat&q=apple").text
    assert [unlinked(each) for each in panes(page)] == ["<b>Apple"]
    assert ">1 line found</output>" in page
    assert 'href="tail.html?processname=cat"' in page
    assert "data-follow" not in page
    assert 'name="q" placeholder="Show lines with" type="search" value="apple"' in page
    page = site.get("/tail.html?processname=cat&q=line+").text
    assert ">20000 lines found, the last 1000 are shown</output>" in page


def unlinked(found: str) -> str:
    """Return the lines that a search has found without their links."""
    return re.sub('<a href="[^"]*">|</a>', "", found)


def test_a_line_that_was_found_links_to_its_place(site: WebSite) -> None:
    """Without scripts: the address names the line, which is marked between the lines around it."""
    lines = [f"line {number:05}\n" for number in range(20_000)]
    lines[10_000] = "\x1b[31man <i>\x1b[0m Apple\n"
    (site.directory / "out").write_text("".join(lines))
    page = site.get("/tail.html?processname=cat&q=apple").text
    address = re.search('<a href="([^"#]*)#at"', page)
    assert address is not None
    page = site.get(f"/{unescape(address[1])}").text
    log = log_of(page)
    assert 'line 09999\n<mark id="at">an <i> Apple</mark>\nline 10001\n' in log
    assert re.fullmatch(r"line \d{5}\n.*\nline \d{5}", log, re.DOTALL)  # whole lines
    assert len(log) < 70_000
    assert "data-follow" not in page
    assert 'href="tail.html?processname=cat" id="back">Back to the log<' in page
    assert "processname=cat&amp;q=apple&amp;at=110000&amp;lang=zh" in page
    assert 'type="search" value="apple"' in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("at=0&q=first", '<mark id="at">first</mark>\nsecond <b>\n'),
        ("at=8&q=second", 'first\n<mark id="at">second <b></mark>\n'),
        ("at=6", 'first\n<mark id="at">second <b></mark>\n'),
        ("at=0&q=second", "first\nsecond <b>\n"),
        ("at=17&q=first", "first\nsecond <b>\n"),
        ("at=99999999999999999999", "first\nsecond <b>\n"),
        ("at=0&stream=stderr", '<mark id="at">trouble</mark>\n'),
        ("at=0&stream=both", '<mark id="at">first</mark>\nsecond <b>\n'),
        ("at=x", "first\nsecond <b>\n"),
        ("at=-1", "first\nsecond <b>\n"),
    ],
)
def test_the_place_of_a_line_in_its_log(site: WebSite, query: str, expected: str) -> None:
    """A log that has changed since the search is shown without a mark, and the page says so."""
    page = site.get(f"/tail.html?processname=cat&{query}").text
    assert log_of(page) == expected
    is_gone = "<mark" not in expected and query.startswith(("at=0", "at=1", "at=9"))
    assert ("The line is no longer there" in page) == is_gone


def test_a_place_in_a_log_that_cannot_be_read(site: WebSite) -> None:
    (site.directory / "out").unlink()
    assert panes(site.get("/tail.html?processname=cat&at=0").text) == ["No file for cat"]


def test_a_place_in_a_line_of_megabytes(site: WebSite) -> None:
    (site.directory / "out").write_bytes(b"x" * 1_000_000 + b"apple" + b"y" * 1_000_000)
    page = site.get("/tail.html?processname=cat&at=1000000&q=apple").text
    assert "xapple" in log_of(page)
    assert len(page) < 100_000


def test_a_search_in_several_logs_names_them(site: WebSite) -> None:
    page = site.get("/tail.html?processname=cat&stream=both&q=o").text
    assert [unlinked(each) for each in panes(page)] == [
        '<span class="context">first</span>\nStdout second <b>\nStderr trouble'
    ]
    assert re.findall('<a href="([^"]*)"', panes(page)[0]) == [
        "tail.html?processname=cat&q=o&at=6#at",
        "tail.html?processname=cat&stream=stderr&q=o&at=0#at",
    ]


def notes(page: str) -> list[str]:
    """Return the notes about shared logs."""
    return re.findall(r'<p class="shared">([^<]+)</p>', page)


def test_a_log_of_several_processes_is_marked(site: WebSite) -> None:
    """On its page, and on those of the processes; only the file that they share."""
    for number in range(8):
        site.add(f"p{number}", stdout_logfile=str(site.directory / "out"))
    note = "Other processes write to this file too: "
    for path in ("tail.html?processname=cat&stream=both", "process.html?processname=cat"):
        assert notes(site.get(f"/{path}").text) == [f"{note}p0, p1, p2, p3, p4, 3 more"]
    assert notes(site.get("/tail.html?processname=p7").text) == [
        f"{note}cat, p0, p1, p2, p3, 3 more"
    ]
    assert notes(site.get("/tail.html?processname=cat&stream=stderr").text) == []


def test_a_log_without_output(site: WebSite) -> None:
    """It is not that of a process without a file."""
    (site.directory / "out").write_bytes(b"")

    def empty(query: str) -> list[tuple[str, str]]:
        text = site.get(f"/{query}").text
        return re.findall('<pre[^>]* class="(log[^"]*) empty"[^>]* data-empty="([^"]*)"', text)

    english = "No output yet"
    assert empty("tail.html?processname=cat&stream=both") == [("log", english)]
    assert empty("tail.html?processname=cat&lang=zh") == [("log", "尚无输出")]
    assert empty("process.html?processname=cat") == [("log small", english)]
    assert empty("tail.html?processname=silent") == []


def test_the_wanted_text_is_only_text(site: WebSite) -> None:
    page = site.get("/tail.html?processname=cat&q=%22%3E%3Cscript%3E.*%25s" + "x" * 500).text
    assert 'value="&quot;&gt;&lt;script&gt;.*%s' in page
    assert panes(page) == [""]
    assert "0 lines found" in page


def test_a_client_that_leaves_ends_its_search(site: WebSite) -> None:
    (site.directory / "out").write_bytes(b"x" * STEP_BYTES * 50)
    client = site.connect()
    client.send(get("/tail.html?processname=cat&q=apple").replace(b" x\r", b" localhost\r"))
    site.turn_until(lambda: search._active)
    begun = search._active[0]
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # with a reset
    site.turn_until(lambda: not search._active)
    assert begun.searched_bytes < STEP_BYTES * 50


@pytest.mark.parametrize("path", ["/tail.html?processname=cat", "/tail.html?log=main"])
def test_control_characters_of_a_log_are_visible(site: WebSite, path: str) -> None:
    site.supervisord.options.logfile = str(site.directory / "out")
    (site.directory / "out").write_bytes(b"a\r\nb\rc\x00\x07\xe2\x80\xaed\n")
    assert panes(site.get(path).text) == ["a\nb\u240dc\u2400\u2407[U+202E]d\n"]
