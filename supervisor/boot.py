"""The steps between reading the configuration and running (floor 6).

`Supervisor.main` takes them in order.  What cannot be done raises `BootError` with the
text for the user; what is worth saying is returned and logged once the log is open.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import re

from supervisor import loggers, unix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.config.model import Configuration, Settings
    from supervisor.loggers import Logger

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s\n"

ROOT_WARNING = (
    "Supervisor is running as root.  Privileges were not dropped because no user is"
    " specified in the config file.  If you intend to run as root, you can set user=root"
    " in the config file to avoid this message."
)


# What functions of the daemon import only when they need it; a test keeps it complete.
LATE_IMPORTS = (
    "cProfile",
    "datetime",
    "hashlib",
    "hmac",
    "inspect",
    "meld3",
    "pstats",
    "pwd",
    "shlex",
    "signal",
    "socket",
    "subprocess",
    "supervisor.client_options",
    "supervisor.http.handlers",
    "supervisor.process.fastcgi",
    "supervisor.transport",
    "supervisor.web",
    "supervisor.web.pages",
    "supervisor.xmlrpc",
    "syslog",
    "tempfile",
    "threading",
    "traceback",
    "urllib.parse",
    "warnings",
    "xml.parsers",
    "xmlrpc.client",
)


class BootError(Exception):
    """The daemon cannot start; the text is for the user."""


def drop_privileges(settings: Settings) -> tuple[list[str], list[str]]:
    """Become the configured user; return what to log as critical and as info."""
    if settings.uid is None:
        return ([ROOT_WARNING], []) if os.getuid() == 0 else ([], [])
    _import_what_comes_late()
    reason = unix.drop_privileges(settings.uid)
    if reason is not None:
        raise BootError(reason)
    return [], [f"Set uid to user {settings.uid} succeeded"]


def _import_what_comes_late() -> None:
    """Another user may not be able to read the files of Python and of this package."""
    for name in LATE_IMPORTS:
        importlib.import_module(name)


def raise_limits(settings: Settings) -> list[str]:
    """Raise the limits to `minfds` and `minprocs`; return what to log."""
    try:
        return unix.raise_limits({"minfds": settings.minfds, "minprocs": settings.minprocs})
    except ValueError as error:
        raise BootError(str(error)) from None


def open_activity_log(settings: Settings) -> Logger:
    """Open the activity log: on stdout when in the foreground, and where it is configured."""
    logger = loggers.getLogger(settings.loglevel)
    if settings.nodaemon and not settings.silent:
        loggers.handle_stdout(logger, LOG_FORMAT)
    if not isinstance(settings.logfile, str):
        loggers.handle_syslog(logger, LOG_FORMAT)
        return logger
    try:
        loggers.handle_file(
            logger,
            settings.logfile,
            LOG_FORMAT,
            rotating=bool(settings.logfile_maxbytes),
            maxbytes=settings.logfile_maxbytes,
            backups=settings.logfile_backups,
        )
    except OSError as error:
        reason = error.strerror or error
        raise BootError(f"Cannot open logfile {settings.logfile}: {reason}") from None
    return logger


def report_log_trouble_to(logger: Logger) -> None:
    """Let logs that cannot be written be known in the activity log, or else on stderr."""
    is_reporting = False
    to_stderr = loggers.report_to_stderr

    def report(text: str) -> None:
        nonlocal is_reporting
        if is_reporting:  # the activity log itself is in trouble
            to_stderr(text)
            return
        is_reporting = True
        try:
            logger.critical(text)
        finally:
            is_reporting = False

    loggers.report_trouble = report


def log_what_was_said(
    logger: Logger, configuration: Configuration, criticals: list[str], infos: list[str]
) -> None:
    """Log what came up before there was a log: the worst first."""
    for text in (*configuration.criticals, *criticals):
        logger.critical(text)
    for text in configuration.warnings:
        logger.warn(text)
    for text in (*configuration.infos, *infos):
        logger.info(text)


def remove_old_auto_logs(settings: Settings, logger: Logger) -> None:
    """Delete the AUTO logs, and their backups, that an earlier run of this identifier left."""
    pattern = r".+?-(?:stdout|stderr)---" + re.escape(settings.identifier) + r"-\S+\.log\.?\d{0,4}"
    try:
        names = os.listdir(settings.childlogdir)
    except OSError:
        logger.warn("Could not clear childlog dir")
        return
    for name in names:
        if "---" in name and re.fullmatch(pattern, name):
            path = os.path.join(settings.childlogdir, name)
            try:
                os.remove(path)
            except OSError:
                logger.warn(f"Failed to clean up {path!r}")


@contextlib.contextmanager
def in_background(settings: Settings, logger: Logger) -> Iterator[None]:
    """Go to the background; only the child comes into the block.

    The parent ends when the child leaves it: what is done there is done for whoever waits
    for `supervisord` to return.
    """
    parent_waits, child_closes = os.pipe()
    if os.fork():
        logger.blather("supervisord forked; parent exiting")
        os.close(child_closes)
        os.read(parent_waits, 1)
        os._exit(0)
    os.close(parent_waits)
    logger.info("daemonizing the supervisord process")
    if settings.directory:
        try:
            os.chdir(settings.directory)
        except OSError as error:
            logger.critical(f"can't chdir into {settings.directory!r}: {error}")
        else:
            logger.info(f"set current directory: {settings.directory!r}")
    unix.detach_from_terminal()
    os.umask(settings.umask)
    try:
        yield
    finally:
        os.close(child_closes)


class PidFile:
    """The pid file: written once the daemon is in the background, removed when it ends.

    As long as the daemon runs it holds a lock on the file (flock(2), which survives going
    to the background), so that a second daemon can be refused before it touches anything.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    def lock(self) -> None:
        """Take over the file of an earlier run, if there is one.

        Raises `BootError` when the daemon that wrote it still runs.  A file that cannot
        be locked, on some network file systems, refuses nobody.
        """
        try:
            self._fd = self._open(os.O_RDWR)
        except OSError:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._fd, 20).decode("ascii", "replace").strip()
            self._close()
            raise BootError(
                f"Another supervisord (pid {pid}) holds the pid file {self._path}; stop it, or"
                " give this one a pidfile of its own"
            ) from None
        except OSError:
            return

    def write(self, logger: Logger) -> None:
        """Write the pid; a failure is logged and not fatal."""
        try:
            if self._fd is None or not self._is_in_place(self._fd):
                self._close()
                self._fd = self._open(os.O_RDWR | os.O_CREAT)
                with contextlib.suppress(OSError):
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())
        except OSError as error:
            self._close()
            logger.critical(f"could not write pidfile {self._path} ({error.strerror})")
        else:
            logger.info(f"supervisord started with pid {os.getpid()}")

    def remove(self) -> None:
        """Remove the file if it is ours."""
        if self._fd is not None and self._is_in_place(self._fd):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self._close()

    def _open(self, flags: int) -> int:
        """Open the file; never what a link leads to, which may be somebody else's idea."""
        return os.open(self._path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)

    def _is_in_place(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(fd))
        except OSError:
            return False

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
