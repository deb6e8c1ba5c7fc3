"""Clients that other people wrote: curl, ansible, salt, npm's `supervisord`; see tests/clients.

What is missing makes a test fail, never skip.  `python -m tests.support.tools` fetches all of
it ahead of the tests; Debian's packages are the business of `tests/run`.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from functools import cache, partial
from pathlib import Path

from tests.support.cache import made_once, pip, python_environment, run

# The newest ansible-core for each Python.  Its collections come in a wheel of 60 MB, of which
# only one is needed: 11 is the last series for every ansible-core from 2.15 on.
ANSIBLE_CORE = "ansible-core>=2.18,<2.21"
COLLECTIONS = "ansible==11.13.0"
COLLECTION = "ansible_collections/community/general/"

SALT = (
    "salt==3007.8",
    # Of what it needs it names nothing that pip would see.
    "cryptography==46.0.3",
    "distro==1.9.0",
    "jinja2==3.1.6",
    "looseversion==1.3.0",
    "msgpack==1.1.2",
    "packaging==25.0",
    "psutil==7.1.3",
    "pycryptodomex==3.23.0",
    "pyyaml==6.0.3",
    "requests==2.32.5",
    "tornado==6.5.2",
)

NODE_PACKAGES = ("supervisord@0.1.0", "xmlrpc@1.3.2")

AXE = "axe-core@4.11.0"


def tool(name: str) -> str:
    """Return the path of a command of this machine; raises AssertionError if it is missing."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")  # Debian keeps servers there
    assert found, f"{name} is missing: install it, or let root run tests/run, which does"
    return found


@cache
def ansible_environment() -> Path:
    """Return a virtual environment with ansible-core."""
    return python_environment("ansible", ANSIBLE_CORE)


@cache
def salt_environment() -> Path:
    """Return a virtual environment with Salt."""
    return python_environment("salt", *SALT)


@cache
def ansible_collections() -> Path:
    """Return a directory for ANSIBLE_COLLECTIONS_PATH with `community.general`."""
    return made_once(COLLECTIONS.replace("==", "-"), _fetch_collection)


def _fetch_collection(directory: Path) -> None:
    pip(ansible_environment(), "download", "--no-deps", "-d", str(directory), COLLECTIONS)
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(COLLECTION)]
        archive.extractall(directory, names)
    wheel.unlink()


@cache
def node_modules() -> Path:
    """Return a directory for NODE_PATH with the npm package `supervisord`."""
    make = partial(fetch_node_packages, packages=NODE_PACKAGES)
    return made_once("node-supervisord-0.1.0", make) / "node_modules"


@cache
def axe_script() -> str:
    """Return axe, which judges the accessibility of a page when it is run there."""
    make = partial(fetch_node_packages, packages=(AXE,))
    directory = made_once(AXE.replace("@", "-"), make)
    return (directory / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def fetch_node_packages(directory: Path, packages: tuple[str, ...]) -> None:
    """Install packages of npm into a directory."""
    options = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix")
    run([tool("npm"), "install", *options, str(directory), *packages])


if __name__ == "__main__":
    print(tool("curl"), tool("node"), node_modules(), len(axe_script()))
    print(ansible_environment(), ansible_collections(), salt_environment())
