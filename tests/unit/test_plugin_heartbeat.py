"""Processes and dispatchers that plugins add without notice."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from supervisor.daemon.plugin_heartbeat import HEARTBEAT_SECONDS, Heartbeat, PluginChannel


class FakeLoop:
    """A loop that only remembers what it is asked."""

    def __init__(self) -> None:
        self.watched: list[Any] = []
        self.timers: list[float] = []

    def call_later(self, seconds: float, _action: object) -> None:
        self.timers.append(seconds)

    def watch(self, channel: Any) -> None:
        self.watched.append(channel)


class FakeGroup:
    """A group that counts its looks at the clock."""

    looks = 0

    def transition(self) -> None:
        self.looks += 1


class FakeDaemon:
    """A daemon with one group and a dispatcher for fd 7."""

    def __init__(self) -> None:
        self.runtime = SimpleNamespace(loop=FakeLoop())
        self.process_groups = {"g": FakeGroup()}

    def get_process_map(self) -> dict[int, Any]:
        return {7: object()}


class Notify:
    """A dispatcher like knot-resolver's, which has an `fd` and no `fileno()`."""

    def __init__(self) -> None:
        self.fd, self._other_end = os.pipe()
        self.calls: list[str] = []

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self.calls.append("read")

    def handle_write_event(self) -> None:
        self.calls.append("write")

    def handle_error(self) -> None:
        self.calls.append("error")

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._other_end)


def test_every_process_looks_at_the_clock_once_a_second() -> None:
    daemon: Any = FakeDaemon()
    Heartbeat(daemon).beat()
    assert daemon.process_groups["g"].looks == 1
    assert daemon.runtime.loop.timers == [HEARTBEAT_SECONDS] == [1.0]


def test_a_dispatcher_in_the_process_map_is_watched_once() -> None:
    daemon: Any = FakeDaemon()
    notify, ours = Notify(), daemon.get_process_map
    daemon.get_process_map = lambda: {**ours(), notify.fd: notify}
    heartbeat = Heartbeat(daemon)
    heartbeat.beat()
    heartbeat.beat()
    (channel,) = daemon.runtime.loop.watched
    assert channel.fileno() == notify.fd
    notify.close()


def test_the_daemons_own_dispatchers_get_no_channel() -> None:
    daemon: Any = FakeDaemon()
    Heartbeat(daemon).beat()
    assert daemon.runtime.loop.watched == []


def test_a_foreign_dispatcher_speaks_for_itself() -> None:
    notify = Notify()
    channel = PluginChannel(notify.fd, notify)
    assert (channel.readable(), channel.writable()) == (True, False)
    channel.handle_read_event()
    channel.handle_write_event()
    channel.handle_error()
    channel.close()
    assert notify.calls == ["read", "write", "error"]
