"""System calls by which a process limits itself.

A forked child makes them between fork and exec.  So what imports or allocates much is done before,
in the daemon: `prepare_ioprio` and `prepare_death_signal` return functions that only call the
kernel.  See setrlimit(2), ioprio_set(2), prctl(2), sched_setaffinity(2) and
proc_pid_oom_score_adj(5).
"""

from __future__ import annotations

import errno
import importlib
import os
import resource
import sys

from supervisor.common.limit_values import UNLIMITED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.common.limit_values import Rlimit

OOM_SCORE_ADJ = "/proc/self/oom_score_adj"

IOPRIO_WHO_PROCESS = 1
"""From linux/ioprio.h: the priority of one thread; 0 is the calling one."""

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""

GENERIC_IOPRIO_SET = 30
"""Number of ioprio_set(2) in asm-generic/unistd.h, which all newer architectures use."""

IOPRIO_SET = {
    64: {
        "aarch64": GENERIC_IOPRIO_SET,
        "loongarch64": GENERIC_IOPRIO_SET,
        "ppc64": 273,
        "ppc64le": 273,
        "riscv64": GENERIC_IOPRIO_SET,
        "s390x": 282,
        "x86_64": 251,
    },
    32: {
        "aarch64": 314,
        "armv6l": 314,
        "armv7l": 314,
        "armv8l": 314,
        "i386": 289,
        "i586": 289,
        "i686": 289,
        "x86_64": 289,
    },
}
"""Numbers of ioprio_set(2), for which the C library has no function, by word size and machine."""


def is_supported(option: str) -> bool:
    """Whether this system has the call behind an option, or the limit `RLIMIT_NAME`."""
    if option.startswith("RLIMIT_"):
        return hasattr(resource, option)
    if option == "oom_score_adj":
        return os.path.exists(OOM_SCORE_ADJ)
    if option == "cpu_affinity":
        return hasattr(os, "sched_setaffinity")
    if option == "ioprio" and _ioprio_set_number() is None:
        return False
    return sys.platform == "linux" and _has_ctypes()


def _ioprio_set_number() -> int | None:
    bits = 64 if sys.maxsize > 2**32 else 32
    return IOPRIO_SET[bits].get(os.uname().machine)


def _has_ctypes() -> bool:
    try:
        importlib.import_module("ctypes")
    except ImportError:  # a Python that was built without libffi
        return False
    return True


def set_rlimit(name: str, limit: Rlimit) -> None:
    """Set `RLIMIT_NAME` of this process.  Raises `OSError`."""
    number = getattr(resource, name)
    soft = _native(limit.soft)
    hard = resource.getrlimit(number)[1] if limit.hard is None else _native(limit.hard)
    try:
        resource.setrlimit(number, (soft, hard))
    except ValueError:  # in place of EPERM, and of EINVAL for a soft limit above the hard one
        is_above = hard != resource.RLIM_INFINITY and not 0 <= soft <= hard
        code = errno.EINVAL if is_above else errno.EPERM
        raise OSError(code, os.strerror(code)) from None


def _native(limit: int) -> int:
    return resource.RLIM_INFINITY if limit == UNLIMITED else limit


def set_nice(value: int) -> None:
    """Set the nice value of this process, from -20 to 19.  Raises `OSError`."""
    os.setpriority(os.PRIO_PROCESS, 0, value)


def set_oom_score_adj(value: int) -> None:
    """Set the adjustment of this process for the OOM killer, -1000 to 1000.  Raises `OSError`."""
    fd = os.open(OOM_SCORE_ADJ, os.O_WRONLY)
    try:
        os.write(fd, b"%d" % value)
    finally:
        os.close(fd)


def prepare_ioprio(value: int) -> Callable[[], None]:
    """Return a function that sets the I/O priority of its process, and raises `OSError`."""
    number = _ioprio_set_number()
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return _prepared("syscall", number, IOPRIO_WHO_PROCESS, 0, value)


def prepare_death_signal(signum: int) -> Callable[[], None]:
    """Return a function that makes the kernel send a signal to its process when the parent dies.

    `parent` must be alive when it is called, else the signal is sent at once.  A later change of
    the user clears the setting, see PR_SET_PDEATHSIG in prctl(2).  The function raises `OSError`.
    """
    parent = os.getpid()
    prctl = _prepared("prctl", PR_SET_PDEATHSIG, signum, 0, 0, 0)

    def set_death_signal() -> None:
        prctl()
        if os.getppid() != parent:  # it died before
            os.kill(os.getpid(), signum)

    return set_death_signal


def _prepared(function: str, *arguments: int) -> Callable[[], None]:
    from supervisor.engine.libc import prepare_call  # few programs need ctypes, which takes a MiB

    return prepare_call(function, *arguments)
