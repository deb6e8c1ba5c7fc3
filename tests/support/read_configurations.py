"""A program that reads many configurations and prints what came of each, as JSON.

    python read_configurations.py ours|reference < cases.json > answers.json

Run by the Python of either implementation, in a directory with the files that cases
include.  A case is {"text": ..., "argv": [...], "command": "supervisord"}; an answer is
{"status": 0 or 2, "stderr": ..., "values": what was read, None after an error}.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

SETTINGS = [
    "nodaemon",
    "silent",
    "umask",
    "directory",
    "logfile",
    "logfile_maxbytes",
    "logfile_backups",
    "loglevel",
    "pidfile",
    "identifier",
    "childlogdir",
    "minfds",
    "minprocs",
    "nocleanup",
    "strip_ansi",
    "profile_options",
    "uid",
    "gid",
]
SERVER = [
    "section",
    "family",
    "host",
    "port",
    "file",
    "chmod",
    "chown",
    "username",
    "password",
    "allowed_hosts",
]
STREAM = [
    "logfile",
    "logfile_backups",
    "logfile_maxbytes",
    "capture_maxbytes",
    "events_enabled",
    "syslog",
]
PROCESS = [
    "name",
    "command",
    "directory",
    "umask",
    "priority",
    "autostart",
    "autorestart",
    "startsecs",
    "startretries",
    "uid",
    *(f"{stream}_{option}" for stream in ("stdout", "stderr") for option in STREAM),
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "exitcodes",
    "redirect_stderr",
    "environment",
    "serverurl",
]
CLIENT = ["serverurl", "username", "password", "prompt", "history_file", "interactive", "args"]
# Facts that one of the two keeps elsewhere.
LEFT_OUT = {"options", "url", "name"}
SOCKETS = {
    "InetSocketConfig": "InetStreamSocketConfig",
    "UnixSocketConfig": "UnixStreamSocketConfig",
}


def plain(value: Any) -> Any:
    """Return a value as JSON has it; classes, functions and modules by their name."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "__name__"):
        return value.__name__.lower()
    if hasattr(value, "__match_args__"):
        return _object(value, {name: getattr(value, name) for name in value.__match_args__})
    if type(value).__module__.startswith("supervisor"):
        return _object(value, vars(value))
    return value


def _object(value: Any, fields: dict[str, Any]) -> dict[str, Any]:
    kind = SOCKETS.get(type(value).__name__, type(value).__name__)
    kept = LEFT_OUT - {"name"} if "environment" in fields or "priority" in fields else LEFT_OUT
    plained = {key: plain(item) for key, item in fields.items() if key not in kept}
    if "address" in plained:  # ours has host and port in an object of their own
        plained |= {key: item for key, item in plained.pop("address").items() if key != "kind"}
    for stream in plained.keys() & {"stdout", "stderr"}:  # ours have an object for each stream
        nested = plained.pop(stream).items()
        plained |= {f"{stream}_{key}": item for key, item in nested if key != "kind"}
    if "redirect_stderr" in plained:  # a process; ours has options that are new since 4.3
        plained = {key: plained[key] for key in PROCESS}
    if "pool_events" in plained:
        plained["pool_events"].sort()
    return {"kind": kind, **plained}


def our_daemon(argv: list[str]) -> dict[str, Any]:
    """Read the daemon's configuration with ours."""
    from supervisor.config import commandline

    try:
        read = commandline.read_server_configuration(argv)
    except commandline.ConfigurationError as error:
        commandline.fail(str(error))
    values = {name: plain(getattr(read.settings, name)) for name in SETTINGS}
    values["servers"] = [
        {key: item for key in SERVER if (item := server[key]) not in (None, "", ())}
        for server in read.servers
    ]
    for server in values["servers"]:
        if "file" not in server:
            del server["chmod"], server["chown"]
    values["rpcinterfaces"] = plain([[r.name, r.factory, r.options] for r in read.rpcinterfaces])
    values |= {"groups": plain(read.groups), "serverurl": read.serverurl}
    return values | {"warnings": read.warnings, "infos": read.infos}


def reference_daemon(argv: list[str]) -> dict[str, Any]:
    """Read the daemon's configuration with the reference."""
    from supervisor.options import ServerOptions

    options = ServerOptions()
    options.stdout = options.stderr = sys.stderr
    options.realize(argv)
    values = {name: plain(getattr(options, name, None)) for name in SETTINGS}
    values["servers"] = [
        {key: item for key, item in server.items() if key != "name" and item not in (None, "")}
        for server in options.server_configs
    ]
    values["rpcinterfaces"] = plain(options.rpcinterface_factories)
    values |= {"groups": plain(options.process_group_configs), "serverurl": options.serverurl}
    return values | {"warnings": options.parse_warnings, "infos": options.parse_infos}


def our_client(argv: list[str]) -> dict[str, Any]:
    """Read the client's configuration with ours."""
    from supervisor.config import commandline

    try:
        read = commandline.read_client_configuration(argv)
    except commandline.ConfigurationError as error:
        commandline.fail(str(error))
    values = {name: getattr(read, name) for name in CLIENT}
    return values | {"plugins": plain(read.plugin_factories)}


def reference_client(argv: list[str]) -> dict[str, Any]:
    """Read the client's configuration with the reference."""
    from supervisor.options import ClientOptions

    options = ClientOptions()
    options.stdout = options.stderr = sys.stderr
    options.realize(argv, doc="")
    values = {name: getattr(options, name) for name in CLIENT}
    values["interactive"] = bool(values["interactive"])
    plugins = [plugin for plugin in options.plugin_factories if plugin[0] != "default"]
    return values | {"plugins": plain(plugins)}


READERS = {
    ("ours", "supervisord"): our_daemon,
    ("ours", "supervisorctl"): our_client,
    ("reference", "supervisord"): reference_daemon,
    ("reference", "supervisorctl"): reference_client,
}


def answer(implementation: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return what came of one case."""
    sys.argv[0] = case["command"]
    if case["text"] is not None:
        Path("c.conf").write_text(case["text"], encoding="utf-8")
    status, values = 0, None
    output = io.StringIO()
    with contextlib.redirect_stderr(output), contextlib.redirect_stdout(output):
        try:
            values = READERS[implementation, case["command"]](case["argv"])
        except SystemExit as end:
            status = int(end.code or 0)
        except Exception as error:  # noqa: BLE001 - a traceback is an answer too
            status, values = 1, None
            output.write(f"Traceback: {error}")
    text = re.sub(r"(?m)^.*: (UserWarning: .*)\n.*\n", r"\1\n", output.getvalue())
    return {"status": status, "stderr": text, "values": values}


def main() -> None:
    """Answer the cases on stdin."""
    implementation = sys.argv[1]
    if implementation == "ours":
        sys.path.insert(0, str(Path(__file__).parents[2]))
    warnings.simplefilter("always", UserWarning)
    cases = json.load(sys.stdin)
    json.dump({name: answer(implementation, case) for name, case in cases.items()}, sys.stdout)


if __name__ == "__main__":
    main()
