"""The bytes of a snapshot: the head that every version can read, and the fds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.common.resume_format import SNAPSHOT_FORMAT, decode, encode, fds_in
from supervisor.events import Tick5Event
from supervisor.loggers import getLogger
from supervisor.process.saved_events import SavedEvents, save_event

HEAD: dict[str, Any] = {
    "version": "4.3.1",
    "children": [{"name": "x", "pid": 7, "started": 9, "pipes": [{"channel": "stdout", "fd": 5}]}],
    "listeners": [{"section": "unix_http_server", "fd": 3}],
}
STATE: dict[str, Any] = {
    "servers": [{"fd": 3}],
    "pidfile": {"fd": 14, "path": "/run/supervisord.pid"},
    "dispatchers": [{"channel": "stdin", "fd": 6, "input_buffer": "é\n"}, {"fd": -1}],
}


def test_both_parts_are_decoded() -> None:
    snapshot = decode(encode(HEAD, STATE))
    assert snapshot.head == {"format": SNAPSHOT_FORMAT, **HEAD}
    assert snapshot.state == STATE
    assert snapshot.problem == ""


def test_the_fds_of_both_parts() -> None:
    assert decode(encode(HEAD, STATE)).fds == {3, 5, 6, 14}


@pytest.mark.parametrize(
    "value",
    [
        {"text": '"fd": 99'},
        {"text": '{"fd": 99}'},
        {"text": "fd", "number": 99},
        {"text": "\\", "pfd": 99},
        {"fd": None},
        {"fd": "99"},
        {"fd": [99]},
    ],
)
def test_what_is_no_fd(value: dict[str, Any]) -> None:
    assert fds_in(encode({}, value)) == set()


def test_a_pool_called_fd() -> None:
    event = Tick5Event(5, None)
    event.serial, event.pool_serials = 7, {"fd": 99}
    saved = save_event(event, getLogger())
    assert saved is not None
    assert decode(encode(HEAD, {"event_buffer": [saved]})).fds == {3, 5}
    restored = SavedEvents(getLogger()).restore(json.loads(json.dumps(saved)))
    assert restored is not None
    assert restored.pool_serials == {"fd": 99}


def test_the_fds_are_known_without_the_state() -> None:
    first, second, _ = encode(HEAD, STATE).split(b"\n")
    newer = json.dumps({**json.loads(first), "format": SNAPSHOT_FORMAT + 1}).encode()
    for data in (b"\n".join([newer, second]), b"\n".join([first, second[:-1]])):
        snapshot = decode(data)
        assert snapshot.problem
        assert snapshot.state == {}
        assert snapshot.head["children"] == HEAD["children"]
        assert snapshot.fds == {3, 5, 6, 14}


@pytest.mark.parametrize("data", [b"", b"{", b"[]\n{}\n", b'{"format": "1"}\n', b'{"format": 1}\n'])
def test_no_head(data: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        decode(data)
