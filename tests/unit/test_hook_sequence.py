"""The order of hooks: the pure machine, event by event."""

from __future__ import annotations

import json

import pytest

from supervisor.config.hooks import HOOKS, POST_START, POST_STOP, PRE_START, PRE_STOP, STOP_COMMAND
from supervisor.process.hook_sequence import LAUNCH, SIGNAL, HookSequence

START = [PRE_START, LAUNCH]
STOP = [PRE_STOP, STOP_COMMAND, SIGNAL]


def take(sequence: HookSequence, event: str) -> list[str]:
    """Apply an event, or `end` of the running hook; return the steps that follow it.

    A hook that the event interrupts has ended, and is shown with a minus.
    """
    taken = []
    if event == "end":
        sequence.hook_ended()
    elif getattr(sequence, event)():
        taken.append(f"-{sequence.running}")
        sequence.hook_ended()
    while (step := sequence.next_step()) is not None:
        taken.append(step)
    return taken


def run(text: str, names: tuple[str, ...] = HOOKS) -> list[str]:
    """Apply some events; return all steps."""
    sequence = HookSequence(names)
    return [step for event in text.split() for step in take(sequence, event)]


RUNNING = [PRE_START, LAUNCH, POST_START]

CASES = [
    # A whole life.
    ("start end", [PRE_START, LAUNCH]),
    ("start end entered_running", RUNNING),
    ("start end entered_running end", RUNNING),
    ("start end entered_running end stop", [*RUNNING, PRE_STOP]),
    ("start end entered_running end stop end end", [*RUNNING, *STOP]),
    ("start end entered_running end stop end end run_ended end", [*RUNNING, *STOP, POST_STOP]),
    # A crash, and a failed start.
    ("start end entered_running end run_ended", [*RUNNING, POST_STOP]),
    ("start end run_ended", [PRE_START, LAUNCH, POST_STOP]),
    ("start end entered_running run_ended", [*RUNNING, f"-{POST_START}", POST_STOP]),
    # The first hook fails: the caller reports the end of the start before the next step.
    ("start abort_start", [PRE_START, f"-{PRE_START}", POST_STOP]),
    ("start abort_start end start", [PRE_START, f"-{PRE_START}", POST_STOP, PRE_START]),
    # The next start waits for the last hook.
    ("start end run_ended start", [PRE_START, LAUNCH, POST_STOP]),
    ("start end run_ended start end", [PRE_START, LAUNCH, POST_STOP, PRE_START]),
    ("start end run_ended start end end", [PRE_START, LAUNCH, POST_STOP, PRE_START, LAUNCH]),
    # A stop of a start that waits has nothing to clean up.
    ("start end run_ended start abort_start end", [PRE_START, LAUNCH, POST_STOP]),
    # A stop before RUNNING, and in the middle of the hook after it.
    ("start end stop", [PRE_START, LAUNCH, PRE_STOP]),
    ("start end entered_running stop", [*RUNNING, f"-{POST_START}", PRE_STOP]),
    # The child dies while the hooks of its stop are running.
    ("start end stop run_ended", [PRE_START, LAUNCH, PRE_STOP]),
    ("start end stop run_ended end", [PRE_START, LAUNCH, PRE_STOP, POST_STOP]),
    ("start end stop end run_ended end", [PRE_START, LAUNCH, PRE_STOP, STOP_COMMAND, POST_STOP]),
    ("start end stop run_ended start end", [PRE_START, LAUNCH, PRE_STOP, POST_STOP]),
    ("start end stop run_ended start end end", [*START, PRE_STOP, POST_STOP, PRE_START]),
    ("start end stop run_ended start abort_start end end", [*START, PRE_STOP, POST_STOP]),
    # A signal that does not wait for the hooks.
    ("start end stop signalled end run_ended", [PRE_START, LAUNCH, PRE_STOP, POST_STOP]),
    ("start end entered_running signalled", [*RUNNING, f"-{POST_START}"]),
    # No further hooks.
    ("start end disable stop", [PRE_START, LAUNCH, SIGNAL]),
    ("start end stop disable end", [PRE_START, LAUNCH, PRE_STOP, SIGNAL]),
    ("start end disable run_ended", [PRE_START, LAUNCH]),
]


@pytest.mark.parametrize(("events", "steps"), CASES)
def test_steps(events: str, steps: list[str]) -> None:
    assert run(events) == steps


@pytest.mark.parametrize(
    ("names", "events", "steps"),
    [
        ((), "start entered_running stop run_ended start", [LAUNCH, SIGNAL, LAUNCH]),
        ((POST_STOP,), "start stop run_ended start end", [LAUNCH, SIGNAL, POST_STOP, LAUNCH]),
        ((STOP_COMMAND,), "start stop end", [LAUNCH, STOP_COMMAND, SIGNAL]),
        ((POST_STOP,), "start run_ended start abort_start end", [LAUNCH, POST_STOP]),
    ],
)
def test_steps_without_a_hook_are_skipped(
    names: tuple[str, ...], events: str, steps: list[str]
) -> None:
    assert run(events, names) == steps


def test_delays() -> None:
    """They last from the request to the step."""
    sequence = HookSequence(HOOKS)
    seen = []
    for event in ("start", "end", "entered_running", "end", "stop", "end", "end", "run_ended"):
        take(sequence, event)
        seen.append((sequence.delays_start, sequence.delays_signal))
    none = (False, False)
    start, stop = (True, False), (False, True)
    assert seen == [start, none, none, none, stop, stop, none, none]


@pytest.mark.parametrize("events", [events for events, _ in CASES])
def test_a_restored_sequence_goes_on(events: str) -> None:
    """At each point, with all the steps that remain."""
    words = [each for each in events.split() if each != "disable"]
    for position in range(len(words)):
        sequence, later = HookSequence(HOOKS), HookSequence(HOOKS)
        for event in words[:position]:
            take(sequence, event)
        later.restore(json.loads(json.dumps(sequence.snapshot())) | {"unknown": 1})
        for event in words[position:]:
            assert take(later, event) == take(sequence, event)
