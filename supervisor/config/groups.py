"""Process groups, read from every section that defines or names programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.config import schema
from supervisor.config.dependencies import check_dependencies
from supervisor.config.model import (
    EventListenerConfig,
    EventListenerPoolConfig,
    FastCGIGroupConfig,
    FastCGIProcessConfig,
    ProcessConfig,
    ProcessGroupConfig,
    UnixSocketConfig,
)
from supervisor.config.option import read_options
from supervisor.config.plugins import resolve
from supervisor.config.servers import read_fcgi_socket
from supervisor.events import EventTypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from supervisor.config.parser import Section, UnhosedConfigParser
    from supervisor.config.programs import ProcessReader

REDIRECTED_LISTENER = (
    "[{section}] section sets redirect_stderr=true but this is not allowed because it will "
    "interfere with the eventlistener protocol"
)


def read_groups(
    parser: UnhosedConfigParser, read_processes: ProcessReader
) -> Generator[None, None, list[ProcessGroupConfig]]:
    """Read a section in each step; return all groups, sorted by priority and name.

    A program that a `[group:x]` names does not get a group of its own.  `read_processes` is
    called for each program section.
    """
    grouped: set[str] = set()
    groups: list[ProcessGroupConfig] = []
    for group in _named_groups(parser, read_processes, grouped):
        groups.append(group)
        yield
    for kind, read in (
        ("program", _program),
        ("eventlistener", _event_listener),
        ("fcgi-program", _fcgi_program),
    ):
        for name in parser.sections_of(kind):
            if name not in grouped:
                with parser.mistakes:
                    groups.append(read(parser, name, read_processes))
                yield
    _refuse_shared_sockets(parser, groups)
    check_dependencies(parser, groups)
    positions = {name: position for position, name in enumerate(parser.sections())}
    for group in groups:
        for process in group.process_configs:
            process.position = positions.get(process.section, 0)
    return sorted(groups, key=lambda group: (group.priority, group.name))


def _refuse_shared_sockets(
    parser: UnhosedConfigParser, groups: Iterable[ProcessGroupConfig]
) -> None:
    """Raise ConfigurationError if two groups use the same unix socket."""
    owners: dict[str, str] = {}
    for group in groups:
        if not isinstance(group, FastCGIGroupConfig):
            continue
        socket = group.socket_config
        if isinstance(socket, UnixSocketConfig):
            owner = owners.setdefault(socket.path, group.name)
            if owner != group.name:
                section = parser.section(f"fcgi-program:{group.name}")
                problem = f"{socket.url} is the socket of [fcgi-program:{owner}] already"
                parser.mistakes.report(section.error(problem, "socket"))


def _named_groups(
    parser: UnhosedConfigParser, read_processes: ProcessReader, grouped: set[str]
) -> Iterator[ProcessGroupConfig]:
    """Yield the groups of the `[group:x]` sections; add their members' sections to `grouped`."""
    for name in parser.sections_of("group"):
        with parser.mistakes:
            section = parser.section(name)
            group_name = section.name_of_group()
            values = read_options(schema.GROUP, section)
            processes: list[ProcessConfig] = []
            for program in values["programs"]:
                with parser.mistakes:
                    member = _member(parser, section, program)
                    grouped.add(member)
                    # In a group, a FastCGI program is treated as a plain program.
                    processes += read_processes(parser, member, group_name, ProcessConfig)
            yield ProcessGroupConfig(group_name, values["priority"], processes)


def _member(parser: UnhosedConfigParser, group: Section, program: str) -> str:
    """Return the name of the section of a group's member."""
    sections = [f"program:{program}", f"fcgi-program:{program}"]
    found = [section for section in sections if parser.has_section(section)]
    if len(found) == len(sections):
        raise group.error(
            f"[{group.name}] name {program} is ambiguous (exists as program and fcgi-program)",
            "programs",
        )
    if not found:
        raise group.error(
            f"[{group.name}] names unknown program or fcgi-program {program}", "programs"
        )
    return found[0]


def _program(
    parser: UnhosedConfigParser, name: str, read_processes: ProcessReader
) -> ProcessGroupConfig:
    section = parser.section(name)
    group_name = section.name_of_group()
    priority = schema.PRIORITY.read(section)
    processes = read_processes(parser, name, group_name, ProcessConfig)
    return ProcessGroupConfig(group_name, priority, processes)


def _event_listener(
    parser: UnhosedConfigParser, name: str, read_processes: ProcessReader
) -> EventListenerPoolConfig:
    section = parser.section(name)
    values = read_options(schema.EVENTLISTENER, section)
    size = values["buffer_size"]
    if size < 1:
        problem = f"[{name}] section sets invalid buffer_size ({size})"
        parser.mistakes.report(section.error(problem, "buffer_size"))
    result_handler = None
    with parser.mistakes:
        result_handler = resolve(values["result_handler"], section, "result_handler")
    events = _event_types(section, schema.EVENTS.read(section))
    if schema.REDIRECT_STDERR.read(section):
        problem = REDIRECTED_LISTENER.format(section=name)
        parser.mistakes.report(section.error(problem, "redirect_stderr"))
    processes = read_processes(parser, name, section.suffix, EventListenerConfig)
    return EventListenerPoolConfig(
        section.suffix,
        values["priority"],
        processes,
        size,
        events,
        result_handler,
    )


def _event_types(section: Section, names: list[str]) -> list[type]:
    """Return the event classes for the names, without duplicates."""
    if not names:
        problem = f'[{section.name}] section requires an "events" line'
        section.mistakes.report(section.error(problem, "events"))
    types: dict[type, None] = {}
    for name in (name.upper() for name in names):
        event_type = getattr(EventTypes, name, None)
        if event_type is None:
            problem = f"Unknown event type {name} in [{section.name}] events"
            section.mistakes.report(section.error(problem, "events"))
        else:
            types[event_type] = None
    return list(types)


def _fcgi_program(
    parser: UnhosedConfigParser, name: str, read_processes: ProcessReader
) -> FastCGIGroupConfig:
    section = parser.section(name)
    group_name = section.name_of_group()
    priority = schema.PRIORITY.read(section)
    socket_config = read_fcgi_socket(section)
    processes = read_processes(parser, name, group_name, FastCGIProcessConfig)
    return FastCGIGroupConfig(group_name, priority, processes, socket_config)
