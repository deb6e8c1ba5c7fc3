"""The reference, Supervisor 4.3.0, in a virtual environment of its own.

Made once per Python version in the user's cache directory, or taken from the directory that
SUPERVISOR_REFERENCE names.  `python -m tests.support.reference` makes it ahead of the tests.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tests.support.cache import python_environment

# setuptools: 4.3.0 may look for pkg_resources, which left setuptools with version 81.
REQUIREMENTS = ("supervisor==4.3.0", "setuptools<81")


@cache
def reference_environment() -> Path:
    """Return the directory of the reference's virtual environment, made if it is missing."""
    given = os.environ.get("SUPERVISOR_REFERENCE")
    if given:
        return Path(given)
    return python_environment("reference-4.3.0", *REQUIREMENTS)


def reference_script(name: str) -> str:
    """Return the path of one of the reference's commands, `supervisord` for example."""
    return str(reference_environment() / "bin" / name)


if __name__ == "__main__":
    print(reference_environment())
