"""The controller of supervisorctl: missing servers, passwords, plugins, the shell, the script."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError

import pytest

import supervisor
from supervisor import supervisorctl
from supervisor.client import transport
from supervisor.client.options import ClientOptions
from supervisor.common.faults import Faults
from supervisor.http_client import Listener
from supervisor.supervisorctl import (
    ControllerPluginBase,
    DefaultControllerPlugin,
    commands,
    default,
)
from tests.support.ctl import Ctl, FakeOptions, process

# -- the server that is not there ----------------------------------------------------------

EVERY = (
    "status status_x start_x stop_x restart_x signal_HUP_x pid pid_x tail_x maintail clear_x fg_x "
    "version add_x remove_x update reread avail reload"
)


@pytest.mark.parametrize(
    ("error", "text", "checked"),
    [
        (FileNotFoundError(2, "No such file or directory"), "no such file", 7),
        (ConnectionRefusedError(111, "Connection refused"), "refused connection", 4),
    ],
)
@pytest.mark.parametrize("command", EVERY.split())
def test_no_server(
    monkeypatch: pytest.MonkeyPatch, command: str, error: OSError, text: str, checked: int
) -> None:
    """One line, the same for every command; without a connection check the exit status is 1."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(transport, "_connect_unix", fail)
    options = FakeOptions()
    monkeypatch.setattr(options, "getServerProxy", lambda: ClientOptions.getServerProxy(options))  # type: ignore[arg-type]
    verb, *words = command.split("_")
    unchecked = {"add", "remove", "update", "reread", "avail", "reload"}
    status = 4 if verb == "status" else 1 if verb in unchecked else checked
    line = " ".join([verb, *words])
    assert Ctl(options).run(line) == (f"unix:///fake.sock {text}\n", status)


def test_shutdown_of_a_daemon_that_is_down() -> None:
    ctl = Ctl(shutdown=ConnectionRefusedError(111, "Connection refused"))
    text = "ERROR: unix:///fake.sock refused connection (already shut down?)\n"
    assert ctl.run("shutdown") == (text, 1)


def test_another_api_version() -> None:
    text, status = Ctl(getVersion="2.0").run("version")
    assert "expects to talk to a server with API version 3.0, but the remote version is 2.0" in text
    assert status == 5


def test_a_server_without_the_supervisor_namespace() -> None:
    text, status = Ctl(getVersion=Fault(Faults.UNKNOWN_METHOD, "UNKNOWN_METHOD")).run("version")
    assert "[rpcinterface:supervisor]" in text
    assert status == 3


# -- authentication ------------------------------------------------------------------------


def guarded(options: FakeOptions) -> FakeOptions:
    """Make the daemon require a user name and a password."""

    def version() -> str:
        if (options.username, options.password) != ("bob", "right"):
            raise ProtocolError("127.0.0.1/RPC2", 401, "Unauthorized", {})
        return "3.0"

    options.answers["supervisor.getVersion"] = version
    return options


def test_a_missing_password_is_one_line() -> None:
    ctl = Ctl(guarded(FakeOptions()))
    assert ctl.run("version") == ("Server requires authentication\n", 1)


def test_the_shell_prompts_until_the_password_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    options = guarded(FakeOptions())
    options.interactive = True
    names, passwords = iter(["eve", "bob"]), iter(["wrong", "right"])
    monkeypatch.setattr("builtins.input", lambda _: next(names))
    monkeypatch.setattr("getpass.getpass", lambda _: next(passwords))
    asked = "Server requires authentication\n\n"
    assert Ctl(options).run("version") == (f"{asked}{asked}9.9\n", 0)


def test_end_of_input_at_the_prompt_for_a_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_question: str) -> str:
        raise EOFError

    options = guarded(FakeOptions())
    options.interactive = True
    monkeypatch.setattr("builtins.input", end)
    assert Ctl(options).run("version") == ("Server requires authentication\n\n", 1)


# -- plugins and other users of the classes ------------------------------------------------


class Greeter(ControllerPluginBase):
    """A plugin as third parties write it."""

    name = "is replaced by the section's"

    def __init__(self, controller: Any, **settings: str) -> None:
        super().__init__(controller)
        self.settings = settings

    def do_greet(self, arg: str) -> None:
        self.ctl.output(f"hello {arg} {self.settings}")

    def help_greet(self) -> None:
        self.ctl.output("greet <whom>")

    def do_status(self, _arg: str) -> None:
        self.ctl.output("never called: the first plugin wins")

    def do_documented(self, _arg: str) -> None:
        """Text of the docstring."""

    def do_boom(self, _arg: str) -> None:
        raise ValueError("boom")

    def do_fail(self, _arg: str) -> None:
        self.ctl.exitstatus = 77


def with_plugin(**answers: Any) -> Ctl:
    options = FakeOptions(**answers)
    options.plugin_factories.append(("greetings", Greeter, {"a": "b"}))
    return Ctl(options)


def test_a_plugin_adds_commands_and_gets_its_options() -> None:
    ctl = with_plugin(getAllProcessInfo=[])
    assert ctl.run("greet you there") == ("hello you there {'a': 'b'}\n", 0)
    assert ctl.run("fail") == ("", 77)
    assert ctl.run("status") == ("", 0)


def test_help_lists_the_commands_of_a_plugin_under_a_heading() -> None:
    help_text, _ = with_plugin().run("help")
    assert "\ngreetings commands (type help <topic>):\n===" in help_text
    assert "documented  greet" in help_text
    assert "boom" not in help_text, "it has no help"


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("greet", "greet <whom>"),
        ("documented", "Text of the docstring."),
        ("boom", "*** No help on boom"),
        ("nope", "*** No help on nope"),
        ("exit", "exit\tLeave the shell."),
    ],
)
def test_help_on_a_topic(topic: str, text: str) -> None:
    assert with_plugin().run(f"help {topic}") == (f"{text}\n", 0)
    assert with_plugin().run(f"? {topic}") == (f"{text}\n", 0)


def test_an_exception_in_a_plugin_is_one_line_with_its_place() -> None:
    text, status = with_plugin().run("boom")
    assert text.startswith("error: <class 'ValueError'>, boom: file: ")
    assert f"{__file__} line: " in text
    assert text.count("\n") == 1
    assert status == 1


def test_onecmd_may_be_called_from_threads() -> None:
    ctl = Ctl()
    threads = [threading.Thread(target=ctl.controller.onecmd, args=("version",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ctl.controller.stdout.getvalue() == "9.9\n" * 8  # type: ignore[attr-defined]


def test_get_server_proxy_by_namespace() -> None:
    ctl = Ctl()
    assert ctl.controller.get_server_proxy("supervisor").getPID() == 77
    assert ctl.controller.get_supervisor().getPID() == 77
    assert ctl.controller.get_server_proxy().supervisor.getPID() == 77


@pytest.mark.parametrize(
    ("code", "ignored", "status"),
    [(80, None, 0), (10, None, 1), (50, None, 7), (40, None, 7), (70, None, 7), (70, 70, 0)],
)
def test_the_exit_status_of_a_fault(code: int, ignored: int | None, status: int) -> None:
    controller = Ctl().controller
    controller.set_exitstatus_from_xmlrpc_fault(code, ignored)
    assert controller.exitstatus == status


# -- the shell -----------------------------------------------------------------------------


def completions(ctl: Ctl, text: str, line: str) -> list[str]:
    """Return the candidates of Tab, as readline requests them."""
    found = []
    while (word := ctl.controller.complete(text, len(found), line)) is not None:
        found.append(word)
    return found


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("sta", "sta", ["start ", "status "]),
        ("", "help st", ["add "]),
        ("st", "help st", ["start ", "status ", "stop "]),
        ("", "status ", ["a ", "g:* ", "g:b "]),
        ("g", "status g", ["g:* ", "g:b "]),
        ("g:b", "tail g:b", ["g:b "]),
        ("", "add ", ["a ", "g "]),
        ("H", "signal H", []),
        ("", "graph ", ["a ", "g:* ", "g:b "]),
        ("s", "tail a s", ["stderr ", "stdout "]),
        ("r", "wait a r", ["running "]),
        ("--", "status --", ["--json ", "--usage ", "--verbose ", "--watch "]),
        ("--format=m", "graph --format=m", ["--format=mermaid "]),
        ("g:b", "signal HUP g:b", ["g:b "]),
        ("", "reload ", []),
        ("", "nonsense ", []),
    ],
)
def test_completion(text: str, line: str, found: list[str]) -> None:
    ctl = Ctl(getAllProcessInfo=[process("a"), process("g:b")])
    assert completions(ctl, text, line)[: max(len(found), 1)] == found


def test_completion_without_a_server_offers_nothing() -> None:
    assert completions(Ctl(getAllProcessInfo=FileNotFoundError(2, "")), "", "status ") == []


@pytest.mark.parametrize(
    ("answer", "done"), [("y", True), ("Yes", True), ("n", False), ("", False)]
)
@pytest.mark.parametrize("line", ["reload", "shutdown"])
def test_the_shell_asks_for_confirmation_before_it_ends_the_daemon(
    monkeypatch: pytest.MonkeyPatch, line: str, answer: str, *, done: bool
) -> None:
    ctl = Ctl(restart=True, shutdown=True)
    ctl.options.interactive = True
    monkeypatch.setattr("builtins.input", lambda _: answer)
    ctl.run(line)
    assert bool(ctl.asked()) is done


@pytest.mark.parametrize("line", ["exit", "quit", "EOF", "exit now"])
def test_commands_that_end_the_shell(line: str) -> None:
    assert Ctl().controller.onecmd(line) is True


@pytest.mark.parametrize("line", ["", "version", "nonsense", "help", "!x"])
def test_lines_that_do_not_end_the_shell(line: str) -> None:
    assert Ctl().controller.onecmd(line) is False


def test_open_does_not_change_the_exit_status() -> None:
    ctl = Ctl(getVersion=FileNotFoundError(2, "No such file or directory"))
    assert ctl.run("open unix:///other.sock") == ("unix:///other.sock no such file\n", 0)
    assert ctl.run("open other") == ("ERROR: url must be http:// or unix://\n", 1)
    assert ctl.options.serverurl == "unix:///other.sock"


# -- the script ----------------------------------------------------------------------------


def test_the_public_names_are_there() -> None:
    for name in supervisorctl._LOCATIONS:
        assert getattr(supervisorctl, name)
    with pytest.raises(AttributeError):
        _ = supervisorctl.nonsense


@pytest.mark.parametrize(("args", "status"), [(["version"], 5), ([], 0)])
def test_main_exits(monkeypatch: pytest.MonkeyPatch, args: list[str], status: int) -> None:
    """The shell always ends with 0."""
    options = FakeOptions(getVersion="2.0")
    monkeypatch.setattr("builtins.input", lambda _: "exit")

    def realize(given: list[str]) -> None:
        options.args, options.interactive = given, not given  # type: ignore[attr-defined]

    options.realize = realize  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as raised:
        supervisorctl.main(args, options)  # type: ignore[arg-type]
    assert raised.value.code == status


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisorctl, "_run", interrupt)
    with pytest.raises(SystemExit) as raised:
        supervisorctl.main(["status"])
    assert raised.value.code == 130


HEAVY = "ssl email http.client xmlrpc.client typing dataclasses asyncio urllib.parse threading"


def test_a_command_imports_only_what_it_needs() -> None:
    """Each of these would slow down every command."""
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(os.path.dirname(supervisor.__file__))!r})
from supervisor.supervisorctl import main
try:
    main(["-s", "unix:///missing", "status"])
finally:
    print(*[name for name in {HEAVY.split()!r} if name in sys.modules])
"""
    # -S: a developer's site-packages may import more.
    run = [sys.executable, "-S", "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, check=False, cwd="/")
    assert (result.stdout, result.stderr) == ("unix:///missing no such file\n\n", "")
    assert result.returncode == 4


COMMANDS = Path(commands.__file__).parent


def test_every_group_is_listed_with_its_commands() -> None:
    listed = {module: (group, set(names)) for module, group, names in default.GROUPS}
    assert {path.stem for path in COMMANDS.glob("*.py")} == {*listed, "__init__"}
    for module, (group, names) in listed.items():
        found = vars(getattr(import_module(f"{commands.__name__}.{module}"), group))
        assert {name[3:] for name in found if name.startswith("do_")} == names
        assert {name[5:] for name in found if name.startswith("help_")} == names


def test_a_command_imports_its_own_group() -> None:
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(os.path.dirname(supervisor.__file__))!r})
from supervisor.supervisorctl import main
try:
    main(["-s", "unix:///missing", "pid"])
finally:
    print(*[name for name in sys.modules if name.startswith("{commands.__name__}.")])
"""
    run = [sys.executable, "-S", "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, check=False, cwd="/")
    assert result.stdout.splitlines()[-1] == f"{commands.__name__}.status"


def test_third_parties_replace_hooks_of_the_default_plugin() -> None:
    """Supvisors replaces the text of a result; `listener` receives a followed log."""
    ctl = Ctl(startProcess=True, getProcessInfo=process("a"))
    plugin = ctl.options.plugins[0]
    original = plugin._startresult
    plugin._startresult = lambda result: f"replaced {original(result)}"
    assert ctl.run("start a") == ("replaced a: started\n", 0)
    errors: list[str] = []
    plugin.listener = Listener()
    plugin.listener.error = lambda _url, error: errors.append(error)
    assert ctl.run("tail -f a")[1] == 0
    assert errors


def test_a_subclass_of_the_default_plugin_extends_its_commands() -> None:
    class Extended(DefaultControllerPlugin):
        def do_pid(self, arg: str) -> None:
            self.ctl.output("before")
            super().do_pid(arg)

    options = FakeOptions()
    options.plugin_factories = [("default", Extended, {})]
    assert Ctl(options).run("pid") == ("before\n77\n", 0)
    assert Ctl(options).run("help pid")[0].startswith("pid\t")
