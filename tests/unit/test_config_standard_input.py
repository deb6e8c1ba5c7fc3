"""A configuration on standard input: `-c -`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.config import standard_input
from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import Configuration

TEXT = "[supervisord]\nidentifier=%(here)s\n[program:x]\ncommand=cat\n"


class Input:
    """A standard input that a test may replace."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self._monkeypatch = monkeypatch
        self._path = path
        self._fds: list[int] = []

    def put(self, content: bytes) -> None:
        """Replace it by a file with this content."""
        self._path.write_bytes(content)
        self.open(os.open(self._path, os.O_RDONLY))

    def open(self, fd: int) -> None:
        """Replace it by what an fd refers to."""
        self._fds.append(fd)
        self._monkeypatch.setattr(standard_input, "STDIN_FD", fd)
        standard_input.standard_input.cache_clear()

    def close(self) -> None:
        """Close all of them."""
        standard_input.standard_input.cache_clear()
        for fd in self._fds:
            os.close(fd)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Input]:
    """An input, read in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    made = Input(monkeypatch, tmp_path / "input")
    yield made
    made.close()


def read(file: str | None = None) -> Configuration:
    """Read the configuration as the daemon does."""
    return read_server_configuration(["-c", "-"], file=file)


def error() -> str:
    """Return the error of reading."""
    with pytest.raises(ConfigurationError) as raised:
        read()
    return str(raised.value)


def test_the_text_is_kept_for_further_readings(
    stdin: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in another directory, where a daemon in the background may be by then."""
    stdin.put(b"\xef\xbb\xbf" + TEXT.encode())
    first = read()
    assert first.settings.configfile == "<stdin>"
    assert first.settings.here == first.settings.identifier == str(tmp_path)
    logfile = first.settings.logfile
    monkeypatch.chdir("/")
    for file in (None, first.settings.configfile):
        again = read(file)
        assert again.settings.identifier == str(tmp_path)
        assert again.groups == first.groups
    assert logfile == str(tmp_path / "supervisord.log")
    assert first.groups[0].process_configs[0].place == ("<stdin>", 3)


def test_files_are_included_from_the_current_directory(stdin: Input, tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("[program:more]\ncommand=cat\n", encoding="utf-8")
    stdin.put(f"{TEXT}[include]\nfiles=*.conf\n".encode())
    assert [group.name for group in read().groups] == ["more", "x"]


def test_another_file_may_be_assigned(stdin: Input, tmp_path: Path) -> None:
    """As plugins do with `options.configfile`."""
    stdin.put(TEXT.encode())
    other = tmp_path / "other.conf"
    other.write_text("[supervisord]\nidentifier=other\n", encoding="utf-8")
    assert read(str(other)).settings.identifier == "other"


def test_a_file_may_still_have_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_text("[supervisord]\nidentifier=dash\n", encoding="utf-8")
    assert read_server_configuration(["-c", "./-"]).settings.identifier == "dash"


def test_input_that_cannot_be_used_is_one_line(
    stdin: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard_input, "MAX_BYTES", 100_000)
    section = "in section 'supervisord' (file: '<stdin>')"
    lines = {
        b"": "standard input is empty (file: '<stdin>')",
        b"# nothing\n": ".ini file does not include supervisord section (file: '<stdin>')",
        b"\x7fELF\x02\x01\n": "File contains no section headers.; file: '<stdin>', line: 1; "
        "'\\x7fELF\\x02\\x01\\n'",
        b"[supervisord]\n\xff\xfe": "'utf-8' codec can't decode byte 0xff in position 14: "
        "invalid start byte in line 2 (file: '<stdin>')",
        b"[supervisord]\nidentifier=\0\n": f"null byte in '\\x00' {section}, option 'identifier'",
        b"[supervisord]\nminfds=x\n": "invalid literal for int() with base 10: 'x' "
        f"{section}, option 'minfds'",
        b"#" * 100_001: "more than 100000 bytes (file: '<stdin>')",
    }
    found = {}
    for content in lines:
        stdin.put(content)
        found[content] = error()
    assert found == lines


def test_a_directory_is_one_line(stdin: Input) -> None:
    stdin.open(os.open("/", os.O_RDONLY))
    assert error() == "could not read standard input: Is a directory"


def test_a_directory_that_no_longer_exists_is_one_line(
    stdin: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin.put(TEXT.encode())
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert error().endswith("a working directory that no longer exists")


def test_a_pipe_that_is_not_blocking(stdin: Input, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer is slower than the daemon."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stdin.open(reader)
    waits = []

    def select(fds: list[int], *_others: object) -> None:
        waits.append(fds)
        os.write(writer, TEXT.encode())
        os.close(writer)

    monkeypatch.setattr("select.select", select)
    assert read().groups[0].name == "x"
    assert waits == [[reader]]
