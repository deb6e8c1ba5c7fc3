"""`supervisorctl`: queries and controls a running supervisord.

`main` is the console script.  Start-up time is mostly import time, so the package itself
imports nothing: `__getattr__` loads each public name from its module on first use.
"""

from __future__ import annotations

import sys

from supervisor.common.stdio import open_standard_streams

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Sequence
    from typing import Any

    from supervisor.client.options import ClientOptions

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Public name -> the module that defines it; plugins and scripts import these from here.
_LOCATIONS = {
    "ClientOptions": "supervisor.client.options",
    "Controller": "supervisor.supervisorctl.controller",
    "ControllerPluginBase": "supervisor.supervisorctl.plugin",
    "DefaultControllerPlugin": "supervisor.supervisorctl.default",
    "DEAD_PROGRAM_FAULTS": "supervisor.supervisorctl.results",
    "LSBInitExitStatuses": "supervisor.supervisorctl.results",
    "LSBStatusExitStatuses": "supervisor.supervisorctl.results",
    "fgthread": "supervisor.supervisorctl.foreground",
}


def __getattr__(name: str) -> Any:
    if name not in _LOCATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LOCATIONS[name]), name)


def main(args: Sequence[str] | None = None, options: ClientOptions | None = None) -> None:
    """Run one command, or the shell, and exit with its exit status.

    `args` replaces `sys.argv[1:]`.  Always raises SystemExit.
    """
    try:
        open_standard_streams()
        status = _run(args, options)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        status = INTERRUPTED
    sys.exit(status)


def _run(args: Sequence[str] | None, options: ClientOptions | None) -> int:
    from supervisor.client.options import ClientOptions

    if options is None:
        options = ClientOptions()
    options.realize(args)
    from supervisor.supervisorctl.controller import Controller  # not for -h or a usage error

    controller = Controller(options)
    if options.args:
        controller.onecmd(" ".join(options.args))
        return controller.exitstatus
    if options.interactive:
        controller.exec_cmdloop(args, options)
    return 0
