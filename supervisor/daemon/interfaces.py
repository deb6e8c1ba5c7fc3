"""The RPC interfaces of the daemon, and the handlers of its HTTP servers."""

from __future__ import annotations

from supervisor.daemon.boot import BootError
from supervisor.loggers import exception_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from supervisor.config.model import RPCInterfaceConfig, ServerConfig
    from supervisor.engine.loop import Loop
    from supervisor.http.server import HTTPServer
    from supervisor.loggers import Logger
    from supervisor.process.daemon_protocol import Daemon


UNSAFE_PACKAGES = {
    "supvisors": "other instances would take it for a crash, and start its programs elsewhere",
}
"""Packages of plugins that know nothing of `resume_unsafe`, with the reason."""


def open_servers(
    configs: Sequence[ServerConfig], loop: Loop, logger: Logger
) -> Sequence[tuple[ServerConfig, HTTPServer]]:
    """Open all servers, or none; raises `ServerError`."""
    if not configs:
        return []
    from supervisor.http.server import open_http_servers  # only for a daemon that has a server

    return open_http_servers(configs, loop, logger)


def make_handlers(
    daemon: Daemon,
    server: ServerConfig,
    factories: Iterable[RPCInterfaceConfig],
    interfaces: list[tuple[str, Any]],
    on_failure: Callable[[BootError, Logger], object],
) -> list[Any]:
    """Return the handlers of one HTTP server, in the order in which they are tried.

    The names and objects of its RPC interfaces are appended to `interfaces`.  `on_failure` is
    called for each that cannot be made; if it does not raise the error, the interface is left out.
    """
    from supervisor.http import handlers
    from supervisor.web import supervisor_ui_handler
    from supervisor.xmlrpc import SystemNamespaceRPCInterface, supervisor_xmlrpc_handler

    logger = daemon.runtime.logger
    namespaces = []
    for each in factories:
        try:
            namespaces.append((each.name, _make_interface(daemon, each, logger)))
        except BootError as error:
            on_failure(error, logger)
    interfaces += namespaces
    namespaces.append(("system", SystemNamespaceRPCInterface(namespaces, daemon.runtime.loop)))
    made: list[Any] = [
        supervisor_xmlrpc_handler(daemon, namespaces),
        handlers.logtail_handler(daemon),
        handlers.mainlogtail_handler(daemon),
        supervisor_ui_handler(daemon),
        handlers.default_handler(),
    ]
    if not server.username:
        logger.critical(
            f"Server {server.section!r} running without any HTTP authentication checking"
        )
        return made
    users = {server.username: server.password or ""}
    return [handlers.supervisor_auth_handler(users, handler) for handler in made]


def _make_interface(daemon: Daemon, interface: RPCInterfaceConfig, logger: Logger) -> Any:
    try:
        made = interface.factory(daemon, **interface.options)
    except Exception as error:  # noqa: BLE001 - plugins may raise any exception
        if error.__traceback__ and error.__traceback__.tb_next:  # else the call failed
            logger.warn(exception_text())
        raise BootError(
            f"Could not make {interface.name} rpc interface: {type(error).__name__}: {error}"
        ) from None
    logger.info(f"RPC interface {interface.name!r} initialized")
    return made


def unsafe_interface(interfaces: Iterable[tuple[str, Any]]) -> str:
    """Return why an RPC interface prevents the replacement of the daemon, "" if none does.

    The attribute `resume_unsafe` of a plugin's interface is true then, or the reason.
    """
    for name, interface in interfaces:
        package = type(interface).__module__.partition(".")[0]
        unsafe = getattr(interface, "resume_unsafe", UNSAFE_PACKAGES.get(package, False))
        if unsafe:
            detail = f": {unsafe}" if isinstance(unsafe, str) else ""
            return f"the RPC interface {name!r} does not allow it{detail}"
    return ""


def has_plugins(factories: Iterable[RPCInterfaceConfig]) -> bool:
    """Whether one of the RPC interfaces is a plugin's."""
    return any(
        getattr(interface.factory, "__module__", "") != "supervisor.rpcinterface"
        for interface in factories
    )
