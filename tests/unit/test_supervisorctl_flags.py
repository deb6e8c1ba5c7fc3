"""Flags of commands: parsing, errors, help and completion from one table."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.supervisorctl import ControllerPluginBase, DefaultControllerPlugin
from supervisor.supervisorctl.flags import NUMBER, Flag, FlagTable
from tests.support.ctl import Ctl, FakeOptions, process

FLAGS = (
    Flag("--json", help="Print one JSON array", machine_readable=True),
    Flag("-f", "--follow", help="Print new output, until Ctrl-C"),
    Flag("--batch", value="N", convert=int, default=1, help="Restart N at a time"),
    Flag("--pause", value="SECONDS", convert=float, default=0.0),
    Flag(NUMBER, convert=int, default=1600),
)
DEFAULTS = {"--json": False, "-f": False, "--batch": 1, "--pause": 0.0, NUMBER: 1600}

STRICT = FlagTable(*FLAGS)
LENIENT = FlagTable(*FLAGS, unknown_is_name=True)
ONE = FlagTable(*FLAGS, first_word_only=True)

Case = tuple[FlagTable, str, dict[str, Any], str, str | None]


def parsed(table: FlagTable, line: str) -> tuple[dict[str, Any], str, str | None]:
    """Return the flags that differ from their defaults, the names and the error."""
    given = table.parse(line.split())
    values = {key: given[key] for key, default in DEFAULTS.items() if given[key] != default}
    return values, " ".join(given.names), given.error


CASES: list[Case] = [
    (STRICT, "", {}, "", None),
    (STRICT, "a b:*", {}, "a b:*", None),
    (STRICT, "--json a", {"--json": True}, "a", None),
    (STRICT, "a --json b", {"--json": True}, "a b", None),
    (STRICT, "--follow a", {"-f": True}, "a", None),
    (STRICT, "-f -100 a", {"-f": True, NUMBER: 100}, "a", None),
    (STRICT, "--batch 2 --pause 1.5 w:*", {"--batch": 2, "--pause": 1.5}, "w:*", None),
    (STRICT, "--batch=2 a", {"--batch": 2}, "a", None),
    (STRICT, "--batch 2 --batch 3", {"--batch": 3}, "", None),
    (STRICT, "-f -- --json -f", {"-f": True}, "--json -f", None),
    # Errors: the first one counts.
    (STRICT, "--jsn a", {}, "a", "Error: bad argument --jsn"),
    (STRICT, "-x -y a", {}, "a", "Error: bad argument -x"),
    (STRICT, "--json=1", {}, "", "Error: bad argument --json=1"),
    (STRICT, "-", {}, "", "Error: bad argument -"),
    (STRICT, "-N", {}, "", "Error: bad argument -N"),
    (STRICT, "--5", {}, "", "Error: bad argument --5"),
    (STRICT, "-" + "9" * 5000, {}, "", "Error: bad argument -" + "9" * 5000),
    (STRICT, "a --batch", {}, "a", "Error: --batch requires a value"),
    (STRICT, "--batch x a", {}, "a", "Error: bad argument --batch x"),
    (STRICT, "--batch= a", {}, "a", "Error: bad argument --batch="),
    # Commands of Supervisor 4: an unknown flag is a name.
    (LENIENT, "-x --jsn - a", {}, "-x --jsn - a", None),
    (LENIENT, "--json -x", {"--json": True}, "-x", None),
    (LENIENT, "-- --json", {}, "--json", None),
    (LENIENT, "--batch x", {}, "", "Error: bad argument --batch x"),
    # Commands of Supervisor 4: only the first word can be a flag.
    (ONE, "-f a", {"-f": True}, "a", None),
    (ONE, "a -f", {}, "a -f", None),
    (ONE, "-f -100 a", {"-f": True}, "-100 a", None),
    (ONE, "-- a", {}, "a", "Error: bad argument --"),
]


@pytest.mark.parametrize(("table", "line", "values", "names", "error"), CASES)
def test_parsing(
    table: FlagTable, line: str, values: dict[str, Any], names: str, error: str | None
) -> None:
    assert parsed(table, line) == (values, names, error)


def test_parsing_leaves_nothing_behind() -> None:
    STRICT.parse(["--json", "--batch", "2", "a"])
    assert parsed(STRICT, "") == ({}, "", None)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("tail", "Error: too few arguments"),
        ("tail -f", "Error: tail requires process name"),
        ("tail -x", "Error: tail requires process name"),
        ("tail a b c d", "Error: too many arguments"),
        ("tail a b", "Error: bad channel 'b'"),
        ("tail a -f", "Error: bad channel '-f'"),
        ("tail -f -100 a", "Error: bad channel 'a'"),
        ("tail -x a nope", "Error: bad channel 'nope'"),
        ("tail -x a", "Error: bad argument -x"),
        ("tail -- a", "Error: bad argument --"),
        ("tail -N a", "Error: bad argument -N"),
        ("tail -5x a", "Error: bad argument -5x"),
        ("tail -f=1 a", "Error: bad argument -f=1"),
        ("maintail 5", "Error: bad argument 5"),
        ("maintail --", "Error: bad argument --"),
        ("maintail --json", "Error: bad argument --json"),
        ("maintail -f -5", "Error: too many arguments"),
    ],
)
def test_the_errors_of_supervisor_4(line: str, text: str) -> None:
    found, status = Ctl().run(line)
    assert (found.splitlines()[0], status) == (text, 1)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("status -x", ("getAllProcessInfo",)),
        ("pid --", ("getProcessInfo", "--")),
        ("start --x", ("startProcess", "--x")),
        ("stop -9", ("stopProcess", "-9")),
        ("clear --", ("clearProcessLogs", "--")),
        ("tail x", ("readProcessStdoutLog", "x", -1600, 0)),
        ("add -x", ("addProcessGroup", "-x")),
    ],
)
def test_names_with_a_dash_reach_the_commands_of_supervisor_4(
    line: str, call: tuple[Any, ...]
) -> None:
    ctl = Ctl(
        getAllProcessInfo=[process("-x")],
        readProcessStdoutLog=lambda *_: "",
        getProcessInfo=process,
        startProcess=process,
        stopProcess=process,
        clearProcessLogs=process,
        addProcessGroup=lambda _: True,
    )
    _, status = ctl.run(line)
    assert (ctl.asked(), status) == ([call], 0)


# -- help and completion -------------------------------------------------------------------


class Flagged(ControllerPluginBase):
    """A plugin whose command declares flags."""

    flags_web = STRICT

    def do_web(self, arg: str) -> None:
        """Text of the docstring."""
        self.ctl.output(self.flags_web.parse(arg.split()).names)


def flagged() -> Ctl:
    options = FakeOptions(getAllProcessInfo=[process("a"), process("-x")])
    options.plugin_factories.append(("flagged", Flagged, {}))
    return Ctl(options)


def test_help_lists_flags_with_a_description() -> None:
    text = (
        "Text of the docstring.\n"
        "--json                  Print one JSON array\n"
        "-f, --follow            Print new output, until Ctrl-C\n"
        "--batch N               Restart N at a time\n"
    )
    assert flagged().run("help web") == (text, 0)


@pytest.mark.parametrize("command", ["tail", "maintail"])
def test_the_help_of_supervisor_4_is_not_changed(command: str) -> None:
    plugin = DefaultControllerPlugin(ctl := Ctl().controller)
    getattr(plugin, f"help_{command}")()
    text = ctl.stdout.getvalue()  # type: ignore[attr-defined]
    assert Ctl().run(f"help {command}") == (text, 0)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("--", "web --", ["--batch ", "--follow ", "--json ", "--pause "]),
        ("--b", "web a --b", ["--batch "]),
        ("-", "tail -", ["-f ", "-x "]),
        ("-", "pid -", ["-x "]),
        ("", "web ", []),
    ],
)
def test_completion_of_flags(text: str, line: str, found: list[str]) -> None:
    controller = flagged().controller
    offered = [controller.complete(text, state, line) for state in range(len(found) + 1)]
    assert offered == [*found, None]
