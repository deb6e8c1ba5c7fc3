"""The installed files that a daemon reads late, as they were at its start.

A package is upgraded or removed while daemons run.  A daemon imports some modules on demand, and
reads the files of its pages at each request.  It must neither miss them, nor mix modules of two
versions.  Importing everything at the start would cost 9 ms and 1.4 MiB.  Reading the files costs
0.5 ms and 150 KB, and they are compiled only if the installation has changed.

`supervisord` keeps them at boot; `http.handlers` and `web.templates` read files through `kept`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec
    from types import CodeType
    from typing import Any, Final

PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

MARKER: Final = os.path.join(PACKAGE, "version.txt")
"""A file that every upgrade replaces; edited modules and pages are read as before."""

UI_FOLDER: Final = os.path.join(PACKAGE, "ui")

LATE_MODULES: Final = (
    "meld3",
    "meld3._compat",
    "supervisor.common.env_files",
    "supervisor.common.explanation",
    "supervisor.common.limit_values",
    "supervisor.common.lines",
    "supervisor.common.log_formats",
    "supervisor.common.notify_protocol",
    "supervisor.common.pids",
    "supervisor.common.probes",
    "supervisor.common.process_table",
    "supervisor.common.program_graph",
    "supervisor.common.record_codec",
    "supervisor.common.resume_format",
    "supervisor.common.rotation_period",
    "supervisor.common.saved_state",
    "supervisor.config.notation",
    "supervisor.config.saved_config",
    "supervisor.config.standard_input",
    "supervisor.daemon.exit_policy",
    "supervisor.daemon.exit_watch",
    "supervisor.daemon.leftovers",
    "supervisor.daemon.memory",
    "supervisor.daemon.profiling",
    "supervisor.daemon.reexec",
    "supervisor.daemon.snapshot",
    "supervisor.daemon.statefile",
    "supervisor.daemon.update_plan",
    "supervisor.daemon.update_run",
    "supervisor.daemon.updates",
    "supervisor.engine.child_interpreter",
    "supervisor.engine.libc",
    "supervisor.engine.limits",
    "supervisor.engine.probe_child",
    "supervisor.engine.probe_socket",
    "supervisor.engine.read_channel",
    "supervisor.engine.socket_holders",
    "supervisor.logs.activity_json",
    "supervisor.logs.compression",
    "supervisor.logs.copies",
    "supervisor.logs.formatted_file",
    "supervisor.logs.maintenance",
    "supervisor.logs.ownership",
    "supervisor.logs.policy",
    "supervisor.logs.syslog_target",
    "supervisor.process.child_limits",
    "supervisor.process.fastcgi",
    "supervisor.process.handover",
    "supervisor.process.health_monitor",
    "supervisor.process.helper_child",
    "supervisor.process.helper_launch",
    "supervisor.process.hook_output",
    "supervisor.process.hook_sequence",
    "supervisor.process.hooks",
    "supervisor.process.liveness",
    "supervisor.process.liveness_monitor",
    "supervisor.process.log_maintenance",
    "supervisor.process.memory_limit",
    "supervisor.process.notification_fd",
    "supervisor.process.notify_socket",
    "supervisor.process.periodic",
    "supervisor.process.probes",
    "supervisor.process.process_tree",
    "supervisor.process.readiness",
    "supervisor.process.readiness_monitor",
    "supervisor.process.reconfigure",
    "supervisor.process.restart_limits",
    "supervisor.process.run_result",
    "supervisor.process.runtime_directory",
    "supervisor.process.usage",
    "supervisor.process.variable_files",
    "supervisor.process.watchdog",
    "supervisor.process.watchdog_monitor",
    "supervisor.socket_manager",
    "supervisor.web.actions",
    "supervisor.web.columns",
    "supervisor.web.error_pages",
    "supervisor.web.event_stream",
    "supervisor.web.facts",
    "supervisor.web.filtering",
    "supervisor.web.folding",
    "supervisor.web.follow",
    "supervisor.web.found",
    "supervisor.web.identity",
    "supervisor.web.kinds",
    "supervisor.web.language",
    "supervisor.web.log_sources",
    "supervisor.web.option_facts",
    "supervisor.web.pages",
    "supervisor.web.process",
    "supervisor.web.reason_texts",
    "supervisor.web.rows",
    "supervisor.web.search",
    "supervisor.web.sorting",
    "supervisor.web.status",
    "supervisor.web.status_texts",
    "supervisor.web.tail",
    "supervisor.web.templates",
    "supervisor.web.texts",
    "supervisor.web.update",
    "supervisor.web.usage",
    "supervisor.web.views",
)
"""Modules that a running daemon may import, and those that they import; a test keeps the list
complete."""

REMOVED: Final = (0, 0)
UNKNOWN: Final = (0, -1)
"""Identity of a file that cannot be seen after a change of the user."""

CHANGED: Final = (
    f"the installation in {PACKAGE} has been replaced or removed; this daemon keeps using its own"
    " version until it is restarted, or replaced by supervisorctl reexec"
)


class KeptFiles:
    """Contents of installed files, used if the installation has changed since.

    Also a finder of their modules (importlib), which takes precedence over the other ones.
    """

    def __init__(self) -> None:
        self.report: Callable[[str], object] = lambda _text: None
        """Called once when the change is noticed."""
        self._files: dict[str, tuple[bytes, int]] = {}
        self._modules: dict[str, str] = {}
        self._marker = UNKNOWN
        self._has_changed = False

    def keep(self) -> None:
        """Read the files.  One that cannot be read is not kept."""
        self._marker = _identity(MARKER)
        for name, path in _late_modules():
            self._keep(path)
            self._modules[name] = path
        for folder, _, names in os.walk(UI_FOLDER):
            for name in names:
                self._keep(os.path.join(folder, name))
        sys.meta_path.insert(0, self)

    def _keep(self, path: str) -> None:
        with suppress(OSError):
            self._files[path] = _read(path)

    def modified_ns(self, path: str) -> int:
        """Return the time of the last change of a file, in nanoseconds; raises `OSError`."""
        if self._is_outdated(path):
            return self._files[path][1]
        return os.stat(path).st_mtime_ns

    def read(self, path: str) -> tuple[bytes, int]:
        """Return the content of a file and the time of its last change, in nanoseconds.

        Raises `OSError` for a file that is neither kept nor readable.
        """
        return self._files[path] if self._is_outdated(path) else _read(path)

    def _is_outdated(self, path: str) -> bool:
        """Whether a kept file replaces the installed one, which is gone or of another version."""
        return path in self._files and (self._is_replaced() or not os.path.exists(path))

    def _is_replaced(self) -> bool:
        if not self._has_changed and _identity(MARKER) not in {self._marker, UNKNOWN}:
            self._has_changed = True
            self.report(CHANGED)
        return self._has_changed

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """Return the spec of a kept module, None if the installed one is to be imported."""
        path = self._modules.get(name)
        if path is None or not self._is_outdated(path):
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, path, loader=_Loader(name, path))


kept: Final = KeptFiles()


class _Loader(SourceFileLoader):
    """Loader of kept modules."""

    def get_code(self, _fullname: str) -> CodeType:
        """Compile the kept source: bytecode on disk may be of another version."""
        code: CodeType = self.source_to_code(kept.read(self.path)[0], self.path)
        return code


def _late_modules() -> Iterator[tuple[str, str]]:
    """Yield name and path of the late modules that are installed."""
    for name in LATE_MODULES:
        package, _, rest = name.partition(".")
        folder = PACKAGE
        if package != "supervisor":
            spec = PathFinder.find_spec(package)
            if spec is None or spec.origin is None:
                continue
            folder = os.path.dirname(spec.origin)
        yield name, os.path.join(folder, *(rest or "__init__").split(".")) + ".py"


def _read(path: str) -> tuple[bytes, int]:
    with open(path, "rb", buffering=0) as file:
        return file.read(), os.fstat(file.fileno()).st_mtime_ns


def _identity(path: str) -> tuple[int, int]:
    """Return inode and time of change of a file, or `REMOVED` or `UNKNOWN`."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return REMOVED
    except OSError:
        return UNKNOWN
    return status.st_ino, status.st_mtime_ns
