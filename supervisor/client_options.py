"""`ClientOptions`: what the client was asked for, as plugins know it (client floor).

`supervisorctl.main` makes one; third parties make their own and hand it to a
`Controller`.  Known to them as `supervisor.options.ClientOptions`.
"""

from __future__ import annotations

import os
import sys

from supervisor.config.commandline import ConfigurationError, fail, read_client_configuration

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Sequence
    from typing import Any

    from supervisor.rpcclient import ServerProxy


class ClientOptions:
    """Settings of `[supervisorctl]` and the command line; `realize` reads them."""

    def __init__(self) -> None:
        self.configfile: str | None = None
        self.progname = sys.argv[0]
        self.interactive: bool | int = False
        self.prompt = "supervisor"
        self.serverurl = "http://localhost:9001"
        self.username: str | None = None
        self.password: str | None = None
        self.history_file: str | None = None
        self.args: list[str] = []
        self.socket_owners: tuple[str, ...] = ()
        self.plugins: list[Any] = []
        self.plugin_factories: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []

    def realize(self, args: Sequence[str] | None = None, doc: str | None = None) -> None:
        """Read the command line (`sys.argv` without `args`) and the configuration file.

        A mistake, or `-h`, ends the program.  `doc` is the usage text of other programs.
        """
        del doc  # the usage is that of the command line's table
        try:
            found = read_client_configuration(sys.argv[1:] if args is None else args)
        except ConfigurationError as error:
            fail(str(error))
        from supervisor.supervisorctl.default import DefaultControllerPlugin  # not for -h

        self.configfile = found.configfile
        self.interactive = found.interactive
        self.prompt = found.prompt
        self.serverurl = found.serverurl
        self.username = found.username
        self.password = found.password
        self.history_file = found.history_file
        self.args = found.args
        self.socket_owners = found.socket_owners
        self.plugin_factories = [
            ("default", DefaultControllerPlugin, {}),
            *found.plugin_factories,
        ]

    def getServerProxy(self) -> ServerProxy:  # noqa: N802 - the name that plugins know
        """Return a proxy with a connection of its own: threads may each have one.

        Raises ValueError when `serverurl` is neither unix:// nor http://.
        """
        from supervisor.rpcclient import ServerProxy
        from supervisor.transport import SupervisorTransport

        transport = SupervisorTransport(self.username, self.password, self.serverurl)
        transport.trusted_uids = self.trusted_uids
        return ServerProxy(transport)

    def trusted_uids(self) -> frozenset[int]:
        """Return the users to whom the password may go; see `peers`."""
        from contextlib import suppress

        from supervisor.datatypes import colon_separated_user_group

        uids = set()
        with suppress(OSError):
            uids.add(os.stat(self.configfile or "").st_uid)
        for name in self.socket_owners:
            with suppress(ValueError):  # the daemon has its own words for it
                uids.add(colon_separated_user_group(name)[0])
        return frozenset(uids)
