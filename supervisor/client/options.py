"""`ClientOptions`: the client's settings, in the form that plugins use.

`supervisorctl.main` creates one; third parties create their own and pass it to a
`Controller`.  They import it as `supervisor.options.ClientOptions`.
"""

from __future__ import annotations

import os
import sys

from supervisor.config.commandline import ConfigurationError, fail, read_client_configuration

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Sequence
    from typing import Any

    from supervisor.client.proxy import ServerProxy


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
        """Read the command line (`args`, or else `sys.argv`) and the configuration file.

        An error or `-h` ends the program.  `doc`, the usage text in Supervisor 4, is ignored.
        """
        del doc  # the usage text is generated from the table of options
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

    def getServerProxy(self) -> ServerProxy:
        """Return a proxy with its own connection, so that each thread can use one.

        Raises ValueError if `serverurl` is neither unix:// nor http://.
        """
        from supervisor.client.proxy import ServerProxy
        from supervisor.client.transport import SupervisorTransport

        transport = SupervisorTransport(self.username, self.password, self.serverurl)
        transport.trusted_uids = self.trusted_uids
        return ServerProxy(transport)

    def trusted_uids(self) -> frozenset[int]:
        """Return the users who may receive the password; see `peers`."""
        from contextlib import suppress

        from supervisor.datatypes import colon_separated_user_group

        uids = set()
        with suppress(OSError):
            uids.add(os.stat(self.configfile or "").st_uid)
        for name in self.socket_owners:
            with suppress(ValueError):  # the daemon reports this error itself
                uids.add(colon_separated_user_group(name)[0])
        return frozenset(uids)
