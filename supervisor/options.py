"""The plugin API: `supervisord.options`, and the old import names.

`ServerOptions` combines the configuration, the context and the servers, which the daemon builds;
nothing below this floor uses it.  The config classes here are those of `config.model` with the
attributes that plugins expect of them, above all `options`.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property, partial

from supervisor.common.namespec import make_namespec, split_namespec
from supervisor.common.records import names
from supervisor.common.version import VERSION
from supervisor.config import model
from supervisor.config.commandline import (
    ConfigurationError,
    fail,
    read_server_configuration,
    read_server_steps,
    search_server_file,
)
from supervisor.config.option import OptionValues, parameters
from supervisor.config.parser import UnhosedConfigParser, environment_names, expand, open_text
from supervisor.config.programs import PROCESS_OPTIONS, processes_from_section
from supervisor.config.scales import Scales
from supervisor.engine import posix
from supervisor.engine.loop import Loop
from supervisor.engine.posix import (
    BadCommand,
    NoPermission,
    NotExecutable,
    NotFound,
    ProcessException,
    decode_wait_status,
    signame,
)
from supervisor.loggers import getLogger
from supervisor.logs.reading import readFile, tailFile
from supervisor.process.child import Subprocess
from supervisor.process.groups import create_auto_logs
from supervisor.process.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import Any, NoReturn, TextIO

    from supervisor.config.file_stamps import Stamps
    from supervisor.config.model import (
        Configuration,
        RPCInterfaceConfig,
        ServerConfig,
        Settings,
    )
    from supervisor.http.server import HTTPServer
    from supervisor.loggers import Logger

__all__ = [
    "VERSION",  # supvisors
    "BadCommand",  # knot-resolver
    "EventListenerConfig",  # supvisors
    "EventListenerPoolConfig",  # supervisord-dependent-startup
    "FastCGIProcessConfig",  # supvisors
    "NoPermission",  # knot-resolver
    "NotExecutable",  # knot-resolver
    "NotFound",  # knot-resolver
    "ProcessConfig",  # supvisors, supervisor_twiddler
    "ProcessException",  # the parent of knot-resolver's four
    "ProcessGroupConfig",  # supervisord-dependent-startup
    "ServerOptions",  # supvisors, multivisor, knot-resolver, devservices
    "UnhosedConfigParser",  # supervisor_twiddler, supervisord-dependent-startup
    "decode_wait_status",
    "expand",  # supvisors
    "make_namespec",  # superlance, supervisor_checks, supvisors
    "readFile",
    "signame",
    "split_namespec",  # supervisor_checks, mr.laforge, supvisors, knot-resolver
    "tailFile",
]


def __getattr__(name: str) -> Any:
    """Import `ClientOptions` on demand, for supvisors, mr.laforge and jobflow-remote."""
    if name != "ClientOptions":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from supervisor.client.options import ClientOptions

    return ClientOptions


# -- configs as plugins use them ----------------------------------------------------

PARAMETERS = parameters(model.ProcessConfig)


class ProcessConfig(model.ProcessConfig):
    """A process's config with the attribute `options`, as plugins expect."""

    def __init__(self, options: ServerOptions, **params: Any) -> None:
        """Take the options by name; unknown names are ignored, as in Supervisor 4."""
        super().__init__(**{name: params[name] for name in params.keys() & PARAMETERS})
        self.environment = self.environment or {}
        self.options = options

    def make_process(self, group: Any = None) -> Subprocess:
        """Return a new process for a group, without adding it to the group.

        Supvisors and supervisor_twiddler add processes to running groups with this.
        """
        runtime = getattr(group, "runtime", self.options.runtime)
        process: Subprocess = getattr(group, "process_class", Subprocess)(self, runtime)
        process.group = group
        return process

    def create_autochildlogs(self) -> None:
        """Replace each AUTO log setting by a new file; raises `OSError`."""
        create_auto_logs(self, self.options.settings)


class EventListenerConfig(ProcessConfig, model.EventListenerConfig):
    """A process of an `[eventlistener:x]` pool."""


class FastCGIProcessConfig(ProcessConfig, model.FastCGIProcessConfig):
    """A process of a `[fcgi-program:x]` group."""


class ProcessGroupConfig(model.ProcessGroupConfig):
    """A group's config as the tests of plugins create it."""

    def __init__(self, options: Any, *values: Any) -> None:
        super().__init__(*values)
        self.options = options


class EventListenerPoolConfig(model.EventListenerPoolConfig):
    """A pool's config as the tests of plugins create it."""

    def __init__(self, options: Any, *values: Any) -> None:
        super().__init__(*values)
        self.options = options


def _make_complete(make: Callable[..., Any], **values: Any) -> Any:
    """Make a config from the values of all options, not only from those that are set."""
    return make(**OptionValues(PROCESS_OPTIONS, values).complete())


# Class of `config.model` -> class of the plugin API, for configs that plugins can see.
PLUGIN_CONFIG_CLASSES: dict[type[model.ProcessConfig], type[ProcessConfig]] = {
    model.ProcessConfig: ProcessConfig,
    model.EventListenerConfig: EventListenerConfig,
    model.FastCGIProcessConfig: FastCGIProcessConfig,
}


SETTINGS = frozenset(names(model.Settings))


# -- the plugin API -----------------------------------------------------------------


class ConfigurationOptions:
    """The configured half of `ServerOptions`: reading files, and the settings."""

    def __init__(self) -> None:
        settings = model.Settings(configfile=None, here=None, childlogdir="")
        self.configuration = model.Configuration(settings, (), [], ())
        self.arguments: list[str] = []
        self.file_before: str | None = None
        self.start_directory: str | None = None
        """The current directory of the first start, to which the command line refers."""
        self._readings = 0  # completed ones
        self.process_group_configs: list[model.ProcessGroupConfig] = []
        self.scales = Scales()

    def realize(self, args: Sequence[str] | None = None, file: str | None = None) -> None:
        """Read the command line and the configuration; an error ends the program.

        `file` is the configuration file of the run before a restart, if the daemon has changed
        the directory from which it was found.
        """
        self.arguments = list(sys.argv[1:] if args is None else args)
        self.file_before = file
        self.process_config(do_usage=True)

    def process_config(self, do_usage: bool = True) -> None:
        """Read the configuration (again).

        Raises `ValueError` with the text for the user; with `do_usage`, prints it and exits
        instead.
        """
        try:
            configuration = self.check()
        except ConfigurationError as error:
            if do_usage:
                self.usage(str(error))
            raise
        self._use(configuration)

    def reread_steps(self) -> Generator[None, None, None]:
        """Read the configuration again, in steps; raises `ValueError`.

        The result is dropped if another reading, which is newer, has been completed before.
        """
        readings = self._readings
        parameters = self._begin_reading()
        configuration = yield from read_server_steps(self.arguments, **parameters)
        if self._readings == readings:
            self._use(configuration)

    def _use(self, configuration: Configuration) -> None:
        self._readings += 1
        self.configuration = configuration
        self.process_group_configs = configuration.groups
        self.scales.end_reading()

    def check(self) -> Configuration:
        """Return the configuration as it is now, without applying it; raises `ValueError`."""
        return read_server_configuration(self.arguments, **self._begin_reading())

    def _begin_reading(self) -> dict[str, Any]:
        """Begin to read the configuration; return the parameters for that."""
        self.scales.begin_reading()
        return {
            "file": self.file_before,
            "read_processes": self.processes_from_section,
            "search": self.default_configfile,
            "opener": self.open,
        }

    # Supvisors' tests replace these four to run without a file.

    def default_configfile(self) -> str:
        """Return the first default path that exists; raises `ValueError` if there is none."""
        return search_server_file(self.exists)

    def exists(self, path: str) -> bool:
        """Whether a configuration file exists."""
        return os.path.exists(path)

    def open(self, path: str) -> TextIO:
        """Open the configuration file."""
        return open_text(path)

    def usage(self, msg: str) -> NoReturn:
        """Print an error in the configuration, and exit with 2."""
        fail(msg)

    def processes_from_section(
        self,
        parser: UnhosedConfigParser,
        section: str,
        group_name: str,
        klass: type[model.ProcessConfig] | None = None,
    ) -> list[model.ProcessConfig]:
        """Return the processes of a section; raises `ValueError`.

        supervisor_twiddler calls this with its own parser.
        """
        klass = klass or ProcessConfig
        parser.scales = self.scales
        return list(
            self._processes_from_section(
                parser, section, group_name, PLUGIN_CONFIG_CLASSES.get(klass, klass)
            )
        )

    def _processes_from_section(
        self, parser: UnhosedConfigParser, section: str, group_name: str, klass: Any = None
    ) -> list[Any]:
        """Implement `processes_from_section`; Supvisors replaces this method on the class."""
        kind: Callable[..., Any] = klass or ProcessConfig
        make: Callable[..., Any] = partial(kind, self)
        if kind not in PLUGIN_CONFIG_CLASSES.values():  # a plugin's own may need all options
            make = partial(_make_complete, make)
        return processes_from_section(parser, section, group_name, make)

    # -- settings ---------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The daemon's own settings."""
        return self.configuration.settings

    @property
    def configfile(self) -> str | None:
        """The configuration file; after an assignment, `process_config` reads the new one.

        devservices reads a file this way, without `realize`.
        """
        return self.file_before or self.settings.configfile

    @configfile.setter
    def configfile(self, file: str) -> None:
        self.file_before = file

    @property
    def file_stamps(self) -> Stamps:
        """The times of the files that the configuration was read from."""
        return self.configuration.file_stamps

    @property
    def server_configs(self) -> Sequence[ServerConfig]:
        """The configured HTTP servers."""
        return self.configuration.servers

    @property
    def rpcinterface_factories(self) -> Sequence[RPCInterfaceConfig]:
        """The configured RPC interfaces."""
        return self.configuration.rpcinterfaces

    def __getattr__(self, name: str) -> Any:
        """Return one of the settings by its name: `identifier`, `configfile`, `here` ..."""
        if name not in SETTINGS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.settings, name)

    @property
    def environ_expansions(self) -> dict[str, str]:
        """The variables for values, as `ENV_NAME`; Supvisors expands its own options with them."""
        return environment_names({**os.environ, **self.settings.environment})


class ServerOptions(ConfigurationOptions):
    """The attributes and methods of the running daemon that plugins use."""

    def __init__(self) -> None:
        super().__init__()
        self.httpservers: Sequence[tuple[ServerConfig, HTTPServer]] = []

    @cached_property
    def runtime(self) -> Runtime:
        """Runtime context.  The daemon sets it at boot; the default has a loop that never runs."""
        return Runtime(Loop(), getLogger(), self.settings)

    @property
    def logger(self) -> Logger:
        """The activity log."""
        return self.runtime.logger

    @property
    def mood(self) -> int:
        """The state of the daemon, one of `SupervisorStates`; an assignment takes effect."""
        return self.runtime.daemon_state

    @mood.setter
    def mood(self, mood: int) -> None:
        self.runtime.daemon_state = mood
        self.runtime.loop.call_soon(_nothing)

    # -- calls ------------------------------------------------------------------

    def get_pid(self) -> int:
        """Return the daemon's pid."""
        return os.getpid()

    def kill(self, pid: int, signum: int) -> None:
        """Send a signal; raises `OSError`."""
        os.kill(pid, signum)

    def get_signal(self) -> int | None:
        """Take the oldest signal from the queue."""
        return self.runtime.loop.next_signal()

    def cleanup_fds(self) -> None:
        """Close the inherited fds, including those above `minfds`."""
        posix.close_inherited_fds(self.settings.minfds)

    def close_httpservers(self) -> None:
        """Close the listening sockets and the connections."""
        for _, server in self.httpservers:
            server.close()
        self.httpservers = []


def _nothing() -> None:
    """Do nothing but wake the loop: the daemon checks its state after each turn."""
