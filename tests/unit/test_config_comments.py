"""The error for an unbalanced quote names the comment that caused it, if one did."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.parser import ConfigurationError
from supervisor.config.settings import Source, read
from supervisor.engine import posix
from supervisor.process.plan import resolve_command

HINT = "; ' ;' begins a comment, also inside quotes (fix: remove the blank before ';')"


def config_file(directory: Path, text: str) -> str:
    """Return the path of a file with a program."""
    file = directory / "c.conf"
    file.write_text(f"[supervisord]\n{text}\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("lines", "value", "hint"),
    [
        (
            "command = bash -c 'while : ; do sleep 1; done'",
            "bash -c 'while :",
            HINT,
        ),
        ('COMMAND: sh -c "a\t; b"', 'sh -c "a', HINT),
        ("command=sh -c 'a # b'", "sh -c 'a", HINT.replace(";'", "#'")),
        ("command=sh -c\n  'a ; b'", "sh -c\n'a", HINT),
        ("command=/bin/cat\ncommand=sh -c 'a ; b'", "sh -c 'a", HINT),
        ("command=sh -c 'a;b", "sh -c 'a;b", ""),
        ("command=sh -c 'a  ; a comment", "sh -c 'a", ""),
        ("command=sh -c 'a\nstdout_logfile=/dev/null ; it's nothing", "sh -c 'a", ""),
        ("command=sh -c 'a\n[program:y]\ncommand=b ; it's another", "sh -c 'a", ""),
    ],
)
def test_an_unbalanced_quote_in_a_command(
    tmp_path: Path, lines: str, value: str, hint: str
) -> None:
    file = config_file(tmp_path, f"[program:x]\n{lines}")
    [config] = read(Source(file), {}).groups[0].process_configs
    with pytest.raises(posix.BadCommand) as caught:
        resolve_command(config)
    assert str(caught.value) == f"can't parse command {value!r}: No closing quotation{hint}"


def test_a_command_in_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "more.ini").write_text("[program:x]\ncommand=sh -c 'a ; b'\n", encoding="utf-8")
    file = config_file(tmp_path, "[include]\nfiles=*.ini")
    [config] = read(Source(file), {}).groups[0].process_configs
    assert config.command_hint == HINT


@pytest.mark.parametrize("command", ["sh -c 'a; b' ; it's a comment", "sh -c \"it's\" # don't"])
def test_a_command_that_is_whole(tmp_path: Path, command: str) -> None:
    file = config_file(tmp_path, f"[program:x]\ncommand={command}")
    [config] = read(Source(file), {}).groups[0].process_configs
    assert config.command_hint == ""


def test_an_unbalanced_quote_in_another_option(tmp_path: Path) -> None:
    file = config_file(tmp_path, 'environment=A="x ; y"\n[program:x]\ncommand=/bin/cat')
    with pytest.raises(ConfigurationError) as caught:
        read(Source(file), {})
    assert str(caught.value) == (
        f"No closing quotation{HINT} in section 'supervisord' (file: {file!r}),"
        " option 'environment'"
    )
