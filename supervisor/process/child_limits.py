"""The limits of a child, as the steps that it takes between fork and exec.

The steps are made in the daemon, so that the child only calls the kernel.  Limits and priorities
come before the groups and the user, because root may raise them; the death signal comes after,
because a change of the user clears it (prctl(2)).
"""

from __future__ import annotations

import os
from functools import partial

from supervisor.common.records import names
from supervisor.config.limits import LimitsConfig
from supervisor.engine import limits, posix
from supervisor.process.plan import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = tuple[str, Callable[[], object]]

RLIMITS = tuple(name for name in names(LimitsConfig) if name.startswith("rlimit_"))


class LimitSteps:
    """The steps of a child before and after the change of its user."""

    def __init__(self, config: LimitsConfig, *, keeps_user: bool) -> None:
        """Groups are steps if the child `keeps_user`, else a part of the change of its user."""
        self._before = list(_limits(config))
        if keeps_user:
            self._before += _groups(config)
        self._after = list(_death_signal(config))

    def take_before(self) -> None:
        """Take the steps of the daemon's user, in the child; raises `SpawnError`."""
        _take(self._before)

    def take_after(self) -> None:
        """Take the steps of the program's user, in the child; raises `SpawnError`."""
        _take(self._after)


def _take(steps: list[Step]) -> None:
    """Take steps; the error names the option of one that fails."""
    for option, step in steps:
        try:
            step()
        except OSError as error:
            raise SpawnError(
                f"couldn't set {option}: {posix.errname(error.errno)}", in_child=True
            ) from None


def _limits(config: LimitsConfig) -> Iterator[Step]:
    for option in RLIMITS:
        limit = getattr(config, option)
        if limit is not None:
            yield option, partial(limits.set_rlimit, option.upper(), limit)
    if config.nice is not None:
        yield "nice", partial(limits.set_nice, config.nice)
    if config.ioprio is not None:
        yield "ioprio", limits.prepare_ioprio(config.ioprio)
    if config.oom_score_adj is not None:
        yield "oom_score_adj", partial(limits.set_oom_score_adj, config.oom_score_adj)
    if config.cpu_affinity is not None:
        yield "cpu_affinity", partial(os.sched_setaffinity, 0, config.cpu_affinity)


def _groups(config: LimitsConfig) -> Iterator[Step]:
    if config.supplementary_groups is not None:
        yield "supplementary_groups", partial(os.setgroups, config.supplementary_groups)
    if config.gid is not None:
        yield "group", partial(os.setgid, config.gid)


def _death_signal(config: LimitsConfig) -> Iterator[Step]:
    if config.pdeathsig is not None:
        yield "pdeathsig", limits.prepare_death_signal(config.pdeathsig)
