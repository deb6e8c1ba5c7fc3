"""Starting a child: the choice of the launcher, and the fast launcher.

`launch` starts nearly every child through `subprocess.Popen`, which uses vfork where it can.  It
is fast, and an error between fork and exec is raised at once, but the daemon blocks until exec.
Where other users or file systems may delay exec, `forking` is used instead.  (`posix_spawn` takes
half of the CPU, but leaves signals ignored in the child that 4.3.0 does not.)  See "Starting a
child" in docs/development.md.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from supervisor.common.records import replace
from supervisor.engine import paths, posix
from supervisor.process.forking import fork
from supervisor.process.interpreters import (
    HEAD_BYTES,
    MAX_INTERPRETERS,
    exec_failure,
    script_interpreter,
)
from supervisor.process.plan import (
    Launched,
    close_fds,
    no_directory,
    no_exec,
    no_fork,
    no_user,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.engine.posix import Identity
    from supervisor.process.plan import SpawnPlan


def launch(plan: SpawnPlan) -> Launched:
    """Start the child; raises `SpawnError` for errors that are known on return."""
    identity = _identity(plan)
    if identity is not None:
        _give_pipes(plan, identity.uid)
    files: list[int] = []
    try:
        if _has_to_fork(plan, identity, files):
            return fork(plan, identity)
        return _vfork(plan, identity)
    finally:
        close_fds(files)


def _identity(plan: SpawnPlan) -> Identity | None:
    """Return the user to change to, None if no change is needed."""
    uid = plan.uid
    if uid is None:
        return None
    reason = posix.cannot_become(uid)
    if reason is not None:
        raise no_user(uid, reason)
    if os.getuid() == uid:
        return None
    if plan.limits is None:
        return posix.identity_of(uid)
    identity = posix.identity_of(uid, plan.limits.gid)
    others = plan.limits.supplementary_groups
    return identity if others is None else replace(identity, groups=(identity.gid, *others))


def _give_pipes(plan: SpawnPlan, uid: int) -> None:
    """Make the user own the child's pipes, so that the child can open /dev/stdout by name.

    That name leads to the pipe's inode (proc(5)), which has mode 0600 and otherwise belongs to
    root.  A FastCGI socket, which a group shares, keeps its owner.
    """
    for fd in {plan.stdin, plan.stdout, plan.stderr}:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            with suppress(OSError):  # a user namespace without this uid: setuid reports the error
                os.fchown(fd, uid, -1)


# -- which launcher ------------------------------------------------------------


def _has_to_fork(plan: SpawnPlan, identity: Identity | None, files: list[int]) -> bool:
    """Whether exec could block the daemon, or the order of the steps matters.

    1. The directory, the executable or its interpreter is on a file system that may hang.
    2. The user changes, and that user or root may be unable to enter the directory: the user has
       to change first.
    3. A user other than root and the daemon's controls the executable or its interpreter, and may
       delay exec with a lease.
    4. A part of the environment is in files: they may be on a file system that hangs.
    5. The child has limits, which it sets for itself, adds its pid to its environment, or gets
       further fds, whose numbers `Popen` cannot choose.

    Appends fds to `files`: while a file is open for reading, it cannot get a write lease.
    """
    if plan.has_own_steps:  # 4, 5
        return True
    slow_points = paths.mounts.slow_points()
    if plan.directory is not None and (slow_points or identity is not None):
        directory = paths.Route(plan.directory, slow_points)
        if directory.may_wait or (identity is not None and not directory.is_open_to_all):
            return True
    if "/" not in plan.executable:
        return True  # 1: `resolve_command` leaves the search to the child
    path: str | None = plan.executable
    if plan.directory is not None:
        path = os.path.join(plan.directory, plan.executable)
    for _ in range(MAX_INTERPRETERS):
        if path is None:
            break
        route = paths.Route(path, slow_points)
        if route.may_wait or not route.is_protected:
            return True
        try:
            path = _open_executable(route, files)
        except BlockingIOError:  # root's own lease (Samba has them): the child reports it
            return True
    return False


def _open_executable(route: paths.Route, files: list[int]) -> str | None:
    """Open the file to execute and append the fd; return its interpreter if it is a script.

    Raises `BlockingIOError` if there is a lease on it.
    """
    if route.status is None or not stat.S_ISREG(route.status.st_mode):
        return None  # exec fails at once
    try:
        fd = os.open(route.path, os.O_RDONLY | os.O_NONBLOCK)
    except BlockingIOError:
        raise
    except OSError:
        return None  # an executable need not be readable
    files.append(fd)
    return script_interpreter(os.read(fd, HEAD_BYTES))


# -- vfork ---------------------------------------------------------------------


def _vfork(plan: SpawnPlan, identity: Identity | None) -> Launched:
    """Start the child; the kernel blocks the daemon until exec."""
    import subprocess

    user: dict[str, Any] = {}
    if identity is not None:
        user = {"user": identity.uid, "group": identity.gid, "extra_groups": identity.groups}
    try:
        child: subprocess.Popen[bytes] = subprocess.Popen(
            plan.argv,
            executable=plan.executable,
            stdin=plan.stdin,
            stdout=plan.stdout,
            stderr=plan.stderr,
            env=plan.environment,
            cwd=plan.directory,
            umask=-1 if plan.umask is None else plan.umask,
            close_fds=False,  # every fd of the daemon is close-on-exec
            restore_signals=False,  # children keep SIGPIPE ignored, as in Supervisor 4
            process_group=0,
            **user,
        )
    except OSError as error:
        if error.filename not in (None, plan.directory):
            raise exec_failure(plan, plan.executable, error) from None
        if identity is not None:  # Popen reports a refused setuid as a failed chdir or fork
            return fork(plan, identity)
        if error.filename is not None:
            raise no_directory(plan, error) from None
        raise no_fork(plan, error) from None
    except (ValueError, subprocess.SubprocessError) as error:
        raise no_exec(plan, error) from None
    child.returncode = 0  # the daemon reaps: Popen must never wait for this pid
    return Launched(child.pid)
