"""Events: their subscribers, and the text that listeners read."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor import events
from supervisor.states import ProcessStates


@pytest.fixture(autouse=True)
def no_subscribers() -> Iterator[None]:
    """Leave the module-wide subscriptions as they were."""
    before = list(events.callbacks)
    events.clear()
    yield
    events.callbacks[:] = before


def process(*, group: str | None = "g") -> Any:
    """Make what events read of a process."""
    return SimpleNamespace(
        config=SimpleNamespace(name="p"),
        group=group and SimpleNamespace(config=SimpleNamespace(name=group)),
        pid=7,
        backoff=2,
    )


class TestSubscriptions:
    """subscribe, unsubscribe, notify."""

    def test_an_event_reaches_subscribers_of_its_type_and_of_its_parents_in_order(self) -> None:
        heard: list[str] = []
        events.subscribe(events.Event, lambda _: heard.append("all"))
        events.subscribe(events.TickEvent, lambda _: heard.append("ticks"))
        events.subscribe(events.Tick60Event, lambda _: heard.append("minutes"))
        events.notify(events.Tick5Event(5, None))
        assert heard == ["all", "ticks"]

    def test_every_matching_subscription_counts(self) -> None:
        heard: list[Any] = []
        for event_type in (events.Event, events.ProcessGroupEvent):
            events.subscribe(event_type, heard.append)
        events.notify(events.ProcessGroupAddedEvent("g"))
        assert len(heard) == 2

    def test_unsubscribe_takes_back_one_subscription(self) -> None:
        heard: list[Any] = []
        events.subscribe(events.Event, heard.append)
        events.subscribe(events.Event, heard.append)
        events.unsubscribe(events.Event, heard.append)
        events.notify(events.SupervisorRunningEvent())
        assert len(heard) == 1
        with pytest.raises(ValueError, match="not in list"):
            events.unsubscribe(events.TickEvent, heard.append)

    def test_callbacks_may_unsubscribe_while_they_are_called(self) -> None:
        heard: list[str] = []

        def once(_: object) -> None:
            heard.append("once")
            events.unsubscribe(events.Event, once)

        events.subscribe(events.Event, once)
        events.subscribe(events.Event, lambda _: heard.append("always"))
        events.notify(events.Event())
        events.notify(events.Event())
        assert heard == ["once", "always", "always"]

    def test_plugins_may_edit_the_list(self) -> None:
        heard: list[Any] = []
        events.callbacks.append((events.Event, heard.append))
        events.notify(events.Event())
        assert len(heard) == 1
        events.clear()
        assert events.callbacks == []

    def test_has_subscribers_includes_parents(self) -> None:
        assert not events.has_subscribers(events.Tick5Event)
        events.subscribe(events.TickEvent, print)
        assert events.has_subscribers(events.Tick5Event)
        assert not events.has_subscribers(events.Event)

    def test_a_rejected_event_is_not_published_to_listeners(self) -> None:
        heard: list[Any] = []
        events.subscribe(events.Event, heard.append)
        events.notify(events.EventRejectedEvent(process(), events.Event()))
        assert heard == []


class TestNames:
    """The names that configuration files and listeners use."""

    def test_every_name_leads_to_its_type_and_back(self) -> None:
        names = [name for name in vars(events.EventTypes) if not name.startswith("_")]
        assert len(names) == 29
        for name in names:
            assert events.getEventNameByType(getattr(events.EventTypes, name)) == name

    def test_every_type_is_a_subtype_of_the_names_that_begin_its_name(self) -> None:
        types = {k: v for k, v in vars(events.EventTypes).items() if not k.startswith("_")}
        for name, event_type in types.items():
            assert issubclass(event_type, events.Event)
            for prefix, parent in types.items():
                if name.startswith(f"{prefix}_"):
                    assert issubclass(event_type, parent), (name, prefix)

    def test_what_has_no_name(self) -> None:
        assert events.getEventNameByType(int) is None
        assert events.getEventNameByType(events.ProcessStateStartingOrBackoffEvent) is None

    def test_plugins_register_types_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Mine(events.Event):
            pass

        monkeypatch.setattr(events.EventTypes, "MINE", None, raising=False)
        events.register("MINE", Mine)
        assert events.getEventNameByType(Mine) == "MINE"
        events.register("MINE", events.TickEvent)
        assert events.getEventNameByType(Mine) is None
        assert events.getEventNameByType(events.TickEvent) == "TICK"


STATE_PAYLOADS = [
    (events.ProcessStateStartingEvent, ProcessStates.STOPPED, " from_state:STOPPED tries:2"),
    (events.ProcessStateBackoffEvent, ProcessStates.STARTING, " from_state:STARTING tries:2"),
    (events.ProcessStateRunningEvent, ProcessStates.STARTING, " from_state:STARTING pid:7"),
    (events.ProcessStateStoppingEvent, ProcessStates.RUNNING, " from_state:RUNNING pid:7"),
    (events.ProcessStateStoppedEvent, ProcessStates.STOPPING, " from_state:STOPPING pid:7"),
    (events.ProcessStateExitedEvent, ProcessStates.RUNNING, " from_state:RUNNING expected:1 pid:7"),
    (events.ProcessStateFatalEvent, ProcessStates.BACKOFF, " from_state:BACKOFF"),
    (events.ProcessStateUnknownEvent, ProcessStates.STOPPING, " from_state:STOPPING"),
]


class TestPayloads:
    """Texts to the letter, as Supervisor 4.3 sends them."""

    @pytest.mark.parametrize(("event_type", "before", "rest"), STATE_PAYLOADS)
    def test_process_states(self, event_type: Any, before: int, rest: str) -> None:
        assert event_type(process(), before).payload() == f"processname:p groupname:g{rest}"

    def test_an_unexpected_exit(self) -> None:
        event = events.ProcessStateExitedEvent(process(), ProcessStates.RUNNING, False)
        assert event.payload().endswith(" expected:0 pid:7")

    def test_a_process_without_a_group(self) -> None:
        event = events.ProcessStateFatalEvent(process(group=None), ProcessStates.BACKOFF)
        assert event.payload() == "processname:p groupname: from_state:BACKOFF"

    def test_values_are_those_of_the_moment_of_the_event(self) -> None:
        running = process()
        event = events.ProcessStateStoppedEvent(running, ProcessStates.STOPPING)
        running.pid = 0
        assert event.payload().endswith(" pid:7")

    @pytest.mark.parametrize("channel", ["stdout", "stderr"])
    def test_output(self, channel: str) -> None:
        log_type = getattr(events.EventTypes, f"PROCESS_LOG_{channel.upper()}")
        said_type = getattr(events.EventTypes, f"PROCESS_COMMUNICATION_{channel.upper()}")
        data = "né\n".encode()
        logged = f"processname:p groupname:g pid:9 channel:{channel}\nné\n"
        assert log_type(process(), 9, data).payload() == logged
        assert said_type(process(), 9, data).payload() == "processname:p groupname:g pid:9\nné\n"

    def test_output_that_is_no_text(self) -> None:
        event = events.ProcessLogStdoutEvent(process(), 9, b"a\xffb")
        assert event.payload().endswith("channel:stdout\nUndecodable: b'a\\xffb'")

    @pytest.mark.parametrize(
        ("event", "payload"),
        [
            (events.RemoteCommunicationEvent("a", "b\nc"), "type:a\nb\nc"),
            (events.ProcessGroupAddedEvent("g"), "groupname:g\n"),
            (events.ProcessGroupRemovedEvent("g"), "groupname:g\n"),
            (events.SupervisorRunningEvent(), ""),
            (events.SupervisorStoppingEvent(), ""),
            (events.Tick3600Event(7200, None), "when:7200"),
        ],
    )
    def test_others(self, event: events.Event, payload: str) -> None:
        assert event.payload() == payload

    def test_ticks(self) -> None:
        assert [tick.period for tick in events.TICK_EVENTS] == [5, 60, 3600]
