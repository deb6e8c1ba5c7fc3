"""From a config to a running child: the plan, and its launcher (floor 4).

A `SpawnPlan` holds everything that is decided before the child exists, so that it can be
tested without forking.  `launch` carries it out through `subprocess.Popen`, which uses
vfork where the kernel allows and reports what fails between fork and exec.  (`posix_spawn`
takes half of the CPU, but leaves signals ignored in the child that 4.3.0 does not.)
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterable, Mapping

from supervisor import unix
from supervisor.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.model import ProcessConfig
    from supervisor.process.context import Context


class SpawnError(unix.ProcessException):
    """The child could not be made; `in_child` when fork had succeeded, but not exec."""

    def __init__(self, text: str, *, in_child: bool = False) -> None:
        super().__init__(text)
        self.in_child = in_child


@record(frozen=True)
class Pipes:
    """The fds between daemon and child; `child_*` ends are closed after the launch.

    With `redirect_stderr` there is no stderr pipe of its own: `stderr` is None and
    `child_stderr` is the child's end of stdout.
    """

    stdin: int | None
    stdout: int
    stderr: int | None
    child_stdin: int
    child_stdout: int
    child_stderr: int

    @classmethod
    def make(cls, *, redirect_stderr: bool, child_stdin: int | None = None) -> Pipes:
        """Make the pipes; raises `OSError` and leaves nothing open when that fails.

        `child_stdin` is an fd (a shared socket) to duplicate as the child's stdin
        instead of making a pipe.
        """
        made: list[int] = []

        def pipe() -> tuple[int, int]:
            ends = os.pipe()
            made.extend(ends)
            return ends

        try:
            if child_stdin is None:
                stdin_read, stdin_write = pipe()
                os.set_blocking(stdin_write, False)
            else:
                stdin_read, stdin_write = os.dup(child_stdin), None
                made.append(stdin_read)
            stdout_read, stdout_write = pipe()
            stderr_read, stderr_write = (None, stdout_write) if redirect_stderr else pipe()
            for fd in (stdout_read, stderr_read):
                if fd is not None:
                    os.set_blocking(fd, False)
        except OSError:
            _close(made)
            raise
        return cls(stdin_write, stdout_read, stderr_read, stdin_read, stdout_write, stderr_write)

    def close_child_ends(self) -> None:
        """Close what only the child needs."""
        _close({self.child_stdin, self.child_stdout, self.child_stderr})

    def close_parent_ends(self, but: Collection[int] = ()) -> None:
        """Close the daemon's ends, without those that dispatchers own."""
        ends = {self.stdin, self.stdout, self.stderr}.difference(but)
        _close(fd for fd in ends if fd is not None)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


@record(frozen=True)
class SpawnPlan:
    """Everything that is decided about a child before it exists."""

    name: str
    executable: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str | None
    umask: int | None
    uid: int | None
    stdin: int
    stdout: int
    stderr: int


def pipe_failure(name: str, error: OSError) -> str:
    """Return why a process has no pipes."""
    if error.errno == errno.EMFILE:
        return f"too many open files to spawn '{name}'"
    symbol = errno.errorcode.get(error.errno or 0, str(error))
    return f"unknown error making pipes for '{name}': {symbol}"


def resolve_command(config: ProcessConfig) -> tuple[str, list[str]]:
    """Return (executable, argv) of a config; raises `ProcessException` with the reason."""
    argv = unix.split_command(config.command)
    return unix.find_executable(argv[0], config.environment, config.directory), argv


def child_environment(config: ProcessConfig, group_name: str, context: Context) -> dict[str, str]:
    """Return the child's environment: the daemon's, ours, then the program's own."""
    environment = dict(os.environ)
    environment["SUPERVISOR_ENABLED"] = "1"
    serverurl = config.serverurl or context.serverurl
    if serverurl:
        environment["SUPERVISOR_SERVER_URL"] = serverurl
    environment["SUPERVISOR_PROCESS_NAME"] = config.name
    environment["SUPERVISOR_GROUP_NAME"] = group_name
    environment.update(config.environment)
    return environment


def plan_spawn(
    config: ProcessConfig,
    command: tuple[str, list[str]],
    group_name: str,
    context: Context,
    pipes: Pipes,
) -> SpawnPlan:
    """Put together what `launch` needs."""
    executable, argv = command
    return SpawnPlan(
        name=config.name,
        executable=executable,
        argv=tuple(argv),
        environment=child_environment(config, group_name, context),
        directory=config.directory,
        umask=config.umask,
        uid=config.uid,
        stdin=pipes.child_stdin,
        stdout=pipes.child_stdout,
        stderr=pipes.child_stderr,
    )


def launch(plan: SpawnPlan) -> int:
    """Start the child and return its pid; raises `SpawnError`."""
    import subprocess

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
            **_identity(plan.uid),
        )
    except OSError as error:
        raise _explain(plan, error) from None
    except (ValueError, subprocess.SubprocessError) as error:
        raise SpawnError(f"couldn't exec {plan.executable}: {error}", in_child=True) from None
    child.returncode = 0  # reaping is the daemon's: Popen must never wait for this pid
    return child.pid


def _identity(uid: int | None) -> dict[str, Any]:
    """Return the arguments that make `Popen` change the user, if that is needed."""
    if uid is None:
        return {}
    reason = unix.cannot_become(uid)
    if reason is not None:
        raise SpawnError(f"couldn't setuid to {uid}: {reason}", in_child=True)
    if os.getuid() == uid:
        return {}
    gid, groups = unix.supplementary_groups(uid)
    return {"user": uid, "group": gid, "extra_groups": groups}


def _explain(plan: SpawnPlan, error: OSError) -> SpawnError:
    """Say what failed; `Popen` names the directory or the executable, or nothing for fork."""
    symbol = unix.errname(error.errno)
    if error.filename is None:
        if error.errno == errno.EAGAIN:
            return SpawnError(f"Too many processes in process table to spawn '{plan.name}'")
        if error.errno == errno.EMFILE:  # of the pipe on which `Popen` hears of the exec
            return SpawnError(pipe_failure(plan.name, error))
        return SpawnError(f"unknown error during fork for '{plan.name}': {symbol}")
    if error.filename == plan.directory:
        return SpawnError(f"couldn't chdir to {plan.directory}: {symbol}", in_child=True)
    return SpawnError(f"couldn't exec {plan.executable}: {symbol}", in_child=True)
