"""What is fuzzed: each machine with the bytes of somebody else, and what must hold of it.

A machine is fed whole and in two pieces: both must give the same. It may raise only what it
says that it raises.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import re
from collections.abc import Callable
from unittest.mock import patch
from xml.parsers.expat import ExpatError

from supervisor.client.terminal import TerminalSanitizer
from supervisor.common import capture as capture_module
from supervisor.common.ansi import AnsiStripper
from supervisor.common.capture import Captured, CaptureSplitter
from supervisor.common.env_files import EnvFileError, parse_env_file
from supervisor.common.listener_protocol import ListenerStream, Ready, Violation
from supervisor.common.xmlrpc_codec import parse_call, parse_response
from supervisor.config.parser import ConfigurationError, UnhosedConfigParser, read_file
from supervisor.http import http1
from supervisor.states import EventListenerStates

Machine = Callable[[bytes], None]

NEXT_STATES = {
    Ready: EventListenerStates.BUSY,  # an event is always at hand
    bytes: EventListenerStates.ACKNOWLEDGED,
    Violation: EventListenerStates.UNKNOWN,
}

LIMIT = 100
"""Small, so that limits are reached."""


def cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the data without its first byte, which says where to cut it, and the pieces."""
    place, data = (data[0], data[1:]) if data else (0, b"")
    place = place * len(data) // 256
    return data, [data[:place], data[place:]]


def ansi(data: bytes) -> None:
    """Colours are taken out."""

    def stripped(pieces: list[bytes]) -> bytes:
        stripper = AnsiStripper()
        return b"".join([*map(stripper.feed, pieces), stripper.flush()])

    data, pieces = cut(data)
    assert stripped([data]) == stripped(pieces)
    assert len(stripped([data])) <= len(data)


def capture(data: bytes) -> None:
    """What stands between the tokens is taken out; of the rest no byte is lost."""

    def split(pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
        splitter = CaptureSplitter(LIMIT)
        parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.flush()
        plain = b"".join(part for part in parts if isinstance(part, bytes))
        return plain, [part.data for part in parts if isinstance(part, Captured)]

    data, pieces = cut(data)
    with patch.object(capture_module, "CAPTURE_FLOOR", LIMIT):
        plain, captured = split([data])
        assert (plain, captured) == split(pieces)
    assert all(len(part) <= LIMIT for part in captured)
    assert len(plain) + sum(map(len, captured)) <= len(data)


def listener(data: bytes) -> None:
    """READY and RESULT, in turn, or a violation, after which nothing is heard."""

    def messages(pieces: list[bytes]) -> list[str]:
        stream, states = ListenerStream(), [EventListenerStates.ACKNOWLEDGED]
        found = []
        for piece in pieces:
            stream.feed(piece)
            while (message := stream.next_message(states[-1])) is not None:
                states.append(NEXT_STATES[type(message)])
                found.append(repr(message))
        return found

    data, pieces = cut(data)
    assert messages([data]) == messages(pieces)


def request(data: bytes) -> None:
    """Requests, or one refusal; which of two mistakes it tells of may depend on the cut."""

    def events(pieces: list[bytes]) -> list[str]:
        parser = http1.RequestParser(
            http1.Limits(line=LIMIT, head=4 * LIMIT, fields=10, body=LIMIT)
        )
        found: list[str] = []
        try:
            for piece in pieces:
                parser.feed(piece)
                while (event := parser.next_event()) is not None:
                    found.append(repr(event))
        except http1.BadRequest:
            found.append("refused")
        return found

    data, pieces = cut(data)
    assert events([data]) == events(pieces)


def call(data: bytes) -> None:
    """A method and its parameters, or ValueError; it comes whole."""
    data = data[1:]
    try:
        name, params = parse_call(data)
    except ValueError:
        return
    assert isinstance(name, str)
    assert isinstance(params, tuple)


def response(data: bytes) -> None:
    """One value, or an exception that the client reports."""
    with contextlib.suppress(ValueError, ExpatError):
        is_fault, _ = parse_response(data[1:], {"base64": str, "dateTime.iso8601": str})
        assert isinstance(is_fault, bool)


def configuration(data: bytes) -> None:
    """Sections, or one line that says what is wrong."""
    parser, problem = UnhosedConfigParser(), ""
    text = data.decode("utf-8", "replace")
    try:
        read_file(parser, "fuzzed.conf", lambda _: io.StringIO(text))
    except ConfigurationError as error:
        problem = str(error)
    assert "\n" not in problem


ENV_FILE_ERROR = re.compile(
    r"(\d+): (expected KEY=VALUE|null byte|text behind the closing quote|the quote is not closed)"
)


def env_file(data: bytes) -> None:
    """Variables that a process can have, or a line of the file and nothing of its text."""
    data = data[1:]
    try:
        variables = parse_env_file(data)
    except EnvFileError as error:
        found = ENV_FILE_ERROR.fullmatch(str(error))
        assert found is not None
        assert 1 <= int(found[1]) <= data.count(b"\n") + 1
        return
    assert all(name and "=" not in name for name in variables)
    assert "\0" not in "".join(itertools.chain(*variables.items()))


def terminal(data: bytes) -> None:
    """Nothing but text and colours reaches a terminal."""
    stream = TerminalSanitizer()
    shown = stream.feed(data.decode("utf-8", "replace"))
    assert "\x07" not in shown
    assert "\x1b]" not in shown
    assert "\x9b" not in shown


MACHINES: dict[str, Machine] = {
    "ansi": ansi,
    "call": call,
    "capture": capture,
    "configuration": configuration,
    "env_file": env_file,
    "listener": listener,
    "request": request,
    "response": response,
    "terminal": terminal,
}
