"""The names of the old medusa that plugins use."""

from __future__ import annotations

import re
from pathlib import Path

from supervisor.medusa import default_handler, filesys
from supervisor.medusa.asyncore_25 import compact_traceback
from supervisor.medusa.http_server import get_header, http_date

COOKIE = re.compile("Cookie: session=(.)(.*)", re.IGNORECASE)


def test_a_header_is_found_by_a_pattern_for_the_whole_line() -> None:
    lines = ["Host: x", "X-Cookie: session=ab", "cookie: session=12", "Cookie: session=34"]
    assert get_header(COOKIE, lines) == "1"
    assert get_header(COOKIE, lines, 2) == "2"
    assert get_header(re.compile("Hos(.)"), lines) == ""


def test_dates_are_those_of_http() -> None:
    assert http_date.build_http_date(1700000000.7) == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_static_files_come_from_the_plugins_folder(tmp_path: Path) -> None:
    handler = default_handler.default_handler(filesys.os_filesystem(str(tmp_path)))
    assert handler.folder == str(tmp_path)


def test_a_traceback_on_one_line() -> None:
    try:
        int("no")
    except ValueError:
        (file, function, line), kind, value, text = compact_traceback()
    assert (file, function) == (__file__, "test_a_traceback_on_one_line")
    assert (kind, str(value)) == (ValueError, "invalid literal for int() with base 10: 'no'")
    assert text == f"[{file}|{function}|{line}]"
