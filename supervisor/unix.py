"""What Unix asks of a daemon: privileges, limits, daemonizing, wait status (floor 1).

Nothing here knows about supervision; `supervisord` and `process.spawn` call it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import grp
import os
import pwd
import resource
import shlex
import signal
import stat
import sys
from collections.abc import Mapping

STANDARD_FDS = (0, 1, 2)

DEFAULT_PATH = ("/bin", "/usr/bin", "/usr/local/bin")


# -- texts ---------------------------------------------------------------------


@functools.cache
def signame(signum: int) -> str:
    """Return the name of a signal, `signal N` for a number without a name."""
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def decode_wait_status(status: int) -> tuple[int, str]:
    """Return (exit status, text) of a status from `waitpid`.

    The exit status is -1 for a process that a signal ended.
    """
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        return code, f"exit status {code}"
    if os.WIFSIGNALED(status):
        text = f"terminated by {signame(os.WTERMSIG(status))}"
        return -1, f"{text} (core dumped)" if os.WCOREDUMP(status) else text
    return -1, f"unknown termination cause 0x{status:04x}"


def errname(number: int | None) -> str:
    """Return the symbol of an errno (`ENOENT`), or the number as text."""
    return errno.errorcode.get(number or 0, str(number))


# -- commands ------------------------------------------------------------------


class ProcessException(Exception):
    """A command cannot be run; the text says why and is shown to users."""


class BadCommand(ProcessException):
    """The command line cannot be parsed, or is empty."""


class NotExecutable(ProcessException):
    """The command is a directory or lacks the permission to be executed."""


class NotFound(ProcessException):
    """The command does not exist."""


class NoPermission(ProcessException):
    """The daemon may not run the command."""


def split_command(command: str) -> list[str]:
    """Split a command line as a POSIX shell does; raises `BadCommand`."""
    try:
        argv = _words(command)
    except ValueError as error:
        raise BadCommand(f"can't parse command {command!r}: {error}") from None
    if not argv:
        raise BadCommand("command is empty")
    return list(argv)


@functools.lru_cache(maxsize=1024)  # a start by RPC asks twice, a restart again: 25 us each
def _words(command: str) -> tuple[str, ...]:
    return tuple(shlex.split(command))


def search_path(environment: Mapping[str, str]) -> list[str]:
    """Return the directories to search: `PATH` of the environment, of the daemon, or a default."""
    path = environment.get("PATH", os.environ.get("PATH"))
    return list(DEFAULT_PATH) if path is None else path.split(os.pathsep)


def find_executable(
    program: str, environment: Mapping[str, str], directory: str | None = None
) -> str:
    """Return the file that `program` names; raises `NotFound`, `NotExecutable`, `NoPermission`.

    A name with a slash is taken as it is; another one is looked for in the `search_path` of
    its environment.  A relative path is returned as it is, and looked for in the `directory`
    from which the child will execute it (by default the current one).
    """
    start = directory or ""
    if "/" in program:
        filename = program
        status = _stat(os.path.join(start, filename))
    else:
        candidates = [os.path.join(folder, program) for folder in search_path(environment)]
        filename, status = next(
            ((name, found) for name in candidates if (found := _stat(os.path.join(start, name)))),
            (program, None),
        )
    if status is None:
        raise NotFound(f"can't find command {filename!r}")
    if stat.S_ISDIR(status.st_mode):
        raise NotExecutable(f"command at {filename!r} is a directory")
    if not stat.S_IMODE(status.st_mode) & 0o111:
        raise NotExecutable(f"command at {filename!r} is not executable")
    if not os.access(os.path.join(start, filename), os.X_OK):
        raise NoPermission(f"no permission to run command {filename!r}")
    return filename


def _stat(filename: str) -> os.stat_result | None:
    try:
        return os.stat(filename)
    except (OSError, ValueError):
        return None


# -- privileges and limits -----------------------------------------------------


def supplementary_groups(uid: int) -> tuple[int, list[int]]:
    """Return (gid, all group ids) of a user; raises `KeyError` for an unknown uid."""
    entry = pwd.getpwuid(uid)
    groups = [group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem]
    return entry.pw_gid, [entry.pw_gid, *(gid for gid in groups if gid != entry.pw_gid)]


def cannot_become(uid: int) -> str | None:
    """Say why this process may not run something as user `uid`; None when it may."""
    current = os.getuid()
    if current == uid:
        return None
    if current != 0:
        return "Can't drop privilege as nonroot user"
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return f"Can't find uid {uid}"
    return None


def drop_privileges(uid: int) -> str | None:
    """Become user `uid` with its groups, for good; return the reason when that fails."""
    reason = cannot_become(uid)
    if reason is not None or os.getuid() == uid:
        return reason
    gid, groups = supplementary_groups(uid)
    try:
        os.setgroups(groups)
    except OSError:
        return "Could not set groups of effective user"
    try:
        os.setgid(gid)
    except OSError:
        return "Could not set group id of effective user"
    os.setuid(uid)
    return None


COMPLAINT = (
    "The minimum number of {what} required to run this {it} is {minimum} as per the"
    ' "{option}" command-line argument or config file setting. The current environment will'
    " only allow you to open {hard} {unit}.  Either raise the number of usable {unit} in your"
    " environment (see README.rst) or lower the {option} setting in the config file to allow"
    " the {it} to start."
)

# Limit, option, and the words for the complaint.
LIMITS = (
    (
        "RLIMIT_NOFILE",
        "minfds",
        {"what": "file descriptors", "unit": "file descriptors", "it": "process"},
    ),
    (
        "RLIMIT_NPROC",
        "minprocs",
        {"what": "available processes", "unit": "processes", "it": "program"},
    ),
)


def raise_limits(minimums: Mapping[str, int]) -> list[str]:
    """Raise the soft limits to `minimums` (by option name); return what to log.

    Raises `ValueError` with the text for the user when a hard limit is too low.
    """
    messages = []
    for name, option, words in LIMITS:
        limit, minimum = getattr(resource, name), minimums[option]
        soft, hard = resource.getrlimit(limit)
        if soft == resource.RLIM_INFINITY or soft >= minimum:
            continue
        if hard != resource.RLIM_INFINITY and hard < minimum:
            hard = minimum  # only root may: everybody else is told below
        try:
            resource.setrlimit(limit, (minimum, hard))
        except (OSError, ValueError):
            complaint = COMPLAINT.format(option=option, minimum=minimum, hard=hard, **words)
            raise ValueError(complaint) from None
        messages.append(f"Increased {name} limit to {minimum}")
    return messages


# -- daemonizing and fds -------------------------------------------------------


def detach_from_terminal() -> None:
    """Leave the session and put /dev/null on the three standard fds."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in STANDARD_FDS:
        os.dup2(null, fd)
    if null not in STANDARD_FDS:
        os.close(null)
    os.setsid()


def enlarge_pipe(fd: int, size: int) -> int:
    """Let a pipe hold more, where the system allows it; return how much it holds."""
    if sys.platform != "linux":  # pragma: no cover - pipes have one size elsewhere
        return 0
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


def close_inherited_fds(limit: int) -> None:
    """Close every fd from 3 up to `limit` (exclusive) that this process was given."""
    try:
        names = os.listdir("/proc/self/fd")
        fds = [int(name) for name in names]
    except OSError:
        os.closerange(3, limit)
        return
    for fd in fds:
        if fd not in STANDARD_FDS and fd < limit:
            with contextlib.suppress(OSError):
                os.close(fd)
