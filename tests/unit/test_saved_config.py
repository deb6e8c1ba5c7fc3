"""Configs as running, as JSON values: every option of every section is the same again."""

from __future__ import annotations

import copy
import json
import re
import sys
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import events, options
from supervisor.common.records import names, replace
from supervisor.config import model
from supervisor.config.model import Settings
from supervisor.config.option import options_of
from supervisor.config.plugins import find_object
from supervisor.config.process_config import ProcessConfig
from supervisor.config.saved_config import (
    BESIDE_FIELDS,
    CODECS,
    GROUP,
    PROCESS,
    decode_configuration,
    decode_group,
    encode_configuration,
    encode_group,
)
from supervisor.datatypes import Automatic, Syslog
from supervisor.dispatchers import default_handler
from tests.support.configs import HANDLER, read
from tests.support.option_texts import COUNTING, TEXTS
from tests.support.tables import assert_none

ROWS = {row.name: row for row in options_of(ProcessConfig)}

SETTINGS_TEXTS = {
    "minfds": "7",
    "minprocs": "7",
    "directory": "/",
    "user": "0",
    "umask": "007",
    "logfile": "syslog",
    "logfile_maxbytes": "7",
    "logfile_backups": "7",
    "loglevel": "debug",
    "pidfile": "/7.pid",
    "identifier": "seven",
    "nodaemon": "true",
    "silent": "true",
    "logfile_format": "json",
    "childlog_format": "timestamp",
    "runtimedir": "/",
    "statefile": "/7",
    "leftovers": "kill",
    "subreaper": "true",
    "childlogdir": "/",
    "nocleanup": "true",
    "strip_ansi": "true",
    "environment": 'A="7"',
    "exit_when_all_exited": "true",
    "exit_code_from": "x",
    "shutdown_timeout": "7",
}
"""A text for each option of the daemon that differs from its default."""

PROGRAM = "[program:x]\ncommand=/bin/cat\nstdout_logfile=NONE\nstderr_logfile=/x.log\n"


def model_class(kind: type[ProcessConfig]) -> type[ProcessConfig]:
    return kind


def again(group: model.ProcessGroupConfig, process_class: Any = model_class) -> Any:
    """Return the group that a daemon gets from this one."""
    return decode_group(json.loads(json.dumps(encode_group(group))), process_class)


def shown(config: Any) -> str:
    """Return all values with their types; equality of streams is wider than that."""
    processes = getattr(config, "process_configs", ())
    beside = [{name: getattr(each, name) for name in BESIDE_FIELDS} for each in processes]
    return f"{config!r} {beside}"


def groups_in(directory: Path, text: str) -> list[model.ProcessGroupConfig]:
    return read(directory, text).groups


def check(groups: list[model.ProcessGroupConfig]) -> None:
    assert groups
    assert_none(
        f"{shown(found)}\nexpected: {shown(group)}"
        for group in groups
        if (shown(found := again(group)), found) != (shown(group), group)
    )


# -- all options -------------------------------------------------------------------


def test_every_option_of_a_program_is_the_same_again(tmp_path: Path) -> None:
    sections = {
        f"p{number}": f"[program:p{number}]\n{settings}\n"
        for number, settings in enumerate(
            ("" if name == "command" else "command=/bin/cat\n") + f"{name}={text}"
            for name, text in TEXTS.items()
        )
    }
    programs = "[program:db]\ncommand=/bin/cat\n" + "".join(sections.values())
    groups = {group.name: group for group in groups_in(tmp_path, programs)}
    for name, section in zip(TEXTS, sections, strict=True):
        row, config = ROWS[name], groups[section].process_configs[0]
        assert getattr(config, row.attribute) != row.value, f"{name} has its default"
    check(list(groups.values()))


SERVERS = """
[inet_http_server]
port=127.0.0.1:9001
username=user
password=secret
[unix_http_server]
file=/tmp/x.sock
chmod=0770
chown=root:root
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
retries=1
"""


def test_every_option_of_the_daemon_is_the_same_again(tmp_path: Path) -> None:
    assert SETTINGS_TEXTS.keys() == {row.name for row in options_of(Settings)}
    lines = "".join(f"{name}={text}\n" for name, text in SETTINGS_TEXTS.items())
    configuration = read(tmp_path, lines + SERVERS + PROGRAM)
    settings = replace(configuration.settings, profile_options=(["calls"], True))
    plain = Settings(configfile=None, here=None)
    assert_none(name for name in names(Settings) if getattr(settings, name) == getattr(plain, name))
    assert settings.logfile is Syslog
    configuration = replace(configuration, settings=settings)
    saved = json.loads(json.dumps(encode_configuration(configuration)))
    found = decode_configuration(saved)
    assert repr(found.settings) == repr(settings)
    assert (found.servers, found.rpcinterfaces) == (
        configuration.servers,
        configuration.rpcinterfaces,
    )
    assert found.serverurl == configuration.serverurl


def test_every_field_has_a_type_that_can_be_encoded() -> None:
    """A type that is new needs a row in the table of `saved_config`."""
    pending: list[Any] = [*GROUP.__args__, *PROCESS.__args__, Settings]
    seen: set[Any] = set()
    while pending:
        declared = pending.pop()
        if declared in seen:
            continue
        seen.add(declared)
        pending += getattr(declared, "__args__", ())
        for base in declared.__mro__ if hasattr(declared, "record_defaults") else ():
            for text in getattr(base, "__annotations__", {}).values():
                CODECS.of(text)
                pending.append(CODECS._evaluate(text))
    assert {model.StreamConfig, model.TcpAddress, model.UnixSocketConfig, Automatic} <= seen


def test_everything_that_the_reader_sets_is_the_same_again(tmp_path: Path) -> None:
    """Also attributes that are no fields: a daemon names the section and file of a process."""
    text = (
        "environment=COMMON=1\n[group:g]\nprograms=a,b\npriority=5\n"
        "[program:a]\ncommand=/bin/cat 'a ; b'\nnumprocs=3\nnumprocs_start=4\n"
        "process_name=%(program_name)s_%(process_num)d\nlogin_environment=true\n"
        "stdout_logfile=/tmp/a, /dev/stderr, syslog\n"
        '[program:b]\ncommand=/bin/cat\nenvironment=B="\'%%"\n'
    )
    groups = groups_in(tmp_path, text)
    check(groups)
    config = again(groups[0]).process_configs[1]
    assert config.place == (str(tmp_path / "c.conf"), 6)
    assert (config.section, config.process_num, config.program) == ("program:a", 5, "a")
    was_read = groups[0].process_configs[1]
    assert vars(was_read).keys() == {*names(ProcessConfig), *BESIDE_FIELDS}
    assert config.command_hint
    assert config.inherited_environment == {"COMMON": "1"}
    assert config.stdout.further_targets == ("/dev/stderr", "syslog")


# -- kinds of groups ---------------------------------------------------------------

KINDS = {
    "program": "[program:x]\ncommand=/bin/cat\n",
    "pool": "[eventlistener:x]\ncommand=/bin/cat\nevents=TICK_5,PROCESS_STATE\nbuffer_size=7\n",
    "pool with a handler": f"[eventlistener:x]\ncommand=/bin/cat\nevents=EVENT\n{HANDLER}",
    "unix": "[fcgi-program:x]\ncommand=/bin/cat\nsocket=unix:///tmp/x\nsocket_mode=0600\n",
    "unix with an owner": "[fcgi-program:x]\ncommand=/bin/cat\nsocket=unix:///tmp/x\n"
    "socket_owner=7:8\nsocket_backlog=7\n",
    "tcp": "[fcgi-program:x]\ncommand=/bin/cat\nsocket=tcp://localhost:7\nsocket_backlog=7\n",
    "group": "[group:x]\nprograms=y\n[fcgi-program:y]\ncommand=/bin/cat\nsocket=tcp://h:7\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_group_is_the_same_again(kind: str, tmp_path: Path) -> None:
    check(groups_in(tmp_path, KINDS[kind]))


def test_the_processes_have_the_class_of_the_plugin_api(tmp_path: Path) -> None:
    served = options.ServerOptions()
    (group,) = groups_in(tmp_path, KINDS["pool"])
    kinds = options.PLUGIN_CONFIG_CLASSES
    (config,) = again(group, lambda kind: partial(kinds[kind], served)).process_configs
    assert type(config) is options.EventListenerConfig
    assert config.options is served
    assert config.section == "eventlistener:x"
    group.process_configs = [config]
    assert repr(again(group).process_configs[0]) == repr(config).replace("options.", "")


def test_a_log_that_was_generated_for_auto_is_kept(tmp_path: Path) -> None:
    """It equals AUTO, for the comparison of a reread."""
    (group,) = groups_in(tmp_path, KINDS["program"])
    assert group.process_configs[0].stdout.logfile is Automatic
    group.process_configs[0].stdout_logfile = "/generated.log"
    assert again(group).process_configs[0].stdout.logfile == "/generated.log"
    assert again(group).process_configs[0].stderr.logfile is Automatic


def test_texts_that_are_no_unicode_are_kept(tmp_path: Path) -> None:
    (group,) = groups_in(tmp_path, PROGRAM)
    group.process_configs[0].environment = {"A": "\udcff", "Ä": "\0\n"}
    check([group])


def test_the_format_is_as_it_was(tmp_path: Path) -> None:
    """Another version reads it: a renamed field or class would lose its value."""
    text = PROGRAM.replace("x.log", "x.log, /dev/stdout") + (
        "environment=A=1\nautorestart=true\nexitcodes=7\ndepends_on=-db\nready_log_line=^up\n"
        "pre_start_hook=-/7\nnice=7\nstdout_logfile_rotate=daily\nsecretfiles=A:/7\n"
        "readiness_check_script=tcp://h:7\nrlimit_core=0\nmax_runtime=7\n"
        "[program:db]\ncommand=/bin/cat\n"
    )
    group = groups_in(tmp_path, text)[1]
    group.process_configs[0].place = ("/c", 7)
    assert encode_group(group) == {
        "ProcessGroupConfig": {
            "name": "x",
            "priority": 999,
            "process_configs": [
                {
                    "ProcessConfig": {
                        "name": "x",
                        "command": "/bin/cat",
                        "autorestart": {"RestartUnconditionally": None},
                        "exitcodes": [7],
                        "stdout": {
                            "logfile": None,
                            "logfile_rotate": {"RotationPeriod": {"word": "daily"}},
                        },
                        "stderr": {"logfile": "/x.log", "further_targets": ["/dev/stdout"]},
                        "environment": {"A": "1"},
                        "secretfiles": [{"variable": "A", "path": "/7"}],
                        "depends_on": [{"target": "db", "is_soft": True}],
                        "ready_log_line": {"Pattern": "^up"},
                        "readiness_check_script": {
                            "Probe": {
                                "text": "tcp://h:7",
                                "scheme": "tcp",
                                "address": {"TcpAddress": {"host": "h", "port": 7}},
                            }
                        },
                        "limits": {"rlimit_core": {"Rlimit": {"soft": 0, "hard": 0}}, "nice": 7},
                        "health": {"max_runtime": 7.0},
                        "hooks": {
                            "pre_start_hook": {"HookCommand": {"argv": ["/7"], "is_optional": True}}
                        },
                        "section": "program:x",
                        "place": ["/c", 7],
                        "position": 1,
                    }
                }
            ],
        }
    }


# -- what cannot be encoded or decoded ----------------------------------------------


def encoding_error(group: model.ProcessGroupConfig) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        encode_group(group)
    return str(caught.value)


def decoding_error(saved: Any) -> str:
    with pytest.raises(ValueError, match=" ") as caught:
        decode_group(saved, model_class)
    return str(caught.value)


def test_values_of_plugins_that_cannot_be_encoded_are_named(tmp_path: Path) -> None:
    (group,) = groups_in(tmp_path, KINDS["program"])
    group.process_configs[0].environment["PASSWORD"] = b"secret"  # type: ignore[assignment]
    assert encoding_error(group) == (
        "x: process_configs: 1: x: environment: PASSWORD: str expected, not bytes"
    )
    group.process_configs = [object()]  # type: ignore[list-item]
    assert encoding_error(group) == "x: process_configs: 1: object is not one of its types"


def test_a_handler_without_a_name_cannot_be_encoded(tmp_path: Path) -> None:
    (group,) = groups_in(tmp_path, KINDS["pool"])
    assert isinstance(group, model.EventListenerPoolConfig)
    for handler in (partial(default_handler), _hidden()):
        group.result_handler = handler
        found = encoding_error(group)
        assert re.fullmatch("x: result_handler: .* cannot be imported by a name", found)


def _hidden() -> Any:
    """Return a function whose name belongs to another one."""

    def default_handler(event: Any, response: bytes) -> None:
        """Do nothing."""

    default_handler.__module__ = "supervisor.dispatchers"
    default_handler.__qualname__ = "default_handler"
    return default_handler


class _Handler:
    """A handler that does not know its own name, nor does its method."""

    def __call__(self, event: Any, response: bytes) -> None:
        """Do nothing."""

    method = __call__


handler_of_a_plugin = _Handler()


@pytest.mark.parametrize("name", ["handler_of_a_plugin", "handler_of_a_plugin.method"])
def test_a_handler_is_known_by_the_name_in_the_file(tmp_path: Path, name: str) -> None:
    """Also to a daemon that has got it from the one before."""
    (group,) = groups_in(tmp_path, f"{KINDS['pool']}result_handler={__name__}:{name}\n")
    assert isinstance(group, model.EventListenerPoolConfig)
    for _ in range(2):
        group = again(group)
        assert group.result_handler == find_object(f"{__name__}:{name}")


def test_a_handler_that_cannot_be_imported_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("handlers_of_a_plugin")
    handler = _hidden()
    handler.__module__, handler.__qualname__ = module.__name__, "handler"
    vars(module)["handler"] = handler
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (group,) = groups_in(tmp_path, KINDS["pool"])
    assert isinstance(group, model.EventListenerPoolConfig)
    group.result_handler = handler
    assert again(group).result_handler is handler
    saved = encode_group(group)
    monkeypatch.delitem(sys.modules, module.__name__)
    assert decoding_error(saved) == (
        "x: result_handler: handlers_of_a_plugin:handler cannot be resolved: "
        "No module named 'handlers_of_a_plugin'"
    )
    saved["EventListenerPoolConfig"]["result_handler"] = "sys:path"
    assert decoding_error(saved) == "x: result_handler: sys:path is not callable"


def test_the_event_type_of_a_plugin_has_its_registered_name(tmp_path: Path) -> None:
    (group,) = groups_in(tmp_path, KINDS["pool"])
    assert isinstance(group, model.EventListenerPoolConfig)
    group.pool_events = [type("PluginEvent", (events.Event,), {})]
    assert encoding_error(group) == "x: pool_events: 1: PluginEvent is not a registered event type"
    events.register("PLUGIN_EVENT", group.pool_events[0])
    try:
        assert again(group).pool_events == group.pool_events
        saved = encode_group(group)
    finally:
        del events.EventTypes.PLUGIN_EVENT  # type: ignore[attr-defined]
        events._names.clear()
    assert decoding_error(saved) == "x: pool_events: 1: unknown event type PLUGIN_EVENT"
    saved["EventListenerPoolConfig"]["pool_events"] = ["__class__"]
    assert decoding_error(saved) == "x: pool_events: 1: unknown event type __class__"


PROCESS_PLACE = "x: process_configs: 1"

WRONG: dict[str, tuple[Any, str]] = {
    "no object": ([], "list is not one of its types"),
    "no kind": ({}, "one tag expected, not 0"),
    "unknown kind": ({"LaterConfig": {}}, "'LaterConfig' is not one of its types"),
    "no processes": (
        {"ProcessGroupConfig": {"name": "x", "priority": 1}},
        "x: process_configs: missing",
    ),
    "no pool": (
        {"EventListenerPoolConfig": {"name": "x", "priority": 1, "process_configs": []}},
        "x: buffer_size: missing",
    ),
}

WRONG_FIELDS: dict[str, tuple[Any, str]] = {
    "startsecs": ("7", f"{PROCESS_PLACE}: x: startsecs: int expected, not str"),
    "stdout": ({"syslog": 7}, f"{PROCESS_PLACE}: x: stdout: syslog: bool expected, not int"),
    "ready_log_line": (
        {"Pattern": "("},
        (
            f"{PROCESS_PLACE}: x: ready_log_line: not a regular expression: '(': "
            "missing ), unterminated subpattern at position 0"
        ),
    ),
    "autorestart": (
        {"Later": None},
        f"{PROCESS_PLACE}: x: autorestart: 'Later' is not one of its types",
    ),
    "place": (["/c"], f"{PROCESS_PLACE}: x: place: a list of 2 values expected"),
}


def test_a_group_that_makes_no_sense_is_an_error_with_a_reason() -> None:
    cases = dict(WRONG)
    for field, (value, text) in WRONG_FIELDS.items():
        process = {"ProcessConfig": {"name": "x", "command": "c", field: value}}
        group = {"name": "x", "priority": 1, "process_configs": [process]}
        cases[field] = ({"ProcessGroupConfig": group}, text)
    found = ((decoding_error(saved), text) for saved, text in cases.values())
    assert_none(f"{error} (expected: {text})" for error, text in found if error != text)


def test_fields_of_a_later_version_are_skipped() -> None:
    process = {"ProcessConfig": {"name": "x", "command": "c", "later": 1, "stdout": {"later": 1}}}
    group = {"name": "x", "priority": 1, "process_configs": [process], "later": {}}
    found = decode_group({"ProcessGroupConfig": group}, model_class)
    assert found == model.ProcessGroupConfig("x", 1, [ProcessConfig("x", "c")])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("(0", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("a", max_size=1), inner),
    max_leaves=4,
)


@given(st.data())
def test_any_damage_is_an_error_or_a_group(data: st.DataObject) -> None:
    saved = copy.deepcopy(data.draw(st.sampled_from(_encoded())))
    node: Any = saved
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else [*_of(node)]))
        child = node[key]
        if isinstance(child, dict | list) and child and data.draw(st.booleans()):
            node = child
            continue
        node[key] = data.draw(JSON_VALUES)
        break
    try:
        found = decode_group(saved, model_class)
    except ValueError:
        return
    assert isinstance(found, model.ProcessGroupConfig)
    repr(found)


def _of(values: list[Any]) -> range:
    return range(len(values))


@cache
def _encoded() -> list[dict[str, Any]]:
    """Return a group with every option, and one of each other kind."""
    rows = (row for row in ROWS.values() if row.name not in COUNTING)
    values = {row.attribute: row.convert(TEXTS[row.name]) for row in rows}
    pool = (10, [events.Event], default_handler)
    socket = model.UnixSocketConfig("/x", (7, 8), 0o600, 7)
    return [
        encode_group(model.ProcessGroupConfig("x", 7, [ProcessConfig(**values)])),
        encode_group(model.EventListenerPoolConfig("x", 7, [], *pool)),
        encode_group(model.FastCGIGroupConfig("x", 7, [], socket)),
    ]
