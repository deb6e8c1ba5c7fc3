"""`status --usage`: CPU and memory behind the descriptions."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.client import proxy
from supervisor.common.faults import Faults
from supervisor.supervisorctl.commands.status import size_text, usage_text
from tests.support.ctl import Ctl, process


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (35_756_442, "34.1 MB"),
        (2**30, "1.0 GB"),
        (2**61, "2097152.0 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({}, ""),
        ({"processes": 0, "cpu_percent": 0.0, "memory_bytes": 0.0}, ""),
        (
            {"processes": 1, "cpu_percent": 0.04, "memory_bytes": 1024.0},
            ", cpu 0.0%, memory 1.0 KB, 1 process",
        ),
        (
            {"processes": 3, "cpu_percent": 125.0, "memory_bytes": 2.0**30},
            ", cpu 125.0%, memory 1.0 GB, 3 processes",
        ),
    ],
)
def test_text_of_the_usage(info: dict[str, Any], text: str) -> None:
    assert usage_text(info) == text


def test_the_daemon_is_asked_for_usage_only_with_the_flag() -> None:
    def details(*arguments: bool) -> list[dict[str, Any]]:
        used = {"processes": 1, "cpu_percent": 2.0, "memory_bytes": 1024.0}
        return [process("web") | (used if arguments else {})]

    ctl = Ctl(getAllProcessDetails=details, getAllProcessInfo=[process("web")])
    text, status = ctl.run("status --usage")
    assert text.endswith(", cpu 2.0%, memory 1.0 KB, 1 process\n")
    assert status == 0
    assert ctl.asked() == [("getAllProcessDetails", True)]
    assert "cpu" not in ctl.run("status")[0]


def test_a_server_without_usage_shows_the_ordinary_lines() -> None:
    unknown = proxy.Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")
    ctl = Ctl(getAllProcessDetails=unknown, getAllProcessInfo=[process("web")])
    assert ctl.run("status --usage") == ctl.run("status")
