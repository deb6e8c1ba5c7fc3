"""The parts of the reference that are generated from the program itself.

```{generated} configuration
```

is replaced by the text that the function of that name returns.
"""

from __future__ import annotations

import inspect
import io
import re
from types import SimpleNamespace
from typing import Any

from architecture import architecture_diagram, byte_path_diagram, request_path_diagram
from diagram import states_diagram
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from supervisor import events, states
from supervisor.common.faults import Faults
from supervisor.config import container, schema
from supervisor.config.client import OPTIONS
from supervisor.config.commandline import CLIENT_USAGE, SERVER_USAGE
from supervisor.config.lint import PROGRAM_LIKE
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.supervisorctl import Controller, DefaultControllerPlugin
from supervisor.xmlrpc import SystemNamespaceRPCInterface

PLUGIN_SECTIONS = {"rpcinterface:x", "ctlplugin:x"}
"""Sections whose other options belong to the plugin."""


# -- configuration -------------------------------------------------------------------

SUBJECTS = {
    "Starts and restarts": r"autostart|autorestart|start|restart|maxbackoff|exitcodes",
    "Dependencies": r"depend|on_dependency",
    "Readiness": r"notif|ready_|readiness_",
    "Health": r"liveness_|watchdog|max_memory|memory_check|max_runtime",
    "Stops": r"stop|kill",
    "Limits": r"rlimit_|nice$|ioprio|oom_|cpu_|pdeathsig|group$|supplementary_",
    "Output": r"stdout_|stderr_|redirect_",
    "Environment": r"environment|\w+_environment|envfiles|secretfiles",
}
"""Options of a program by the beginnings of their names; those left over come first."""

_default_note = re.compile(r"\s*\(default: (.*?)\)").search
_required_note = " (required)"


def _option(name: str, summary: str, default: str | None) -> str:
    """Return the entry of one option; a note in its summary replaces the default."""
    if note := _default_note(summary):
        summary, default_text = summary.replace(note[0], ""), f" Default: {note[1]}."
    elif _required_note in summary:
        summary, default_text = summary.replace(_required_note, ""), " Required."
    else:
        default_text = f" Default: {f'`{default}`' if default else 'none'}."
    return f"`{name}`\n: {summary[0].upper()}{summary[1:]}.{default_text}\n"


def configuration() -> str:
    """Return an entry for each option of each section."""
    parts = []
    for section, options in schema.SECTIONS.items():
        parts.append(f"## [{section}]\n")
        if section.removesuffix(":x") in PROGRAM_LIKE:
            beside = "and:" if options else "as defaults of the programs that do not set them."
            parts.append(f"All options of `[program:x]`, {beside}\n")
        entries = {
            option.name: _option(option.name, option.summary, option.default)
            for option in sorted(options, key=lambda option: option.name)
        }
        parts += _by_subject(entries) if section == "program:x" else entries.values()
        if section in PLUGIN_SECTIONS:
            parts.append("All other options are passed to the plugin.\n")
    parts.append("## [supervisorctl]\n")
    parts += [_option(name, summary, default) for name, default, summary in sorted(OPTIONS)]
    return "\n".join(parts)


def _by_subject(entries: dict[str, str]) -> list[str]:
    """Return the entries of a program's options, with a heading for each subject."""
    subjects = {
        heading: {name: text for name, text in entries.items() if re.match(beginnings, name)}
        for heading, beginnings in SUBJECTS.items()
    }
    named = {name for found in subjects.values() for name in found}
    parts = [text for name, text in entries.items() if name not in named]
    for heading, found in subjects.items():
        parts += [f"### {heading}\n", *found.values()]
    return parts


# -- XML-RPC ---------------------------------------------------------------------------


_tags = re.compile(r"^@(\w+) (\w+) (\S+)\s+(.*?)(?=^@|\Z)", re.MULTILINE | re.DOTALL).findall


def _method(namespace: str, name: str, function: Any) -> str:
    lines = inspect.getdoc(function) or ""
    text, _, tags = lines.partition("\n@")
    items = _tags(f"@{tags}")
    arguments = ", ".join(found[2] for found in items if found[0] == "param")
    rows = [
        f"- {'returns' if kind == 'return' else f'`{word}`'} ({of}): {' '.join(note.split())}"
        for kind, of, word, note in items
    ]
    return f"### {namespace}.{name}({arguments})\n\n{text}\n\n" + "\n".join(rows) + "\n"


def rpc() -> str:
    """Return the docstring of each method, as `system.methodHelp` shows it."""
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
    """Return the table of fault codes."""
    rows = [
        f"| {code} | `{name}` |"
        for name, code in sorted(vars(Faults).items(), key=lambda item: str(item[1]).zfill(5))
        if name.isupper()
    ]
    return "\n".join(["| code | name |", "| --- | --- |", *rows])


# -- events and states ------------------------------------------------------------------


def event_types() -> str:
    """Return the tree of event types, each with its docstring."""
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
    """Return the table of the states that may follow each state."""
    rows = ["| state | code | may be followed by |", "| --- | --- | --- |"]
    for state, followers in states.TRANSITIONS.items():
        names = ", ".join(
            str(states.getProcessStateDescription(each)) for each in sorted(followers)
        )
        rows.append(f"| {states.getProcessStateDescription(state)} | {state} | {names} |")
    return "\n".join(rows)


# -- commands ---------------------------------------------------------------------------


def commands() -> str:
    """Return the help of each command of supervisorctl."""
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
    """Return the output of `supervisord -h`."""
    return f"```text\n{SERVER_USAGE % 'supervisord'}```\n"


def client_usage() -> str:
    """Return the output of `supervisorctl -h`."""
    return f"```text\n{CLIENT_USAGE % 'supervisorctl'}```\n"


def container_defaults() -> str:
    """Return a table of the defaults of `supervisord --container`."""
    stdout, stderr = (container.stream_options(each, "prefix") for each in ("stdout", "stderr"))
    rows = [(f"[supervisord] {name}", text) for name, text in container.SETTINGS.items()]
    rows += [
        (f"{one}`, `{other}", text)
        for (one, text), other in zip(stdout.items(), stderr, strict=True)
    ]
    rows.append(("[supervisord] logfile_format", "json` with `--container=json"))
    rows.append(("stdout_tee_format`, `stderr_tee_format", "json` with `--container=json"))
    lines = [f"| `{option}` | `{text}` |" for option, text in rows]
    return "\n".join(["| option | default |", "| --- | --- |", *lines]) + "\n"


TEXTS = {
    "container_defaults": container_defaults,
    "configuration": configuration,
    "rpc": rpc,
    "faults": faults,
    "events": event_types,
    "states_diagram": states_diagram,
    "architecture_diagram": architecture_diagram,
    "byte_path_diagram": byte_path_diagram,
    "request_path_diagram": request_path_diagram,
    "transitions": transitions,
    "commands": commands,
    "server_usage": server_usage,
    "client_usage": client_usage,
}


class Generated(SphinxDirective):
    """Directive that inserts a generated text."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the text."""
        return self.parse_text_to_nodes(TEXTS[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
