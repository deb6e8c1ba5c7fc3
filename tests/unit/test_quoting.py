"""Quotes in `environment=`: they are those of the file, not of what its fields expand to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.config.model import ProcessConfig
from supervisor.config.parser import ConfigurationError, UnhosedConfigParser
from supervisor.config.programs import processes_from_section
from tests.support.configs import read

AWKWARD = (
    *("", "plain", "a\\b", "abc\\", 'p"w', "p'w", '"q"', "'q'", "a b", "1,C=2", "a=b", "a;b"),
    *("a#b", "50%", "%(here)s", "日本", "\udcff", "a\nb", "\t", "$x", "-", "x,"),
)


def values_of(text: str, **variables: str) -> dict[str, str]:
    """Return what `environment=` of a program gives, with these variables around."""
    parser = UnhosedConfigParser()
    parser.read_dict({"program:p": {"command": "a", "environment": text}})
    parser.expansions = {f"ENV_{name}": value for name, value in variables.items()}
    (config,) = processes_from_section(parser, "program:p", "p", ProcessConfig)
    return config.environment


def with_examples(test: object) -> object:
    """Try all awkward values as well."""
    for value in AWKWARD:
        test = example(value=value)(test)  # type: ignore[arg-type]
    return test


@with_examples
@given(value=st.binary(max_size=30).map(os.fsdecode).filter(lambda value: "\0" not in value))
def test_a_variable_arrives_byte_for_byte(value: str) -> None:
    """In either kind of quotes and without any, alone and beside other text and pairs."""
    text = (
        """A="%(ENV_X)s",B='%(ENV_X)s',C=%(ENV_X)s,D="say %(ENV_X)s, 50%%",E=x%(ENV_X)s/y,"""
        """F=%(ENV_X)s"""
    )
    assert values_of(text, X=value) == {
        "A": value,
        "B": value,
        "C": value,
        "D": f"say {value}, 50%",
        "E": f"x{value}/y",
        "F": value,
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%(ENV_PAIRS)s", {"B": "2, 3", "C": "4"}),
        ("A=1,%(ENV_PAIRS)s", {"A": "1", "B": "2, 3", "C": "4"}),
        ("%(ENV_PAIRS)s,A=1", {"B": "2, 3", "C": "4", "A": "1"}),
        ("%(ENV_NAME)s=1,MY_%(ENV_NAME)s=2", {"N-1": "1", "MY_N-1": "2"}),
        ("%(program_name)s=%(program_name)s", {"p": "p"}),
        ("A%(ENV_IS)s1", {"A": "1"}),
        ("%(ENV_NOTHING)s", {}),
        ("A=%(ENV_Q).2s,B='%(ENV_Q)5s',C=%(ENV_Q)r", {"A": 'a"', "B": '  a"b', "C": 'a"b'}),
        ("A=%(process_num)03d,B=%(group_name)s", {"A": "000", "B": "p"}),
        ("A=日本,B=é", {"A": "日本", "B": "é"}),
    ],
)
def test_what_is_no_value_is_read_as_if_it_stood_in_the_file(
    text: str, found: dict[str, str]
) -> None:
    """Names, and whole pairs, may come from a variable; fields may have a width."""
    variables = {"PAIRS": 'B="2, 3",C=4', "NAME": "N-1", "IS": "=", "NOTHING": "", "Q": 'a"b'}
    assert values_of(text, **variables) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=%(ENV_X)s B", """Unexpected end of key/value pairs in value 'A=a"b B C'"""),
        ("%(ENV_X)s", "No closing quotation"),
        ("A=%(ENV_Y)s", "Format string 'A=%(ENV_Y)s' for 'environment' contains names"),
        ("A=%(ENV_X)d", "Format string 'A=%(ENV_X)d' for 'environment' is badly formatted: "),
    ],
)
def test_mistakes_show_the_text_as_it_was_read(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        values_of(text.replace(" B", " B C"), X='a"b')
    assert message in str(caught.value)
    assert " str" in str(caught.value) or "%d format" not in str(caught.value)


def test_all_programs_have_the_value_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through `[supervisord] environment`, and from there into a program's own."""
    monkeypatch.setenv("Q", 'a\\b"c')
    text = """environment=Y="%(ENV_Q)s"\n[program:p]\ncommand=a\nenvironment=Z="%(ENV_Y)s"\n"""
    (group,) = read(tmp_path, text).groups
    environment = group.process_configs[0].environment
    assert environment["Y"] == environment["Z"] == 'a\\b"c'


@pytest.mark.parametrize("include", ["", "[include]\nfiles=*.ini\n"])
def test_here_may_be_an_awkward_directory(tmp_path: Path, include: str) -> None:
    """With an `[include]` the directory is put into all files before anything is read."""
    directory = tmp_path / 'a"b\\c, 50% d'
    directory.mkdir()
    program = '[program:{}]\ncommand=a\nenvironment=A=%(here)s,B="%(here)s/x"\n'
    (directory / "more.ini").write_text(program.format("more"), encoding="utf-8")
    groups = read(directory, include + program.format("main")).groups
    assert len(groups) == 1 + bool(include)
    for group in groups:
        environment = group.process_configs[0].environment
        assert environment == {"A": str(directory), "B": f"{directory}/x"}
