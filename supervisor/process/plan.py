"""The plan of a child: everything that is decided before it exists.

`launchers.launch` executes a `SpawnPlan`; the plan can be tested without forking.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterable, Mapping

from supervisor.common.records import record
from supervisor.config.limits import NO_LIMITS
from supervisor.config.process_config import full_config
from supervisor.engine import paths, posix
from supervisor.process.child_environment import NOTHING, child_environment, files_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.config.limits import LimitsConfig
    from supervisor.config.model import ProcessConfig
    from supervisor.process.runtime import Runtime
    from supervisor.process.variable_files import VariableFiles


class SpawnError(posix.ProcessException):
    """A child could not be started; `in_child` if the fork succeeded, but not exec."""

    def __init__(self, text: str, *, in_child: bool = False) -> None:
        super().__init__(text)
        self.in_child = in_child


@record(frozen=True)
class Pipes:
    """The fds between daemon and child; `child_*` ends are closed after the launch.

    With `redirect_stderr` there is no separate stderr pipe: `stderr` is None and `child_stderr`
    is the child's end of stdout.
    """

    stdin: int | None
    stdout: int
    stderr: int | None
    child_stdin: int
    child_stdout: int
    child_stderr: int

    @classmethod
    def make(cls, *, redirect_stderr: bool, child_stdin: int | None = None) -> Pipes:
        """Create the pipes; raises `OSError`, and then no fd stays open.

        `child_stdin` is an fd (a shared socket) to duplicate as the child's stdin, instead of a
        new pipe.
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
            close_fds(made)
            raise
        return cls(stdin_write, stdout_read, stderr_read, stdin_read, stdout_write, stderr_write)

    def close_child_ends(self) -> None:
        """Close the fds that only the child needs."""
        close_fds({self.child_stdin, self.child_stdout, self.child_stderr})

    def close_parent_ends(self, but: Collection[int] = ()) -> None:
        """Close the daemon's ends, except those that dispatchers own."""
        ends = {self.stdin, self.stdout, self.stderr}.difference(but)
        close_fds(fd for fd in ends if fd is not None)


def close_fds(fds: Iterable[int]) -> None:
    """Close fds, ignoring errors."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


NO_FDS: Mapping[int, int] = {}


@record(frozen=True)
class SpawnPlan:
    """All parameters of the start of a child."""

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
    extra_fds: Mapping[int, int] = NO_FDS
    """Further fds, by their number in the child."""
    files: VariableFiles | None = None
    """Files with variables, which the child adds to `environment`."""
    limits: LimitsConfig | None = None
    """Limits that the child sets for itself."""
    pid_variable: str = ""
    """Variable whose value is the pid of the child, "" for none."""

    @property
    def has_own_steps(self) -> bool:
        """Whether the child does more before exec than `Popen` can."""
        return (
            self.files is not None
            or self.limits is not None
            or bool(self.pid_variable or self.extra_fds)
        )


@record(frozen=True)
class ChildChannels:
    """Additions to the plan of a child: variables, and fds by their number in the child."""

    environment: Mapping[str, str]
    fds: Mapping[int, int]
    pid_variable: str = ""
    """As in `SpawnPlan`."""

    def close(self) -> None:
        """Close the child's ends, after the start."""
        close_fds(self.fds.values())


@record(frozen=True)
class Launched:
    """A started child and its `pid`.

    `report` is the fd of its report until exec, None if exec has succeeded already.
    """

    pid: int
    report: int | None = None


# -- errors, with the texts of Supervisor 4 -------------------------------------

NO_EXEC = "couldn't exec"


def pipe_failure(name: str, error: OSError) -> str:
    """Return the text of a failure to create pipes."""
    if error.errno == errno.EMFILE:
        return f"too many open files to spawn '{name}'"
    return f"unknown error making pipes for '{name}': {posix.errname(error.errno)}"


def no_user(uid: int, reason: str) -> SpawnError:
    """Return the error of a failed change of the user."""
    return SpawnError(f"couldn't setuid to {uid}: {reason}", in_child=True)


def no_directory(plan: SpawnPlan, error: OSError) -> SpawnError:
    """Return the error of a failed chdir."""
    symbol = posix.errname(error.errno)
    return SpawnError(f"couldn't chdir to {plan.directory}: {symbol}", in_child=True)


def no_exec(plan: SpawnPlan, reason: object) -> SpawnError:
    """Return the error of a failed exec."""
    return SpawnError(f"{NO_EXEC} {plan.executable}: {reason}", in_child=True)


def is_missing_command(reason: str) -> bool:
    """Whether the reason of a failed start, as above, is a command that does not exist.

    A text, because a forked child reports no more.
    """
    is_missing_file = reason.startswith(NO_EXEC) and f": {errno.errorcode[errno.ENOENT]}" in reason
    return is_missing_file or reason.startswith(posix.NO_COMMAND)


def no_fork(plan: SpawnPlan, error: OSError) -> SpawnError:
    """Return the error of a failed fork."""
    if error.errno == errno.EAGAIN:
        return SpawnError(f"Too many processes in process table to spawn '{plan.name}'")
    if error.errno == errno.EMFILE:  # from the pipe of the report
        return SpawnError(pipe_failure(plan.name, error))
    return SpawnError(f"unknown error during fork for '{plan.name}': {posix.errname(error.errno)}")


# -- from a config to a plan -----------------------------------------------------


def dispatcher_failure(name: str, error: OSError) -> str:
    """Return the text of a failure to create dispatchers: a log cannot be opened.

    Supervisor 4 logs only the symbol; an error raised by our own code needs its reason too.
    """
    return f"unknown error making dispatchers for '{name}': {posix.error_reason(error)}"


def resolve_command(config: ProcessConfig) -> tuple[str, list[str]]:
    """Return (executable, argv) of a config, see `find_at_once`; raises `ProcessException`."""
    try:
        argv = posix.split_command(config.command)
    except posix.BadCommand as error:
        raise posix.BadCommand(f"{error}{config.command_hint}") from None
    return find_at_once(argv[0], config.environment, config.directory), argv


def find_at_once(program: str, environment: Mapping[str, str], directory: str | None) -> str:
    """Return the executable; raises `ProcessException`.

    If the search would touch a file system that may hang, it is the word itself, and the child
    searches for it.
    """
    try:
        return posix.find_executable(program, environment, paths.stat_at_once, directory)
    except paths.MayWait:
        return program


def plan_spawn(
    config: ProcessConfig,
    command: tuple[str, list[str]],
    group_name: str,
    runtime: Runtime,
    pipes: Pipes,
    *,
    channels: ChildChannels | None = None,
) -> SpawnPlan:
    """Return the plan of a child, for `launchers.launch`; `channels` are those of its readiness."""
    executable, argv = command
    variables = child_environment(config, group_name, runtime)
    own = NOTHING if channels is None else channels.environment
    variables.update(own)
    return SpawnPlan(
        name=config.name,
        executable=executable,
        argv=tuple(argv),
        environment=variables,
        directory=config.directory,
        umask=config.umask,
        uid=config.uid,
        stdin=pipes.child_stdin,
        stdout=pipes.child_stdout,
        stderr=pipes.child_stderr,
        extra_fds=NO_FDS if channels is None else channels.fds,
        files=files_of(config, own),
        limits=limits_of(full_config(config).limits),
        pid_variable="" if channels is None else channels.pid_variable,
    )


def limits_of(config: LimitsConfig) -> LimitsConfig | None:
    """Return the limits of a plan: None if there are none."""
    return None if config == NO_LIMITS else config
