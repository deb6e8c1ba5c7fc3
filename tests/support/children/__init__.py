"""Tiny programs to be supervised, one per behaviour; each says when it is ready.

`child("exits", 3)` is the command line that runs `exits.py 3`.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

DIRECTORY = Path(__file__).parent


def child(name: str, *arguments: object) -> str:
    """Return the command line of a child, quoted, for `command=`."""
    path = DIRECTORY / f"{name}.py"
    if not path.exists():
        raise ValueError(f"no child program {name!r}")
    words = (sys.executable, "-S", str(path), *map(str, arguments))
    return shlex.join(words)
