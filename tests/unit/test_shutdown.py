"""Going down: group by group, the highest priority number first, each awaited."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from supervisor.common.records import replace
from supervisor.config.conversions import UNLIMITED
from supervisor.config.model import ProcessConfig, ProcessGroupConfig
from supervisor.daemon.shutdown import (
    DRAIN_SECONDS,
    FIRST_REQUEST_SECONDS,
    HELPER_SECONDS,
    Shutdown,
    drain_servers,
)
from supervisor.process.groups import ProcessGroup
from supervisor.states import ProcessStates, SupervisorStates
from tests.support.httpsite import Echo, Site, body, field, get
from tests.support.programs import Programs
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from supervisor.http.plugin_request import PluginRequest


def group(world: World, name: str, priority: int, *processes: str) -> ProcessGroup:
    """Return a group whose processes are all starting."""
    configs = [
        ProcessConfig(each, "/bin/cat", stdout_logfile=None, stderr_logfile=None)
        for each in processes
    ]
    made = ProcessGroup(ProcessGroupConfig(name, priority, configs), world.runtime)
    made.transition()
    return made


def begin(world: World, *groups: ProcessGroup) -> Shutdown:
    world.runtime.daemon_state = SupervisorStates.SHUTDOWN
    return Shutdown(groups, world.runtime)


@pytest.mark.parametrize("dies", [True, False])
def test_helpers_are_awaited_for_a_while(world: World, *, dies: bool) -> None:
    """One that cannot be killed does not keep the daemon."""
    web = group(world, "web", 1, "a")
    world.runtime.children[5] = helper = Mock(pid=5, is_in_progress=False)
    shutdown = begin(world, web)
    process = web.processes["a"]
    process.finish(world.runtime.children.pop(process.pid).pid, 0)
    assert not shutdown.advance()
    world.pass_time(HELPER_SECONDS - 0.1)
    assert not shutdown.advance()
    if dies:
        assert world.runtime.children.pop(5) is helper
    else:
        world.pass_time(0.1)
    assert shutdown.advance()


def test_one_group_after_the_other(world: World) -> None:
    first, last = group(world, "first", 1, "a"), group(world, "last", 999, "b", "c")
    shutdown = begin(world, first, last)
    a, b, c = first.processes["a"], last.processes["b"], last.processes["c"]
    assert world.signals == [(c.pid, signal.SIGTERM), (b.pid, signal.SIGTERM)]
    b.finish(b.pid, 0)
    assert not shutdown.advance()
    assert a.state == ProcessStates.STARTING
    c.finish(c.pid, 0)
    assert not shutdown.advance()
    assert a.state == ProcessStates.STOPPING
    a.finish(a.pid, 0)
    assert shutdown.advance()


def test_of_equal_priorities_the_last_one_added_goes_first(world: World) -> None:
    groups = [group(world, name, 999, name) for name in ("b", "a", "c")]
    begin(world, *groups)
    assert groups[2].processes["c"].state == ProcessStates.STOPPING
    assert groups[0].processes["b"].state == ProcessStates.STARTING


def test_backoff_is_given_up(world: World) -> None:
    only = group(world, "g", 999, "a")
    process = only.processes["a"]
    process.finish(process.pid, 1 << 8)
    assert process.state == ProcessStates.BACKOFF
    shutdown = begin(world, only)
    assert process.state == ProcessStates.FATAL
    assert shutdown.advance()


def test_those_who_are_awaited_are_named_every_three_seconds(world: World) -> None:
    first, last = group(world, "first", 1, "b", "a"), group(world, "last", 999, "c")
    begin(world, last, first)
    for _ in range(70):
        world.pass_time(0.1)
    assert world.lines("info").count("waiting for b, a, c to die") == 3


def test_the_process_group_of_a_program_has_its_time(world: World) -> None:
    """With `stopasgroup`, also that part of it which outlives its leader."""
    only = group(world, "g", 999, "a")
    process = only.processes["a"]
    process.config.stopasgroup = process.config.killasgroup = True
    shutdown = begin(world, only)
    pid = process.pid
    world.orphans[pid] = [7]
    process.finish(pid, 0)
    world.pass_time(3)
    assert not shutdown.advance()
    assert world.signals == [(-pid, signal.SIGTERM)]
    world.orphans.clear()
    world.pass_time(0.1)
    assert shutdown.advance()
    world.runtime.services.orphans.close()
    assert world.signals == [(-pid, signal.SIGTERM)]


class Busy(ProcessGroup):
    """A group that has something to finish first, as event listeners do."""

    busy = True

    def has_pending_events(self) -> bool:
        return self.busy


def test_a_busy_group_may_finish_first(world: World) -> None:
    busy = Busy(group(world, "g", 999, "a").config, world.runtime)
    busy.transition()
    shutdown = begin(world, busy)
    assert world.signals == []
    busy.busy = False
    assert not shutdown.advance()
    assert len(world.signals) == 1


def test_a_busy_group_has_one_second(world: World) -> None:
    busy = Busy(group(world, "g", 999, "a").config, world.runtime)
    busy.transition()
    shutdown = begin(world, busy)
    world.pass_time(0.9)
    shutdown.advance()
    assert world.signals == []
    world.pass_time(0.1)
    shutdown.advance()
    assert len(world.signals) == 1


def test_nothing_to_stop(world: World) -> None:
    assert begin(world).advance()


def test_hundreds_of_processes_cost_a_look_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost of a turn during a shutdown does not grow with the number of processes."""
    many = group(world, "g", 999, *(f"p{number:04}" for number in range(300)))
    shutdown = begin(world, many)
    looks = 0
    process_type = type(many.processes["p0000"])
    plain = process_type.get_state

    def counting(self: object) -> int:
        nonlocal looks
        looks += 1
        return plain(self)  # type: ignore[arg-type]

    for process in many.processes.values():
        process.finish(process.pid, 0)
        monkeypatch.setattr(process_type, "get_state", counting)
        shutdown.advance()
        monkeypatch.setattr(process_type, "get_state", plain)
    assert looks < 3 * len(many.processes)


# -- the end of patience ----------------------------------------------------------------


def with_timeout(world: World, seconds: float) -> None:
    plain = world.runtime.settings
    world.runtime.settings = replace(plain, shutdown_timeout=seconds)


def test_everything_that_is_left_is_killed(world: World) -> None:
    """Also a program that may take its time, and one whose turn to stop has not come."""
    with_timeout(world, 8)
    first, last = group(world, "first", 1, "a"), group(world, "last", 999, "b", "c")
    a, b, c = first.processes["a"], last.processes["b"], last.processes["c"]
    b.config.stopwaitsecs = UNLIMITED
    a.config.killasgroup = True
    shutdown = begin(world, first, last)
    c.finish(c.pid, 0)
    world.signals.clear()
    world.pass_time(7.9)
    assert not shutdown.advance()
    assert world.signals == []
    world.pass_time(0.1)
    assert world.signals == [
        (a.pid, signal.SIGTERM),
        (-a.pid, signal.SIGKILL),
        (b.pid, signal.SIGKILL),
    ]
    reason = "still running 8 seconds after the start of the shutdown"
    assert world.lines("warn")[-1] == f"{reason}, killing with SIGKILL: first:a, last:b"
    for each in (a, b):
        each.finish(each.pid, signal.SIGKILL)
    assert shutdown.advance()


def test_processes_without_a_child_are_given_up(world: World) -> None:
    first, last = group(world, "first", 1, "a"), group(world, "last", 999, "b")
    a = first.processes["a"]
    a.finish(a.pid, 1 << 8)
    shutdown = begin(world, first, last)
    shutdown.kill("now")
    assert a.state == ProcessStates.FATAL
    b = last.processes["b"]
    b.finish(b.pid, signal.SIGKILL)
    assert shutdown.advance()


def test_a_process_that_waits_for_its_dependents_is_killed(world: World) -> None:
    programs = Programs(world)
    db = programs.add("db", startsecs=0)
    web = programs.add("web", "db", startsecs=0, stopwaitsecs=UNLIMITED)
    programs.boot()
    shutdown = begin(world, *programs.groups.values())
    assert (web.state, db.state) == (ProcessStates.STOPPING, ProcessStates.RUNNING)
    shutdown.kill("now")
    shutdown.kill("again")
    kills = [pid for pid, signum in world.signals if signum == signal.SIGKILL]
    assert sorted(kills) == sorted([web.pid, db.pid])
    for each in (web, db):
        programs.die(each, signal.SIGKILL)
    assert shutdown.advance()


def test_a_shutdown_in_time_kills_nothing(world: World) -> None:
    with_timeout(world, 1)
    only = group(world, "g", 999, "a")
    shutdown = begin(world, only)
    process = only.processes["a"]
    process.finish(process.pid, 0)
    assert shutdown.advance()
    world.pass_time(2)
    assert world.signals == [(1001, signal.SIGTERM)]
    assert world.lines("warn") == []


def test_a_busy_group_has_no_more_time(world: World) -> None:
    config = ProcessConfig("a", "/bin/cat", stdout_logfile=None, stderr_logfile=None)
    busy = Busy(ProcessGroupConfig("g", 999, [config]), world.runtime)
    busy.transition()
    shutdown = begin(world, busy)
    shutdown.kill("now")
    process = busy.processes["a"]
    process.finish(process.pid, signal.SIGKILL)
    assert shutdown.advance()


# -- the last clients -----------------------------------------------------------------

LARGE = b"x" * 4_000_000
TICK_SECONDS = 0.01


@pytest.fixture
def site(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose clock advances, and whose clients read, in each loop iteration."""
    made = Site(directory)
    run_once = made.loop.run_once

    def timed_run_once(longest: float | None = None) -> None:
        run_once(0 if longest is None else longest)
        made.clock.advance(TICK_SECONDS)
        for client in made.clients:
            client.receive()

    monkeypatch.setattr(made.loop, "run_once", timed_run_once)
    yield made
    made.close()


def drain(site: Site) -> float:
    """Drain and close the servers; return the seconds that it took."""
    before = site.clock.monotonic()
    drain_servers(site.servers, site.loop)
    took = site.clock.monotonic() - before
    for server in site.servers:
        server.close()
    for client in site.clients:
        client.receive()
    return took


def test_clients_that_wait_to_be_accepted_are_answered(site: Site) -> None:
    path = site.directory / "s"
    site.serve(Echo())
    for number in range(50):
        client = site.connect()
        client.socket.send(get(f"/{number}"))
    assert drain(site) < FIRST_REQUEST_SECONDS
    assert [body(client.received) for client in site.clients] == [
        f"GET /{number} ".encode() for number in range(50)
    ]
    assert not any(client.was_reset for client in site.clients)
    assert not path.exists()


def test_a_request_in_two_parts_and_a_large_response_are_completed(site: Site) -> None:
    def answer(request: PluginRequest) -> None:
        request.push(LARGE)
        request.done()

    site.serve(Echo(answer))
    client = site.connect()
    whole = get()
    client.socket.send(whole[:9])
    site.loop.run_once()
    site.loop.call_later(0.3, lambda: client.send(whole[9:]))
    assert 0.3 <= drain(site) < DRAIN_SECONDS
    assert field(client.received[:1000], b"Content-Length") == str(len(LARGE)).encode()
    assert len(body(client.received)) == len(LARGE)
    assert not client.was_reset


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        pytest.param(b"", FIRST_REQUEST_SECONDS, id="a client that says nothing"),
        pytest.param(get()[:9], DRAIN_SECONDS, id="a request that is never completed"),
    ],
)
def test_a_silent_client_keeps_the_daemon_for_a_moment_only(
    site: Site, sent: bytes, seconds: float
) -> None:
    site.serve(Echo())
    site.connect().send(sent)
    assert drain(site) == pytest.approx(seconds, abs=2 * TICK_SECONDS)


def test_idle_clients_and_followed_logs_do_not_delay_the_end(site: Site) -> None:
    class Endless:
        def more(self) -> bytes:
            return b"a line\n"

    def answer(request: PluginRequest) -> None:
        if request.uri == "/endless":
            request.push(Endless())
        request.done()

    site.serve(Echo(answer))
    idle, follower = site.connect(), site.connect()
    idle.send(get())
    idle.wait_for(lambda: b"200" in idle.received)
    follower.send(get("/endless"))
    follower.wait_for(lambda: b"a line" in follower.received)
    assert drain(site) == 0
    assert idle.has_ended
    assert not idle.was_reset
