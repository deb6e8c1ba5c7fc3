"""No configuration, however odd, ends in anything but a result or one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from supervisor.config import schema
from supervisor.config.commandline import (
    CLIENT_OPTIONS,
    ConfigurationError,
    parse_arguments,
    read_client_configuration,
    server_options,
)
from tests.support.configs import HANDLER, read

# What an option's section needs beside it.
NEEDED = {
    "program:x": "command=a\n",
    "unix_http_server": "file=a\n",
    "inet_http_server": "port=1\n",
    "eventlistener:x": f"command=a\nevents=TICK\n{HANDLER}",
    "fcgi-program:x": "command=a\nsocket=unix:///a\n",
    "rpcinterface:x": "supervisor.rpcinterface_factory=os:getpid\n",
}
# Importing a random name, or making a million processes, is what the user asked for.
LEFT_ALONE = {
    *("result_handler", "supervisor.rpcinterface_factory", "supervisor.ctl_factory"),
    *("numprocs", "files"),
}
OPTIONS = [
    (section, option.name)
    for section, options in schema.SECTIONS.items()
    for option in options
    if option.name not in LEFT_ALONE
]
INTERESTING = st.sampled_from(
    [
        "%",
        "%(",
        "%(here)s",
        "%(nope)s",
        "'",
        '"',
        "\\",
        "~",
        "~x",
        "\x00",
        "9" * 30,
        "9" * 5000,
        "-1",
        "tcp://",
        "unix://",
        "a:b",
        "SIG",
        "=",
        ",",
        "root",
        "kb",
        "\u2028",
    ]
)
TEXT = st.lists(st.one_of(INTERESTING, st.text(max_size=8)), max_size=4).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(OPTIONS), value=TEXT)
@example(where=("supervisord", "user"), value="9" * 30)
@example(where=("program:x", "stopsignal"), value="SIG")
def test_any_value(tmp_path: Path, where: tuple[str, str], value: str) -> None:
    """Each option takes a value or refuses it."""
    section, option = where
    head = "" if section == "supervisord" else f"[{section}]\n{NEEDED.get(section, '')}"
    try:
        read(tmp_path, f"{head}{option}={value}\n")
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(TEXT, st.lists(TEXT, max_size=5).map("\n".join)), raw=st.binary(max_size=50))
def test_any_file(tmp_path: Path, text: str, raw: bytes) -> None:
    """A file with any syntax and encoding is read or refused."""
    for content in (text.encode(), raw):
        file = tmp_path / "c.conf"
        file.write_bytes(b"[supervisorctl]\n" + content)
        with pytest.raises(ConfigurationError):
            read(tmp_path, "minfds=x\n" + content.decode(errors="replace"))
        try:
            assert read_client_configuration(["-c", str(file)]).args == []
        except ConfigurationError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@given(st.lists(st.one_of(TEXT, st.sampled_from(["-c", "-y", "-nk", "--log", "--", "-z5"]))))
def test_any_arguments(arguments: list[str]) -> None:
    """Command lines are taken or refused; none asks for the help here."""
    arguments = [text for text in arguments if not text.startswith(("-h", "--h", "-v", "--v"))]
    for options in (server_options(), CLIENT_OPTIONS):
        silent = tuple(option for option in options if option.name not in ("help", "version"))
        try:
            values, _ = parse_arguments(silent, arguments, "", only_options=False)
        except ConfigurationError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert values.keys() <= {option.name for option in silent}
