"""Configuration text to values: what each type accepts, and the exact text of its refusal."""

from __future__ import annotations

import grp
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import datatypes
from supervisor.datatypes import (
    Automatic,
    RestartUnconditionally,
    RestartWhenExitUnexpected,
    Syslog,
)

ACCEPTED: list[tuple[Callable[..., Any], Any, Any]] = [
    (datatypes.boolean, "TRUE", True),
    (datatypes.boolean, "yes", True),
    (datatypes.boolean, "on", True),
    (datatypes.boolean, 1, True),
    (datatypes.boolean, "No", False),
    (datatypes.boolean, "off", False),
    (datatypes.boolean, 0, False),
    (datatypes.integer, "-3", -3),
    (datatypes.octal_type, "022", 0o22),
    (datatypes.integer, "9" * 300, int("9" * 300)),
    (datatypes.resource_limit, str(sys.maxsize), sys.maxsize),
    (datatypes.octal_type, "0o700", 0o700),
    (datatypes.octal_type, "17777777777", 2**31 - 1),
    (datatypes.byte_size, "10", 10),
    (datatypes.byte_size, "1 KB", 1024),
    (datatypes.byte_size, "50MB", 50 * 1024**2),
    (datatypes.byte_size, "2gb", 2 * 1024**3),
    (datatypes.SuffixMultiplier({"s": 1, "m": 60}), "5m", 300),
    (datatypes.SuffixMultiplier({"k": 10}, default=7), "5", 35),
    (datatypes.list_of_strings, " a , b", ["a", "b"]),
    (datatypes.list_of_strings, "a,,b", ["a", "", "b"]),
    (datatypes.list_of_strings, "", []),
    (datatypes.list_of_strings, None, []),
    (datatypes.list_of_names, " ,a , b,", ["a", "b"]),
    (datatypes.list_of_names, ",", []),
    (datatypes.list_of_names, None, []),
    (datatypes.list_of_ints, "1, 2", [1, 2]),
    (datatypes.list_of_exitcodes, "0,255", [0, 255]),
    (datatypes.list_of_exitcodes, "", []),
    (datatypes.profile_options, "calls,callers", (["calls"], True)),
    (datatypes.profile_options, "", ([], False)),
    (datatypes.process_or_group_name, " a ", "a"),
    (datatypes.logging_level, "INFO", 20),
    (datatypes.logging_level, "blather", 3),
    (datatypes.signal_number, "term", 15),
    (datatypes.signal_number, "SIGTERM", 15),
    (datatypes.signal_number, 15, 15),
    (datatypes.signal_number, "0", 0),
    (datatypes.auto_restart, "true", RestartUnconditionally),
    (datatypes.auto_restart, "Unexpected", RestartWhenExitUnexpected),
    (datatypes.auto_restart, "false", False),
    (datatypes.name_to_uid, "root", 0),
    (datatypes.name_to_uid, "0", 0),
    (datatypes.name_to_gid, "root", 0),
    (datatypes.gid_for_uid, 0, 0),
    (datatypes.colon_separated_user_group, "root:root", (0, 0)),
    (datatypes.colon_separated_user_group, "root", (0, -1)),
    (datatypes.existing_directory, "/", "/"),
    (datatypes.existing_dirpath, "/x", "/x"),
    (datatypes.existing_dirpath, "x", "x"),
    (datatypes.activity_logfile, "/x", "/x"),
    (datatypes.activity_logfile, "syslog", "syslog"),
    (datatypes.logfile_name, "auto", Automatic),
    (datatypes.logfile_name, "NONE", None),
    (datatypes.logfile_name, "off", None),
    (datatypes.logfile_name, None, None),
    (datatypes.logfile_name, "Syslog", Syslog),
    (datatypes.logfile_name, "/x", "/x"),
    (datatypes.inet_address, "9001", ("", 9001)),
    (datatypes.inet_address, "*:9001", ("", 9001)),
    (datatypes.inet_address, "HOST:7", ("host", 7)),
    (datatypes.inet_address, "[::1]:7", ("[::1]", 7)),
    (datatypes.url, "http://x", "http://x"),
    (datatypes.url, "unix:///a", "unix:///a"),
    (datatypes.url, "http:x", "http:x"),
    (datatypes.dict_of_key_value_pairs, "", {}),
    (datatypes.dict_of_key_value_pairs, "A=1,B='2',", {"A": "1", "B": "2"}),
    (datatypes.dict_of_key_value_pairs, 'A="x, y"\n,B=/a:b', {"A": "x, y", "B": "/a:b"}),
    (datatypes.dict_of_key_value_pairs, "A='say \"x\"'", {"A": 'say "x"'}),
    (datatypes.dict_of_key_value_pairs, r'A="a\"b"', {"A": 'a"b'}),
]

# Numbers without an entry in the databases of users and groups.
ACCEPTED += [
    (datatypes.name_to_uid, "987654", 987654),
    (datatypes.name_to_uid, "4294967294", 4294967294),
    (datatypes.name_to_gid, "987654", 987654),
    (datatypes.gid_for_uid, 987654, 987654),
    (datatypes.colon_separated_user_group, "987654:0987655", (987654, 987655)),
]

REFUSED: list[tuple[Callable[..., Any], Any, str]] = [
    (datatypes.boolean, "maybe", "not a valid boolean value: 'maybe'"),
    (datatypes.boolean, "", "not a valid boolean value: ''"),
    (datatypes.integer, "x", "invalid literal for int() with base 10: 'x'"),
    (datatypes.integer, "9" * 400, f"number out of range: '{'9' * 400}'"),
    (datatypes.resource_limit, "9" * 20, f"{'9' * 20} is above upper bound ({sys.maxsize})"),
    (datatypes.octal_type, "9", "9 can not be converted to an octal type"),
    (datatypes.octal_type, "20000000000", "20000000000 can not be converted to an octal type"),
    (datatypes.byte_size, "10XB", "invalid literal for int() with base 10: '10xb'"),
    (datatypes.byte_size, "MB", "invalid literal for int() with base 10: ''"),
    (datatypes.port_number, "0", "0 is below lower bound (1)"),
    (datatypes.port_number, "99999", "99999 is above upper bound (65535)"),
    (datatypes.list_of_ints, "1,x", "not a valid list of ints: '1,x'"),
    (datatypes.list_of_exitcodes, "300", "not a valid list of exit codes: '300'"),
    (datatypes.list_of_exitcodes, "1,", "not a valid list of exit codes: '1,'"),
    (datatypes.list_of_exitcodes, [1], "not a valid list of exit codes: [1]"),
    (datatypes.process_or_group_name, "a:b", "Invalid name: 'a:b' because of character: ':'"),
    (datatypes.process_or_group_name, "a b", "Invalid name: 'a b' because of character: ' '"),
    (datatypes.process_or_group_name, "a/b", "Invalid name: 'a/b' because of character: '/'"),
    (datatypes.logging_level, "DEBG", "bad logging level name 'DEBG'"),
    (datatypes.signal_number, "FOO", "value 'FOO' is not a valid signal name"),
    (datatypes.signal_number, "99", "value '99' is not a valid signal number"),
    (datatypes.auto_restart, "x", "invalid 'autorestart' value 'x'"),
    (datatypes.name_to_uid, "nobodyxx", "Invalid user name nobodyxx"),
    (datatypes.name_to_uid, "-1", "Invalid user id -1"),
    (datatypes.name_to_uid, "4294967295", "Invalid user id 4294967295"),
    (datatypes.name_to_gid, "nobodyxx", "Invalid group name nobodyxx"),
    (datatypes.name_to_gid, "-1", "Invalid group id -1"),
    (datatypes.name_to_gid, "4294967295", "Invalid group id 4294967295"),
    (datatypes.colon_separated_user_group, "a:b:c", "Invalid user:group definition a:b:c"),
    (datatypes.colon_separated_user_group, "root:xx", "Invalid user:group definition root:xx"),
    (datatypes.existing_directory, "/missing", "/missing is not an existing directory"),
    (datatypes.activity_logfile, "/", "/ is a directory"),
    (
        datatypes.logfile_name,
        "/missing/x",
        "The directory named as part of the path /missing/x does not exist",
    ),
    (datatypes.inet_address, "x", "not a valid port number: 'x' "),
    (datatypes.inet_address, "host:" + "9" * 20, f"{'9' * 20} is above upper bound (65535)"),
    (datatypes.inet_address, "host:", "no port number specified in ''"),
    (datatypes.inet_address, "host:x", "invalid literal for int() with base 10: 'x'"),
    (datatypes.url, "x", "value 'x' is not a URL"),
    (datatypes.url, "unix://", "value 'unix://' is not a URL"),
    (datatypes.url, "//x", "value '//x' is not a URL"),
    (datatypes.dict_of_key_value_pairs, "A", "Unexpected end of key/value pairs in value 'A'"),
    (datatypes.dict_of_key_value_pairs, "A=", "Unexpected end of key/value pairs in value 'A='"),
    (
        datatypes.dict_of_key_value_pairs,
        "A=1 B=2",
        "Unexpected end of key/value pairs in value 'A=1 B=2'",
    ),
    (datatypes.dict_of_key_value_pairs, 'A="x', "No closing quotation"),
]


@pytest.mark.parametrize(("convert", "text", "value"), ACCEPTED)
def test_accepted(convert: Callable[..., Any], text: Any, value: Any) -> None:
    """The value, and its type: True is not 1."""
    assert convert(text) == value
    assert type(convert(text)) is type(value)


@pytest.mark.parametrize(("convert", "text", "message"), REFUSED)
def test_refused(convert: Callable[..., Any], text: Any, message: str) -> None:
    """A ValueError with the text that operators know."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        convert(text)
    assert str(caught.value) == message


@given(st.dictionaries(st.from_regex(r"[A-Z_]+", fullmatch=True), st.text(max_size=20)))
def test_quoted_values_survive(environment: dict[str, str]) -> None:
    """Double quotes and backslashes preserve any value."""
    quoted = {
        name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in environment.items()
    }
    text = ",".join(f'{name}="{value}"' for name, value in quoted.items())
    assert datatypes.dict_of_key_value_pairs(text) == environment


def test_home_directories_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tilde is the home directory of the daemon's user."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datatypes.existing_directory("~") == str(tmp_path)
    assert datatypes.logfile_name("~/x.log") == str(tmp_path / "x.log")


def test_exit_codes_are_a_new_list_each_time() -> None:
    """Configs are mutable; one program's list must not be another's."""
    assert datatypes.list_of_exitcodes("0") is not datatypes.list_of_exitcodes("0")


def test_a_number_without_a_user_that_is_a_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's group would have that number: membership in `docker`, say, without a word."""
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: grp.struct_group(("docker", "x", 987654, [])))
    with pytest.raises(ValueError, match="no such user, and a group has this number: 'docker'"):
        datatypes.name_to_uid("987654")


def test_own_login_group() -> None:
    """The group of a uid is the one that the user database gives."""
    user = pwd.getpwall()[-1]
    assert datatypes.gid_for_uid(user.pw_uid) == pwd.getpwuid(user.pw_uid).pw_gid


def test_socket_addresses_of_plugins() -> None:
    """An address with a port is TCP, everything else is a unix socket."""
    assert datatypes.SocketAddress("localhost:9001").address == ("localhost", 9001)
    assert datatypes.SocketAddress("/tmp/a:1").address == "/tmp/a:1"  # noqa: S108
