"""Changes of the configuration files after they were read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.config.file_stamps import have_changed, stamps_of
from supervisor.options import ServerOptions
from tests.support.tables import assert_none

CONFIG = "[supervisord]\n[include]\nfiles = conf.d/*.conf\n"
PROGRAM = "[program:x]\ncommand=/bin/true\n"


def write_later(path: Path, text: str) -> None:
    """Write a file whose time differs from that of before also where times are coarse."""
    path.write_text(text, encoding="ascii")
    os.utime(path, (1, 1))


def replace(path: Path) -> None:
    new = path.with_suffix(".new")
    write_later(new, PROGRAM)
    new.replace(path)


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda _: None, False),
    "main file": (lambda folder: write_later(folder / "supervisord.conf", CONFIG), True),
    "included file": (lambda folder: write_later(folder / "conf.d/a.conf", PROGRAM), True),
    "replaced": (lambda folder: replace(folder / "conf.d/a.conf"), True),
    "removed": (lambda folder: (folder / "conf.d/a.conf").unlink(), True),
    "added": (lambda folder: write_later(folder / "conf.d/b.conf", ""), True),
    "another file": (lambda folder: write_later(folder / "unrelated", ""), False),
}


def test_changes_are_noticed(directory: Path) -> None:
    def different() -> Iterator[str]:
        for name, (change, expected) in CHANGES.items():
            folder = directory / name
            (folder / "conf.d").mkdir(parents=True)
            config = folder / "supervisord.conf"
            config.write_text(CONFIG, encoding="ascii")
            (folder / "conf.d/a.conf").write_text(PROGRAM, encoding="ascii")
            os.utime(folder / "conf.d", (2, 2))
            options = ServerOptions()
            options.realize(["-c", str(config)])
            change(folder)
            if have_changed(options.file_stamps) is not expected:
                yield name

    assert_none(different())


def test_a_file_that_may_not_be_seen_any_more_counts_as_unchanged(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = stamps_of([str(directory / "missing"), str(directory)])
    assert [path for path, _ in stamps] == [str(directory)]

    def refuse(_path: str) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "stat", refuse)
    assert not have_changed(stamps)
