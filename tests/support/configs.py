"""Reading configurations that a test writes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import Configuration

# For listeners whose handler does not matter: any function will do.
HANDLER = "result_handler=os:getpid\n"


def read(directory: Path, text: str | bytes, *arguments: str) -> Configuration:
    """Return what a file says: these bytes, or a text that continues [supervisord]."""
    file = directory / "c.conf"
    file.write_bytes(text if isinstance(text, bytes) else f"[supervisord]\n{text}".encode())
    return read_server_configuration(["-c", str(file), *arguments])


def refusal(directory: Path, text: str | bytes, *arguments: str) -> str:
    """Return the message against a file, with DIR for its directory."""
    with pytest.raises(ConfigurationError) as caught:
        read(directory, text, *arguments)
    return str(caught.value).replace(str(directory), "DIR")


def located(message: str, section: str, option: str | None) -> str:
    """Return what `refusal` says of a mistake in a section, or in one of its options."""
    where = f"{message} in section {section!r} (file: 'DIR/c.conf')"
    return where if option is None else f"{where}, option {option!r}"
