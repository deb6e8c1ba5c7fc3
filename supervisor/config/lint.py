"""Configuration warnings: settings that are valid but probably unintended.

`settings` runs these checks after it has read all files.  The activity log gets one line for
each warning.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from supervisor.common.namespec import make_namespec
from supervisor.config import lint_environment, lint_health, schema
from supervisor.config.comments import section_bodies
from supervisor.config.hooks import STOP_COMMAND
from supervisor.config.lint_limits import limit_warnings
from supervisor.config.parser import PROGRAM_DEFAULT, Remark
from supervisor.config.process_config import PLAIN
from supervisor.config.restart import restart_options
from supervisor.config.state import forgotten_stops
from supervisor.datatypes import TRUTHY_STRINGS
from supervisor.engine.files import find_unprotected, is_trusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.config.model import ProcessConfig, ProcessGroupConfig
    from supervisor.config.parser import UnhosedConfigParser

_header = re.compile(r"^\[([^\]]+)\]", re.MULTILINE)
_options = re.compile(r"^([^\s;#\[:=][^:=\n]*)[:=]", re.MULTILINE).findall
_bare_conversion = re.compile(r"%[^(%]").search

PROGRAMS = ("program:", "eventlistener:", "fcgi-program:")

# A doubled percent sign matches as a whole, with an empty group.
_variables = r"%%|%\(ENV_([^)]+)\)"

PROGRAM_LIKE = ("eventlistener", "fcgi-program", PROGRAM_DEFAULT)
"""Kinds of sections that also take the options of a program."""

SERVERS = ("inet_http_server", "unix_http_server")
"""Prefixes of the sections of HTTP servers (`inet_http_server2` is one)."""

WITHOUT_FILE = ("none", "off", "syslog")
"""Values of a logfile for which there is no file."""

FREE_SECTIONS = ("rpcinterface", "ctlplugin")
"""Kinds of sections whose options belong to a plugin."""

LOGGED_STREAMS = ("stdout", "stderr")

LOG_OPTIONS = ("logfile_format",)
"""Options of a stream that need a log."""

FILE_OPTIONS = (
    "logfile_mode",
    "logfile_owner",
    "logfile_rotate",
    "logfile_compress",
    "logfile_maxage",
)
"""Options of a stream that need a log in a regular file."""

STREAM_OPTIONS = {
    f"{stream}_{name}": (stream, name in FILE_OPTIONS)
    for stream in LOGGED_STREAMS
    for name in (*LOG_OPTIONS, *FILE_OPTIONS)
}
"""Option -> its stream, and whether it needs a regular file."""

DEVICES = ("/dev/", "/proc/")
"""Prefixes of logs that are never rotated."""

COMPANIONS: Sequence[tuple[Sequence[str], Callable[[ProcessConfig], object], str]] = (
    (
        ("dependency_timeout",),
        lambda config: config.depends_on or config.depends_on_completed or config.depends_on_exited,
        "the program depends on no other",
    ),
    (
        ("on_dependency_failure",),
        lambda config: not all(each.is_soft for each in config.depends_on),
        "depends_on names no program without '-'",
    ),
    (
        tuple(
            f"readiness_check_{each}"
            for each in ("initial_delay", "period", "timeout", "success_threshold")
        ),
        lambda config: config.readiness_check_script,
        "there is no readiness_check_script",
    ),
    (
        ("ready_timeout",),
        lambda config: config.declares_readiness,
        "the program declares no readiness",
    ),
    (
        ("hook_timeout",),
        lambda config: set(config.hooks.names) - {STOP_COMMAND},
        "there is no hook",
    ),
    (
        ("stopcommand",),
        lambda config: config.stopwaitsecs,
        "stopwaitsecs is 0",
    ),
    (
        ("stdout_tee_format",),
        lambda config: config.stdout.tee,
        "there is no stdout_tee",
    ),
    (
        ("stderr_tee_format",),
        lambda config: config.stderr.tee,
        "there is no stderr_tee",
    ),
    (
        ("syslog_facility", "syslog_tag"),
        lambda config: config.stdout.uses_syslog or config.stderr.uses_syslog,
        "the program's output does not go to syslog",
    ),
    (
        ("syslog_stdout_priority",),
        lambda config: config.stdout.uses_syslog,
        "stdout does not go to syslog",
    ),
    (
        ("syslog_stderr_priority",),
        lambda config: config.stderr.uses_syslog and not config.redirect_stderr,
        "stderr does not go to syslog",
    ),
    (
        ("startlimit_interval",),
        lambda config: config.startlimit_burst,
        "there is no startlimit_burst",
    ),
    (
        ("restartfactor", "restartjitter", "restartreset"),
        lambda config: config.restartpause,
        "there is no restartpause",
    ),
    (
        ("pass_environment",),
        lambda config: config.clean_environment,
        "clean_environment is not true",
    ),
    *(
        (
            (f"{stream}_logfile_compress", f"{stream}_logfile_maxage"),
            attrgetter(f"{stream}.logfile_backups"),
            f"{stream}_logfile_backups is 0",
        )
        for stream in LOGGED_STREAMS
    ),
)
"""Options that need others: their names, whether these are set, and the reason if not."""


def lint(parser: UnhosedConfigParser) -> list[Remark]:
    """Return one line for each warning about the files, beginning with the main file."""
    sections = Counter[str]()
    warnings: list[Remark] = []
    main_file = parser.sources[0][0]
    for file, text, mode in parser.sources:
        names = _header.findall(text)
        if file != main_file and "include" in names:
            line = f"[include] is ignored in an included file (file: {file!r})"
            warnings.append(Remark(line, "include", file=file))
            names = [name for name in names if name != "include"]
        sections.update(names)
        if mode & stat.S_IROTH and _has_plain_password(text):
            line = (
                f"{file} contains a password and can be read by all users (fix: chmod o-r {file})"
            )
            warnings.append(Remark(line, file=file))
        warnings += _repeated_options(file, text)
    if os.geteuid() == 0:
        regular = [file for file, _, mode in parser.sources if stat.S_ISREG(mode)]
        warnings += _unprotected([*regular, *parser.include_directories])
    warnings += [
        Remark(f"section [{name}] is defined {count} times; the last definition wins", name)
        for name, count in sections.items()
        if count > 1
    ]
    warnings += _unknown_sections(parser)
    warnings += _unknown_options(parser)
    warnings += _unescaped_percent_signs(parser)
    warnings += _inherited_passwords(parser)
    warnings += _unused_log_options(parser)
    return warnings


def lint_groups(parser: UnhosedConfigParser, groups: Sequence[ProcessGroupConfig]) -> list[Remark]:
    """Return one line for each warning about the processes that have been read."""
    programs = {each.section: each for group in groups for each in group.process_configs}
    return [
        *_shared_logs(parser, groups),
        *_unreachable_limits(parser, programs),
        *_unreachable_readiness(parser, programs),
        *lint_health.lint_health(parser, programs),
        *_options_without_effect(parser, programs),
        *forgotten_stops(parser, programs),
        *lint_environment.overridden_secrets(parser, programs),
        *lint_environment.missing_paths(parser, programs),
        *_unprotected(lint_environment.envfiles_of_root(parser, groups)),
        *_copies_without_effect(parser, programs),
        *limit_warnings(parser, programs),
    ]


def _has_plain_password(text: str) -> bool:
    pattern = r"^\s*password\s*[=:]\s*(?!\{SHA\})\S"
    return "password" in text and re.search(pattern, text, re.MULTILINE) is not None


def _unprotected(paths: Iterable[str]) -> Iterator[Remark]:
    """Yield a line for each path through which other users control what root runs."""
    found: set[str] = set()
    for path in paths:
        try:
            weak = find_unprotected(path)
            status = os.lstat(weak or path)
        except OSError:  # deleted since it was read
            continue
        if weak is None or weak in found:
            continue
        found.add(weak)
        reached = "" if weak == path else f" is reached through {weak}, which"
        if is_trusted(status):
            reason, fix = "is writable by others", "chmod go-w"
        else:
            reason, fix = "belongs to another user", "chown -h root"
        text = f"{path} controls what runs as root but{reached} {reason} (fix: {fix} {weak})"
        yield Remark(text, file=path)


def _repeated_options(file: str, text: str) -> Iterator[Remark]:
    """Yield a line for each option that a section of a file sets more than once."""
    for name, body in section_bodies(text):
        found = [option.strip().lower() for option in _options(body)]
        if len(set(found)) == len(found):
            continue
        for key, count in Counter(found).items():
            if count > 1:
                where = f"in section {name!r} (file: {file!r})"
                line = f"option {key!r} is set {count} times {where}; the last value wins"
                yield Remark(line, name, key, file)


def _unknown_sections(parser: UnhosedConfigParser) -> Iterator[Remark]:
    named = {section.partition(":")[0] for section in schema.SECTIONS if ":" in section}
    kinds = {section.partition(":")[0] for section in schema.SECTIONS} | named | {"supervisorctl"}
    for section in parser.sections():
        kind, colon, name = section.partition(":")
        if kind in named and not colon:
            hint = f"; did you mean [{kind}:NAME]?"
        elif kind in kinds or section.startswith(SERVERS):
            continue
        else:
            hint = _suggestion(kind, kinds, "[{}" + colon + name + "]")
        file = parser.file_of(section)
        yield Remark(f"unknown section [{section}] (file: {file!r}){hint}", section, file=file)


def _suggestion(word: str, known: Iterable[str], form: str = "{!r}") -> str:
    """Return a hint with the known word closest to an unknown one, or '' if none is close."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.75)
    return f"; did you mean {form.format(close[0])}?" if close else ""


def _unescaped_percent_signs(parser: UnhosedConfigParser) -> Iterator[Remark]:
    """Yield a line for each value with a bare %, which expands to all names (`date +%s`)."""
    for section in parser.sections():
        if not section.startswith((*PROGRAMS, PROGRAM_DEFAULT)):
            continue
        for option, value in parser.options_of(section).items():
            bare = "%" in str(value) and _bare_conversion(str(value).replace("%%", ""))
            if bare:
                yield parser.remark(
                    section,
                    option,
                    f"{bare[0]} in option {option!r} {{where}}: a literal % is written %%",
                )


def _inherited_passwords(parser: UnhosedConfigParser) -> Iterator[Remark]:
    """Yield a line for each environment variable that a server's password uses.

    Programs inherit the daemon's environment, so each program can read the password there.
    """
    for section in parser.sections():
        if not section.startswith(SERVERS):
            continue
        password = str(parser.get(section, "password", fallback=""))
        if password.startswith("{SHA}"):  # the hash cannot be used to log in
            continue
        for variable in dict.fromkeys(filter(None, re.findall(_variables, password))):
            text = (
                f"the password of [{section}] is taken from the environment variable {variable},"
                " which every program inherits"
                " (fix: write it into a file that only the daemon can read)"
            )
            yield Remark(text, section, "password", parser.file_of(section, "password"))


def _unused_log_options(parser: UnhosedConfigParser) -> Iterator[Remark]:
    """Yield a line for each option of a stream that has no log file for it."""
    for section in parser.sections():
        if not section.startswith(PROGRAMS):
            continue
        values = parser.options_of(section)
        for option, (stream, needs_file) in STREAM_OPTIONS.items():
            if option not in values or option in parser.defaults():
                continue
            cause = _no_file(values, stream) or (_device(values, stream) if needs_file else None)
            if cause:
                text = f"option {option!r} has no effect {{where}}: {cause}"
                yield parser.remark(section, option, text)


def _no_file(values: Mapping[str, str], stream: str) -> str | None:
    """Return the text for a stream without a log file, None if it has one."""
    is_merged = str(values.get("redirect_stderr")).lower() in TRUTHY_STRINGS
    logfile = str(values.get(f"{stream}_logfile", "auto")).lower()
    if logfile in WITHOUT_FILE or (stream == "stderr" and is_merged):
        return f"the program has no {stream}_logfile"
    return None


def _device(values: Mapping[str, str], stream: str) -> str | None:
    """Return the text for a stream whose log is no regular file, None if it may be one."""
    logfile = str(values.get(f"{stream}_logfile", ""))
    return f"{logfile} is no regular file" if logfile.startswith(DEVICES) else None


def _unknown_options(parser: UnhosedConfigParser) -> Iterator[Remark]:
    plugins = " ".join(_plugin_texts(parser))
    kinds = {section.partition(":")[0] for section in parser.sections()}
    known_options = {kind: _known_options(kind) for kind in kinds}
    for section in parser.sections():
        known = known_options[section.partition(":")[0]]
        if known is None:
            continue
        for option in parser.options_of(section):
            is_known = option in known or option in parser.defaults()
            if not is_known and option.partition("_")[0] not in plugins:
                hint = _suggestion(option, known)
                yield parser.remark(section, option, f"unknown option {option!r} {{where}}{hint}")


def _known_options(kind: str) -> set[str] | None:
    """Return the option names of a kind of section, or None if it takes any option."""
    options = schema.SECTIONS.get(kind, schema.SECTIONS.get(f"{kind}:x"))
    if options is None or kind in FREE_SECTIONS:
        return None
    if kind in PROGRAM_LIKE:
        options = (*options, *schema.SECTIONS["program:x"])
    return {option.name for option in options}


def _plugin_texts(parser: UnhosedConfigParser) -> Iterator[str]:
    """Yield the values that name plugins; plugins prefix their own options with such a name."""
    for section in parser.sections():
        if section.startswith((*FREE_SECTIONS, "eventlistener")):
            for option, value in parser.options_of(section).items():
                if option == "command" or option.endswith("_factory"):
                    yield str(value)


def _unreachable_limits(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each program whose pauses are too long for its start limit."""
    for section, config in programs.items():
        options = restart_options(config) if config.startlimit_burst else None
        if options is not None and not options.can_reach_limit:
            text = (
                f"startlimit_burst={options.burst} in section {section!r} cannot be reached: the"
                f" pauses leave less than that within {options.interval:g} seconds"
            )
            file = parser.file_of(section, "startlimit_burst")
            yield Remark(text, section, "startlimit_burst", file)


def _unreachable_readiness(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each program whose check cannot succeed before the start has failed."""
    for section, config in programs.items():
        if config.readiness_check_script is None or not config.ready_timeout or config.notify:
            continue  # by sd_notify, a program can extend its time
        probes_between = config.readiness_check_success_threshold - 1
        earliest = config.readiness_check_initial_delay
        earliest += probes_between * config.readiness_check_period
        if earliest >= config.ready_timeout:
            text = (
                f"ready_timeout={config.ready_timeout:g} in section {section!r} is too short: the"
                f" readiness check cannot succeed within {earliest:g} seconds"
            )
            file = parser.file_of(section, "ready_timeout")
            yield Remark(text, section, "ready_timeout", file)


def _options_without_effect(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each option that another one must accompany, which is missing.

    Defaults of all programs suit some of them only.
    """
    rows = (*COMPANIONS, *lint_health.COMPANIONS)
    names = {option for options, _, _ in rows for option in options}
    for section, config in programs.items():
        if not parser.has_section(section) or names.isdisjoint(parser.options_of(section)):
            continue
        defaults = parser.defaults_for(section)
        for options, has_effect, reason in rows:
            if not has_effect(config):
                for option in options:
                    is_own = option not in defaults
                    if is_own and getattr(config, option) != getattr(PLAIN, option):
                        text = f"option {option!r} {{where}} has no effect: {reason}"
                        yield parser.remark(section, option, text)


def _copies_without_effect(
    parser: UnhosedConfigParser, programs: Mapping[str, ProcessConfig]
) -> Iterator[Remark]:
    """Yield a line for each copy of redirected stderr, and for each that is the log itself."""
    for section, config in programs.items():
        for name, stream in (("stdout", config.stdout), ("stderr", config.stderr)):
            option = f"{name}_tee"
            if not stream.tee or not parser.has_option(section, option):
                continue
            if name == "stderr" and config.redirect_stderr:
                text = f"option {option!r} {{where}} has no effect: stderr is part of stdout"
                yield parser.remark(section, option, text)
                continue
            copies = [target for targets, _ in stream.copies for target in targets]
            same = stream.further_targets + tuple(each for each in stream.tee if each not in copies)
            for target in dict.fromkeys(each for each in stream.tee if each in same):
                text = (
                    f"{target!r} in option {option!r} {{where}} has no effect: the log goes there"
                )
                yield parser.remark(section, option, text)


def _shared_logs(
    parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig]
) -> Iterator[Remark]:
    """Yield a line for each log file that several processes write to.

    No line is lost, but the lines of the processes cannot be distinguished, and clearing the log
    of one process clears the log of all.
    """
    writers: dict[str, dict[str, str]] = {}  # path -> processes, with their sections
    for group in groups:
        for process in group.process_configs:
            for path in (process.stdout.logfile, process.stderr.logfile):
                if isinstance(path, str) and not path.startswith(DEVICES):
                    names = writers.setdefault(path, {})
                    names[make_namespec(group.name, process.name)] = process.section
    for path, names in writers.items():
        if len(names) > 1:
            first, *others = names
            text = (
                f"log {path!r} is shared by {len(names)} processes, from {first} to {others[-1]}"
                " (fix: one log for each process, for example with %(process_num)s in its name)"
            )
            yield Remark(text, names[first], file=parser.file_of(names[first]))
