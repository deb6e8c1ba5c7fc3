"""A load for a while: the memory, fds and children of the daemon must not grow.

The suite runs each load for a minute; `python -m benchmarks --soak` and `--checks-soak` run it for
as long as their argument says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.support import proctable
from tests.support.daemon import Daemon

SECONDS_VARIABLE = "SUPERVISOR_SOAK_SECONDS"
SECONDS = float(os.environ.get(SECONDS_VARIABLE, "60"))

START_AND_STOP_SECONDS = 120
"""Upper bound of the time of a soak beside its load, for timeouts of tests."""

SAMPLES = 30
MAX_PERIOD_SECONDS = 60
LOOKS, LOOK_PERIOD_SECONDS = 20, 0.05
"""A sample is the lowest of several looks, so that it has no child that is just being started."""


class Resources(NamedTuple):
    """The resources of a process."""

    rss_bytes: int
    pss_bytes: int
    fds: int
    children: int
    zombies: int


MAX_GROWTH = Resources(1_000_000, 10_000_000, 3, 3, 0)
"""Growth that a load may cause without a leak: one of its programs is just being restarted.

The proportional set size also grows when other processes, which have shared pages of Python, end.
"""


def soak(
    daemon: Daemon, put_on_load: Callable[[float], None], seconds: float = SECONDS
) -> list[Resources]:
    """Put a load on a daemon, sample its resources, and check that none of them grows.

    `put_on_load` takes the time in seconds after which it returns.  Each sample is printed.
    """
    period = min(MAX_PERIOD_SECONDS, seconds / SAMPLES)
    samples: list[Resources] = []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        put_on_load(max(period - LOOKS * LOOK_PERIOD_SECONDS, LOOK_PERIOD_SECONDS))
        samples.append(lowest(_looks(daemon.pid)))
        print(f"{elapsed:6.0f} s  {_text(samples[-1])}", flush=True)
    assert not (grown := growth_text(samples)), grown
    return samples


def growth_text(samples: Sequence[Resources]) -> str:
    """Return which resources have grown, "" if none has.

    The first third of the samples is the warm-up; the lowest of the second and of the last third
    are compared.
    """
    third = len(samples) // 3
    before, after = lowest(samples[third : -third or None]), lowest(samples[-third:])
    return ", ".join(
        f"{name}: {first} -> {last}"
        for name, first, last, most in zip(
            Resources._fields, before, after, MAX_GROWTH, strict=True
        )
        if last - first > most
    )


def lowest(samples: Sequence[Resources]) -> Resources:
    """Return the lowest value of each resource."""
    return Resources(*map(min, zip(*samples, strict=True)))


def _looks(pid: int) -> list[Resources]:
    looks = []
    for _ in range(LOOKS):
        children = proctable.children(pid)
        zombies = [each for each in children if each.state == "Z"]
        looks.append(
            Resources(
                proctable.memory_bytes(pid),
                proctable.proportional_bytes(pid),
                proctable.fd_count(pid),
                len(children),
                len(zombies),
            )
        )
        time.sleep(LOOK_PERIOD_SECONDS)
    return looks


def _text(sample: Resources) -> str:
    return "  ".join(f"{name} {value}" for name, value in sample._asdict().items())
