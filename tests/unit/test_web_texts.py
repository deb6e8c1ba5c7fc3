"""The texts of the pages: complete in each language, and the selection of a language."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine.installation import PACKAGE
from supervisor.process.details import process_info
from supervisor.states import ProcessStates
from supervisor.web.language import (
    ENGLISH,
    TRANSLATED_ATTRIBUTES,
    Language,
    cookie_field,
    language_of,
)
from supervisor.web.templates import template
from supervisor.web.texts import LANGUAGES, SCRIPT_KEYS, TAGS, TEXTS
from tests.support.tables import assert_none
from tests.support.website import WebSite

UI = Path(PACKAGE) / "ui"

PLACEHOLDER = re.compile(r"\{\w+\}")

CHINESE = Language("zh")

UNTRANSLATED = {
    *("Supervisor", "supervisor", "4.3"),  # names and numbers
    *("English", "cat", "group", "group:", "RUNNING", "nothing"),  # replaced by values
    *("pid 1, uptime 0:00:00", "1 process: 1 running", "Process cat started"),
    *("Stop cat?", "Stop cat", "Sure?", "since", "It runs.", "now", "start requested"),
    *("db", "web", "0", "1", "more", "HUP"),
}
"""Texts of templates that are names, or stand-ins for values."""


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebSite]:
    """Pages, with one program that is stopped."""
    made = WebSite(directory, monkeypatch)
    made.add("cat")
    made.open()
    yield made
    made.close()


# -- the table --------------------------------------------------------------------------


def test_each_language_has_each_text_with_the_same_placeholders() -> None:
    assert TAGS.keys() == LANGUAGES.keys()
    assert_none(
        f"{key} ({code})"
        for key, texts in TEXTS.items()
        for code in {*LANGUAGES, *texts}
        if not texts.get(code)
        or sorted(PLACEHOLDER.findall(texts[code])) != sorted(PLACEHOLDER.findall(texts["en"]))
    )


def test_the_forms_of_a_number_are_complete() -> None:
    stems = {key.rpartition(".")[0] for key in TEXTS if key.endswith((".one", ".other"))}
    assert stems
    assert_none(
        f"{stem}.{form}"
        for stem in stems
        for form in ("one", "other")
        if f"{stem}.{form}" not in TEXTS
    )


def test_an_english_text_has_one_translation() -> None:
    """Templates find a translation by the English text."""
    found: dict[str, str] = {}
    assert_none(
        key
        for key, texts in TEXTS.items()
        if found.setdefault(texts["en"], texts["zh"]) != texts["zh"]
    )


@pytest.mark.parametrize("path", sorted(UI.glob("*.html")), ids=lambda path: path.name)
def test_the_texts_of_templates_are_in_the_table(path: Path) -> None:
    known = {texts["en"] for texts in TEXTS.values()} | UNTRANSLATED
    assert_none(text for text in texts_of(template(str(path))) if text not in known)


def texts_of(root: Any) -> Iterator[str]:
    """Yield the texts and the translated attributes of a tree."""
    for element in root.getiterator():
        pieces = [element.text, element.tail]
        pieces += [element.attrib.get(name) for name in TRANSLATED_ATTRIBUTES]
        yield from (piece.strip() for piece in pieces if piece and piece.strip())


def test_the_texts_of_scripts_are_sent_to_them() -> None:
    used = re.compile(r'(?:text|counted)\("([\w.]+)"')
    assert_none(
        f"{path.name}: {key}"
        for path in UI.glob("scripts/*.js")
        for key in used.findall(path.read_text(encoding="utf-8"))
        if not f"{key}.".startswith(SCRIPT_KEYS) or not {key, f"{key}.one"} & TEXTS.keys()
    )


# -- messages ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key in TEXTS if key.startswith("message.")])
def test_a_message_is_recognized_by_its_english_text(key: str) -> None:
    values = {name[1:-1]: "12" for name in PLACEHOLDER.findall(TEXTS[key]["en"])}
    english = ENGLISH.text(key, **values)
    assert CHINESE.message(english) == CHINESE.text(key, **values)
    assert ENGLISH.message(english) == english


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("pid 7, uptime 2 days, 0:01:02", "pid 7，已运行 2 天 0:01:02"),
        ("ERROR: Process a: spawn error", "错误：进程 a：启动失败"),
        ("ERROR: Process a}{b: no such file", "错误：进程 a}{b：没有此文件"),
        (
            "Exited too quickly (process log may have details), restart in 8 s",
            "退出过快（详情可能在进程日志中），8 秒后重启",
        ),
        ("2 shown processes stopped at Sun", "所示 2 个进程已于 Sun 停止"),
        ("All started at Sun; failed: bad (x)", "已于 Sun 全部启动；失败：bad（x）"),
        (
            (
                "All started at Sun Nov  1 14:05:06 2026; failed: a (no such file),"
                " b (Exited too quickly (process log may have details)), 4 more"
            ),
            (
                "已于 11-01 14:05:06 全部启动；失败：a（没有此文件），"
                "b（退出过快（详情可能在进程日志中）），另外 4 个"
            ),
        ),
        ("All started at Sun Non 99 14:05:06 2026", "已于 Sun Non 99 14:05:06 2026 全部启动"),
        ("waiting for db (STARTING), job (not completed)", "等待 db（STARTING），job（未完成）"),
        ("terminated by SIGSEGV (core dumped)", "被 SIGSEGV 终止（已转储核心）"),
        (
            "pid 7, uptime 0:00:01, health: failing (1/3)",
            "pid 7，已运行 0:00:01，健康状况：失败（1/3）",
        ),
        (
            "pid 7, uptime 0:00:01, running post_start_hook",
            "pid 7，已运行 0:00:01，正在运行 post_start_hook",
        ),
        ("running migrations", "running migrations"),
        ("pre_start_hook failed: timed out after 0.5 seconds", "pre_start_hook 失败：0.5 秒后超时"),
        (
            "restarted 3 times in 60 seconds (startlimit_burst)",
            "60 秒内重启 3 次（startlimit_burst）",
        ),
        (
            "liveness check failed 3 times in a row: exit status 1",
            "存活检查连续失败 3 次：退出状态 1",
        ),
        ("something else", "something else"),
        ("", ""),
        ("Process " + "x" * 100_000, "Process " + "x" * 100_000),
    ],
)
def test_messages_with_messages_in_them(english: str, chinese: str) -> None:
    assert CHINESE.message(english) == chinese


# -- selection --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
        ({"HTTP_ACCEPT_LANGUAGE": "en-GB, zh;q=0.9"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "fr, zh-Hans ; q=0.2, en;q=0.1"}, "zh"),
        ({"HTTP_ACCEPT_LANGUAGE": "ZH"}, "zh"),
        ({"HTTP_ACCEPT_LANGUAGE": "fr, *"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "zh;q=0"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "zh;q=x,;;,=;q=nan\x00"}, "en"),
        ({"HTTP_ACCEPT_LANGUAGE": "," * 100_000}, "en"),
        ({"HTTP_COOKIE": "a=b; supervisor_lang=zh", "HTTP_ACCEPT_LANGUAGE": "en"}, "zh"),
        ({"HTTP_COOKIE": "supervisor_lang=xx", "HTTP_ACCEPT_LANGUAGE": "zh"}, "zh"),
        ({"lang": "en", "HTTP_COOKIE": "supervisor_lang=zh"}, "en"),
        ({"lang": "xx", "HTTP_COOKIE": "supervisor_lang=zh"}, "zh"),
    ],
)
def test_a_request_selects_the_language(form: dict[str, str], code: str) -> None:
    assert language_of(form).code == code


def test_a_choice_is_stored_in_a_cookie() -> None:
    assert cookie_field({"lang": "zh"})["Set-Cookie"].startswith("supervisor_lang=zh; ")
    assert cookie_field({"lang": "zh\r\nX: y"}) == {}
    assert cookie_field({}) == {}


# -- pages ------------------------------------------------------------------------------

PAGES = ["/", "/?ask=stop&processname=cat", "/?q=c&ask=stopall", "/tail.html?processname=cat"]


@pytest.mark.parametrize("path", [*PAGES, "/tail.html?log=main", "/tail.html"])
def test_pages_are_translated(site: WebSite, path: str) -> None:
    """No English text of the table is left, except those that are the same."""
    page = site.get(path, "Accept-Language: zh-CN").text
    assert '<html lang="zh-Hans">' in page
    visible = html.unescape(re.sub(r' data-texts="[^"]*"|<title>.*?</title>', "", page))
    shown = set(re.findall(r'>\s*([^<>]*?)\s*<|(?:label|holder|alt|title)="([^"]*)"', visible))
    texts = {text for pair in shown for text in pair}
    assert_none(
        each["en"] for each in TEXTS.values() if each["en"] in texts and each["en"] != each["zh"]
    )
    sent = re.search(r'data-texts="([^"]*)"', page)
    assert sent is not None
    assert json.loads(html.unescape(sent[1]))["script.live"] == "实时"


def test_rows_and_messages_are_translated(site: WebSite) -> None:
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.state, process.spawnerr = ProcessStates.FATAL, "can't find command 'x'"
    page = site.get("/?message=ERROR%3A+Process+cat%3A+no+such+file&lang=zh").text
    assert "找不到命令 &#39;x&#39;" in page
    assert (
        '<p class="message trouble" id="message" role="status">错误：进程 cat：没有此文件' in page
    )


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", r"Nov \d\d \d\d:\d\d:20"), ("zh", r"11-\d\d \d\d:\d\d:20")],
)
def test_the_time_of_a_stop_is_in_24_hour_notation(
    site: WebSite, language: str, expected: str
) -> None:
    """Interfaces and clients keep the format of Supervisor 4."""
    process = site.supervisord.process_groups["cat"].processes["cat"]
    process.spawn()
    site.run_once()
    process.transition()
    process.finish(process.pid, 0)
    group = site.supervisord.process_groups["cat"]
    assert re.fullmatch(r"\w{3} \d\d \d\d:\d\d [AP]M", process_info(group, process)["description"])
    assert re.search(f'class="about"><span>{expected}<', site.get(f"/?lang={language}").text)


def test_redirects_stay_english_and_scripts_of_pages_get_translations(site: WebSite) -> None:
    """Scripts parse the message of a redirect."""
    chinese = "Accept-Language: zh"
    answer = site.get("/?action=stop&processname=nope", chinese)
    assert answer.header("Location") == "./?message=No%20such%20process%20named%20nope"
    answer = site.post("/?action=stop&processname=nope", chinese, "Accept: application/json")
    assert json.loads(answer.text) == {"message": "没有名为 nope 的进程", "trouble": True}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/?q=a%26b&sort=state", "index.html?q=a%26b&sort=state&lang=zh"),
        ("/tail.html?processname=cat&stream=both", "tail.html?processname=cat&stream=both&lang=zh"),
        ("/tail.html?processname=cat&q=x", "tail.html?processname=cat&q=x&lang=zh"),
        ("/process.html?processname=cat", "process.html?processname=cat&lang=zh"),
    ],
)
def test_a_page_links_to_itself_in_the_other_language(
    site: WebSite, path: str, address: str
) -> None:
    link = re.search(
        r'<a class="language" href="([^"]*)" hreflang="zh-Hans" lang="zh-Hans">(.*?)</a>',
        site.get(path).text,
    )
    assert link is not None
    assert html.unescape(link[1]) == address
    assert link[2] == "简体中文"
    answer = site.get(f"/{address}")
    assert (answer.header("Set-Cookie") or "").startswith("supervisor_lang=zh;")
    assert ">English</a>" in answer.text
