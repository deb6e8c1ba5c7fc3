"""The state file: its format, and the ways in which it is read and replaced."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.common.pids import MAX_PID
from supervisor.common.saved_state import (
    FORMAT,
    MAX_COUNT,
    Identity,
    SavedChild,
    SavedProcess,
    SavedState,
    decode,
    encode,
)
from supervisor.daemon import statefile
from tests.support.strangers import give_away, needs_root

COUNTS = st.integers(0, MAX_COUNT)

IDENTITIES = st.builds(Identity, st.integers(2, MAX_PID), COUNTS)

CHILDREN = st.builds(
    SavedChild,
    IDENTITIES,
    stopsignal=st.integers(1, 64),
    stopwaitsecs=COUNTS,
    stopasgroup=st.booleans(),
    killasgroup=st.booleans(),
)

PROCESSES = st.builds(
    SavedProcess,
    st.text(),
    is_stopped=st.booleans(),
    starts=COUNTS,
    restarts=COUNTS,
    child=st.none() | CHILDREN,
)

STATES = st.builds(
    SavedState,
    st.text(),
    st.none() | IDENTITIES,
    st.lists(PROCESSES, unique_by=lambda each: each.name).map(
        lambda processes: {each.name: each for each in processes}
    ),
    st.dictionaries(st.text(), st.fixed_dictionaries({"count": COUNTS, "configured": COUNTS})),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


def encoded(state: SavedState) -> bytes:
    """Return a state as the contents of a file."""
    lines = [each.encode() for each in state.processes.values()]
    return encode(state.machine, state.daemon, lines, state.scales)


@given(STATES)
def test_a_state_survives(state: SavedState) -> None:
    assert decode(encoded(state)) == state


@given(STATES, st.data())
def test_a_part_of_a_file_is_refused(state: SavedState, data: st.DataObject) -> None:
    contents = encoded(state).rstrip()
    size = data.draw(st.integers(0, len(contents) - 1))
    with pytest.raises(ValueError, match="it is not complete JSON"):
        decode(contents[:size])


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {
            "format": st.just(1),
            "machine": JSON,
            "daemon": JSON,
            "processes": JSON,
            "scales": JSON | st.dictionaries(st.text(), JSON),
        }
    )
    | st.fixed_dictionaries(
        {
            "format": st.just(1),
            "processes": st.lists(
                st.dictionaries(
                    st.sampled_from(
                        ["name", "stopped", "starts", "pid", "started", "stopsignal", "later"]
                    ),
                    JSON,
                )
            ),
        }
    )
)
def test_values_of_any_kind_are_read(saved: dict[str, Any]) -> None:
    state = decode(json.dumps(saved).encode())
    assert decode(encoded(state)) == state


def test_what_cannot_be_read() -> None:
    table = {
        b"": "it is not complete JSON",
        b"\xff": "it is not complete JSON",
        b"[" * 100_000: "it is not complete JSON",
        b"[]": "it has no format number",
        b"{}": "it has no format number",
        b'{"format": true}': "it has no format number",
        b'{"format": "1"}': "it has no format number",
        b'{"format": %d}' % (FORMAT + 1): "its format 2 is that of a newer version",
    }
    found = {}
    for contents in table:
        with pytest.raises(ValueError, match="it") as caught:
            decode(contents)
        found[contents] = str(caught.value)
    assert found == table


def test_unknown_keys_are_skipped() -> None:
    contents = b'{"format": 1, "later": 2, "processes": [{"name": "a", "starts": 3, "later": []}]}'
    assert decode(contents).processes == {"a": SavedProcess("a", starts=3)}


def test_huge_numbers_are_bounded() -> None:
    """Seconds are added to the time of a timer, a float."""
    values = {"starts": 10**30, "pid": 7, "started": 8, "stopsignal": 15, "stopwaitsecs": 10**400}
    contents = json.dumps({"format": 1, "processes": [{"name": "a", **values}]}).encode()
    saved = decode(contents).processes["a"]
    assert saved.child is not None
    assert (saved.starts, saved.child.stopwaitsecs) == (MAX_COUNT, MAX_COUNT)


# -- the file ------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert statefile.read(str(path)) is None
    statefile.replace(str(path), b"one")
    statefile.replace(str(path), b"two", is_last=True)
    assert statefile.read(str(path)) == b"two"
    assert os.stat(path).st_mode & 0o7777 == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_what_a_killed_daemon_was_writing_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "state"
    (tmp_path / "state.new").write_bytes(b"half")
    statefile.replace(str(path), b"one")
    assert os.listdir(tmp_path) == ["state"]


def test_links_are_replaced_and_not_followed(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "state"
    precious.write_bytes(b"precious")
    for link in (path, tmp_path / "state.new"):
        link.symlink_to(precious)
    with pytest.raises(OSError, match="Too many levels"):
        statefile.read(str(path))
    statefile.replace(str(path), b"one")
    assert precious.read_bytes() == b"precious"
    assert statefile.read(str(path)) == b"one"


def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"one")
    path.chmod(0o620)
    with pytest.raises(ValueError, match=r"writable by others \(fix: chmod go-w "):
        statefile.read(str(path))


@needs_root
def test_a_file_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"one")
    path.chmod(0o600)
    give_away(path)
    with pytest.raises(ValueError, match="it belongs to another user"):
        statefile.read(str(path))


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state"
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is a fifo"):
        statefile.read(str(path))


def test_a_file_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"12345")
    monkeypatch.setattr(statefile, "MAX_BYTES", 4)
    with pytest.raises(ValueError, match="it is too large"):
        statefile.read(str(path))


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    statefile.replace(str(path), b"one")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(statefile.os, "rename", fail)
    with pytest.raises(OSError, match="Input/output error"):
        statefile.replace(str(path), b"two")
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["state"]
