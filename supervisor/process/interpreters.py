"""The interpreter of an executable: of a script, or the dynamic loader of a binary.

`launchers` follows the interpreters of scripts to choose a launcher.  Both launchers name an
interpreter that does not exist: the kernel reports ENOENT for it, as for the executable itself.
"""

from __future__ import annotations

import errno
import os

from supervisor.common.text import one_line
from supervisor.engine import posix
from supervisor.process.plan import no_exec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.process.plan import SpawnError, SpawnPlan

HEAD_BYTES = 256
"""Length of the head of a script in which the kernel reads the `#!` line (execve(2))."""

MAX_INTERPRETERS = 5
"""Upper bound of nested interpreters that are scripts themselves (execve(2))."""

MAX_SHOWN_CHARS = 200

ELF_MAGIC = b"\x7fELF"
ELF_LITTLE_ENDIAN = b"\x01"
ELF_CLASSES = {b"\x01": (28, 4, 44, 32, 4, 16), b"\x02": (32, 8, 56, 56, 8, 32)}
"""Layouts of 32 and 64 bits (elf(5)).

Positions of e_phoff and size of an offset, position of e_phnum, size of a program header, and in
the latter the positions of p_offset and p_filesz.
"""

PT_INTERP = 3

MAX_PROGRAM_HEADERS = 1000
MAX_PATH_BYTES = 4096


def script_interpreter(head: bytes) -> str | None:
    """Return the interpreter named in the head of a file, None if it is not a script.

    As in the kernel, only space, tab, newline and null byte end its name; a CR is part of it.
    """
    if not head.startswith(b"#!"):
        return None
    line = head[2:HEAD_BYTES].split(b"\n", 1)[0].split(b"\0", 1)[0]
    words = line.replace(b"\t", b" ").split(b" ")
    return next((os.fsdecode(word) for word in words if word), None)


def exec_failure(plan: SpawnPlan, executable: str, error: OSError) -> SpawnError:
    """Return the error of a failed exec; it names the interpreter if that does not exist."""
    reason = None
    if error.errno == errno.ENOENT:
        reason = interpreter_error(executable, plan.directory or "")
    return no_exec(plan, reason or posix.errname(error.errno))


def interpreter_error(executable: str, directory: str) -> str | None:
    """Return the reason why an exec will fail if an interpreter does not exist, else None."""
    missing = _missing_interpreter(executable, directory)
    if missing is None:
        return None
    hint = "; its first line ends with CR LF" if missing.endswith("\r") else ""
    shown = one_line(missing, MAX_SHOWN_CHARS)
    return f"ENOENT (its interpreter {shown} does not exist{hint})"


def _missing_interpreter(path: str, directory: str) -> str | None:
    """Return the first interpreter of an executable that does not exist, None if all do."""
    for _ in range(MAX_INTERPRETERS):
        try:
            interpreter = _interpreter(os.path.join(directory, path))
        except (OSError, OverflowError):  # gone by now, not readable, or damaged
            return None
        if interpreter is None:
            return None
        path = interpreter
        if not os.path.exists(os.path.join(directory, path)):
            return path
    return None


def _interpreter(path: str) -> str | None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        head = os.read(fd, HEAD_BYTES)
        return _elf_interpreter(fd, head) if head[:4] == ELF_MAGIC else script_interpreter(head)
    finally:
        os.close(fd)


def _elf_interpreter(fd: int, head: bytes) -> str | None:
    """Return the dynamic loader of a binary, None if it is static or damaged."""
    layout = ELF_CLASSES.get(head[4:5])
    if layout is None:
        return None
    table_at, width, count_at, size, offset_at, length_at = layout
    is_little = head[5:6] == ELF_LITTLE_ENDIAN

    def number(data: bytes, at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if is_little else "big")

    count = min(number(head, count_at, 2), MAX_PROGRAM_HEADERS)
    table = os.pread(fd, size * count, number(head, table_at, width))
    for at in range(0, len(table), size):
        header = table[at : at + size]
        if number(header, 0, 4) == PT_INTERP:
            length = min(number(header, length_at, width), MAX_PATH_BYTES)
            return os.fsdecode(os.pread(fd, length, number(header, offset_at, width)).rstrip(b"\0"))
    return None
