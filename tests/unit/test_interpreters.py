"""Interpreters: found as the kernel finds them, and named if they do not exist."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from supervisor.process import interpreters
from supervisor.process.interpreters import script_interpreter
from tests.support.tables import assert_none


def elf(loader: bytes, bits: int = 64, order: str = "<") -> bytes:
    """Return a binary with two program headers; the second one names its loader."""
    is_wide = bits == 64
    head = struct.Struct(
        order + ("4s5B7x HHI QQQ IHHHHHH" if is_wide else "4s5B7x HHI III IHHHHHH")
    )
    size = 56 if is_wide else 32
    at = head.size + 2 * size
    ident = (b"\x7fELF", 2 if is_wide else 1, 1 if order == "<" else 2, 1, 0, 0)
    whole = head.pack(*ident, 2, 62, 1, 0, head.size, 0, 0, head.size, size, 2, 0, 0, 0)
    for kind in (1, 3):
        if is_wide:
            whole += struct.pack(f"{order}IIQQQQQQ", kind, 4, at, 0, 0, len(loader), 0, 1)
        else:
            whole += struct.pack(f"{order}IIIIIIII", kind, at, 0, 0, len(loader), 0, 4, 1)
    return whole + loader


SCRIPTS = {
    b"": None,
    b"echo": None,
    b"#!": None,
    b"#!\n/bin/sh": None,
    b"#!/bin/sh": "/bin/sh",
    b"#!/bin/sh\n": "/bin/sh",
    b"#! \t/bin/sh -e\n": "/bin/sh",
    b"#!/bin/sh\t-e\n": "/bin/sh",
    b"#!/bin/sh\r\n": "/bin/sh\r",
    b"#!/usr/bin/env sh\r\n": "/usr/bin/env",
    b"#!/bin/\x0bsh\n": "/bin/\x0bsh",
    b"#!/bin/sh\0-e\n": "/bin/sh",
    b"#!/\xff\n": "/\udcff",
}


def test_the_interpreter_of_a_script() -> None:
    assert_none(
        f"{head!r}: {found!r}"
        for head, expected in SCRIPTS.items()
        if (found := script_interpreter(head)) != expected
    )


MISSING = {
    "a file without an interpreter": (b"echo", None),
    "no interpreter line": (b"#!\n", None),
    "an interpreter that exists": (b"#!/bin/sh\n", None),
    "a script": (b"#!/no/sh -e\n", "/no/sh"),
    "CR LF": (b"#!/bin/sh\r\n", "/bin/sh\r"),
    "a relative interpreter": (b"#!no/sh\n", "no/sh"),
    "a relative interpreter that exists": (b"#!program\n", None),
    "a script for a script": (b"#!{directory}/second\n", "/no/such/python"),
    "a dangling symlink": (b"#!{directory}/dangling\n", "{directory}/dangling"),
    "a binary": (elf(b"/lib/ld-musl-nowhere.so.1\0"), "/lib/ld-musl-nowhere.so.1"),
    "one of 32 bits": (elf(b"/lib/ld-none.so\0", 32), "/lib/ld-none.so"),
    "a big-endian one": (elf(b"/lib/ld-none.so\0", order=">"), "/lib/ld-none.so"),
    "a big-endian one of 32 bits": (elf(b"/lib/ld-none.so\0", 32, ">"), "/lib/ld-none.so"),
    "a truncated binary": (elf(b"")[:-90], None),
    "a binary of an unknown class": (b"\x7fELF\x09" + bytes(60), None),
    "a binary without sizes": (b"\x7fELF\x02\x01" + b"\xff" * 48 + bytes(4), None),
    "the head of a binary": (b"\x7fELF", None),
}


def test_interpreters_that_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("#!/no/such/python\n")
    (tmp_path / "dangling").symlink_to("nowhere")
    program = tmp_path / "program"
    mistakes = []
    for name, (content, expected) in MISSING.items():
        program.write_bytes(content.replace(b"{directory}", os.fsencode(tmp_path)))
        found = interpreters._missing_interpreter("program", str(tmp_path))
        if found != (expected and expected.format(directory=tmp_path)):
            mistakes.append(f"{name}: {found!r}")
    assert_none(mistakes)


@pytest.mark.parametrize("path", [sys.executable, "/bin/sh"])
def test_the_loader_of_a_real_binary_exists(path: str) -> None:
    assert os.path.exists(interpreters._interpreter(path) or "")


def test_an_interpreter_of_itself_ends(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{program}\n")
    assert interpreters._missing_interpreter(str(program), "") is None
