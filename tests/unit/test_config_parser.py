"""The INI reader: comments, duplicates, expansion, includes, and where things stand."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.includes import read_includes
from supervisor.config.parser import (
    PERCENT_HINT,
    ConfigurationError,
    UnhosedConfigParser,
    expand,
    read_file,
)


def parsed(text: str) -> UnhosedConfigParser:
    """Return a parser that has read a text."""
    parser = UnhosedConfigParser()
    parser.read_string(text, "a.conf")
    return parser


def written(directory: Path, **files: str) -> UnhosedConfigParser:
    """Write files called NAME.conf and return a parser that has read main.conf."""
    for name, text in files.items():
        (directory / f"{name}.conf").write_text(text, encoding="utf-8")
    parser = UnhosedConfigParser()
    parser.read(str(directory / "main.conf"))
    parser.here = str(directory)
    return parser


# -- expand


def test_names_are_filled_in() -> None:
    """Fields are those of the percent operator, with its flags and widths."""
    assert expand("%(a)s-%(b)02d 50%%", {"a": "x", "b": 3}, "n") == "x-03 50%"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "a%(y)s",
            (
                "Format string 'a%(y)s' for 'n' contains names ('y') which cannot be expanded. "
                "Available names: ENV_B, a"
            ),
        ),
        (
            "50%",
            f"Format string '50%' for 'n' is badly formatted: incomplete format{PERCENT_HINT}",
        ),
        (
            "%(a",
            f"Format string '%(a' for 'n' is badly formatted: incomplete format key{PERCENT_HINT}",
        ),
        (
            "%(a)d",
            (
                "Format string '%(a)d' for 'n' is badly formatted: "
                f"%d format: a real number is required, not str{PERCENT_HINT}"
            ),
        ),
    ],
)
def test_what_cannot_be_filled_in(value: str, message: str) -> None:
    """The message names the text, the option and, sorted, the names there are."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        expand(value, {"a": "1", "ENV_B": "2"}, "n")
    assert str(caught.value) == message


@given(st.text())
def test_any_text_expands_or_is_refused(value: str) -> None:
    """No value brings anything but a ValueError upon the reader."""
    try:
        assert isinstance(expand(value, {"here": "/"}, "n"), str)
    except ValueError as error:
        assert repr(value) in str(error)  # noqa: PT017 - either outcome is right


# -- the parser as plugins use it


def test_comments_begin_after_a_blank() -> None:
    """A semicolon within a word belongs to the value."""
    parser = parsed("[a]\nb=1;2 ; three\nc=4\t# five\n;d=6\n")
    assert dict(parser.items("a")) == {"b": "1;2", "c": "4"}


def test_duplicate_sections_are_merged() -> None:
    """The last definition wins, option by option, in upper or lower case."""
    parser = parsed("[a]\nb=1\nc=2\n[a]\nB=3\n")
    assert dict(parser.items("a")) == {"b": "3", "c": "2"}


def test_saneget() -> None:
    """Options are expanded with the parser's names and the caller's."""
    parser = parsed("[a]\nb=%(x)s %(y)s\n")
    parser.expansions = {"x": 1}
    assert parser.saneget("a", "b", expansions={"y": 2}) == "1 2"
    assert parser.saneget("a", "b", do_expand=False) == "%(x)s %(y)s"
    assert parser.saneget("a", "nope", 5) == 5
    assert parser.saneget("a", "nope", "%(x)s") == "1"
    with pytest.raises(ValueError, match=r"for 'a\.b' contains names \('y'\)"):
        parser.saneget("a", "b")
    with pytest.raises(configparser.NoOptionError):
        parser.saneget("a", "nope")
    with pytest.raises(configparser.NoSectionError):
        parser.saneget("nope", "b", 5)


def test_getdefault_reads_the_main_section() -> None:
    """A subclass or an assignment selects that section."""
    parser = parsed("[mine]\nb=%(x)s\n")
    parser.mysection = "mine"
    assert parser.getdefault("b", expansions={"x": 1}) == "1"
    assert parser.getdefault("b", do_expand=False) == "%(x)s"
    assert parser.getdefault("c", 2) == 2


def test_expand_here_replaces_text() -> None:
    """A doubled percent sign protects, and one in the path does no harm."""
    parser = parsed("[DEFAULT]\nd=%(here)s\n[a]\nb=%(here)s/x %(y)s\nc=%%(here)s\n")
    parser.expand_here("/50%")
    section = parser.section("a", y=1, here="wrong")
    assert [section.value(option) for option in "bcd"] == ["/50%/x 1", "%(here)s", "/50%"]


def test_sections_know_their_first_file(tmp_path: Path) -> None:
    """Errors name the file in which a section begins."""
    parser = written(tmp_path, main="[a]\nb=1\n")
    parser.read_string("[a]\nb=2\n[c]\nd=1\n", "other")
    assert parser.file_of("a") == parser.file_of("a", "b") == f"{tmp_path}/main.conf"
    assert str(parser.section("c").error("m", "d")) == (
        "m in section 'c' (file: 'other'), option 'd'"
    )


def test_files_that_cannot_be_opened_are_left_out(tmp_path: Path) -> None:
    """As with configparser, the names of the files that were read are returned."""
    parser = UnhosedConfigParser()
    (tmp_path / "a.conf").write_text("[a]\n", encoding="utf-8")
    assert parser.read([str(tmp_path / "a.conf"), str(tmp_path / "nope")]) == [
        str(tmp_path / "a.conf")
    ]


# -- includes


def test_included_files_are_read_in_order(tmp_path: Path) -> None:
    """Patterns in their order, what each matches by name; relative to the including file."""
    parser = written(
        tmp_path,
        main="[include]\nfiles=z*.conf [ab].conf\n[p]\nx=%(here)s\n",
        a="[p]\nwho=a\n",
        b="[p]\nwho=b\n",
        z="[p]\nwho=z\nalso=z\n",
    )
    read_includes(parser)
    assert parser.warnings == []
    assert parser.infos == [
        f'Included extra file "{tmp_path}/{name}.conf" during parsing' for name in "zab"
    ]
    assert dict(parser.items("p")) == {"x": str(tmp_path), "who": "b", "also": "z"}


def test_here_is_the_directory_of_the_file(tmp_path: Path) -> None:
    """In an included file it is that file's directory."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "q.conf").write_text("[q]\nx=%(here)s\n", encoding="utf-8")
    parser = written(tmp_path, main="[include]\nfiles=sub/*\n[p]\nx=%(here)s\n")
    read_includes(parser)
    assert parser.section("p").value("x") == str(tmp_path)
    assert parser.section("q").value("x") == str(tmp_path / "sub")


def test_patterns_that_match_nothing_are_a_warning(tmp_path: Path) -> None:
    """An empty conf.d is no mistake."""
    parser = written(tmp_path, main="[include]\nfiles=conf.d/*.conf\n")
    read_includes(parser)
    assert parser.warnings == [f'No file matches via include "{tmp_path}/conf.d/*.conf"']


def test_includes_of_included_files_are_ignored(tmp_path: Path) -> None:
    """There is one level of includes."""
    parser = written(
        tmp_path,
        main="[include]\nfiles=a.conf\n",
        a="[include]\nfiles=b.conf\n",
        b="[b]\n",
    )
    read_includes(parser)
    assert not parser.has_section("b")


def test_defaults_of_included_files_are_defaults_of_all(tmp_path: Path) -> None:
    """They do not replace the section's own options."""
    parser = written(
        tmp_path,
        main="[include]\nfiles=a.conf\n[p]\nx=main\n",
        a="[DEFAULT]\nx=default\ny=%(here)s\n[p]\nz=1\n[q]\n",
    )
    read_includes(parser)
    assert dict(parser.items("p")) == {"x": "main", "y": str(tmp_path), "z": "1"}
    assert dict(parser.items("q")) == {"x": "default", "y": str(tmp_path)}


def test_options_of_included_files_have_their_place(tmp_path: Path) -> None:
    """A section is in the file where it begins, an option in the last file that sets it."""
    parser = written(
        tmp_path,
        main="[include]\nfiles=a.conf b.conf\n[p]\nx=1\ny=1\nz=1\n",
        a="[p]\ny=2\nz=2\n[q]\n",
        b="[DEFAULT]\ny=3\nd=3\n[p]\nz=3\n",
    )
    read_includes(parser)
    asked = {"p": [None, "x", "y", "z", "d", "missing"], "q": [None, "d"]}
    stand = [
        Path(parser.file_of(section, option) or "").stem
        for section, options in asked.items()
        for option in options
    ]
    assert stand == ["main", "main", "a", "b", "b", "main", "a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo\n", "File contains no section headers.; file: 'DIR/a.conf', line: 1; 'foo\\n'"),
        (
            "[a]\nfoo = \udce9\n",
            (
                "'utf-8' codec can't decode byte 0xe9 in position 10: invalid continuation byte"
                " in line 2 (file: 'DIR/a.conf')"
            ),
        ),
        (None, "could not read config file DIR/a.conf: No such device or address"),
    ],
)
def test_included_files_that_are_broken(tmp_path: Path, text: str | None, message: str) -> None:
    """The message is about that file; one that cannot be opened is a socket here."""
    parser = written(tmp_path, main="[include]\nfiles=*a.conf\n")
    if text is None:
        with contextlib.chdir(tmp_path), socket.socket(socket.AF_UNIX) as listener:
            listener.bind("a.conf")
    else:
        (tmp_path / "a.conf").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as caught:
        read_includes(parser)
    assert str(caught.value).replace(str(tmp_path), "DIR") == message


def test_directories_and_dangling_links_are_passed_over(tmp_path: Path) -> None:
    """As in 4.3.0, where `conf.d/*` may match anything."""
    (tmp_path / "a.d").mkdir()
    (tmp_path / "b.d").symlink_to("nowhere")
    parser = written(tmp_path, main="[include]\nfiles=*.d\n")
    read_includes(parser)
    assert parser.sections() == ["include"]


def test_the_directory_may_look_like_a_pattern(tmp_path: Path) -> None:
    """Brackets in the including file's own directory are no wildcards."""
    directory = tmp_path / "[x]"
    directory.mkdir()
    parser = written(directory, main="[include]\nfiles=a*.conf\n", a="[a]\n")
    read_includes(parser)
    assert parser.has_section("a")


@pytest.mark.parametrize(("kind", "reason"), [("fifo", "a fifo"), ("zero", "a device")])
def test_an_included_file_that_is_none(tmp_path: Path, kind: str, reason: str) -> None:
    """A fifo without a writer is not waited for, and an endless device is not read."""
    parser = written(tmp_path, main="[include]\nfiles=conf.d/*\n")
    (tmp_path / "conf.d").mkdir()
    if kind == "fifo":
        os.mkfifo(tmp_path / "conf.d/fifo")
    else:
        (tmp_path / "conf.d/zero").symlink_to("/dev/zero")
    text = f"could not read config file {tmp_path}/conf.d/{kind}: it is {reason}"
    with pytest.raises(ConfigurationError, match=f"^{re.escape(text)}$"):
        read_includes(parser)


def test_an_included_file_may_be_masked(tmp_path: Path) -> None:
    """A link to /dev/null is an empty file."""
    parser = written(tmp_path, main="[include]\nfiles=*.masked\n")
    (tmp_path / "a.masked").symlink_to(os.devnull)
    read_includes(parser)
    assert parser.sections() == ["include"]


def test_an_include_needs_files(tmp_path: Path) -> None:
    """The section without its option is a mistake; without the section there is nothing to do."""
    with pytest.raises(ValueError, match="has \\[include\\] section, but no files setting"):
        read_includes(written(tmp_path, main="[include]\n"))
    parser = written(tmp_path, main="[a]\n")
    read_includes(parser)
    assert parser.infos == parser.warnings == []


def test_the_place_of_a_section(directory: Path) -> None:
    """Its first definition, in the main file or an included one."""
    included = directory / "web.ini"
    included.write_text("# first line\n[program:web]\ncommand=/bin/cat\n[program:db]\nx=1\n")
    main = directory / "a.conf"
    main.write_text("[supervisord]\n\n[program:db]\n[include]\nfiles=web.ini\n")
    parser = UnhosedConfigParser()
    parser.here = str(directory)
    read_file(parser, str(main))
    read_includes(parser)
    assert parser.place_of("program:db") == (str(main), 3)
    assert parser.place_of("program:web") == (str(included), 2)
    assert parser.place_of("program:nope") == ("", 0)
