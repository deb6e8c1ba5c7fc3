"""Reading configurations that a test writes down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supervisor import confecho
from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import Configuration

# For listeners whose handler does not matter: any function will do.
HANDLER = "result_handler=os:getpid\n"

SAMPLE = Path(confecho.__file__).parent / "skel" / "sample.conf"
# What is only an example in the sample -> what exists on every machine.
EXAMPLES = {
    "nobody:nogroup": "root:root",
    "chrism:group": "root:root",
    "user=chrism": "user=root",
    "user=supervisord": "user=root",
    "= my.package:make_ctl_plugin": "= os:getpid",
    "progname1,progname2": "theprogramname",
}


def uncommented_sample() -> str:
    """Return the sample with every option set, as soon as users and plugins exist."""
    text = re.sub(r"(?m)^;(?=\[|\S+ ?= ?\S)", "", SAMPLE.read_text(encoding="utf-8"))
    for example, real in EXAMPLES.items():
        assert example in text
        text = text.replace(example, real)
    return text


def read(directory: Path, text: str | bytes, *arguments: str) -> Configuration:
    """Return the configuration in a file: these bytes, or a text that continues [supervisord]."""
    file = directory / "c.conf"
    file.write_bytes(text if isinstance(text, bytes) else f"[supervisord]\n{text}".encode())
    return read_server_configuration(["-c", str(file), *arguments])


def refusal(directory: Path, text: str | bytes, *arguments: str) -> str:
    """Return the message against a file, with DIR for its directory."""
    with pytest.raises(ConfigurationError) as caught:
        read(directory, text, *arguments)
    return str(caught.value).replace(str(directory), "DIR")


def located(message: str, section: str, option: str | None) -> str:
    """Return the message of `refusal` for an error in a section, or in one of its options."""
    where = f"{message} in section {section!r} (file: 'DIR/c.conf')"
    return where if option is None else f"{where}, option {option!r}"
