"""Hints for a person at a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl import hints
from tests.support.ctl import FakeOptions, FakeProxy, process

PROCESSES = [process("web"), process("worker:worker_00"), process("worker:worker_01")]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("statsu", "status"), ("stauts", "status"), ("tial", "tail"), ("xyzzy", None)],
)
def test_a_suggested_command(word: str, meant: str | None) -> None:
    found = hints.for_unknown_word(word, ["help", "status", "start", "stop", "tail"])
    assert found == (meant and f"did you mean `{meant}`?")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wbe", "did you mean `web`?"),
        ("worker", "worker is a group; `worker:*` means all of its processes."),
        ("worker:worker_0", "did you mean `worker:worker_00`?"),
        ("wroker:*", "did you mean `worker:*`?"),
        ("nothing_like_it", None),
    ],
)
def test_a_suggested_name(name: str, hint: str | None) -> None:
    found = hints.for_unknown_name(name, PROCESSES)
    assert found in {hint, hint and hint.replace("worker_00", "worker_01")}


def result(status: int, description: str = "") -> dict[str, Any]:
    return {"group": "web", "name": "web", "status": status, "description": description}


LOGS = "`supervisorctl tail web stderr` and the activity log (maintail) may show why."


@pytest.mark.parametrize(
    ("results", "hint"),
    [
        ([result(Faults.SUCCESS), result(Faults.ALREADY_STARTED)], None),
        ([result(Faults.SPAWN_ERROR)], f"couldn't chdir to /no/such: ENOENT; {LOGS}"),
        (
            [result(Faults.SPAWN_ERROR, "SPAWN_ERROR: web")],
            f"couldn't chdir to /no/such: ENOENT; {LOGS}",
        ),
        (
            [result(Faults.SPAWN_ERROR, "SPAWN_ERROR: web: dependency 'db' is FATAL")],
            "dependency 'db' is FATAL",
        ),
        ([result(Faults.ABNORMAL_TERMINATION)], f"couldn't chdir to /no/such: ENOENT; {LOGS}"),
        (
            [result(Faults.NO_FILE, "NO_FILE: can't find command '/x'")],
            "can't find command '/x'",
        ),
        (
            [result(Faults.SUCCESS), {**result(Faults.BAD_NAME), "name": "wbe", "group": "wbe"}],
            "did you mean `web`?",
        ),
    ],
)
def test_the_reason_of_a_failed_action(results: list[dict[str, Any]], hint: str | None) -> None:
    options = FakeOptions(
        getAllProcessInfo=PROCESSES,
        getProcessInfo={"spawnerr": "couldn't chdir to /no/such: ENOENT"},
    )
    supervisor = FakeProxy(options.answers, options.calls, "supervisor")
    assert hints.for_results(supervisor, results) == hint


@pytest.mark.parametrize(
    ("error", "configfile", "url", "hint"),
    [
        (ValueError("?"), None, "127.0.0.1:9001", "did you mean http://127.0.0.1:9001 ?"),
        (ConnectionRefusedError(), None, "http://localhost:9001", hints.NO_CONFIGURATION),
        (
            ConnectionRefusedError(),
            None,
            "http://a:1",
            hints.CONNECTION_HINTS["ConnectionRefusedError"],
        ),
        (FileNotFoundError(), "x", "unix:///x", hints.CONNECTION_HINTS["FileNotFoundError"]),
        (OSError(), "x", "unix:///x", None),
    ],
)
def test_a_server_that_cannot_be_reached(
    error: Exception, configfile: str | None, url: str, hint: str | None
) -> None:
    assert hints.for_connection(error, configfile, url) == hint


@pytest.mark.parametrize(
    ("username", "hint"), [(None, hints.NO_CREDENTIALS), ("me", hints.WRONG_CREDENTIALS)]
)
def test_a_refused_login(username: str | None, hint: str) -> None:
    assert hints.for_login(username) == hint


@pytest.mark.parametrize("changed", [None, "main.conf", "included.conf"])
def test_files_that_have_changed_since_the_processes_started(
    tmp_path: Path, changed: str | None
) -> None:
    main, included = tmp_path / "main.conf", tmp_path / "included.conf"
    main.write_text("[include]\nfiles = inc*.conf\n", encoding="utf-8")
    included.write_text("", encoding="utf-8")
    for file in (main, included):
        when = 2000 if file.name == changed else 500
        os.utime(file, (when, when))
    infos = [process("a", start=1000), process("b", start=0)]
    found = hints.for_changed_files(str(main), infos)
    text = (
        f"{tmp_path / str(changed)} has changed since the processes started;"
        " `supervisorctl update` applies changes."
    )
    assert found == (text if changed else None)
    assert hints.for_changed_files(None, infos) is None
    assert hints.for_changed_files(str(main), [process("b", start=0)]) is None
