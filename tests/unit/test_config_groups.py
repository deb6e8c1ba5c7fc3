"""The daemon's configuration: groups, servers and plugins, and the tables of options."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import socket
from pathlib import Path

import pytest

from supervisor import events
from supervisor.common.addresses import TcpAddress
from supervisor.config import schema
from supervisor.config.client import SUPERVISORCTL
from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import (
    EventListenerConfig,
    EventListenerPoolConfig,
    FastCGIGroupConfig,
    FastCGIProcessConfig,
    InetSocketConfig,
    ProcessConfig,
    UnixSocketConfig,
)
from supervisor.config.parser import UnhosedConfigParser
from supervisor.config.programs import processes_from_section
from supervisor.datatypes import gid_for_uid
from supervisor.engine import posix
from tests.support.configs import HANDLER, SAMPLE, located, read, refusal
from tests.support.tables import assert_none

# -- groups


def test_groups_are_sorted(tmp_path: Path) -> None:
    """By priority, then by name; the members of a group stay in the order of `programs`."""
    text = "".join(
        f"[program:{name}]\ncommand=a\npriority={priority}\n"
        for name, priority in [("b", 2), ("a", 2), ("c", 1), ("m", 9), ("n", 3)]
    )
    groups = read(tmp_path, text + "[group:g]\nprograms=m,n\n").groups
    assert [group.name for group in groups] == ["c", "a", "b", "g"]
    assert [config.name for config in groups[-1].process_configs] == ["m", "n"]
    assert [group.priority for group in groups] == [1, 2, 2, 999]


def test_event_listeners(tmp_path: Path) -> None:
    """A pool has classes of events, each once, a buffer and a handler of results."""
    text = "[eventlistener:e]\ncommand=a\nevents=tick_5, EVENT,TICK_5\nbuffer_size=3\n" + HANDLER
    (pool,) = read(tmp_path, text).groups
    assert isinstance(pool, EventListenerPoolConfig)
    assert (pool.name, pool.priority, pool.buffer_size) == ("e", -1, 3)
    assert pool.pool_events == [events.Tick5Event, events.Event]
    assert pool.result_handler is os.getpid
    (config,) = pool.process_configs
    assert type(config) is EventListenerConfig
    assert config.priority == 999


def test_two_fastcgi_programs_with_one_unix_socket(tmp_path: Path) -> None:
    text = "".join(
        f"[fcgi-program:{name}]\ncommand=/bin/cat\nsocket=unix:///tmp/x.sock\n" for name in "ab"
    )
    assert refusal(tmp_path, text) == located(
        "unix:///tmp/x.sock is the socket of [fcgi-program:a] already", "fcgi-program:b", "socket"
    )


@pytest.mark.parametrize(
    ("lines", "message", "option"),
    [
        ("", '[eventlistener:e] section requires an "events" line', "events"),
        ("events=TICK,foo\n", "Unknown event type FOO in [eventlistener:e] events", "events"),
        (
            "buffer_size=0\n",
            "[eventlistener:e] section sets invalid buffer_size (0)",
            "buffer_size",
        ),
        (
            "events=TICK\nredirect_stderr=true\n",
            (
                "[eventlistener:e] section sets redirect_stderr=true but this is not allowed "
                "because it will interfere with the eventlistener protocol"
            ),
            "redirect_stderr",
        ),
        (
            "result_handler=nope:x\n",
            "nope:x cannot be resolved within [eventlistener:e]: No module named 'nope'",
            "result_handler",
        ),
    ],
)
def test_mistakes_in_event_listeners(tmp_path: Path, lines: str, message: str, option: str) -> None:
    """The texts name the section, and then the place is added."""
    text = f"[eventlistener:e]\ncommand=a\n{HANDLER}{lines}"
    assert refusal(tmp_path, text) == located(message, "eventlistener:e", option)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("socket=tcp://localhost:9000\n", InetSocketConfig(TcpAddress("localhost", 9000))),
        ("socket=tcp://a:1\nsocket_backlog=5\n", InetSocketConfig(TcpAddress("a", 1), 5)),
        ("socket=unix:///%(program_name)s\n", UnixSocketConfig("/f")),
        ("socket=unix:///f\nuser=0\n", UnixSocketConfig("/f")),  # it is root's anyway
        ("socket=unix:///f\nuser=1\n", UnixSocketConfig("/f", (1, gid_for_uid(1)))),
        (
            "socket=unix:///f\nuser=0\nsocket_owner=0:0\nsocket_mode=0777\n",
            UnixSocketConfig("/f", (0, 0), 0o777),
        ),
    ],
)
def test_fastcgi_sockets(tmp_path: Path, lines: str, expected: object) -> None:
    """A unix socket is owned by the program's user by default."""
    (group,) = read(tmp_path, f"[fcgi-program:f]\ncommand=a\n{lines}").groups
    assert isinstance(group, FastCGIGroupConfig)
    assert group.socket_config == expected
    assert type(group.process_configs[0]) is FastCGIProcessConfig


@pytest.mark.parametrize(
    ("lines", "message", "option"),
    [
        ("", '[fcgi-program:f] section requires a "socket" line', "socket"),
        ("socket=bad\n", "('Bad socket format %s', 'bad') in [fcgi-program:f] socket", "socket"),
        ("socket=tcp://a:0\n", "0 is below lower bound (1) in [fcgi-program:f] socket", "socket"),
        (
            "socket=unix://f\n",
            "('Unix socket path %s is not an absolute path', 'f') in [fcgi-program:f] socket",
            "socket",
        ),
        (
            "socket=tcp://a:1\nsocket_mode=0700\n",
            (
                "socket_owner and socket_mode params should only be used with a Unix domain socket"
                " in [fcgi-program:f] socket"
            ),
            "socket",
        ),
        (
            "socket=unix:///f\nsocket_owner=nobodyxx\n",
            "Invalid socket_owner value nobodyxx",
            "socket_owner",
        ),
        ("socket=unix:///f\nsocket_mode=9\n", "Invalid socket_mode value 9", "socket_mode"),
        (
            "socket=unix:///f\nsocket_backlog=0\n",
            "Invalid socket_backlog value 0",
            "socket_backlog",
        ),
    ],
)
def test_mistakes_in_fastcgi_sockets(tmp_path: Path, lines: str, message: str, option: str) -> None:
    """Some of these texts are odd, and known."""
    text = f"[fcgi-program:f]\ncommand=a\n{lines}"
    assert refusal(tmp_path, text) == located(message, "fcgi-program:f", option)


@pytest.mark.parametrize(
    ("text", "message", "section", "option"),
    [
        (
            "[group:g]\nprograms=nope\n",
            "[group:g] names unknown program or fcgi-program nope",
            "group:g",
            "programs",
        ),
        (
            "[group:g]\nprograms=a\n[program:a]\n[fcgi-program:a]\n",
            "[group:g] name a is ambiguous (exists as program and fcgi-program)",
            "group:g",
            "programs",
        ),
        ("[group:a b]\n", "Invalid name: 'a b' because of character: ' '", "group:a b", None),
        (
            "[program:a]\npriority=x\n",
            "invalid literal for int() with base 10: 'x'",
            "program:a",
            "priority",
        ),
    ],
)
def test_mistakes_in_groups(
    tmp_path: Path, text: str, message: str, section: str, option: str | None
) -> None:
    """A bad name is no option's mistake."""
    assert refusal(tmp_path, text) == located(message, section, option)


# -- servers and plugins


def test_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP before unix; children get the address of the first unix socket."""
    monkeypatch.chdir(tmp_path)
    text = (
        "[unix_http_server]\nfile=a.sock\nchmod=0770\nchown=root:root\nusername=u\npassword=p\n"
        "[inet_http_server]\nport=*:9001\n[inet_http_server:two]\nport=9002\n"
    )
    configuration = read(tmp_path, text)
    first, second, third = configuration.servers
    assert (first["family"], first.host, first.port) == (socket.AF_INET, "", 9001)
    assert (second.section, second.port) == ("inet_http_server:two", 9002)
    assert (third["family"], third.file) == (socket.AF_UNIX, str(tmp_path / "a.sock"))
    assert (third.chmod, third.chown, third.username, third.password) == (
        0o770,
        (0, 0),
        "u",
        "p",
    )
    assert configuration.serverurl == f"unix://{tmp_path}/a.sock"


def test_plugins_read_the_address_of_a_server(tmp_path: Path) -> None:
    """By the keys of Supervisor 4; the family identifies the kind of server."""
    text = (
        "[inet_http_server:a]\nport=127.0.0.1:1\n[inet_http_server:b]\nport=[::1]:2\n"
        "[unix_http_server]\nfile=/a.sock\n"
    )
    keys = ("family", "host", "port", "file")
    found = [tuple(server[key] for key in keys) for server in read(tmp_path, text).servers]
    assert found == [
        (socket.AF_INET, "127.0.0.1", 1, None),
        (socket.AF_INET, "::1", 2, None),
        (socket.AF_UNIX, None, None, "/a.sock"),
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", None),
        ("[inet_http_server]\nport=*:9001\n", "http://localhost:9001"),
        ("[inet_http_server]\nport=[::1]:9001\n", "http://[::1]:9001"),
        ("[inet_http_server]\nport=[::]:9001\n", "http://localhost:9001"),
        ("[inet_http_server]\nport=a:1\n[inet_http_server:x]\nport=b:2\n", "http://b:2"),
    ],
)
def test_url_for_children(tmp_path: Path, text: str, url: str | None) -> None:
    """Without a unix socket it is the last TCP server; every interface is called localhost."""
    assert read(tmp_path, text).serverurl == url


@pytest.mark.parametrize(
    ("text", "message", "section", "option"),
    [
        (
            "[unix_http_server]\n",
            "section [unix_http_server] has no file value",
            "unix_http_server",
            "file",
        ),
        (
            "[inet_http_server]\n",
            "section [inet_http_server] has no port value",
            "inet_http_server",
            "port",
        ),
        (
            "[inet_http_server]\nport=x\n",
            "not a valid port number: 'x' ",
            "inet_http_server",
            "port",
        ),
        (
            "[unix_http_server]\nfile=a\nchmod=9\n",
            "Invalid chmod value 9",
            "unix_http_server",
            "chmod",
        ),
        (
            "[unix_http_server]\nfile=a\nchown=nobodyxx\n",
            "Invalid sockchown value nobodyxx",
            "unix_http_server",
            "chown",
        ),
        (
            "[inet_http_server]\nport=1\nusername=u\n",
            (
                "Section [inet_http_server] contains incomplete authentication: If a username or a "
                "password is specified, both the username and password must be specified"
            ),
            "inet_http_server",
            "password",
        ),
        (
            "[unix_http_server]\nfile=a\nusername=u\npassword=\n",
            "Section [unix_http_server] has an empty password",
            "unix_http_server",
            "password",
        ),
        (
            "[rpcinterface:x]\n",
            "section [rpcinterface:x] does not specify a supervisor.rpcinterface_factory",
            "rpcinterface:x",
            "supervisor.rpcinterface_factory",
        ),
        (
            "[rpcinterface:x]\nsupervisor.rpcinterface_factory=os:nope\n",
            (
                "os:nope cannot be resolved within [rpcinterface:x]: module 'os' has no attribute "
                "'nope'"
            ),
            "rpcinterface:x",
            "supervisor.rpcinterface_factory",
        ),
    ],
)
def test_mistakes_in_servers_and_plugins(
    tmp_path: Path, text: str, message: str, section: str, option: str
) -> None:
    """Of a name and a password, the one that is missing is the mistake."""
    assert refusal(tmp_path, text) == located(message, section, option)


def test_options_of_plugins(tmp_path: Path) -> None:
    """They get every option but the factory, and those of [DEFAULT]."""
    text = (
        "[DEFAULT]\nfrom_default=1\n"
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=os.path:join\nOwn=50%%\n"
    )
    (plugin,) = read(tmp_path, text).rpcinterfaces
    assert (plugin.name, plugin.factory) == ("x", os.path.join)
    assert plugin.options == {"from_default": "1", "own": "50%"}


def test_plugins_may_replace_the_reader_of_processes(tmp_path: Path) -> None:
    """It is asked for each section of programs, with the group that they go to."""
    asked = []

    def reader(
        parser: UnhosedConfigParser, section: str, group: str, klass: type[ProcessConfig]
    ) -> list[ProcessConfig]:
        asked.append((section, group, klass))
        if section == "program:m":
            parser.set(section, "numprocs", "2")
            parser.set(section, "process_name", "m%(process_num)d")
        return processes_from_section(parser, section, group, klass)

    file = tmp_path / "c.conf"
    file.write_text(
        "[supervisord]\nenvironment=A=1\n[group:g]\nprograms=m\n[program:m]\ncommand=%(here)s\n"
        f"[eventlistener:e]\ncommand=a\nevents=EVENT\n{HANDLER}",
        encoding="utf-8",
    )
    configuration = read_server_configuration(["-c", str(file)], reader)
    assert asked == [
        ("program:m", "g", ProcessConfig),
        ("eventlistener:e", "e", EventListenerConfig),
    ]
    configs = configuration.groups[1].process_configs
    assert [config.name for config in configs] == ["m0", "m1"]
    assert (configs[0].command, configs[0].environment) == (str(tmp_path), {"A": "1"})


@pytest.mark.parametrize("error", [ValueError("odd"), configparser.NoOptionError("odd", "x")])
def test_mistakes_that_a_plugins_reader_finds(tmp_path: Path, error: Exception) -> None:
    """Its errors are reported like our own, with their place as far as it is known."""

    def reader(*_: object) -> list[ProcessConfig]:
        raise error

    file = tmp_path / "c.conf"
    file.write_text("[supervisord]\n[program:x]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_server_configuration(["-c", str(file)], reader)
    assert str(caught.value) == f"{error} (file: '{file}')"


# -- the tables


def block_of_the_sample(section: str) -> str:
    """Return the lines of a section in the sample."""
    kind = re.escape(section.removesuffix(":x"))
    (block,) = re.findall(
        rf"(?ms)^;?\[{kind}(?::\w+)?\]$(.*?)(?=^;?\[|\Z)", SAMPLE.read_text(encoding="utf-8")
    )
    return str(block)


def comments_in_the_sample(section: str) -> dict[str, str]:
    """Return the comment beside each option of a section."""
    lines = r"(?m)^;?([a-z_.]+) ?= ?.*? +; (.*)$"
    return dict(re.findall(lines, block_of_the_sample(section)))


def shown_in_the_sample(section: str) -> dict[str, str]:
    """Return the defaults in the sample of a section: those in brackets, or the values."""
    block = block_of_the_sample(section)
    lines = re.findall(r"(?m)^;?([a-z_.]+) ?= ?(.*?)(?: +;.*?(?:\(default: (.*)\))?)?$", block)
    return {option: default or value for option, value, default in lines}


@pytest.mark.parametrize("section", [each for each, rows in schema.SECTIONS.items() if rows])
def test_the_sample_has_the_options_that_it_should_have(section: str) -> None:
    """With its default where it has one, so that the sample stays correct."""
    shown = shown_in_the_sample(section)
    options = {option.name: option for option in schema.SECTIONS[section]}
    assert {name for name, option in options.items() if option.in_sample} <= shown.keys()
    if section in ("eventlistener:x", "fcgi-program:x"):  # their own are first
        options = {option.name: option for option in schema.SECTIONS["program:x"]} | options
    assert shown.keys() <= {name for name, option in options.items() if option.in_sample}
    for name, text in shown.items():
        if options[name].default:
            assert options[name].convert(text) == options[name].value


def test_every_option_of_the_client_is_in_the_sample() -> None:
    """With its default where it has one."""
    shown = shown_in_the_sample("supervisorctl")
    assert shown.keys() == SUPERVISORCTL.keys()
    for option, default in SUPERVISORCTL.items():
        assert shown[option] == default or not default


def test_the_sample_explains_options_as_the_reference_does() -> None:
    """A section shows an option's summary, with the default if the shown value is an example."""
    assert_none(
        f"[{section}] {row.name}: {row.summary!r}, in the sample {comments[row.name]!r}"
        for section, rows in schema.SECTIONS.items()
        for comments in [comments_in_the_sample(section) if rows else {}]
        for row in rows
        if row.name in comments
        and re.sub(r" \(default: .*\)$", "", comments[row.name]) not in (*IN_CONTEXT, row.summary)
        and comments[row.name] != row.summary
    )


IN_CONTEXT = {
    "as above",
    "the same for stderr",
    "or tcp://localhost:9002 (required)",
}
"""Comments of the sample that are clear only beside the lines around them."""


def test_a_users_groups_are_looked_up_once_for_each_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no start has to ask the directory service, and a reread finds what has changed."""
    asked: list[int] = []
    monkeypatch.setattr(posix, "look_up_identity", asked.append)
    text = "".join(f"[program:{name}]\ncommand=x\nuser=nobody\n" for name in "abc")
    text += "[program:root]\ncommand=x\nuser=0\n[program:none]\ncommand=x\n"
    read(tmp_path, text)
    assert sorted(asked) == [0, pwd.getpwnam("nobody").pw_uid]
    read(tmp_path, text)
    assert len(asked) == 4
