"""Reading configurations that a test writes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.commandline import ConfigurationError, read_server_configuration
from supervisor.config.model import Configuration

# For listeners whose handler does not matter: any function will do.
HANDLER = "result_handler=os:getpid\n"


def read(directory: Path, text: str, *arguments: str) -> Configuration:
    """Return what a file says whose [supervisord] section the text continues."""
    file = directory / "c.conf"
    file.write_text(f"[supervisord]\n{text}", encoding="utf-8")
    return read_server_configuration(["-c", str(file), *arguments])


def refusal(directory: Path, text: str, *arguments: str) -> str:
    """Return the message against a file, with DIR for its directory."""
    with pytest.raises(ConfigurationError) as caught:
        read(directory, text, *arguments)
    return str(caught.value).replace(str(directory), "DIR")
