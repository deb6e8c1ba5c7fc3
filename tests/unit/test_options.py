"""`supervisord.options`, the plugin API, and its configs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor import events
from supervisor.config.programs import PROCESS_OPTIONS
from supervisor.datatypes import Automatic
from supervisor.options import (
    EventListenerConfig,
    EventListenerPoolConfig,
    FastCGIProcessConfig,
    ProcessConfig,
    ProcessGroupConfig,
    ServerOptions,
    UnhosedConfigParser,
)
from supervisor.process import Subprocess
from supervisor.states import SupervisorStates

CONFIG = """\
[supervisord]
identifier=door
childlogdir={directory}
[inet_http_server]
port=127.0.0.1:9
[program:a]
command=a
[fcgi-program:f]
command=f
socket=tcp://localhost:9
[eventlistener:e]
command=e
events=TICK_5
"""


@pytest.fixture
def options(tmp_path: Path) -> Iterator[ServerOptions]:
    """Options as the daemon has them: read from a file."""
    file = tmp_path / "supervisord.conf"
    file.write_text(CONFIG.format(directory=tmp_path), encoding="utf-8")
    options = ServerOptions()
    options.realize(["-c", str(file), "-n"])
    yield options
    if "runtime" in vars(options):
        options.runtime.loop.close()


def parser(**values: str) -> UnhosedConfigParser:
    """Return a parser that a plugin has filled itself, with `[program:x]`."""
    filled = UnhosedConfigParser()
    filled.add_section("program:x")
    for option, value in values.items():
        filled.set("program:x", option, value)
    return filled


def configs(options: ServerOptions) -> dict[str, Any]:
    """Return the configs of all processes by name."""
    return {c.name: c for group in options.process_group_configs for c in group.process_configs}


# -- what plugins read ------------------------------------------------------------


def test_plugins_read_the_settings(options: ServerOptions) -> None:
    assert options.identifier == "door"
    assert options.nodaemon
    assert not options.silent
    assert str(options.configfile).endswith("supervisord.conf")
    assert options.server_configs[0]["port"] == 9
    assert options.server_configs[0]["username"] is None


def test_the_mood_is_that_of_the_daemon(options: ServerOptions) -> None:
    options.mood = SupervisorStates.RESTARTING
    assert options.runtime.daemon_state == options.mood == SupervisorStates.RESTARTING


def test_unread_options_serve_tests_of_plugins() -> None:
    options = ServerOptions()
    assert options.identifier == "supervisor"
    assert options.process_group_configs == []
    config = options.processes_from_section(parser(command="cat"), "program:x", "g")[0]
    assert config.name == "x"


def test_a_class_of_a_plugin_gets_all_options() -> None:
    class Own(ProcessConfig):
        def __init__(self, options: ServerOptions, **params: Any) -> None:
            self.params = params
            super().__init__(options, **params)

    read = parser(command="cat", stdout_logfile="NONE")
    (config,) = ServerOptions().processes_from_section(read, "program:x", "g", Own)
    given = vars(config)["params"]
    assert given.keys() >= PROCESS_OPTIONS.keys()
    assert given["startsecs"] == 1
    assert given["stdout_logfile"] is None


def test_a_file_that_is_assigned_is_read_without_a_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As devservices does it, in a process that has arguments of its own."""
    monkeypatch.setattr("sys.argv", ["devservices", "--no-option-of-supervisord", "-c", "/none"])
    options = ServerOptions()
    for name in ("first", "second"):
        file = tmp_path / f"{name}.conf"
        file.write_text(f"[supervisord]\n[program:{name}]\ncommand=a {name}\n", encoding="utf-8")
        options.configfile = str(file)
        assert options.configfile == str(file)
        options.process_config()
        assert {name: c.command for name, c in configs(options).items()} == {name: f"a {name}"}
        assert options.configfile == str(file)


def test_a_configuration_is_read_in_steps(options: ServerOptions) -> None:
    Path(str(options.configfile)).write_text(
        "[supervisord]\n[program:b]\ncommand=b\n", encoding="utf-8"
    )
    before = options.configuration
    steps = options.reread_steps()
    assert sum(options.configuration is before for _ in steps) >= 3
    assert configs(options).keys() == {"b"}


def test_a_newer_reading_is_not_replaced_by_an_older_one(options: ServerOptions) -> None:
    file = Path(str(options.configfile))
    text = "[supervisord]\n[program:{0}]\ncommand={0}\n"
    file.write_text(text.format("older"), encoding="utf-8")
    steps = options.reread_steps()
    next(steps)
    file.write_text(text.format("newer"), encoding="utf-8")
    options.process_config(do_usage=False)
    assert not any(steps)
    assert configs(options).keys() == {"newer"}


def test_a_newer_reading_that_fails_does_not_count(options: ServerOptions) -> None:
    file = Path(str(options.configfile))
    file.write_text("[supervisord]\n[program:b]\ncommand=b\n", encoding="utf-8")
    steps = options.reread_steps()
    next(steps)
    file.write_text("[supervisord]\nloglevel=x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="loglevel"):
        options.process_config(do_usage=False)
    assert not any(steps)
    assert configs(options).keys() == {"b"}


def test_closing_the_servers_twice_is_harmless(options: ServerOptions) -> None:
    """Supvisors closes them when the daemon begins to stop, and leaves a tuple."""
    closed: list[str] = []
    options.httpservers = [(options.server_configs[0], Server(closed))]  # type: ignore[list-item]
    options.close_httpservers()
    options.httpservers = ()
    options.close_httpservers()
    assert closed == ["closed"]


class Server:
    """A server that records that it was closed."""

    def __init__(self, closed: list[str]) -> None:
        self._closed = closed

    def close(self) -> None:
        self._closed.append("closed")


# -- configs ------------------------------------------------------------------------


def test_every_config_is_one_that_plugins_know(options: ServerOptions) -> None:
    found = configs(options)
    assert {name: type(config) for name, config in found.items()} == {
        "a": ProcessConfig,
        "f": FastCGIProcessConfig,
        "e": EventListenerConfig,
    }
    assert all(isinstance(config, ProcessConfig) for config in found.values())
    assert all(config.options is options for config in found.values())


def test_a_second_reading_finds_nothing_changed(options: ServerOptions) -> None:
    before = options.process_group_configs
    options.process_config(do_usage=False)
    assert options.process_group_configs == before
    assert options.process_group_configs is not before


def test_an_error_is_raised_without_exit(options: ServerOptions) -> None:
    with open(str(options.configfile), "a", encoding="utf-8") as file:
        file.write("[program:b]\n")
    with pytest.raises(ValueError, match="does not specify a command"):
        options.process_config(do_usage=False)


def test_the_reader_on_the_class_may_be_replaced(
    options: ServerOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Supvisors does so, and learns the section, the group and the class of each config."""
    seen = []
    original = ServerOptions._processes_from_section

    def replaced(self: Any, parser: Any, section: str, group: str, klass: Any = None) -> Any:
        seen.append((section, group, klass))
        return original(self, parser, section, group, klass)

    monkeypatch.setattr(ServerOptions, "_processes_from_section", replaced)
    options.process_config(do_usage=False)
    assert seen == [
        ("program:a", "a", ProcessConfig),
        ("eventlistener:e", "e", EventListenerConfig),
        ("fcgi-program:f", "f", FastCGIProcessConfig),
    ]


def test_a_section_may_be_read_again_with_another_number(options: ServerOptions) -> None:
    """Supvisors raises `numprocs` in the parser that it has kept."""
    kept = parser(command="cat", process_name="%(program_name)s_%(process_num)d")
    names = [c.name for c in options.processes_from_section(kept, "program:x", "g")]
    kept["program:x"]["numprocs"] = "2"
    more = [c.name for c in options.processes_from_section(kept, "program:x", "g")]
    assert (names, more) == (["x_0"], ["x_0", "x_1"])


def test_an_error_of_a_plugin_is_a_value_error(options: ServerOptions) -> None:
    with pytest.raises(ValueError, match="invalid"):
        options.processes_from_section(parser(command="a", startsecs="x"), "program:x", "g")


def test_a_config_makes_a_process_of_a_group(options: ServerOptions) -> None:
    group = SimpleNamespace(runtime=options.runtime)
    process = configs(options)["a"].make_process(group)
    assert type(process) is Subprocess
    assert process.group is group
    assert process.runtime is options.runtime


def test_a_config_makes_its_own_log_files(options: ServerOptions, tmp_path: Path) -> None:
    config = configs(options)["a"]
    assert config.stdout_logfile is Automatic
    config.create_autochildlogs()
    logs = {Path(config.stdout_logfile), Path(config.stderr_logfile)}
    assert logs == set(tmp_path.glob("a-*---door-*.log"))
    assert len(logs) == 2


def test_configs_are_made_as_in_supervisor_4() -> None:
    """Options first, then the values; what is not an option is passed over."""
    config = ProcessConfig("options", name="x", command="y", uid="new", not_an_option=1)  # type: ignore[arg-type]
    group = ProcessGroupConfig("options", "g", 25, [config])
    pool = EventListenerPoolConfig("options", "p", 1, [], 10, [events.Event], print)
    assert (config.name, config.uid, config.startsecs) == ("x", "new", 1)
    assert (group.name, group.priority, group.process_configs) == ("g", 25, [config])
    assert (pool.buffer_size, pool.pool_events) == (10, [events.Event])
