"""The options that limit a program, of which a forked child sets those that its program has.

They are one record of a process config, `config.limits`, and have no common prefix in a section.
"""

from __future__ import annotations

from supervisor.common.records import replace
from supervisor.config.option import option, option_record
from supervisor.datatypes import byte_size, list_of_names, name_to_gid, signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from supervisor.common.limit_values import Rlimit

    T = TypeVar("T")

# The parsers and the system calls are imported for the first program that has such an option.


def supported(name: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    """Wrap the conversion of an option that needs a system call, which some systems lack."""

    def converted(value: str) -> T:
        from supervisor.engine import limits

        if not limits.is_supported(name):
            raise ValueError(f"this system has no {name}")
        return convert(value)

    return converted


def rlimit(name: str, summary: str, amount: Callable[[str], int]) -> Rlimit | None:
    """Return the row of one limit of setrlimit(2); `amount` converts its values."""

    def convert(value: str) -> Rlimit:
        from supervisor.common.limit_values import parse_rlimit

        return parse_rlimit(value, amount)

    return option(
        supported(name, convert),
        f"{summary}: soft[:hard], or unlimited (default: unchanged)",
        default=None,
        in_sample=False,
    )


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a conversion to a whole number within bounds."""

    def convert(value: str) -> int:
        from supervisor.common.limit_values import bounded

        return bounded(value.strip(), least, most)

    return convert


def size(value: str) -> int:
    """Return a number of bytes, which may have a unit (KB, MB, GB)."""
    try:
        return byte_size(value)
    except ValueError:
        raise ValueError(f"not a size, such as 512MB or 2GB: {value!r}") from None


def amount(value: str) -> int:
    """Return a number of things."""
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"not a whole number: {value!r}") from None


def io_priority(value: str) -> int:
    """Return the value of `ioprio=`; see `common.limit_values`."""
    from supervisor.common.limit_values import parse_ioprio

    return parse_ioprio(value)


def cpus(value: str) -> tuple[int, ...]:
    """Return the value of `cpu_affinity=`; see `common.limit_values`."""
    from supervisor.common.limit_values import parse_cpus

    return parse_cpus(value)


def group_list(value: str) -> tuple[int, ...] | None:
    """Return the ids of groups; None for the word `auto`."""
    names = list_of_names(value)
    if [name.lower() for name in names] == ["auto"]:
        return None
    return tuple(name_to_gid(name) for name in names)


@option_record(frozen=True)
class LimitsConfig:
    """The limits of a process, None for those that it inherits from the daemon.

    `gid` is its primary group, in place of that of its user.  `supplementary_groups` None are
    those of its user.
    """

    rlimit_as: Rlimit | None = rlimit("RLIMIT_AS", "address space in bytes", size)
    rlimit_core: Rlimit | None = rlimit("RLIMIT_CORE", "size of a core dump in bytes", size)
    rlimit_cpu: Rlimit | None = rlimit("RLIMIT_CPU", "CPU time in seconds", amount)
    rlimit_data: Rlimit | None = rlimit("RLIMIT_DATA", "data segment and heap in bytes", size)
    rlimit_fsize: Rlimit | None = rlimit("RLIMIT_FSIZE", "size of a written file in bytes", size)
    rlimit_memlock: Rlimit | None = rlimit("RLIMIT_MEMLOCK", "locked memory in bytes", size)
    rlimit_msgqueue: Rlimit | None = rlimit(
        "RLIMIT_MSGQUEUE", "bytes in message queues of its user", size
    )
    rlimit_nice: Rlimit | None = rlimit(
        "RLIMIT_NICE", "ceiling of its nice value, as 20 minus the value", amount
    )
    rlimit_nofile: Rlimit | None = rlimit("RLIMIT_NOFILE", "number of file descriptors", amount)
    rlimit_nproc: Rlimit | None = rlimit(
        "RLIMIT_NPROC", "number of processes and threads of its user", amount
    )
    rlimit_rss: Rlimit | None = rlimit(
        "RLIMIT_RSS", "resident memory in bytes; Linux ignores it", size
    )
    rlimit_rtprio: Rlimit | None = rlimit("RLIMIT_RTPRIO", "ceiling of real-time priority", amount)
    rlimit_rttime: Rlimit | None = rlimit(
        "RLIMIT_RTTIME", "microseconds of real-time CPU without a system call", amount
    )
    rlimit_sigpending: Rlimit | None = rlimit(
        "RLIMIT_SIGPENDING", "number of queued signals of its user", amount
    )
    rlimit_stack: Rlimit | None = rlimit("RLIMIT_STACK", "stack in bytes", size)
    nice: int | None = option(
        number(-20, 19),
        "its nice value, -20 to 19; below supervisord's requires root (default: supervisord's)",
        default=None,
        in_sample=False,
    )
    ioprio: int | None = option(
        supported("ioprio", io_priority),
        "its I/O priority: idle, best-effort[:0-7] or realtime[:0-7] (default: supervisord's)",
        default=None,
        in_sample=False,
    )
    oom_score_adj: int | None = option(
        supported("oom_score_adj", number(-1000, 1000)),
        "-1000 (never) to 1000 (first), for the OOM killer (default: supervisord's)",
        default=None,
        in_sample=False,
    )
    cpu_affinity: tuple[int, ...] | None = option(
        supported("cpu_affinity", cpus),
        "the CPUs on which it may run: 0,2-3 (default: supervisord's)",
        default=None,
        per_process=True,
        in_sample=False,
    )
    pdeathsig: int | None = option(
        supported("pdeathsig", signal_number),
        "signal that the kernel sends to it when supervisord dies",
        default=None,
        in_sample=False,
    )
    gid: int | None = option(
        name_to_gid,
        "its primary group; requires root (default: that of its user)",
        name="group",
        default=None,
        in_sample=False,
    )
    supplementary_groups: tuple[int, ...] | None = option(
        group_list,
        "its other groups: a list, or auto for those of its user",
        default="auto",
        in_sample=False,
    )

    @property
    def groups_only(self) -> LimitsConfig:
        """The groups, without the other limits: for commands that run beside the program."""
        return replace(NO_LIMITS, gid=self.gid, supplementary_groups=self.supplementary_groups)


NO_LIMITS = LimitsConfig()
