"""Unix functions of a daemon: privileges, limits, daemonizing, wait status.

Nothing here knows about supervision; `boot` and `process` call it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import pwd
import resource
import shlex
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from supervisor.common.proc_stat import EXITED_STATES, ProcessStat, parse_stat
from supervisor.common.records import record
from supervisor.datatypes import gid_for_uid
from supervisor.engine import paths

STANDARD_FDS = (0, 1, 2)

PID_OF_INIT = 1

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

FD_DIRECTORIES = ("/proc/self/fd", "/dev/fd")
"""Directories that list the fds of the process that reads them: proc(5), fd(4)."""

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


def error_reason(error: OSError) -> str:
    """Return the symbol of an error, and the reason if our own code has raised it."""
    symbol = errname(error.errno)
    is_own = error.errno is not None and error.strerror != os.strerror(error.errno)
    return f"{symbol} ({error.strerror})" if is_own and error.strerror else symbol


# -- commands ------------------------------------------------------------------


NO_COMMAND = "can't find command"


class ProcessException(Exception):
    """A command cannot be run; users see the text, which is the reason."""


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
        argv = shlex.split(command)
    except ValueError as error:
        raise BadCommand(f"can't parse command {command!r}: {error}") from None
    if not argv:
        raise BadCommand("command is empty")
    return argv


def search_path(environment: Mapping[str, str]) -> list[str]:
    """Return the directories to search: `PATH` of the environment, of the daemon, or a default."""
    path = environment.get("PATH", os.environ.get("PATH"))
    return list(DEFAULT_PATH) if path is None else path.split(os.pathsep)


def find_executable(
    program: str,
    environment: Mapping[str, str],
    get_status: Callable[[str], os.stat_result | None] = paths.stat_anyway,
    directory: str | None = None,
) -> str:
    """Return the file that `program` names; raises `NotFound`, `NotExecutable`, `NoPermission`.

    A name with a slash is used as it is; any other name is searched for in the `search_path` of
    its environment.  A relative path is returned as it is, and checked in the `directory` from
    which the child will execute it (by default the current one).  `get_status` is called for each
    candidate; with `paths.stat_at_once`, `paths.MayWait` is raised too.
    """
    start = directory or ""
    if "/" in program:
        filename = program
        status = get_status(os.path.join(start, filename))
    else:
        candidates = [os.path.join(folder, program) for folder in search_path(environment)]
        filename, status = next(
            (
                (name, found)
                for name in candidates
                if (found := get_status(os.path.join(start, name)))
            ),
            (program, None),
        )
    if status is None:
        raise NotFound(f"{NO_COMMAND} {filename!r}")
    if stat.S_ISDIR(status.st_mode):
        raise NotExecutable(f"command at {filename!r} is a directory")
    if not stat.S_IMODE(status.st_mode) & 0o111:
        raise NotExecutable(f"command at {filename!r} is not executable")
    if not os.access(os.path.join(start, filename), os.X_OK):
        raise NoPermission(f"no permission to run command {filename!r}")
    return filename


# -- privileges and limits -----------------------------------------------------


@record(frozen=True)
class Identity:
    """A user: the primary group, all group ids with the primary one first, and the login.

    `login` has the variables HOME, USER, LOGNAME and SHELL of a login (environ(7)).
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    login: Mapping[str, str]


_identities: dict[tuple[int, int | None], Identity] = {}


def look_up_identity(uid: int, group: int | None = None) -> Identity:
    """Look up the groups of a user and cache them; `group` replaces the primary one.

    A directory service (LDAP, sssd) may take seconds to respond, so the users of programs are
    looked up when the configuration is read.  A uid without an entry has no supplementary groups,
    and logs in with its number as the name, to "/".
    """
    try:
        entry = pwd.getpwuid(uid)
        gid = entry.pw_gid if group is None else group
        groups = os.getgrouplist(entry.pw_name, gid)
        login = _login(entry.pw_name, entry.pw_dir, entry.pw_shell)
    except KeyError:
        gid, groups = gid_for_uid(uid) if group is None else group, []
        login = _login(str(uid), "", "")
    others = [group for group in groups if group != gid]
    found = _identities[uid, group] = Identity(uid, gid, (gid, *others), login)
    return found


def _login(name: str, home: str, shell: str) -> dict[str, str]:
    """Return the variables of a login; an empty shell is /bin/sh (passwd(5))."""
    return {"HOME": home or "/", "USER": name, "LOGNAME": name, "SHELL": shell or "/bin/sh"}


def identity_of(uid: int, group: int | None = None) -> Identity:
    """Return the cached identity of a user, or look it up; `group` replaces its primary group."""
    return _identities.get((uid, group)) or look_up_identity(uid, group)


def cannot_become(uid: int) -> str | None:
    """Return why this process may not run a program as user `uid`; None if it may."""
    return None if os.getuid() in {0, uid} else "Can't drop privilege as nonroot user"


def become(identity: Identity) -> str | None:
    """Change to a user and its groups, for good; return the reason if that fails."""
    try:
        os.setgroups(identity.groups)
    except OSError:
        return "Could not set groups of effective user"
    try:
        os.setgid(identity.gid)
    except OSError:
        return "Could not set group id of effective user"
    try:
        os.setuid(identity.uid)
    except OSError as error:
        return errname(error.errno)
    return None


def is_readable_by_all(filename: str) -> bool:
    """Whether mode bits let every user read a file and search every directory above it."""
    path = os.path.realpath(filename)
    wanted = stat.S_IROTH
    while True:
        status = paths.stat_anyway(path)
        if status is None or not status.st_mode & wanted:
            return False
        parent = os.path.dirname(path)
        if parent == path:
            return True
        path, wanted = parent, stat.S_IXOTH


def drop_privileges(uid: int) -> str | None:
    """Change to user `uid` and its groups, for good; return the reason if that fails."""
    reason = cannot_become(uid)
    if reason is not None or os.getuid() == uid:
        return reason
    return become(identity_of(uid))


COMPLAINT = (
    "The minimum number of {what} required to run this {it} is {minimum} as per the"
    ' "{option}" command-line argument or config file setting. The current environment will'
    " only allow you to open {hard} {unit}.  Either raise the number of usable {unit} in your"
    " environment (see README.rst) or lower the {option} setting in the config file to allow"
    " the {it} to start."
)

# Limit, option, and the words for the error text.
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
            hard = minimum  # only root may: other users get the error below
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
    """Enlarge a pipe, where the system allows it; return its capacity."""
    if sys.platform != "linux":  # pragma: no cover - pipes have one size elsewhere
        return 0
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


def close_inherited_fds(limit: int, but: Iterable[int] = ()) -> None:
    """Close every fd above stderr, `but` for some.

    Where the system does not list them, those below `limit` are closed.
    """
    for directory in FD_DIRECTORIES:
        with contextlib.suppress(OSError):
            fds = {int(name) for name in os.listdir(directory)}
            break
    else:
        fds = set(range(limit))
    for fd in fds.difference(STANDARD_FDS, but):
        with contextlib.suppress(OSError):
            os.close(fd)


# -- orphans and process groups ------------------------------------------------


def set_subreaper(*, is_subreaper: bool) -> None:
    """Make this process the new parent of its descendants' orphans, or leave them to pid 1.

    See PR_SET_CHILD_SUBREAPER in prctl(2).  Raises `OSError` where that is impossible.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "this system has no subreapers")
    from supervisor.engine.libc import prepare_call  # few daemons need ctypes, which takes a MiB

    prepare_call("prctl", PR_SET_CHILD_SUBREAPER, is_subreaper, 0, 0, 0)()


def is_dumpable() -> bool:
    """Whether other processes of the same user may read the memory of this one.

    Not if it was root's: then its files in /proc belong to root (proc(5)).
    """
    try:
        return os.stat("/proc/self/environ").st_uid == os.geteuid()
    except OSError:
        return True


def forbid_dumps() -> None:
    """Let no process of the same user read the memory of this one; raises `OSError`.

    An execution permits it again, see PR_SET_DUMPABLE in prctl(2).
    """
    from supervisor.engine.libc import prepare_call  # as for a subreaper

    prepare_call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)()


def is_leaderless_group(pgid: int) -> bool:
    """Whether process group `pgid` exists while no process has that pid.

    The kernel does not give the number of a group to a new process while the group has a
    member, zombies included.  So a group whose leader has been reaped is still the same group
    if this holds; if a process has the number, the group became empty and the number was reused.
    """
    try:
        os.getpgid(pgid)
    except ProcessLookupError:
        pass
    except OSError:  # a process that may not be queried exists all the same
        return False
    else:
        return False
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the members run as another user
        return True
    return True


def scan_processes() -> Iterator[tuple[int, int]]:
    """Yield (pid, pgid) of every process; raises `OSError` where there is no /proc to list."""
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with contextlib.suppress(ProcessLookupError):
                    pid = int(entry.name)
                    yield pid, os.getpgid(pid)


def open_pidfd(pid: int) -> int | None:
    """Return a pidfd, readable once the process has exited; None where that is impossible.

    See pidfd_open(2): Linux 5.3, unless a container forbids it.  Raises `ProcessLookupError`.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # an old kernel, seccomp, or no free fd
        return None


def read_stat(pid: int) -> ProcessStat | None:
    """Return the state and the figures of a process; None if it does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return parse_stat(file.read())
    except OSError:
        return None


def read_processes() -> Iterator[ProcessStat | None]:
    """Yield each process of the machine, None for one that has ended; nothing without /proc."""
    try:
        entries = os.scandir("/proc")
    except OSError:
        return
    with entries:
        for entry in entries:
            if entry.name.isdigit():
                yield read_stat(int(entry.name))


def read_name(pid: int) -> str:
    """Return the name of a process in /proc/PID/comm (proc_pid_comm(5)); "" if it has ended."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().decode("utf-8", "replace").rstrip("\n")
    except OSError:
        return ""


def is_zombie(pid: int) -> bool:
    """Whether a process has exited, or does not exist."""
    stat = read_stat(pid)
    return stat is None or stat.state in EXITED_STATES
