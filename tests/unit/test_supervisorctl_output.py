"""Machine-readable output: nothing but the result is on stdout."""

from __future__ import annotations

import io
import json
import sys
import threading
from typing import Any
from xmlrpc.client import Fault, ProtocolError

import pytest

from supervisor.common.faults import Faults
from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable
from tests.support.ctl import Ctl, FakeOptions, process

REFUSED = ConnectionRefusedError(111, "Connection refused")


class Reporting(CommandGroup):
    """A command with a machine-readable format."""

    flags_report = FlagTable(Flag("--json", machine_readable=True), Flag("-v"))

    def do_report(self, arg: str) -> None:
        given = self._parse("report", arg)
        if given is None or not self.ctl.upcheck():
            return
        self.ctl.hint(lambda _hints: "a hint")
        self.ctl.output("a message")
        if "fail" in given.names:
            raise ValueError("boom")
        if "nested" in given.names:
            self.ctl.onecmd("version")
        info = self.ctl.get_supervisor().getProcessInfo("a")
        text = json.dumps([info["name"]]) if given["--json"] else "a prose result"
        self.ctl.print_result(text)

    def help_report(self) -> None:
        self.ctl.output("report")


def reporting(**answers: Any) -> Ctl:
    options = FakeOptions(getProcessInfo=process("a"), **answers)
    options.plugin_factories.append(("reporting", Reporting, {"plugin": None}))
    return Ctl(options)


def test_without_the_flag_messages_are_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert reporting().run("report") == ("a message\na prose result\n", 0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "answers", "result", "messages", "status"),
    [
        ("", {}, '["a"]\n', "a message\n", 0),
        ("nested", {}, '["a"]\n', "a message\n9.9\n", 0),
        ("", {"getVersion": REFUSED}, "", "/fake.sock refused connection\n", 4),
        ("", {"getVersion": "2.0"}, "", "Sorry, this version", 5),
        (
            "",
            {"getVersion": ProtocolError("127.0.0.1/RPC2", 401, "Unauthorized", {})},
            "",
            "Server requires authentication\n",
            1,
        ),
        (
            "",
            {"getProcessInfo": Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")},
            "",
            "ERROR: supervisord is shutting down or restarting\n",
            1,
        ),
        ("fail", {}, "", "error: <class 'ValueError'>, boom: file: ", 1),
        ("--nope", {}, "", "Error: bad argument --nope\nreport\n", 1),
    ],
)
def test_only_the_result_is_on_stdout(
    capsys: pytest.CaptureFixture[str],
    *,
    words: str,
    answers: dict[str, Any],
    result: str,
    messages: str,
    status: int,
) -> None:
    ctl = reporting()
    ctl.options.answers |= {f"supervisor.{name}": answer for name, answer in answers.items()}
    assert ctl.run(f"report --json {words}".rstrip()) == (result, status)
    assert messages in capsys.readouterr().err


def test_the_next_command_has_its_messages_on_stdout() -> None:
    ctl = reporting()
    assert ctl.run("report --json")[0] == '["a"]\n'
    assert ctl.run("report --json fail")[0] == ""
    assert ctl.run("report") == ("a message\na prose result\n", 0)


def test_another_thread_keeps_its_messages_on_stdout() -> None:
    """Plugins run commands in several threads at once."""
    ctl = reporting()
    reserved = threading.Event()

    def run_another() -> None:
        assert reserved.wait(20)
        ctl.controller.onecmd("version")

    other = threading.Thread(target=run_another)
    other.start()

    def info(_name: str) -> dict[str, Any]:
        reserved.set()
        other.join()
        return process("a")

    ctl.options.answers["supervisor.getProcessInfo"] = info
    assert ctl.run("report --json") == ('9.9\n["a"]\n', 0)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_hints_at_a_terminal_are_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are messages, which cannot send control characters to it."""
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    ctl = reporting(getVersion=Fault(Faults.FAILED, "\x1b[2J"))
    assert ctl.run("report --json") == ("", 1)
    ctl.options.answers["supervisor.getVersion"] = "3.0"
    assert ctl.run("report --json") == ('["a"]\n', 0)
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert shown.endswith("Hint: a hint\na message\n")
    assert "\\x1b[2J" in shown
    assert "\x1b" not in shown


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stderr", [Full(), None])
def test_a_stderr_that_cannot_be_written_does_not_lose_the_result(
    monkeypatch: pytest.MonkeyPatch, stderr: Full | None
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    assert reporting().run("report --json") == ('["a"]\n', 0)
