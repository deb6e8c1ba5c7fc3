"""The parts of the reference that are made from the program itself, so that they cannot lie.

```{generated} configuration
```

stands for the text that the function of that name returns.
"""

from __future__ import annotations

import inspect
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from architecture import architecture_diagram, byte_path_diagram
from diagram import states_diagram
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from supervisor import events, states
from supervisor.common.faults import Faults
from supervisor.config import schema
from supervisor.config.client import SUPERVISORCTL
from supervisor.config.commandline import CLIENT_USAGE, SERVER_USAGE
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.supervisorctl import Controller, DefaultControllerPlugin
from supervisor.xmlrpc import SystemNamespaceRPCInterface

ROOT = Path(__file__).parents[2]

PROGRAM_LIKE = {"eventlistener:x", "fcgi-program:x"}

_sample_line = re.compile(r";?\s*(\S+?)\s*=\s*(?:.*?\s);\s+(.*)$")

WITHOUT_LINE = {
    "supervisor.rpcinterface_factory": "the function that makes it: `package.module:name`",
    "priority": "lower numbers start first and stop last",
    "files": "files to read, with wildcards, separated by blanks",
    "file": "where the socket is made",
    "programs": "the programs of the group, with commas between them",
    "supervisor.ctl_factory": "the function that makes the plugin: `package.module:name`",
    "command": "what to run, with its arguments; no shell (required)",
    "prompt": "what the interactive shell shows",
}


# -- configuration -------------------------------------------------------------------


def descriptions() -> dict[str, dict[str, str]]:
    """Return what the sample says of each option, by section."""
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in (ROOT / "sample.conf").read_text(encoding="utf-8").splitlines():
        if match := re.match(r";?\[([\w-]+)(:\w+)?\]", line):
            section = found.setdefault(match[1], {})
        elif match := _sample_line.match(line):
            section[match[1]] = match[2]
    return found


def description(section: str, option: str) -> str:
    """Return what is said of an option; raises `KeyError` when nothing is."""
    said = descriptions()
    kind = section.partition(":")[0]
    for where, name in (
        (kind, option),
        ("program", option),
        ("unix_http_server", option),
        ("program", option.replace("stderr_", "stdout_")),
    ):
        if name in said.get(where, {}):
            text = said[where][name]
            if text not in {"as above", "the same for stderr"}:
                return text.replace("output", "stderr") if name != option else text
    return WITHOUT_LINE[option]


def _option(section: str, name: str, default: str | None) -> str:
    text = re.sub(r"\s*\(default: .*?\)", "", description(section, name))
    value = f"`{default}`" if default else "none"
    return f"`{name}`\n: {text[0].upper()}{text[1:]}. Default: {value}.\n"


def configuration() -> str:
    """Every option of every section."""
    parts = []
    for section, options in schema.SECTIONS.items():
        parts.append(f"## [{section}]\n")
        if section in PROGRAM_LIKE:
            parts.append("All options of `[program:x]`, and:\n")
        parts += [
            _option(section, option.name, option.default)
            for option in sorted(options, key=lambda option: option.name)
        ]
        if section == "rpcinterface:x":
            parts.append("All other options go to the plugin.\n")
    parts.append("## [supervisorctl]\n")
    parts += [
        _option("supervisorctl", name, value) for name, value in sorted(SUPERVISORCTL.items())
    ]
    parts.append("## [ctlplugin:x]\n")
    parts.append(_option("ctlplugin", "supervisor.ctl_factory", None))
    parts.append("All other options go to the plugin.\n")
    return "\n".join(parts)


# -- XML-RPC ---------------------------------------------------------------------------


_tags = re.compile(r"^@(\w+) (\w+) (\S+)\s+(.*?)(?=^@|\Z)", re.MULTILINE | re.DOTALL).findall


def _method(namespace: str, name: str, function: Any) -> str:
    lines = inspect.getdoc(function) or ""
    text, _, tags = lines.partition("\n@")
    items = re.findall(
        r"^@(\w+) (\w+) (\S+)\s+(.*?)(?=^@|\Z)", f"@{tags}", re.MULTILINE | re.DOTALL
    )
    arguments = ", ".join(found[2] for found in items if found[0] == "param")
    rows = [
        f"- {'returns' if kind == 'return' else f'`{word}`'} ({of}): {' '.join(said.split())}"
        for kind, of, word, said in items
    ]
    return f"### {namespace}.{name}({arguments})\n\n{text}\n\n" + "\n".join(rows) + "\n"


def rpc() -> str:
    """Every method, from its docstring, which `system.methodHelp` shows as well."""
    parts = []
    for namespace, owner in (
        ("supervisor", SupervisorNamespaceRPCInterface),
        ("system", SystemNamespaceRPCInterface),
    ):
        parts.append(f"## The namespace {namespace}\n")
        parts += [
            _method(namespace, name, function)
            for name, function in sorted(vars(owner).items())
            if not name.startswith("_") and inspect.isfunction(function)
        ]
    return "\n".join(parts)


def faults() -> str:
    """The codes of faults."""
    rows = [
        f"| {code} | `{name}` |"
        for name, code in sorted(vars(Faults).items(), key=lambda item: str(item[1]).zfill(5))
        if name.isupper()
    ]
    return "\n".join(["| code | name |", "| --- | --- |", *rows])


# -- events and states ------------------------------------------------------------------


def event_types() -> str:
    """The tree of events, with what each says."""
    named = {kind: name for name, kind in vars(events.EventTypes).items() if name.isupper()}

    def branch(kind: type, depth: int) -> list[str]:
        doc = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
        line = f"{'  ' * depth}- `{named[kind]}`: {doc}"
        below = [child for child in kind.__subclasses__() if child in named]
        deeper = [
            child
            for other in kind.__subclasses__()
            if other not in named
            for child in other.__subclasses__()
            if child in named
        ]
        return [line, *(row for child in (*below, *deeper) for row in branch(child, depth + 1))]

    return "\n".join(branch(events.Event, 0))


NAMES = {code: name for name, code in vars(states.ProcessStates).items() if name.isupper()}


def transitions() -> str:
    """Which state may follow which."""
    rows = ["| state | code | may be followed by |", "| --- | --- | --- |"]
    for state, followers in states.TRANSITIONS.items():
        names = ", ".join(
            str(states.getProcessStateDescription(each)) for each in sorted(followers)
        )
        rows.append(f"| {states.getProcessStateDescription(state)} | {state} | {names} |")
    return "\n".join(rows)


# -- commands ---------------------------------------------------------------------------


def commands() -> str:
    """Every command of supervisorctl, as its own help tells it."""
    options = SimpleNamespace(
        plugin_factories=[("default", DefaultControllerPlugin, {})],
        plugins=[],
        prompt="",
        interactive=False,
        history_file=None,
    )
    controller = Controller(options, stdout=io.StringIO())
    plugin = DefaultControllerPlugin(controller)
    names = {name.removeprefix("do_") for name in dir(plugin) if name.startswith("do_")}
    parts = []
    for name in sorted(names - {"help"}):
        controller.stdout = io.StringIO()
        plugin.do_help(name)
        text = controller.stdout.getvalue().expandtabs(8).rstrip()
        parts.append(f"### {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def server_usage() -> str:
    """What `supervisord -h` prints."""
    return f"```text\n{SERVER_USAGE % 'supervisord'}```\n"


def client_usage() -> str:
    """What `supervisorctl -h` prints."""
    return f"```text\n{CLIENT_USAGE % 'supervisorctl'}```\n"


TEXTS = {
    "configuration": configuration,
    "rpc": rpc,
    "faults": faults,
    "events": event_types,
    "states_diagram": states_diagram,
    "architecture_diagram": architecture_diagram,
    "byte_path_diagram": byte_path_diagram,
    "transitions": transitions,
    "commands": commands,
    "server_usage": server_usage,
    "client_usage": client_usage,
}


class Generated(SphinxDirective):
    """Puts a text in its place."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return what the text says."""
        return self.parse_text_to_nodes(TEXTS[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
