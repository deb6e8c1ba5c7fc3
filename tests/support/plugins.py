"""Third-party software for Supervisor, unmodified, with this package in the reference's place.

It is installed once from the package index, pinned, into an environment of its own, to which a
path file adds our source tree; pip takes that for the `supervisor` that all of it requires.
`python -m tests.support.plugins` makes the environment ahead of the tests.
"""

from __future__ import annotations

import sys
import venv
import zlib
from functools import cache, partial
from pathlib import Path

from tests.support.cache import made_once, pip
from tests.support.daemon import Implementation
from tests.support.tools import fetch_node_packages

ROOT = Path(__file__).parents[2]

REQUIREMENTS = (
    "devservices==1.5.4",
    "multivisor[rpc]==7.1.0",
    "superlance==2.0.0",
    "supervisor-wildcards==0.1.3",
    "supervisor_cache==1.1.0",
    "supervisor_checks==0.8.1",
    "supervisor_twiddler==1.0.0",
    "supervisord-dependent-startup==1.4.0",
    # What their own tests need.  supervisord-dependent-startup's pass arguments that newer
    # testfixtures do not take; supervisor_cache asks for pkg_resources.
    "freezegun==1.5.5",
    "jinja2==3.1.6",
    "mock==5.2.0",
    "parameterized==0.9.0",
    "pytest==8.4.2",
    "setuptools==80.9.0",
    "testfixtures==8.3.0",
)

SUPVISORS = (
    "supvisors==0.19.1",
    # All that it can use.  It asks for an old pyparsing, which matplotlib no longer needs.
    "flask-restx==1.2.0",
    "lxml==6.0.2",
    "matplotlib==3.10.7",
    "psutil==7.1.3",
    "pyzmq==27.1.0",
    "websockets==13.1",
    # What its tests need.
    "pytest==7.4.4",
    "pytest-asyncio==0.21.2",
    "pytest-mock==3.15.1",
    "pytest-xdist==3.8.0",
)

JOBFLOW_REMOTE = (
    "jobflow-remote==1.0.1",
    # What its daemon manager and the database in memory come from.
    "jobflow==0.4.0",
    "maggma==0.77.1",
    "monty==2026.10.21",
    "psutil==7.2.2",
    "pydantic==2.14.4",
    "qtoolkit==0.1.7",
)


def _make(directory: Path, requirements: tuple[str, ...]) -> None:
    venv.create(directory, with_pip=True)
    _put_ours_in_place(directory)
    pip(directory, "install", *requirements)
    # Without our metadata in the source tree, pip would have fetched the reference.
    assert not list(directory.glob("lib/python*/site-packages/supervisor")), "pip install -e ."


def _put_ours_in_place(environment: Path) -> None:
    """Let the environment import this source tree; written anew if the tree has moved."""
    (packages,) = environment.glob("lib/python*/site-packages")
    file, text = packages / "ours.pth", f"{ROOT}\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


@cache
def plugin_environment(requirements: tuple[str, ...] = REQUIREMENTS) -> Path:
    """Return the directory of the environment with these packages, made if it is missing."""
    version = zlib.crc32(" ".join(requirements).encode())
    name = f"plugins-{version:08x}-{sys.implementation.cache_tag}"
    make = partial(_make, requirements=requirements)
    environment = made_once(name, make, needs="bin/python")
    _put_ours_in_place(environment)
    return environment


@cache
def node_listener() -> Path:
    """Return a directory for NODE_PATH with npm's `supervisord-eventlistener`."""
    make = partial(fetch_node_packages, packages=("supervisord-eventlistener@0.1.0",))
    return made_once("node-eventlistener-0.1.0", make) / "node_modules"


def plugin_script(name: str) -> str:
    """Return the path of one of the packages' commands, `memmon` for example."""
    return str(plugin_environment() / "bin" / name)


def ours_with_plugins() -> Implementation:
    """Return our commands, run where the plugins are installed."""
    return Implementation("ours", (plugin_script("python"), "-m", "supervisor."))


if __name__ == "__main__":
    for requirements in (REQUIREMENTS, SUPVISORS, JOBFLOW_REMOTE):
        print(plugin_environment(requirements))
    print(node_listener())
