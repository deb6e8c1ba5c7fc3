"""Details of processes, and the dependencies between programs, for RPC clients."""

from __future__ import annotations

from supervisor.common.namespec import make_namespec
from supervisor.common.xmlrpc_codec import Serialized, to_xml
from supervisor.engine.deferred import gather, in_sequence, then
from supervisor.process.details import process_details

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from supervisor.config.model import ProcessConfig
    from supervisor.engine.deferred import Deferred
    from supervisor.process.child import Subprocess
    from supervisor.process.daemon_protocol import Daemon
    from supervisor.rpc.lookup import Member


def details(
    daemon: Daemon, members: Iterable[Member], *, with_usage: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the struct of `getProcessDetails` for each process, with the last sample of usage."""
    configured: dict[tuple[str, str], ProcessConfig] = {
        (group.name, config.name): config
        for group in daemon.options.process_group_configs
        for config in group.process_configs
    }
    for group, process in members:
        names = group.config.name, process.config.name
        struct = process_details(group, process, configured.get(names))
        if with_usage:
            struct |= vars(daemon.runtime.services.usage.usage(process.pid))
            struct["memory_bytes"] = float(struct["memory_bytes"])  # an int of XML-RPC has 32 bits
        yield struct


def details_as_xml(daemon: Daemon, members: Iterable[Member], *, with_usage: bool) -> Deferred:
    """Return a deferred function with the structs as XML.

    The work is spread over iterations of the loop: a thousand structs take a tenth of a second.
    """

    def structs() -> Iterator[Serialized]:
        for struct in details(daemon, members, with_usage=with_usage):
            yield Serialized(to_xml(struct))

    result = gather(structs(), daemon.runtime.services.start_queue.put)
    return with_fresh_usage(daemon, lambda: result) if with_usage else result


def with_fresh_usage(daemon: Daemon, step: Callable[[], Any]) -> Deferred:
    """Return a deferred function with the result of `step`, which follows a sample of /proc."""
    return then(in_sequence([daemon.runtime.services.usage.refreshed]), lambda _: step())


def dependencies(members: Iterable[Member]) -> list[dict[str, Any]]:
    """Return a struct for each program: its name, its processes, and what it needs."""
    programs: dict[str, list[Member]] = {}
    for member in members:
        programs.setdefault(member[1].config.program, []).append(member)
    return [
        {
            "name": name,
            "processes": [
                make_namespec(group.config.name, process.config.name) for group, process in found
            ],
            "needs": _needs([process for _, process in found]),
        }
        for name, found in programs.items()
    ]


def _needs(processes: Sequence[Subprocess]) -> list[dict[str, Any]]:
    """Return the requirements of a program, which its processes share."""
    gate = processes[0].starts.gate
    if gate is None:
        return []
    return [
        {
            "name": condition.requirement.target,
            "condition": condition.kind.value,
            "optional": condition.requirement.is_soft,
            "programs": sorted({target.config.program for target in gate.targets(condition)}),
        }
        for condition in gate.conditions
    ]
