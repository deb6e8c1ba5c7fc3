"""One row for each option, and what follows from it."""

from __future__ import annotations

import os
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.common.records import names
from supervisor.config import programs, schema
from supervisor.config.limits import LimitsConfig
from supervisor.config.model import Settings
from supervisor.config.option import (
    Option,
    OptionValues,
    nest_groups,
    option,
    option_group,
    option_record,
    options_of,
)
from supervisor.config.process_config import ProcessConfig
from supervisor.config.stream_config import StreamConfig
from supervisor.datatypes import Automatic, boolean, integer, list_of_ints
from supervisor.rpc.info import config_info
from tests.support.configs import read, refusal
from tests.support.tables import assert_none


@option_record(frozen=True)
class Part:
    """Options that an owner has twice."""

    size: int = option(integer, "size of {}", default="5", info=1)
    on: bool = option(boolean, "whether {} is on", default="false", live=True)


@option_record(frozen=True)
class Plain:
    """Options that keep their names."""

    level: int | None = option(integer, "its level", name="depth", default=None)


@option_record()
class Whole:
    """A record with every kind of row."""

    name: str = option(str, "its name", section_default="%(x)s")
    user: str | None = option(str, "its user", name="owner", default=None)
    numbers: list[int] = option(list_of_ints, "its numbers", default="1,2")
    path: str = option(str, "its path", default=None, default_factory=lambda: "/made")
    count = Option(integer, "how often", default="3")
    plain: Plain = option_group(default_factory=Plain, prefixed=False)
    first: Part = option_group(default_factory=Part, info=10)
    second: Part = option_group(default_factory=Part)


ROWS = {row.attribute: row for row in options_of(Whole)}


def test_values_that_a_section_does_not_set_are_the_defaults() -> None:
    values = OptionValues(ROWS, {"count": 7})
    assert values["count"] == 7
    assert values["first_size"] == 5
    assert values["numbers"] == [1, 2]
    values["numbers"].append(3)
    assert values == {"count": 7}
    assert values.complete() == {
        **{attribute: row.default_value() for attribute, row in ROWS.items()},
        "count": 7,
    }


def section(**options: str) -> Any:
    """Return a section as the readers see it."""

    def value(name: str, convert: Any, *_: object, **__: object) -> Any:
        return convert(options[name])

    return SimpleNamespace(options=options, value=value)


# -- rows ---------------------------------------------------------------------------


def test_rows_are_in_the_order_of_the_class_with_flat_names() -> None:
    assert list(ROWS) == [
        *["name", "user", "numbers", "path", "count", "level"],
        *["first_size", "first_on", "second_size", "second_on"],
    ]
    assert ROWS["user"].name == "owner"
    assert ROWS["second_size"].name == "second_size"


def test_a_row_of_a_nested_record_is_its_own() -> None:
    first, second = ROWS["first_size"], ROWS["second_size"]
    assert (first.summary, second.summary) == ("size of first", "size of second")
    assert (first.info, second.info) == (11, None)
    assert ROWS["first_on"].info is None
    assert ROWS["first_on"].live


def test_an_option_is_read_under_its_name_or_has_its_default() -> None:
    assert ROWS["user"].read(section(owner="root")) == "root"
    assert ROWS["second_size"].read(section(second_size="7")) == 7
    assert ROWS["second_size"].read(section(first_size="7")) == 5
    assert ROWS["name"].read(section()) == "%(x)s"
    assert ROWS["path"].read(section()) == "/made"
    assert ROWS["user"].read(section(user="root")) is None


def test_a_default_that_can_change_is_not_shared() -> None:
    assert ROWS["numbers"].read(section()) == [1, 2]
    assert ROWS["numbers"].read(section()) is not ROWS["numbers"].read(section())
    assert Whole("a").numbers is not Whole("a").numbers


def test_the_constructor_has_the_defaults_of_the_rows() -> None:
    made = Whole("a")
    assert (made.user, made.numbers, made.path) == (None, [1, 2], "/made")
    assert made.first == made.second == Part(5, on=False)
    assert not hasattr(made, "count")
    with pytest.raises(TypeError, match="needs name"):
        Whole()  # type: ignore[call-arg]


# -- flat names ---------------------------------------------------------------------


def test_flat_names_can_be_read_and_written() -> None:
    config: Any = ProcessConfig("x", "a")
    assert config.stdout_logfile is Automatic
    config.stdout_logfile = "/a"
    config.stderr_syslog = True
    assert config.stdout == StreamConfig(logfile="/a")
    assert config.stderr.syslog
    assert not config.stdout.syslog


def test_a_copy_of_a_config_has_its_own_streams() -> None:
    original: Any = ProcessConfig("x", "a", stdout_logfile="/a")
    duplicate = copy(original)
    duplicate.stdout_logfile = "/b"
    assert (original.stdout.logfile, duplicate.stdout.logfile) == ("/a", "/b")


def test_a_group_without_a_prefix_keeps_the_names_of_its_options() -> None:
    assert ROWS["level"].name == "depth"
    made: Any = Whole("a", **nest_groups(Whole, {"level": 3}))
    assert (made.level, made.plain) == (3, Plain(3))
    made.level = 4
    assert made.plain == Plain(4)
    assert Whole("a").plain is Whole("b").plain


def test_a_config_takes_flat_names_and_streams() -> None:
    flat = ProcessConfig("x", "a", stdout_logfile="/a", stdout_syslog=True)
    assert flat == ProcessConfig("x", "a", stdout=StreamConfig(logfile="/a", syslog=True))
    both = ProcessConfig("x", "a", stdout=StreamConfig(syslog=True), stdout_logfile="/a")
    assert both == flat
    with pytest.raises(TypeError, match="takes each of its fields once"):
        ProcessConfig("x", "a", stdout_logfiles="/a")


def test_a_generated_log_path_equals_auto() -> None:
    """Otherwise each reread would find every program with an AUTO log changed."""
    auto, generated, other = (StreamConfig(logfile=each) for each in (Automatic, "/a", "/b"))
    assert auto == generated == auto
    assert generated != other
    assert auto != StreamConfig(logfile="/a", syslog=True)
    assert hash(auto) == hash(generated)
    assert auto != object()


# -- the rows of Supervisor ---------------------------------------------------------

ALL_ROWS = [(section, row) for section, rows in schema.SECTIONS.items() for row in rows]


def test_every_option_has_a_summary_of_one_line() -> None:
    assert_none(
        f"[{section}] {row.name}: {row.summary!r}"
        for section, row in ALL_ROWS
        if not row.summary
        or row.summary.endswith(".")
        or "\n" in row.summary
        or row.summary[0].isupper() != row.summary[:2].isupper()
    )


def test_no_section_has_an_option_twice() -> None:
    for rows in schema.SECTIONS.values():
        found = [row.name for row in rows]
        assert len(found) == len(set(found))


def test_a_field_of_a_config_is_an_option_or_declared_beside_them() -> None:
    """A field without a row is never read from a file."""
    without_rows = {
        kind: set(names(kind)) - {row.attribute for row in options_of(kind)}
        for kind in (ProcessConfig, StreamConfig, LimitsConfig, Settings)
    }
    assert without_rows == {
        ProcessConfig: {
            *("stdout", "stderr", "health", "hooks", "limits"),
            *("command_hint", "inherited_environment"),
        },
        StreamConfig: {"further_targets"},
        LimitsConfig: set(),
        Settings: {"configfile", "here", "uid", "gid", "logfile_origin", "profile_options"},
    }


def test_options_of_a_program_are_read_in_the_order_of_supervisor_4() -> None:
    """If several are invalid, the first one is reported.  New options have no fixed place."""
    streams = ("stdout", "stderr")
    once = [
        *["priority", "autostart", "autorestart", "startsecs", "startretries", "stopsignal"],
        *["stopwaitsecs", "stopasgroup", "killasgroup", "exitcodes", "redirect_stderr"],
        *["numprocs", "numprocs_start"],
        *(f"{each}_{name}" for each in streams for name in ("capture_maxbytes", "events_enabled")),
        *["serverurl", "user", "umask"],
    ]
    per_stream = ("logfile", "logfile_backups", "logfile_maxbytes", "syslog")
    each_time = ["directory", *(f"{each}_{name}" for each in streams for name in per_stream)]
    every = section(**dict.fromkeys(reversed([*once, *each_time, "command"]), ""))
    assert [row.name for row in programs.PROGRAM.set_in(every)] == once
    assert [row.name for row in programs.PROCESS.set_in(every)] == each_time


def test_the_first_of_two_invalid_options_is_reported(tmp_path: Path) -> None:
    text = "[program:x]\ncommand=%(nope)s\nstderr_syslog=x\nstdout_syslog=x\n{}"
    assert "stdout_syslog" in refusal(tmp_path, text.format(""))
    assert "startsecs" in refusal(tmp_path, text.format("umask=x\nstartsecs=x\n"))


def test_getallconfiginfo_has_the_fields_of_supervisor_4_in_their_order() -> None:
    """An option that is new since then is not among them."""
    per_stream = (
        *("logfile", "capture_maxbytes", "events_enabled"),
        *("syslog", "logfile_backups", "logfile_maxbytes"),
    )
    group: Any = SimpleNamespace(name="g", priority=1)
    assert list(config_info(group, ProcessConfig("x", "a"), inuse=True)) == [
        *["group", "group_prio", "inuse", "autorestart", "name", "command", "directory", "uid"],
        *["autostart", "startsecs", "startretries"],
        *(f"{each}_{name}" for each in ("stdout", "stderr") for name in per_stream),
        *["stopsignal", "stopwaitsecs", "killasgroup", "exitcodes", "redirect_stderr"],
        *["serverurl", "process_prio"],
    ]
    positions = [row.info for row in options_of(ProcessConfig) if row.info is not None]
    assert sorted(positions) == list(range(len(positions)))


CHANGED = {
    "process_name": "y",
    "autorestart": "true",
    "killasgroup": "true",
    "stopsignal": "INT",
    "environment": "A=1",
    "pass_environment": "PATH",
    "secretfiles": "A:/b",
    "directory": "/",
    "stdout_logfile": "NONE",
    "stderr_logfile": "NONE",
    "stdout_logfile_format": "json",
    "stderr_logfile_format": "json",
    "syslog_facility": "local0",
    "syslog_stdout_priority": "notice",
    "syslog_stderr_priority": "err",
    "stdout_tee": "stdout",
    "stderr_tee": "stdout",
    "stdout_tee_format": "json",
    "stderr_tee_format": "json",
    "stdout_logfile_owner": str(os.geteuid()),
    "stderr_logfile_owner": str(os.geteuid()),
    "stdout_logfile_compress": "gzip",
    "stderr_logfile_compress": "gzip",
    "restartjitter": "0.5",
    "depends_on": "other",
    "depends_on_completed": "other",
    "depends_on_exited": "other",
    "on_dependency_failure": "stop",
    "ioprio": "idle",
    "killmode": "tree",
}
"""Values that differ from the default; for other options `true`, `false` or 7 does."""


def test_a_change_of_any_option_is_found_by_a_reread(tmp_path: Path) -> None:
    """Every row is compared; there is no second list of names."""
    text = "[program:other]\ncommand=a\n"
    text += "[program:x]\ncommand=a\nstdout_logfile=/dev/null\nstderr_logfile=/dev/null\n"
    before = read(tmp_path, text).groups
    assert read(tmp_path, text).groups == before
    negated = {"false": "true", "true": "false"}
    assert_none(
        line
        for row in options_of(ProcessConfig)
        if not row.name.startswith("numprocs")
        for value in [CHANGED.get(row.name) or negated.get(row.default or "", "7")]
        for line in [f"{row.name}={value}\n"]
        if read(tmp_path, text + line).groups == before
    )
