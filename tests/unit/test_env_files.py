"""Env files and the items of the options that name them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.env_files import (
    EnvFile,
    EnvFileError,
    SecretFile,
    parse_env_file,
    parse_envfiles,
    parse_passed_names,
    parse_secretfiles,
    passed_variables,
)
from tests.support.tables import assert_none

VALID = {
    b"": {},
    b"A=b": {"A": "b"},
    b"A=b\nC=d\n": {"A": "b", "C": "d"},
    b"A=b\r\nC=d\r\n": {"A": "b", "C": "d"},
    b"A=b\r": {"A": "b"},
    b"\xef\xbb\xbfA=b": {"A": "b"},
    b"\n \t\n# A=b\n  # c\nA=d\n": {"A": "d"},
    b"A=b\nA=c\n": {"A": "c"},
    b"A=\nB=": {"A": "", "B": ""},
    b" A = b c \n": {"A": "b c"},
    b"export A=b\n  export\tB=c\nexportC=d\nexport=e": {
        "A": "b",
        "B": "c",
        "exportC": "d",
        "export": "e",
    },
    b"A=b=c": {"A": "b=c"},
    b"a.b-c_D1=e": {"a.b-c_D1": "e"},
    # comments
    b"A=b # c": {"A": "b"},
    b"A=b\t#c": {"A": "b"},
    b"A=b#c": {"A": "b#c"},
    b"A=#c": {"A": "#c"},
    b"A= #c\nB=d": {"A": "", "B": "d"},
    b"A='b' # c\nB=\"d\"#e\nC='f'  \r\n": {"A": "b", "B": "d", "C": "f"},
    b"A='b # c'\nB=\" #\"": {"A": "b # c", "B": " #"},
    # quotes
    b"A=''\nB=\"\"": {"A": "", "B": ""},
    b"A= 'b' \nB = \"c\"": {"A": "b", "B": "c"},
    b"A=' b '": {"A": " b "},
    b"A='\\n$x\"\\'": {"A": '\\n$x"\\'},
    b'A="\\n\\r\\t\\"\\\\\\$\\x\\\'"': {"A": "\n\r\t\"\\$\\x\\'"},
    b'A="it\'s"': {"A": "it's"},
    b'A=it\'s\nB=say "x"': {"A": "it's", "B": 'say "x"'},
    b"A=b\\nc\\": {"A": "b\\nc\\"},
    b"A=$B ${C} $(d) `e`": {"A": "$B ${C} $(d) `e`"},
    b"A=\"b\nc\"\nD='e\r\nf\n'\nG=h": {"A": "b\nc", "D": "e\nf\n", "G": "h"},
    # bytes
    "A=ä\u2028b\x0bc\x85d".encode(): {"A": "ä\u2028b\x0bc\x85d"},
    b"A=\xff": {"A": "\udcff"},
}

NO_PAIR = "expected KEY=VALUE"
OPEN = "the quote is not closed"
BEHIND = "text behind the closing quote"

INVALID = {
    b"secret": f"1: {NO_PAIR}",
    b"A=b\n\nsecret\nC=d": f"3: {NO_PAIR}",
    b"A=b\r\nsecret": f"2: {NO_PAIR}",
    b"export secret": f"1: {NO_PAIR}",
    b"=secret": f"1: {NO_PAIR}",
    b"1A=secret": f"1: {NO_PAIR}",
    b"A B=secret": f"1: {NO_PAIR}",
    b"A: secret": f"1: {NO_PAIR}",
    "Ä=secret".encode(): f"1: {NO_PAIR}",
    b"A='secret": f"1: {OPEN}",
    b'\nA="secret\\"\nB=secret': f"2: {OPEN}",
    b"A='secret'secret": f"1: {BEHIND}",
    b'A="secret\nsecret" secret': f"2: {BEHIND}",
    b"A=b\nsecret\0": "2: null byte",
    "A=secret".encode("utf-16-le"): "1: null byte",
}


def parsed(data: bytes) -> object:
    """Return the variables, or the text of the error."""
    try:
        return parse_env_file(data)
    except EnvFileError as error:
        return str(error)


def test_lines() -> None:
    cases = {**VALID, **INVALID}
    assert_none(
        f"{data!r}: {found!r}, not {expected!r}"
        for data, expected in cases.items()
        if (found := parsed(data)) != expected
    )


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]*", fullmatch=True)


def quoted(value: str) -> str:
    """Write a value in double quotes, as `docker compose` escapes it."""
    for plain, escape in {"\\": r"\\", '"': r"\"", "$": r"\$", "\r": r"\r"}.items():
        value = value.replace(plain, escape)
    return f'"{value}"'


@given(st.dictionaries(NAMES, TEXT))
def test_any_value_in_double_quotes(variables: dict[str, str]) -> None:
    text = "\n".join(f"{name}={quoted(value)}" for name, value in variables.items())
    assert parse_env_file(text.encode()) == variables


@given(st.dictionaries(NAMES, TEXT.filter(lambda value: not {"'", "\r"} & set(value))))
def test_any_value_in_single_quotes(variables: dict[str, str]) -> None:
    text = "\n".join(f"export {name}='{value}' # c" for name, value in variables.items())
    assert parse_env_file(text.encode()) == variables


def test_a_large_file_is_parsed_in_linear_time() -> None:
    """Each of these lines is malformed, or nearly."""
    for part in (b"A='\n", b'A="\\"\n', b" ", b"A=b #", b'\\"', b"#\n"):
        parsed(b'B="' + part * 200_000)
        parsed(part * 200_000)


# -- items ----------------------------------------------------------------------


def result(parse: Callable[[str], object], text: str) -> object:
    """Return the parsed items, or the text of the error."""
    try:
        return parse(text)
    except ValueError as error:
        return str(error)


ITEMS: list[tuple[Callable[[str], object], str, object]] = [
    (
        parse_envfiles,
        "a.env,\n -b.env , - /c d",
        (EnvFile("a.env", False), EnvFile("b.env", True), EnvFile("/c d", True)),
    ),
    (parse_envfiles, "~/a.env", (EnvFile("/home/x/a.env", False),)),
    (parse_envfiles, "a,,b", "an item is empty in 'a,,b'"),
    (parse_envfiles, "a,", "an item is empty in 'a,'"),
    (parse_envfiles, "a, -", "no file behind '-' in 'a, -'"),
    (
        parse_secretfiles,
        "A:/x, B : ~/y:z",
        (SecretFile("A", "/x"), SecretFile("B", "/home/x/y:z")),
    ),
    (parse_secretfiles, "/x", "'/x' is not VARIABLE:FILE"),
    (parse_secretfiles, "A:", "'A:' is not VARIABLE:FILE"),
    (parse_secretfiles, ":/x", "':/x' is not VARIABLE:FILE"),
    (parse_secretfiles, "A B:/x", "'A B' is not the name of a variable"),
    (parse_secretfiles, "1A:/x", "'1A' is not the name of a variable"),
    (parse_secretfiles, "A:/x,A:/y", "'A' is set twice"),
    (parse_secretfiles, "A:/x,,", "an item is empty in 'A:/x,,'"),
    (parse_passed_names, "PATH, LC_*,*", ("PATH", "LC_*", "*")),
    (
        parse_passed_names,
        "A*B",
        "'A*B' is neither the name of a variable nor the start of one (A_*)",
    ),
    (
        parse_passed_names,
        "A=b",
        "'A=b' is neither the name of a variable nor the start of one (A_*)",
    ),
]


def test_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    assert_none(
        f"{text!r}: {found!r}, not {expected!r}"
        for parse, text, expected in ITEMS
        if (found := result(parse, text)) != expected
    )


def test_passed_variables() -> None:
    daemon = {"A": "1", "AB": "2", "B": "3"}
    assert_none(
        f"{names}: {found}"
        for names, expected in {
            (): "",
            ("A",): "A",
            ("A*",): "A AB",
            ("A*", "B"): "A AB B",
            ("*",): "A AB B",
            ("AB*", "NONE"): "AB",
        }.items()
        if (found := " ".join(passed_variables(daemon, names))) != expected
    )
