"""`echo_supervisord_conf`: print the commented sample configuration (scripts)."""

from __future__ import annotations

import os
import sys

from supervisor.common.stdio import write_stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def main(out: TextIO | None = None) -> None:
    """Write the sample unchanged to `out`, stdout by default."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skel", "sample.conf")
    with open(path, encoding="utf-8", newline="") as sample:
        write_stdout(out or sys.stdout, sample.read())


if __name__ == "__main__":
    main()
