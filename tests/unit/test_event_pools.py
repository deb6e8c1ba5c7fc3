"""Event listener pools: who gets which event, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from supervisor import events
from supervisor.config.model import EventListenerConfig, EventListenerPoolConfig
from supervisor.dispatchers import RejectEvent, default_handler
from supervisor.process.event_pools import (
    BACKOFF_SECONDS,
    REJECTIONS_BEFORE_BACKOFF,
    EventListenerPool,
)
from supervisor.states import EventListenerStates
from tests.support.world import World

if TYPE_CHECKING:
    from supervisor.process.child import Subprocess

READY, BUSY, ACKNOWLEDGED, UNKNOWN = (
    EventListenerStates.READY,
    EventListenerStates.BUSY,
    EventListenerStates.ACKNOWLEDGED,
    EventListenerStates.UNKNOWN,
)


class Pool:
    """A pool whose listeners run and only record what they are sent."""

    def __init__(
        self,
        world: World,
        *event_types: type,
        size: int = 1,
        buffer_size: int = 10,
        name: str = "pool",
        handler: Any = default_handler,
        startsecs: int = 0,
    ) -> None:
        configs = [
            EventListenerConfig(
                f"l{number}",
                "/bin/cat",
                stdout_logfile=None,
                stderr_logfile=None,
                startsecs=startsecs,
            )
            for number in range(size)
        ]
        config = EventListenerPoolConfig(
            name, -1, list(configs), buffer_size, list(event_types), handler
        )
        self.pool = EventListenerPool(config, world.runtime)
        self.pool.transition()
        world.pass_time(0)
        self.listeners = list(self.pool.processes.values())
        self.sent: dict[str, list[str]] = {process.name: [] for process in self.listeners}
        for process in self.listeners:
            process.write = self._recorder(process)  # type: ignore[method-assign]

    def _recorder(self, process: Subprocess) -> Any:
        return lambda data: self.sent[process.name].append(data.decode())

    def say(self, text: str, listener: int = 0) -> None:
        """Let a listener write to its stdout."""
        process = self.listeners[listener]
        stdout = next(iter(process.dispatchers.values()))
        stdout.output_arrived(text.encode())  # type: ignore[attr-defined]


def remote(data: str = "data") -> events.RemoteCommunicationEvent:
    return events.RemoteCommunicationEvent("type", data)


def test_a_ready_listener_gets_the_event_at_once(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    pool.say("READY\n")
    events.notify(remote())
    (text,) = pool.sent["l0"]
    header, _, payload = text.partition("\n")
    fields = dict(pair.split(":") for pair in header.split())
    serial = fields.pop("serial")
    assert fields == {
        "ver": "3.0",
        "server": "supervisor",
        "pool": "pool",
        "poolserial": "0",
        "eventname": "REMOTE_COMMUNICATION",
        "len": str(len(payload)),
    }
    assert serial.isdigit()
    assert payload == "type:type\ndata"
    assert pool.listeners[0].listener_state == BUSY


def test_a_listener_that_was_ready_before_it_ran_gets_what_waits(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent, startsecs=1)
    pool.say("READY\n")
    events.notify(remote())
    assert not pool.sent["l0"]
    world.pass_time(1)
    assert len(pool.sent["l0"]) == 1


def test_len_counts_characters_not_bytes(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    pool.say("READY\n")
    events.notify(remote("äöü"))
    assert " len:13\n" in pool.sent["l0"][0]


def test_events_wait_in_order_for_a_listener(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    for data in "abc":
        events.notify(remote(data))
    for _ in range(3):
        pool.say("READY\n")
        pool.say("RESULT 2\nOK")
    assert [text[-1] for text in pool.sent["l0"]] == ["a", "b", "c"]


def test_a_cut_stream_is_the_same_stream(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote("a"))
    events.notify(remote("b"))
    for character in "READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n":
        pool.say(character)
    assert [text[-1] for text in pool.sent["l0"]] == ["a", "b"]
    assert pool.listeners[0].listener_state == READY


def test_several_listeners_share_the_queue(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent, size=2)
    pool.say("READY\n", 0)
    pool.say("READY\n", 1)
    events.notify(remote("a"))
    events.notify(remote("b"))
    assert [text[-1] for text in pool.sent["l0"]] == ["a"]
    assert [text[-1] for text in pool.sent["l1"]] == ["b"]


def test_a_rejected_event_is_requeued_with_its_serials(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    pool.say("READY\n")
    pool.say("RESULT 4\nFAIL")
    assert world.lines("warn") == ["l0: event was rejected"]
    pool.say("READY\n")
    first, second = pool.sent["l0"]
    assert first == second


def test_a_rejected_event_goes_back_to_its_own_pool_only(world: World) -> None:
    first = Pool(world, events.RemoteCommunicationEvent, name="first")
    second = Pool(world, events.RemoteCommunicationEvent, name="second")
    events.notify(remote())
    for pool in (first, second):
        pool.say("READY\n")
    first.say("RESULT 4\nFAIL")
    second.say("RESULT 2\nOK")
    assert len(first.pool.event_buffer) == 1
    assert len(second.pool.event_buffer) == 0


def reject(pool: Pool, listener: int = 0) -> None:
    """Let a listener ask for an event and reject it."""
    pool.say("READY\n", listener)
    pool.say("RESULT 4\nFAIL", listener)


def test_a_listener_that_rejects_everything_gets_one_event_a_second(world: World) -> None:
    """Result lines with a wrong length are a common mistake; the loop must not spin over them."""
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    for _ in range(REJECTIONS_BEFORE_BACKOFF):
        reject(pool)
    pool.say("READY\n")
    assert len(pool.sent["l0"]) == REJECTIONS_BEFORE_BACKOFF
    for seconds in (1, 2):
        world.pass_time(BACKOFF_SECONDS)
        pool.say("RESULT 4\nFAIL")
        pool.say("READY\n")
        assert len(pool.sent["l0"]) == REJECTIONS_BEFORE_BACKOFF + seconds
    assert pool.listeners[0].listener_state == READY


def test_an_accepted_event_ends_the_back_off(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent, size=2)
    events.notify(remote("a"))
    for _ in range(REJECTIONS_BEFORE_BACKOFF - 1):
        reject(pool)
    pool.say("READY\n")
    pool.say("RESULT 2\nOK")
    events.notify(remote("b"))
    for _ in range(REJECTIONS_BEFORE_BACKOFF - 1):
        reject(pool)
    pool.say("READY\n")
    assert pool.listeners[0].listener_state == BUSY


def test_a_pool_that_backs_off_can_be_removed(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    for _ in range(REJECTIONS_BEFORE_BACKOFF):
        reject(pool)
    pool.say("READY\n")
    pool.pool.before_remove()
    world.pass_time(BACKOFF_SECONDS)
    assert len(pool.sent["l0"]) == REJECTIONS_BEFORE_BACKOFF


def test_an_event_that_was_being_handled_outlives_its_listener(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    pool.say("READY\n")
    process = pool.listeners[0]
    process.finish(process.pid, 9)
    assert len(pool.pool.event_buffer) == 1
    assert process.event is None


def test_overflow_drops_the_oldest_and_reports_it(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent, buffer_size=2)
    for data in "abc":
        events.notify(remote(data))
    (line,) = world.lines("error")
    assert line.startswith("pool pool event buffer overflowed, discarding event ")
    kept = [event.data for event in pool.pool.event_buffer]  # type: ignore[attr-defined]
    assert kept == ["b", "c"]


def test_a_listener_that_does_not_read_gets_no_more_events(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    process = pool.listeners[0]

    def refuse(_chars: bytes) -> None:
        raise BlockingIOError(11, "4194304 bytes are waiting to be read")

    process.write = refuse  # type: ignore[method-assign]
    pool.say("READY\n")
    events.notify(remote())
    assert process.listener_state == UNKNOWN
    assert process.event is None
    assert len(pool.pool.event_buffer) == 1
    assert world.lines("warn")[0] == (
        "l0: does not read its stdin, 4194304 bytes are waiting to be read"
    )


def test_nonsense_ends_the_deliveries_but_not_the_process(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    pool.say("READY\n")
    pool.say("RESULT abc\n")
    process = pool.listeners[0]
    assert process.listener_state == UNKNOWN
    assert process.pid
    assert world.lines("warn") == [
        "l0: bad result line: 'RESULT abc'",
        (
            "l0: has entered the UNKNOWN state and will no longer receive events, this usually"
            " indicates the process violated the eventlistener protocol"
        ),
    ]
    assert len(pool.pool.event_buffer) == 1


def test_a_result_handler_that_raises_rejects(world: World) -> None:
    def handler(_event: object, _response: bytes) -> None:
        raise RuntimeError("broken plugin")

    pool = Pool(world, events.RemoteCommunicationEvent, handler=handler)
    events.notify(remote())
    pool.say("READY\n")
    pool.say("RESULT 2\nOK")
    assert "RuntimeError: broken plugin" in world.lines("warn")[0]
    assert pool.listeners[0].listener_state == ACKNOWLEDGED
    assert len(pool.pool.event_buffer) == 1


def test_each_matching_subscription_delivers(world: World) -> None:
    pool = Pool(world, events.Event, events.ProcessGroupAddedEvent)
    events.notify(events.ProcessGroupAddedEvent("g"))
    names = [type(event).__name__ for event in pool.pool.event_buffer]
    assert names.count("ProcessGroupAddedEvent") == 2


def test_a_removed_pool_hears_nothing(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    pool.pool.before_remove()
    events.notify(remote())
    assert len(pool.pool.event_buffer) == 0
    assert events.callbacks == []


def test_a_pool_has_work_while_events_may_be_taken(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    assert not pool.pool.has_pending_events()
    events.notify(remote("a"))
    assert pool.pool.has_pending_events(), "the listener may be about to say that it is ready"
    pool.say("READY\n")
    assert pool.pool.has_pending_events(), "the listener is busy"
    pool.say("RESULT 2\nOK")
    assert not pool.pool.has_pending_events()


def test_a_pool_whose_listeners_have_lost_their_way_has_no_work(world: World) -> None:
    pool = Pool(world, events.RemoteCommunicationEvent)
    events.notify(remote())
    pool.say("nonsense\n")
    assert not pool.pool.has_pending_events()


def test_the_default_handler_accepts_only_ok() -> None:
    default_handler(remote(), b"OK")
    with pytest.raises(RejectEvent):
        default_handler(remote(), b"FAIL")
