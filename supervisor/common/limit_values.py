"""Values of the options that limit a program: pure parsers of their texts.

Each raises `ValueError` with a text for the user.
"""

from __future__ import annotations

from supervisor.common.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNLIMITED = -1
"""No limit: RLIM_INFINITY of setrlimit(2)."""

MAX_LIMIT = 2**63 - 1

MAX_CPU = 8191
"""Highest number of a CPU: the kernel's upper bound of NR_CPUS is 8192."""

CLASSES = {"realtime": 1, "best-effort": 2, "idle": 3}
"""Classes of ioprio_set(2)."""

CLASS_SHIFT = 13
DEFAULT_LEVEL = 4
MAX_LEVEL = 7


@record(frozen=True)
class Rlimit:
    """A soft and a hard limit, `UNLIMITED` for none; the hard limit None leaves it as it is."""

    soft: int
    hard: int | None


def parse_rlimit(text: str, amount: Callable[[str], int]) -> Rlimit:
    """Return the limits of `soft`, `soft:hard` or `soft:`; `amount` converts one of them.

    As with `ulimit` and systemd, a single value is both limits.
    """
    first, colon, second = (part.strip() for part in text.partition(":"))
    soft = _limit(first, amount)
    hard = _limit(second, amount) if second else None if colon else soft
    if hard is not None and _rank(soft) > _rank(hard):
        raise ValueError(f"the soft limit is above the hard limit in {text!r}")
    return Rlimit(soft, hard)


def _limit(text: str, amount: Callable[[str], int]) -> int:
    if text.lower() == "unlimited":
        return UNLIMITED
    found = amount(text)
    if not 0 <= found <= MAX_LIMIT:
        raise ValueError(f"{text!r} is out of range (0 to {MAX_LIMIT}, or unlimited)")
    return found


def _rank(limit: int) -> float:
    return float("inf") if limit == UNLIMITED else limit


def bounded(text: str, least: int, most: int) -> int:
    """Return a whole number within bounds."""
    try:
        found = int(text)
    except ValueError:
        raise ValueError(f"not a whole number: {text!r}") from None
    if not least <= found <= most:
        raise ValueError(f"{text!r} is out of range ({least} to {most})")
    return found


def parse_ioprio(text: str) -> int:
    """Return the value for ioprio_set(2) of `idle`, `best-effort[:0-7]` or `realtime[:0-7]`."""
    name, colon, level = (part.strip() for part in text.lower().partition(":"))
    if name not in CLASSES or (name == "idle" and colon):
        raise ValueError(f"{text!r} is not one of idle, best-effort[:0-7], realtime[:0-7]")
    if name == "idle":
        return CLASSES[name] << CLASS_SHIFT
    number = bounded(level, 0, MAX_LEVEL) if colon else DEFAULT_LEVEL
    return CLASSES[name] << CLASS_SHIFT | number


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the numbers of the CPUs in a list such as `0,2-3`, in ascending order."""
    cpus: set[int] = set()
    for part in text.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        low = bounded(first, 0, MAX_CPU)
        high = bounded(last, 0, MAX_CPU) if dash else low
        if low > high:
            raise ValueError(f"{part.strip()!r} is not an ascending range of CPUs")
        cpus.update(range(low, high + 1))
    return tuple(sorted(cpus))
