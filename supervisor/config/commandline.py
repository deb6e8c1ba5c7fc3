"""Command-line parsing and the search for the configuration file.

Both commands share the option parser, the search for the file and the format of errors.
`config.settings` (daemon) and `config.client` read the file itself.  Each is imported on
demand, because users notice the start-up time.
"""

from __future__ import annotations

import getopt
import os
import sys
import warnings

from supervisor import datatypes
from supervisor.common.stdio import write_stdout
from supervisor.common.version import VERSION
from supervisor.config.parser import ConfigurationError, open_text

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any, NoReturn, TextIO, TypeVar

    from supervisor.config.client import ClientConfiguration
    from supervisor.config.model import Configuration
    from supervisor.config.programs import ProcessReader
    from supervisor.config.settings import Source

    Found = TypeVar("Found", str, str | None)

__all__ = [
    "ConfigurationError",
    "fail",
    "read_client_configuration",
    "read_server_configuration",
]

SERVER_USAGE = """\
supervisord -- start programs, monitor them and manage their logs.

Usage: %s [options]

Options:
-c/--configuration FILENAME -- configuration file path (searches if not given);
                   - reads it from standard input
-n/--nodaemon -- run in the foreground (same as 'nodaemon=true' in config file)
--container[=json] -- be the main process of a container: stay in the foreground, write
                   all logs to stdout and no pid file, adopt orphans, exit with
                   the programs; what the configuration file sets is used
-s/--silent -- no logs to stdout (maps to 'silent=true' in config file)
-h/--help -- print this usage message and exit
-v/--version -- print supervisord version number and exit
-u/--user USER -- run supervisord as this user (or numeric uid)
-m/--umask UMASK -- use this umask for daemon subprocess (default is 022)
-d/--directory DIRECTORY -- directory to chdir to when daemonized
-l/--logfile FILENAME -- use FILENAME as logfile path
-y/--logfile_maxbytes BYTES -- use BYTES to limit the max size of logfile
-z/--logfile_backups NUM -- number of backups to keep when max bytes reached
-e/--loglevel LEVEL -- use LEVEL as log level (debug,info,warn,error,critical)
-j/--pidfile FILENAME -- write a pid file for the daemon process to FILENAME
-i/--identifier STR -- identifier used for this instance of supervisord
-q/--childlogdir DIRECTORY -- the log directory for child process logs
-k/--nocleanup --  prevent the process from performing cleanup (removal of
                   old automatic child log files) at startup.
-a/--minfds NUM -- the minimum number of file descriptors for start success
-t/--strip_ansi -- strip ansi escape codes from process output
--minprocs NUM  -- the minimum number of processes available for start success
--profile_options OPTIONS -- run supervisord under profiler and output
                             results based on OPTIONS, which  is a comma-sep'd
                             list of 'cumulative', 'calls', and/or 'callers',
                             e.g. 'cumulative,callers')
--check -- check the configuration, start nothing, and exit with 0, or with 2
           for mistakes, which are printed together with warnings
--strict -- with --check: exit with 1 for warnings
--portable -- with --check: also warn of all that Supervisor 4.3 lacks
--json -- with --check: print an array of objects
--can-resume FORMAT -- with --check: also check that this version can replace a
           running supervisord which hands its processes over in this format
"""

CLIENT_USAGE = """\
supervisorctl -- inspect and control the programs of a running supervisord.

Usage: %s [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- configuration file path (searches if not given)
-h/--help -- print usage message and exit
-i/--interactive -- start an interactive shell after executing commands
-s/--serverurl URL -- URL on which supervisord server is listening
     (default "http://localhost:9001").
-u/--username USERNAME -- username to use for authentication with server
-p/--password PASSWORD -- password to use for authentication with server
-r/--history-file -- keep a readline history (if readline is available)

action [arguments] -- see below

An action is a command such as "status" or "restart".  With no action, or with -i, a
shell reads actions from the terminal.  The action "help" lists them all.
"""

STDIN = "-"
"""The file name of the daemon's standard input; a file of that name is `./-`."""

CONTAINER_FORMATS = ("prefix", "json")
"""Formats of the lines of programs with `--container`; the first one is the default."""

NO_FILE = "No config file found at default paths"
FIRST_STEPS = (
    "create a configuration with `echo_supervisord_conf >supervisord.conf`, add a section"
    " [program:NAME] with command=, then run `supervisord -c supervisord.conf`."
)

SEARCHING_AS_ROOT = (
    "Supervisord is running as root and it is searching for its configuration file in default "
    "locations (including its current working directory); you probably want to specify a "
    '"-c" argument specifying an absolute path to a configuration file for improved security.'
)


class CommandOption:
    """One command-line option; `short` holds its one-letter aliases.

    An option without `convert` is a flag, whose value is True.  One with an `implied` value may be
    given without a value: before Python 3.14, getopt has no such options.  Options that Supervisor
    4.3 does not have are never abbreviated (those are `is_whole`), so that the abbreviations of the
    others remain unambiguous: `--ch` is `--childlogdir`, `--con` is `--configuration`.
    """

    def __init__(
        self,
        short: str,
        name: str,
        convert: Callable[[str], Any] | None = None,
        *,
        is_whole: bool = False,
        implied: str = "",
    ) -> None:
        self.short = short
        self.name = name
        self.convert = convert
        self.is_whole = is_whole
        self.implied = implied


CLIENT_OPTIONS = (
    CommandOption("c", "configuration", str),
    CommandOption("h?", "help"),
    CommandOption("i", "interactive"),
    CommandOption("s", "serverurl", datatypes.url),
    CommandOption("u", "username", str),
    CommandOption("p", "password", str),
    # The usage text calls it a flag named --history-file, but 4.3.0 accepts this form.
    CommandOption("r", "history_file", str),
)


CAN_RESUME = "can-resume"

CHECK_OPTIONS: dict[str, Callable[[str], Any] | None] = {
    "check": None,
    "strict": None,
    "portable": None,
    "json": None,
    CAN_RESUME: datatypes.integer,
}
"""Options of `supervisord --check`, see `daemon.check`, with the conversions of their values."""


def container_format(value: str) -> str:
    """Return the format of the lines in a container's log."""
    if value not in CONTAINER_FORMATS:
        raise ValueError(f"expected {' or '.join(CONTAINER_FORMATS)}")
    return value


def server_options() -> tuple[CommandOption, ...]:
    """Return the options of the daemon: its own, and those of `[supervisord]` with a flag."""
    from supervisor.config.model import Settings
    from supervisor.config.option import options_of

    return (
        CommandOption("c", "configuration", str),
        CommandOption("h?", "help"),
        CommandOption("v", "version"),
        CommandOption("", "profile_options", datatypes.profile_options),
        CommandOption("", "container", container_format, implied=CONTAINER_FORMATS[0]),
        *(
            CommandOption(
                row.flag, row.name, None if row.convert is datatypes.boolean else row.convert
            )
            for row in options_of(Settings)
            if row.flag is not None
        ),
        *(
            CommandOption("", name, convert, is_whole=True)
            for name, convert in CHECK_OPTIONS.items()
        ),
    )


def fail(message: str) -> NoReturn:
    """Print an error in the format that scripts expect, and exit with status 2."""
    sys.stderr.write(f"Error: {message}\nFor help, use {sys.argv[0]} -h\n")
    if message.startswith(NO_FILE) and sys.stderr.isatty():
        sys.stderr.write(f"Hint: {FIRST_STEPS}\n")
    sys.exit(2)


def parse_arguments(
    options: Sequence[CommandOption], argv: Sequence[str], usage: str, *, only_options: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the options by name, and the positional arguments.

    With `only_options`, a positional argument is an error.  `-h` and `-v` print and exit with
    status 0.  Raises ConfigurationError.
    """
    argv, values = _take_implied(options, argv)
    options = [option for option in options if not option.implied]
    by_flag = {f"--{option.name}": option for option in options}
    by_flag |= {f"-{letter}": option for option in options for letter in option.short}
    takes_value = [(option, option.convert is not None) for option in options]
    words = {str(word).partition("=")[0] for word in argv}  # jobflow-remote passes a path
    short = "".join(
        letter + ":" * value for option, value in takes_value for letter in option.short
    )
    long = [
        option.name + "=" * value
        for option, value in takes_value
        if not option.is_whole or f"--{option.name}" in words
    ]
    try:
        found, arguments = getopt.getopt(argv, short, long)
    except getopt.error as error:
        raise ConfigurationError(error) from None
    if arguments and only_options:
        raise ConfigurationError(f"positional arguments are not supported: {arguments}")
    for flag, text in found:
        option = by_flag[flag]
        if option.name in ("help", "version"):
            _print_and_exit(usage if option.name == "help" else None)
        value = _converted(option, flag, text)
        if option.name in values:
            raise ConfigurationError(f"conflicting command line option {flag!r}")
        values[option.name] = value
    return values, arguments


def _take_implied(
    options: Sequence[CommandOption], argv: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Take the options out of the arguments whose value may be missing; return rest and values."""
    rest, values = list(argv), {}
    for option in options:
        flag = f"--{option.name}"
        found = [word for word in rest if option.implied and word.partition("=")[0] == flag]
        if len(found) > 1:
            raise ConfigurationError(f"conflicting command line option {flag!r}")
        for word in found:
            _, has_value, text = word.partition("=")
            values[option.name] = _converted(option, flag, text if has_value else option.implied)
            rest.remove(word)
    return rest, values


def _print_and_exit(usage: str | None) -> NoReturn:
    write_stdout(sys.stdout, f"{VERSION if usage is None else usage % sys.argv[0]}\n")
    sys.exit(0)


def _converted(option: CommandOption, flag: str, text: str) -> Any:
    if option.convert is None:
        return True
    try:
        return option.convert(text)
    except ValueError as error:
        raise ConfigurationError(f"invalid value for {flag} {text!r}: {error}") from None


def search_paths() -> list[str]:
    """Return the default paths of the configuration file, in search order."""
    prefix = os.path.dirname(os.path.dirname(sys.argv[0]))
    return [
        os.path.join(prefix, "etc/supervisord.conf"),
        os.path.join(prefix, "supervisord.conf"),
        "supervisord.conf",
        "etc/supervisord.conf",
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
    ]


def find_configuration_file(values: Mapping[str, Any], search: Callable[[], Found]) -> str | Found:
    """Return the file that `-c` names, or the result of `search`.

    Raises ConfigurationError if the file that `-c` names does not exist.
    """
    named = values.get("configuration")
    if named is None:
        return search()
    if not os.path.exists(named):
        raise ConfigurationError(f"could not find config file {named}")
    return str(named)


def search_client_file() -> str | None:
    """Return the first existing default path, or None: the client needs no file."""
    return next(filter(os.path.exists, search_paths()), None)


def search_server_file(exists: Callable[[str], bool] = os.path.exists) -> str:
    """Return the first existing default path; warn if the user is root.

    Raises ConfigurationError if there is none.
    """
    if os.getuid() == 0:
        warnings.warn(SEARCHING_AS_ROOT, stacklevel=2)
    file = next(filter(exists, search_paths()), None)
    if file is None:
        raise ConfigurationError(
            f"{NO_FILE} ({', '.join(search_paths())}); use the -c "
            "option to specify a config file at a different path"
        )
    return file


def read_server_configuration(*args: Any, **parameters: Any) -> Configuration:
    """Return the daemon's configuration; the parameters are those of `read_server_steps`."""
    from supervisor.config import settings

    return settings.finish(read_server_steps(*args, **parameters))


def read_server_steps(
    argv: Sequence[str],
    read_processes: ProcessReader | None = None,
    file: str | None = None,
    search: Callable[[], str] = search_server_file,
    opener: Callable[[str], TextIO] = open_text,
    *,
    with_programs: bool = True,
) -> Generator[None, None, Configuration]:
    """Read the daemon's configuration in steps: the file, overridden by the command line.

    The function changes no state of the daemon and may be called at any time.
    `read_processes` replaces the reader of program sections.  `file` is the path found
    at start-up, because the daemon may have changed its working directory since and would no
    longer find it.  Without `file` and `-c`, `search` finds the file.  `opener` opens it.
    Without `with_programs`, the sections of programs are not read.

    Raises ConfigurationError with a message for the user; `-h` and `-v` print and exit with
    status 0.
    """
    from supervisor.config import settings

    values, _ = parse_arguments(server_options(), argv, SERVER_USAGE, only_options=True)
    for name in CHECK_OPTIONS:
        if name in values:
            raise ConfigurationError(f"--{name} is an option of supervisord --check")
    source = find_source(values, file, search, opener)
    steps = settings.read_steps(source, values, read_processes, with_programs=with_programs)
    return (yield from steps)


def find_source(
    values: Mapping[str, Any],
    file: str | None = None,
    search: Callable[[], str] = search_server_file,
    opener: Callable[[str], TextIO] = open_text,
) -> Source:
    """Return the file of the daemon's configuration; see `read_server_configuration`."""
    from supervisor.config import settings

    if values.get("configuration") == STDIN:
        from supervisor.config import standard_input

        if file in {None, standard_input.NAME}:
            return standard_input.source()
    return settings.Source(
        find_configuration_file(values, search) if file is None else file, opener
    )


def read_client_configuration(argv: Sequence[str]) -> ClientConfiguration:
    """Return the client's configuration: `[supervisorctl]`, overridden by the command line.

    Raises ConfigurationError with one line for the user; `-h` prints and exits with status 0.
    """
    from supervisor.config import client

    values, arguments = parse_arguments(CLIENT_OPTIONS, argv, CLIENT_USAGE, only_options=False)
    return client.read(find_configuration_file(values, search_client_file), values, arguments)
