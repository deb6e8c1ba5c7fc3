"""Real configuration files, damaged in every way: each is read, or refused in one line.

The damage is seeded, so that what is found once is found again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.config.commandline import (
    ConfigurationError,
    read_client_configuration,
    read_server_configuration,
)
from tests.support.configs import HANDLER, uncommented_sample

TIMES = 12

FULL = f"""\
[DEFAULT]
user=root
[unix_http_server]
file=%(here)s/a.sock
[supervisord]
logfile=%(here)s/%(ENV_LOG)s.log
environment=A="1,2",B='say "x"'
identifier=a
[program:p]
command=/bin/sh -c 'echo "%(program_name)s"'
process_name=%(program_name)s_%(process_num)02d
numprocs=3
environment=PATH="/usr/bin:%(ENV_PATH)s",N="%(process_num)d"
stopsignal=USR1
exitcodes=0,2
[eventlistener:e]
command=a
events=TICK_5,PROCESS_STATE
{HANDLER}
[fcgi-program:f]
command=a
socket=tcp://localhost:9000
[group:g]
programs=p,f
[supervisorctl]
serverurl=unix://%(here)s/a.sock
[include]
files=included.conf *.missing
"""
INCLUDED = "[program:i]\ncommand=%(here)s/b ; comment\nstdout_logfile_maxbytes=1MB\n"

ODD_VALUES = [
    *["", "%", "%%", "%(", "%(here)s%", "%(nope)s", "%(process_num)", "%(here)d", "%s", "%*d"],
    *["'", '"', 'A="', "A=", "=", ",", ",,", ":", "/", "~", "\\", "[", "]", "[x]", ";", "#", "()"],
    *["-1", "0", "1e9", "0x10", "NaN", "inf", "9" * 40, "9" * 5000, "\u0661", "\u2028", "\x00"],
    *["x" * 100_000, "tcp://", "unix://", "a:b:c", "SIG", "~nobodyxx", "\x1b[1m", "a\n  b"],
]

Damage = Callable[[random.Random, list[bytes]], list[bytes]]


def a_line_less(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Delete a line."""
    del lines[dice.randrange(len(lines))]
    return lines


def a_line_twice(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Repeat a line elsewhere."""
    lines.insert(dice.randrange(len(lines)), dice.choice(lines))
    return lines


def lines_in_any_order(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Shuffle everything behind the first section's header."""
    rest = lines[1:]
    dice.shuffle(rest)
    return [*lines[:1], *rest]


def indented(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Make a line continue the one before."""
    return _changed(dice, lines, lambda line: b"  " + line)


def another_character(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Replace a character of a line."""
    character = bytes([dice.choice(b"%()[]=:;,'\"\\ \t\r0/~x")])

    def replaced(line: bytes) -> bytes:
        place = dice.randrange(len(line) + 1)
        return line[:place] + character + line[place + 1 :]

    return _changed(dice, lines, replaced)


def any_bytes(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Put bytes into a line that are rarely text."""
    return _changed(dice, lines, lambda line: line + dice.randbytes(3))


def a_nul(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Put a NUL into a line."""
    return _changed(dice, lines, lambda line: line.replace(b"a", b"\x00", 1))


def latin_1(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Put a letter into a line that is not UTF-8."""
    return _changed(dice, lines, lambda line: line + b"\xe9")


def an_odd_value(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Replace an option's value."""
    value = dice.choice(ODD_VALUES).encode()
    return _changed(dice, lines, lambda line: line.partition(b"=")[0] + b"=" + value)


def a_percent_sign_at_the_end(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Begin a field that does not end."""
    return _changed(dice, lines, lambda line: line + b"%")


def no_equal_sign(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Take the sign out of a line."""
    return _changed(dice, lines, lambda line: line.replace(b"=", b" "))


def no_end(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Cut the file off within a line."""
    kept = lines[: dice.randrange(1, len(lines))]
    return [*kept[:-1], kept[-1][: dice.randrange(len(kept[-1]) + 1)]]


def an_open_quote(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Begin an environment's value that does not end."""
    place = dice.randrange(1, len(lines))
    return [*lines[:place], dice.choice([b"environment=A='x", b'environment=A="'])]


DAMAGES: list[Damage] = [
    *[a_line_less, a_line_twice, lines_in_any_order, indented, another_character, any_bytes],
    *[a_nul, latin_1, an_odd_value, a_percent_sign_at_the_end, no_equal_sign, no_end],
    an_open_quote,
]


def _changed(
    dice: random.Random, lines: list[bytes], change: Callable[[bytes], bytes]
) -> list[bytes]:
    place = dice.randrange(len(lines))
    # A million processes, if that is what the number says, are what the user asked for.
    if not lines[place].startswith(b"numprocs"):
        lines[place] = change(lines[place])
    return lines


def outcomes(directory: Path, content: bytes) -> list[str]:
    """Read a file as daemon and as client do; return the messages, '' for none."""
    file = directory / "c.conf"
    file.write_bytes(content)
    (directory / "included.conf").write_text(INCLUDED, encoding="utf-8")
    said = []
    for read in (read_server_configuration, read_client_configuration):
        try:
            read(["-c", str(file)])
        except ConfigurationError as error:
            said.append(str(error))
        else:
            said.append("")
    return said


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable that `FULL` expands."""
    monkeypatch.setenv("LOG", "name")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("text", [FULL, uncommented_sample()], ids=["full", "sample"])
def test_the_undamaged_files(tmp_path: Path, text: str, end: bytes) -> None:
    """They are valid with both kinds of line ends, with and without a byte order mark."""
    content = text.encode().replace(b"\n", end)
    assert outcomes(tmp_path, content) == ["", ""]
    assert outcomes(tmp_path, b"\xef\xbb\xbf" + content) == ["", ""]


@pytest.mark.parametrize("text", [FULL, uncommented_sample()], ids=["full", "sample"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(tmp_path: Path, damage: Damage, text: str) -> None:
    """Each error is one line that names the file."""
    for seed in range(TIMES):
        dice = random.Random(seed)  # noqa: S311 - what it finds must be found again
        lines = damage(dice, text.encode().splitlines())
        for message in outcomes(tmp_path, b"\n".join(lines)):
            assert len(message.splitlines()) <= 1
            assert not message or f"'{tmp_path}/c.conf'" in message
