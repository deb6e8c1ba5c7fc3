"""The steps between reading the configuration and running.

`Supervisor.main` runs them in order.  A step that fails raises `BootError` with the text for
the user.  Messages are returned, and logged once the log is open.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import re

from supervisor import loggers
from supervisor.common.text import JSON_FORMAT
from supervisor.engine import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.config.model import Configuration, Settings
    from supervisor.loggers import Logger

ROOT_WARNING = (
    "Supervisor is running as root.  Privileges were not dropped because no user is"
    " specified in the config file.  If you intend to run as root, you can set user=root"
    " in the config file to avoid this message."
)


# Modules that the daemon imports on demand; a test keeps the list complete.
LATE_IMPORTS = (
    "datetime",
    "difflib",
    "fnmatch",
    "hashlib",
    "hmac",
    "importlib.util",
    "inspect",
    "meld3",
    "pwd",
    "shlex",
    "signal",
    "socket",
    "subprocess",
    "supervisor.client.options",
    "supervisor.common.env_files",
    "supervisor.common.lines",
    "supervisor.common.log_formats",
    "supervisor.common.rotation_period",
    "supervisor.config.standard_input",
    "supervisor.daemon.exit_watch",
    "supervisor.daemon.memory",
    "supervisor.daemon.profiling",
    "supervisor.daemon.reexec",
    "supervisor.daemon.updates",
    "supervisor.engine.libc",
    "supervisor.engine.socket_holders",
    "supervisor.http.csrf",
    "supervisor.http.handlers",
    "supervisor.http.server",
    "supervisor.logs.activity_json",
    "supervisor.logs.copies",
    "supervisor.logs.formatted_file",
    "supervisor.logs.ownership",
    "supervisor.logs.policy",
    "supervisor.logs.syslog_target",
    "supervisor.process.child_limits",
    "supervisor.process.fastcgi",
    "supervisor.process.health_monitor",
    "supervisor.process.log_maintenance",
    "supervisor.process.hooks",
    "supervisor.process.process_tree",
    "supervisor.process.readiness_monitor",
    "supervisor.process.restart_limits",
    "supervisor.process.runtime_directory",
    "supervisor.process.usage",
    "supervisor.process.variable_files",
    "supervisor.client.transport",
    "supervisor.web",
    "supervisor.web.error_pages",
    "supervisor.web.pages",
    "supervisor.web.search",
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


SAMPLE_MODULES = ("meld3", "pyexpat", "xmlrpc")
"""One module each of site-packages, lib-dynload and a package of the standard library."""


class BootError(Exception):
    """The daemon cannot start; the text is for the user."""


def drop_privileges(settings: Settings) -> tuple[list[str], list[str]]:
    """Become the configured user; return what to log as critical and as info."""
    if settings.uid is None:
        return ([ROOT_WARNING], []) if os.getuid() == 0 else ([], [])
    if settings.uid != os.getuid() and not _modules_are_readable_by_all():
        _preload_modules()
    reason = posix.drop_privileges(settings.uid)
    if reason is not None:
        raise BootError(reason)
    return [], [f"Set uid to user {settings.uid} succeeded"]


def _modules_are_readable_by_all() -> bool:
    """Whether every user can read the modules that are imported later.

    Preloading them all doubles the daemon's memory and the time to its first response, so it is
    done only for a private installation, below a home directory for example.  Files that were
    installed together have the same mode, so one file of each directory is checked.
    """
    specs = [importlib.machinery.PathFinder.find_spec(name) for name in SAMPLE_MODULES]
    files = [spec.origin for spec in specs if spec is not None and spec.origin is not None]
    return all(posix.is_readable_by_all(file) for file in (os.__file__, __file__, *files))


def _preload_modules() -> None:
    """Import modules while root can still read the files of Python and of this package."""
    for name in LATE_IMPORTS:
        with contextlib.suppress(ImportError):  # a missing module fails on use, as without `user=`
            importlib.import_module(name)


def raise_limits(settings: Settings) -> list[str]:
    """Raise the limits to `minfds` and `minprocs`; return what to log."""
    try:
        return posix.raise_limits({"minfds": settings.minfds, "minprocs": settings.minprocs})
    except ValueError as error:
        raise BootError(str(error)) from None


def open_activity_log(settings: Settings) -> Logger:
    """Open the activity log: the configured file, and stdout when in the foreground."""
    logger = loggers.getLogger(settings.loglevel)
    _add_handlers(logger, settings)
    if settings.logfile_format == JSON_FORMAT:
        from supervisor.logs.activity_json import activity_json  # few daemons need it

        for handler in logger.handlers:
            handler.formatter = activity_json
    return logger


def _add_handlers(logger: Logger, settings: Settings) -> None:
    fmt = f"{settings.logfile_format}\n"
    if settings.nodaemon and not settings.silent:
        loggers.handle_stdout(logger, fmt)
    if not isinstance(settings.logfile, str):
        loggers.handle_syslog(logger, fmt)
        return
    try:
        loggers.handle_file(
            logger,
            settings.logfile,
            fmt,
            rotating=bool(settings.logfile_maxbytes),
            maxbytes=settings.logfile_maxbytes,
            backups=settings.logfile_backups,
        )
    except OSError as error:
        reason = error.strerror or error
        text = f"Cannot open logfile {settings.logfile}: {reason}{settings.logfile_origin}"
        raise BootError(text) from None


def route_log_errors_to(logger: Logger) -> None:
    """Report failures to write logs in the activity log, or else on stderr."""
    is_reporting = False
    to_stderr = loggers.report_to_stderr

    def report(text: str) -> None:
        nonlocal is_reporting
        if is_reporting:  # the activity log itself has failed
            to_stderr(text)
            return
        is_reporting = True
        try:
            logger.critical(text)
        finally:
            is_reporting = False

    loggers.report_error = report


def log_startup_messages(
    logger: Logger, configuration: Configuration, criticals: list[str], infos: list[str]
) -> None:
    """Log the messages collected before the log was open, the most severe first."""
    for text in (*configuration.criticals, *criticals):
        logger.critical(text)
    for text in configuration.warnings:
        logger.warn(text)
    for text in (*configuration.infos, *infos):
        logger.info(text)


def remove_old_auto_logs(settings: Settings, logger: Logger) -> None:
    """Delete the AUTO logs, and their backups, that an earlier run of this identifier left.

    Logs of other users are skipped: their daemons may still write to them.
    """
    beginning = r".+?-(?:stdout|stderr)---" + re.escape(settings.identifier)
    pattern = beginning + r"-\S+\.log(?:\.?\d{0,4}|\.\d+\.gz|\.compressing)"
    try:
        names = os.listdir(settings.childlogdir)
    except OSError:
        logger.warn("Could not clear childlog dir")
        return
    for name in names:
        if "---" in name and re.fullmatch(pattern, name):
            path = os.path.join(settings.childlogdir, name)
            try:
                if os.lstat(path).st_uid == os.geteuid():
                    os.remove(path)
            except OSError:
                logger.warn(f"Failed to clean up {path!r}")


@contextlib.contextmanager
def daemonized(settings: Settings, logger: Logger) -> Iterator[None]:
    """Daemonize; only the child enters the block.

    The parent exits when the child leaves the block: by then, the work in it is done for a caller
    that waits for `supervisord` to return.
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
    posix.detach_from_terminal()
    os.umask(settings.umask)
    try:
        yield
    finally:
        os.close(child_closes)
