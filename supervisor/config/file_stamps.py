"""The times of the files that a configuration was read from, to notice later changes."""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Stamps: TypeAlias = tuple[tuple[str, int], ...]
    """Absolute paths and modification times in nanoseconds."""


def stamps_of(paths: Iterable[str]) -> Stamps:
    """Return the times of files and directories; those that cannot be seen are left out."""
    found = []
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        with suppress(OSError):
            found.append((path, os.stat(path).st_mtime_ns))
    return tuple(found)


def have_changed(stamps: Stamps) -> bool:
    """Whether a file has been written, replaced or removed since, or a directory's entries.

    A file that the daemon may no longer see, as another user, counts as unchanged.
    """
    for path, modified_ns in stamps:
        try:
            if os.stat(path).st_mtime_ns != modified_ns:
                return True
        except FileNotFoundError:
            return True
        except OSError:
            continue
    return False
