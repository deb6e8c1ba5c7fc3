"""Configuration warnings about limits and stops of programs; `config.lint` reports them."""

from __future__ import annotations

import os

from supervisor.config.conversions import TREE
from supervisor.config.limits import NO_LIMITS
from supervisor.datatypes import TRUTHY_STRINGS
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from supervisor.config.parser import Remark, UnhosedConfigParser
    from supervisor.config.process_config import ProcessConfig

ROOT = ("root", "0")
"""Values of `[supervisord] user` with which the daemon stays root."""

PROTECTED = (
    "option 'oom_score_adj' {where} cannot be set: supervisord changes its user, and the kernel"
    " then protects its files in /proc"
)
WITHOUT_SUBREAPER = (
    "option 'killmode' {where} does not find descendants whose parents have exited"
    " (fix: subreaper=true in [supervisord])"
)
MISSING_CPU = "option 'cpu_affinity' {{where}} names CPU {cpu}, but this machine has 0 to {last}"


def limit_warnings(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each limit that cannot be set, and each tree that cannot be stopped."""
    subreaper = parser.get(parser.mysection, "subreaper", fallback="")
    adopts_orphans = subreaper.lower() in TRUTHY_STRINGS or os.getpid() == posix.PID_OF_INIT
    user = parser.get(parser.mysection, "user", fallback=None)
    changes_user = os.geteuid() == 0 and user not in (None, *ROOT)
    for section, config in programs.items():
        if config.killmode == TREE and not adopts_orphans:
            yield parser.remark(section, "killmode", WITHOUT_SUBREAPER)
        limits = config.limits
        if limits == NO_LIMITS:
            continue
        if limits.oom_score_adj is not None and changes_user:
            yield parser.remark(section, "oom_score_adj", PROTECTED)
        last = os.sysconf("SC_NPROCESSORS_CONF") - 1
        if limits.cpu_affinity and limits.cpu_affinity[-1] > last:
            text = MISSING_CPU.format(cpu=limits.cpu_affinity[-1], last=last)
            yield parser.remark(section, "cpu_affinity", text)
