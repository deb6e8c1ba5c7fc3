"""Checks of the files that a configuration names, as the daemon and its programs would see them.

If root runs `supervisord --check`, the checks run in a child that has become the user in
question, so that the kernel itself decides; see `run_as`.  Another user can check permissions only
if the daemon would run as this user; for other daemons, only files that do not exist are reported.
Nothing here changes a file, and no path is followed to a file system that may hang.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from supervisor.common.probes import Probe
from supervisor.common.records import record
from supervisor.config.problems import ERROR, WARNING
from supervisor.datatypes import Automatic
from supervisor.engine import paths, posix
from supervisor.process.interpreters import interpreter_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from supervisor.config.model import Configuration, ProcessConfig, Settings
    from supervisor.config.problems import Findings

    Row = tuple[str, str, str, str]  # severity, text, section, option

KERNEL_PATHS = ("/dev/", "/proc/")
"""Beginnings of paths that have another meaning in each process."""

READ_BYTES = 65536

FIELDS = 4
"""Number of texts in a row."""


def check_host(
    configuration: Configuration,
    findings: Findings,
    running: int | None,
    *,
    are_running: bool = False,
) -> None:
    """Report commands, directories and files that cannot be used on this host.

    `running` is the pid of the daemon that runs the configuration, if there is one.  The programs
    are not checked if they `are_running`: their files may be on a mount that does not answer.
    """
    groups = () if are_running else configuration.groups
    different = {
        (process.section, process.command, process.directory): process
        for group in groups
        for process in group.process_configs
    }
    programs = list(different.values())
    daemon = _daemon_user(configuration.settings, running)
    rows = run_as(daemon, lambda: _check_as_daemon(configuration, programs, daemon))
    if os.geteuid() == daemon == 0:
        for uid in sorted({process.uid for process in programs if process.uid}):
            rows += _check_as_user(uid, [each for each in programs if each.uid == uid])
    for severity, text, section, option in dict.fromkeys(rows):
        if not findings.is_invalid(section, option):
            findings.report(severity, text, section, option)


def _check_as_daemon(
    configuration: Configuration, programs: list[ProcessConfig], daemon: int
) -> Iterator[Row]:
    """Yield the problems that a daemon with this uid would have."""
    is_visible = os.geteuid() == daemon
    yield from _check_programs(programs, is_visible=is_visible)
    if is_visible:
        yield from _check_settings(configuration.settings)
        yield from _check_child_log_directory(configuration.settings, programs)
        yield from _check_sockets(configuration)
        if programs:
            yield from _check_logs(configuration)
    if configuration.settings.uid:
        yield from _check_users(programs, configuration.settings.uid)


def _daemon_user(settings: Settings, running: int | None) -> int:
    """Return the uid of the daemon: as configured, or as it runs, or that of the caller."""
    if settings.uid is not None:
        return settings.uid
    if running is not None:
        try:
            return os.stat(f"/proc/{running}").st_uid
        except OSError:
            pass
    return os.geteuid()


# -- as another user --------------------------------------------------------------------


def run_as(uid: int, check: Callable[[], Iterable[Row]]) -> list[Row]:
    """Return the rows of a check, which runs in a child as another user if root is the caller."""
    if os.geteuid() != 0 or uid == 0:
        return list(check())
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _send(writer, check() if posix.become(posix.identity_of(uid)) is None else ())
        finally:
            os._exit(0)
    os.close(writer)
    parts = []
    while part := os.read(reader, READ_BYTES):
        parts.append(part)
    os.close(reader)
    os.waitpid(pid, 0)
    fields = b"".join(parts).decode(errors="surrogateescape").split("\0")
    return [
        (fields[i], fields[i + 1], fields[i + 2], fields[i + 3])
        for i in range(0, len(fields) - 1, FIELDS)
    ]


def _send(fd: int, rows: Iterable[Row]) -> None:
    text = "".join(f"{field}\0" for row in rows for field in row)
    data = text.encode(errors="surrogateescape")
    while data:
        data = data[os.write(fd, data) :]


# -- programs ---------------------------------------------------------------------------


@record(frozen=True)
class Command:
    """A command of a program: its own, or that of a check; `words` may be empty."""

    process: ProcessConfig
    option: str
    words: tuple[str, ...]

    @property
    def is_relative(self) -> bool:
        """Whether the directory of the program decides which file it is."""
        return "/" in self.words[0] and not self.words[0].startswith("/")

    def find(self, *, is_visible: bool) -> tuple[str | None, str | None]:
        """Return the executable, or None, and in that case the reason, in the words of a start.

        The reason is None too if the file cannot be seen.
        """
        is_hidden = False

        def status(path: str) -> os.stat_result | None:
            nonlocal is_hidden
            found = _status(path)
            if isinstance(found, os.stat_result):
                return found
            is_hidden |= found is None or (found == errno.EACCES and not is_visible)
            return None

        directory = self.process.directory
        try:
            path = posix.find_executable(self.words[0], self.process.environment, status, directory)
        except posix.NoPermission as error:
            return None, str(error) if is_visible else None
        except posix.ProcessException as error:
            return None, None if is_hidden else str(error)
        reason = interpreter_error(path, directory or "")
        return (path, None) if reason is None else (None, f"couldn't exec {path}: {reason}")


def _commands(process: ProcessConfig) -> Iterator[Command]:
    """Yield the commands of a program; raises `BadCommand` for its own."""
    health = process.health
    for option, probe in (
        ("readiness_check_script", process.readiness_check_script),
        ("liveness_check_script", health.liveness_check_script),
        ("liveness_check_failure_action", health.liveness_check_failure_action),
    ):
        if isinstance(probe, Probe) and probe.argv:
            yield Command(process, option, probe.argv)
    for name in process.hooks.names:
        yield Command(process, name, getattr(process, name).argv)
    yield Command(process, "command", tuple(posix.split_command(process.command)))


def _check_programs(programs: Iterable[ProcessConfig], *, is_visible: bool) -> Iterator[Row]:
    """Yield the commands and directories that the daemon does not find."""
    for process in programs:
        directory = process.directory
        number = None if directory is None else _directory_errno(directory)
        if directory is not None and number is not None:
            yield WARNING, _no_directory(directory, number), process.section, "directory"
        try:
            for command in _commands(process):
                _, reason = command.find(is_visible=is_visible)
                if reason is not None and not (number is not None and command.is_relative):
                    yield WARNING, reason, process.section, command.option
        except posix.BadCommand as error:
            yield WARNING, f"{error}{process.command_hint}", process.section, "command"


def _directory_errno(path: str) -> int | None:
    """Return the errno of a chdir to a directory that does not exist, None if it may exist."""
    found = _status(path)
    if isinstance(found, os.stat_result):
        return None if stat.S_ISDIR(found.st_mode) else errno.ENOTDIR
    return found if found in {errno.ENOENT, errno.ENOTDIR} else None


def _no_directory(directory: str, number: int) -> str:
    return f"couldn't chdir to {directory}: {posix.errname(number)}"


def _check_as_user(uid: int, programs: Iterable[ProcessConfig]) -> list[Row]:
    """Return the commands and directories that exist, but that the programs' user may not use."""
    found: list[tuple[Command, str]] = []
    for process in programs:
        start = process.directory
        if start is None or isinstance(_status(start), os.stat_result):
            with contextlib.suppress(posix.BadCommand):
                for command in _commands(process):
                    path, _ = command.find(is_visible=True)
                    if path is not None:
                        found.append((command, path))

    def check() -> Iterator[Row]:
        for command, path in found:
            section, start = command.process.section, command.process.directory or ""
            if start and not os.access(start, os.X_OK):
                text = f"{_no_directory(start, errno.EACCES)} (as its user)"
                yield WARNING, text, section, "directory"
            elif not os.access(os.path.join(start, path), os.X_OK):
                text = f"no permission to run command {path!r} (as its user)"
                yield WARNING, text, section, command.option

    return run_as(uid, check)


def _check_users(programs: Iterable[ProcessConfig], daemon: int) -> Iterator[Row]:
    """Yield the programs whose user a daemon that is not root cannot become."""
    for process in programs:
        if process.uid not in {None, daemon}:
            text = f"a daemon with user id {daemon} cannot run programs as another user"
            yield WARNING, text, process.section, "user"


# -- files of the daemon ------------------------------------------------------------------


def _check_settings(settings: Settings) -> Iterator[Row]:
    """Yield the files and directories of `[supervisord]` that the daemon cannot use."""
    if isinstance(settings.logfile, str):
        reason = unwritable(settings.logfile)
        if reason is not None:
            text = f"Cannot open logfile {settings.logfile}: {reason}"
            yield ERROR, text, "supervisord", "logfile"
    reason = unwritable(settings.pidfile)
    if reason is not None:
        text = f"could not write pidfile {settings.pidfile} ({reason})"
        yield WARNING, text, "supervisord", "pidfile"
    reason = _closed_directory(settings.runtimedir) if settings.runtimedir is not None else None
    if reason is not None:
        text = f"Cannot create a socket in {settings.runtimedir}: {reason}"
        yield WARNING, text, "supervisord", "runtimedir"


def _check_child_log_directory(settings: Settings, programs: list[ProcessConfig]) -> Iterator[Row]:
    """Yield the directory of AUTO logs if the daemon cannot create the logs of its programs."""
    if any(Automatic in (each.stdout.logfile, each.stderr.logfile) for each in programs):
        reason = _closed_directory(settings.childlogdir)
        if reason is not None:
            text = f"Cannot create a log in {settings.childlogdir}: {reason}"
            yield ERROR, text, "supervisord", "childlogdir"


def _check_sockets(configuration: Configuration) -> Iterator[Row]:
    """Yield the unix sockets whose directory the daemon cannot use."""
    for server in configuration.servers:
        if server.file is not None:
            reason = _closed_directory(os.path.dirname(server.file))
            if reason is not None:
                text = f"Cannot open an HTTP server: {server.file}: {reason}"
                yield ERROR, text, server.section, "file"
    for group in configuration.groups:
        path = getattr(getattr(group, "socket_config", None), "path", None)
        reason = _closed_directory(os.path.dirname(path)) if path is not None else None
        if reason is not None:
            text = f"Could not create FastCGI socket unix://{path}: {reason}"
            yield ERROR, text, f"fcgi-program:{group.name}", "socket"


def _check_logs(configuration: Configuration) -> Iterator[Row]:
    """Yield the logs of programs that the daemon cannot open."""
    for group in configuration.groups:
        for process in group.process_configs:
            for stream in ("stdout", "stderr"):
                path = getattr(process, f"{stream}_logfile")
                reason = unwritable(path) if isinstance(path, str) else None
                if reason is not None:
                    text = f"Cannot open logfile {path}: {reason}"
                    yield WARNING, text, process.section, f"{stream}_logfile"


# -- permissions --------------------------------------------------------------------------


def unwritable(path: str) -> str | None:
    """Return why this process could not open a file for appending, None if it could."""
    if path.startswith(KERNEL_PATHS):
        return None
    found = _status(path)
    if found == errno.ENOENT:
        return _closed_directory(os.path.dirname(os.path.abspath(path)))
    if isinstance(found, int):
        return os.strerror(found)
    if found is None:
        return None
    if stat.S_ISDIR(found.st_mode):
        return os.strerror(errno.EISDIR)
    return None if os.access(path, os.W_OK) else _refusal(path)


def _closed_directory(path: str) -> str | None:
    """Return why this process could not create a file in a directory, None if it could."""
    found = _status(path)
    if isinstance(found, int):
        return os.strerror(found)
    if found is None or os.access(path, os.W_OK | os.X_OK):
        return None
    return _refusal(path)


def _refusal(path: str) -> str:
    """Return the reason why a file cannot be written: its permissions or its file system."""
    is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if is_read_only else errno.EACCES)


def _status(path: str) -> os.stat_result | int | None:
    """Return the status of a file or the errno of the failure; None if the file system may hang."""
    try:
        paths.stat_at_once(path)
        return os.stat(path)
    except paths.MayWait:
        return None
    except OSError as error:
        return error.errno
    except ValueError:
        return errno.EINVAL
