"""Configurations as running, as JSON values, for the daemon that takes over after a reexec.

The daemon's processes may run with other options than the files have by now, so it passes the
configs of its groups on.  All fields of all records are part of it, `environment` with its secrets
included: the result may be kept in memory (memfd_create(2)), but not written to a file.
`common.record_codec` explains the format.

Attributes that a plugin has added to a config are lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import attrgetter

from supervisor import datatypes, events
from supervisor.common.addresses import TcpAddress
from supervisor.common.dependency_graph import Requirement
from supervisor.common.env_files import EnvFile, SecretFile
from supervisor.common.limit_values import Rlimit
from supervisor.common.probes import Probe
from supervisor.common.ready_line import compile_ready_line
from supervisor.common.record_codec import Codecs, make_record
from supervisor.common.rotation_period import RotationPeriod
from supervisor.config import model
from supervisor.config.health import HealthConfig
from supervisor.config.hooks import HookCommand, HooksConfig
from supervisor.config.limits import LimitsConfig
from supervisor.config.plugins import find_object, reference_to
from supervisor.config.process_config import ProcessConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROCESS = model.EventListenerConfig | model.FastCGIProcessConfig | ProcessConfig
GROUP = model.EventListenerPoolConfig | model.FastCGIGroupConfig | model.ProcessGroupConfig
# Subclasses first: the first type that accepts a value is the one that encodes it.

BESIDE_FIELDS = {
    "section": "str",
    "place": "tuple[str, int]",
    "process_num": "int",
    "position": "int",
}
"""Attributes of a process config that are no fields -> their types."""


def _event_name(event: type) -> str:
    name = events.getEventNameByType(event)
    if name is None:
        raise ValueError(f"{event.__name__} is not a registered event type")
    return name


def _event_type(name: str) -> type:
    found = None if name.startswith("_") else getattr(events.EventTypes, name, None)
    if found is None:
        raise ValueError(f"unknown event type {name}")
    return found  # type: ignore[no-any-return]


def _reference(function: Any) -> str:
    """Return `package.module:name` of a function that can be imported."""
    known = reference_to(function)
    if known is not None:
        return known
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    spec = f"{module}:{name}"
    with suppress(ValueError):
        if find_object(spec) is function:
            return spec
    raise ValueError(f"{function!r} cannot be imported by a name")


def _function(spec: str) -> Callable[..., Any]:
    try:
        found = find_object(spec)
    except ValueError as error:
        raise ValueError(f"{spec} cannot be resolved: {error}") from None
    if not callable(found):
        raise ValueError(f"{spec} is not callable")  # noqa: TRY004 - as all that is not valid
    return found  # type: ignore[no-any-return]


CODECS = Codecs(
    {
        **{kind.__name__: kind for kind in (bool, int, float, str, bytes)},
        **{kind.__name__: kind for kind in (type, list, tuple, frozenset, dict)},
        "Any": object,
        "Callable": Callable,
        "Mapping": Mapping,
        "re": re,
        "AutoRestart": datatypes.AutoRestart,
        "LogTarget": datatypes.LogTarget,
        "SocketConfig": model.SocketConfig,
        "ProcessConfig": PROCESS,
        **{
            kind.__name__: kind
            for kind in (
                datatypes.Syslog,
                EnvFile,
                HealthConfig,
                HookCommand,
                HooksConfig,
                LimitsConfig,
                Probe,
                Requirement,
                Rlimit,
                RotationPeriod,
                SecretFile,
                model.StreamConfig,
                TcpAddress,
            )
        },
    },
    {
        re.Pattern: (attrgetter("pattern"), compile_ready_line),
        type: (_event_name, _event_type),
        Callable: (_reference, _function),
    },
    {ProcessConfig: BESIDE_FIELDS},
)


def encode_group(config: model.ProcessGroupConfig) -> dict[str, Any]:
    """Return the config of a group, and of its processes, as JSON values.

    Raises `ValueError` with the reason for users if a plugin has put something into it that
    cannot be encoded.
    """
    return CODECS.of(GROUP).encode(config)  # type: ignore[no-any-return]


def decode_group(
    saved: Mapping[str, Any],
    process_class: Callable[[type[ProcessConfig]], Callable[..., ProcessConfig]],
) -> model.ProcessGroupConfig:
    """Return the config that `encode_group` has encoded.

    `process_class` returns the class to use for a class of `config.model`; it is called with the
    fields as keyword arguments.  Raises `ValueError` with a reason for users.
    """

    def make(kind: type[Any], values: dict[str, Any]) -> Any:
        if not issubclass(kind, ProcessConfig):
            return make_record(kind, values)
        beside = {name: values.pop(name) for name in BESIDE_FIELDS if name in values}
        config = process_class(kind)(**values)
        vars(config).update(beside)
        return config

    return CODECS.of(GROUP).decode(saved, make)  # type: ignore[no-any-return]


def encode_configuration(configuration: model.Configuration) -> dict[str, Any]:
    """Return all but the groups as JSON values; raises `ValueError`."""
    servers, interfaces = CODECS.of(model.ServerConfig), CODECS.of(model.RPCInterfaceConfig)
    return {
        "settings": CODECS.of(model.Settings).encode(configuration.settings),
        "servers": [servers.encode(each) for each in configuration.servers],
        "rpcinterfaces": [interfaces.encode(each) for each in configuration.rpcinterfaces],
        "serverurl": configuration.serverurl,
    }


def decode_configuration(saved: Mapping[str, Any]) -> model.Configuration:
    """Return the configuration, without groups, that `encode_configuration` has encoded.

    Raises `ValueError` with a reason for users.
    """

    def decoded(kind: type[Any], value: Any) -> Any:
        return CODECS.of(kind).decode(value, make_record)

    return model.Configuration(
        decoded(model.Settings, saved["settings"]),
        tuple(decoded(model.ServerConfig, each) for each in saved["servers"]),
        [],
        tuple(decoded(model.RPCInterfaceConfig, each) for each in saved["rpcinterfaces"]),
        saved.get("serverurl"),
    )
