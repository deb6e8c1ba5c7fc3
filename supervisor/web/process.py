"""The page of one process: its explanation, timeline, configuration, relations and output.

`process.html?processname=NAME`; the actions of the status page on one process act here too, and
return here.  New are `signal` (with `signal=HUP`) and `stdin` (with `chars=`, a line).
"""

from __future__ import annotations

import os
import signal
from functools import cached_property

from supervisor.common.ansi import without_sequences
from supervisor.common.explanation import reasons
from supervisor.common.faults import RPCError
from supervisor.common.program_graph import Graph
from supervisor.common.text import visible
from supervisor.config.process_config import full_config
from supervisor.engine import posix
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.process.usage import PAGE_BYTES, TICKS_PER_SECOND
from supervisor.rpc import details
from supervisor.rpc.lookup import find
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates, getProcessStateDescription
from supervisor.web import kinds, rows
from supervisor.web.actions import ACTIONS, reports_failure, run_steps
from supervisor.web.language import english
from supervisor.web.log_sources import STREAMS, SharedLogs, Source
from supervisor.web.option_facts import option_facts
from supervisor.web.status import StatusView
from supervisor.web.templates import Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    from supervisor.common.program_graph import Edge
    from supervisor.engine.deferred import Deferred
    from supervisor.rpc.lookup import Member
    from supervisor.web.language import Language

SIGNALS: Final = ("HUP", "USR1", "USR2", "INT", "QUIT", "TERM", "KILL", "STOP", "CONT", "WINCH")
"""Signals that the page offers."""

TAIL_BYTES: Final = 4096
"""Size of the end of a log on the page."""

MAX_DESCENDANTS: Final = 50

NOT_FOUND: Final = 404


class ProcessView(StatusView):
    """View that shows one process, or performs an action on it and redirects back."""

    @cached_property
    def _name(self) -> str:
        name: str = self.context.form.get("processname", "")
        return name

    def _fields(self) -> dict[str, str]:
        return {"processname": self._name}

    def _address(self, query: str) -> str:
        return f"process.html?{query}"

    def make_callback(self, namespec: str | None, action: str) -> Deferred:
        """Return the deferred function of an action; it returns a message in case of errors too."""
        if not _is_known(action):
            return run_steps([], lambda _: english("message.unknown_action", name=action))
        extra = EXTRA_ACTIONS.get(action)
        if extra is None:
            return super().make_callback(namespec, action)
        if not self._is_process(self._name):
            return run_steps([], lambda _: english("message.no_such_process", name=self._name))
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        return extra(rpc, self._name, self.context.form)

    def _page(self, *, ask: str | None, message: str | None) -> Any:
        member = self._member()
        if member is not None and member[1].pid:
            self.callback = self.context.supervisord.runtime.services.usage.refreshed()
            if self.callback() is NOT_DONE_YET:
                return NOT_DONE_YET
        if member is None:
            self.context.response["status"] = NOT_FOUND
        language = self._language
        page = Page(self.clone())
        language.localize(page.root)
        url = self._address(_query(self._fields()))
        heading = self._name or language.text("tail.which")
        if member is None and self._name:
            heading = language.text("tail.no_process", name=self._name)
        page.put(page.find("title"), language.text("process.title", name=heading))
        page.put(page.find("heading"), heading)
        page.put(
            page.find("body"),
            **{
                "data-texts": language.script_json,
                "data-name": self._name,
                "data-now": str(int(self.context.supervisord.runtime.clock.time())),
            },
        )
        page.put_languages(language, url)
        shown = page.find("message")
        page.put(shown, language.message(message or ""))
        if message and reports_failure(message):
            page.put(shown, **{"class": "message trouble"})
        self._fill_confirmation(page, ask, url, is_possible=member is not None)
        if member is None:
            page.find("process").deparent()
        else:
            _Facts(self.context.supervisord, member, language).fill(page, self._name)
        return page.html()

    def _member(self) -> Member | None:
        try:
            group, process = find(self.context.supervisord, self._name)
        except RPCError:
            return None
        return None if process is None else (group, process)

    def _fill_confirmation(
        self, page: Page, ask: str | None, url: str, *, is_possible: bool
    ) -> None:
        form = page.find("ask")
        if ask is None or not (_is_known(ask) and is_possible):
            form.deparent()
            return
        language, name = self._language, visible(self._name)
        label = language.text("on", action=language.text(f"action.{ask}"), name=name)
        fields = {"action": ask, **self._fields()}
        for field in ("signal", "chars"):
            if field in self.context.form:
                fields[field] = self.context.form[field]
        if ask == "signal":
            wanted = visible(fields.get("signal", ""))
            label = language.text("script.signal", signal=wanted, name=name)
        page.put(form, action=self._address(_query(fields)))
        page.put(page.find("question"), language.text("script.question", action=label))
        page.put(page.find("yes"), label)
        page.put(page.find("cancel"), href=url)


class _Facts:
    """The facts of one process, which `fill` writes into the tree of the page."""

    def __init__(self, daemon: Any, member: Member, language: Language) -> None:
        self._daemon = daemon
        self._member = member
        self._process = member[1]
        self._language = language
        self._details = next(details.details(daemon, [member]))

    def fill(self, page: Page, name: str) -> None:
        """Fill in all sections; those without content are removed."""
        query = _query({"processname": name})
        self._fill_state(page, name, query)
        self._fill_timeline(page)
        self._fill_configuration(page)
        self._fill_dependencies(page)
        self._fill_descendants(page)
        self._fill_control(page, query)
        self._fill_output(page, name)

    # -- what happens --------------------------------------------------------------

    def _fill_state(self, page: Page, name: str, query: str) -> None:
        language, state = self._language, self._details["state"]
        kind = kinds.present_kind(self._process)
        badge = page.find("state")
        page.put(badge, self._details["statename"] or "UNKNOWN")
        page.put(badge, **{"class": f"state {kind}"})
        history = self._details["history"]
        since = ""
        if history:
            since = language.text("process.since", time=language.time(history[-1]["at"]))
        page.put(page.find("since"), since)
        for button, action in page.find("action").repeat(
            [*rows.allowed_actions(self._member), "clearlog"]
        ):
            label = language.text(f"action.{action}")
            page.put(button, label)
            page.put(
                button,
                formaction=f"process.html?{ACTIONS[action].query_field}={action}&{query}",
                **{"aria-label": language.text("on", action=label, name=visible(name))},
            )
        for item, (key, values) in page.find("reason").repeat(list(reasons(self._details))):
            page.put(item, language.sentence(key, values))
            if key == "running" and state == ProcessStates.RUNNING:
                start, pid = self._details["start"], self._details["pid"]
                page.put(item, **{"data-start": str(start), "data-pid": str(pid)})

    def _fill_timeline(self, page: Page) -> None:
        history = self._details["history"]
        if not history:
            page.find("timeline").deparent()
            return
        for item, change in page.find("change").repeat(history[::-1]):
            page.put(item.findmeld("at"), self._language.time(change["at"]))
            then = item.findmeld("then")
            page.put(then, getProcessStateDescription(change["state"]) or "UNKNOWN")
            kind = kinds.state_kind(change["state"])
            if change is history[-1]:
                kind = kinds.present_kind(self._process)
            page.put(then, **{"class": f"state {kind}"})
            page.put(item.findmeld("why"), self._language.message(change["reason"]))

    # -- what is configured ----------------------------------------------------------

    def _fill_configuration(self, page: Page) -> None:
        language = self._language
        facts = [(language.text(f"fact.{key}"), value) for key, value in self._configuration()]
        not_shown = language.text("fact.not_shown")
        facts += [
            (name, not_shown if value is None else value)
            for name, value in option_facts(full_config(self._process.config))
        ]
        shown = [(term, value) for term, value in facts if value]
        for item, (term, value) in page.find("fact").repeat(shown):
            page.put(item.findmeld("term"), term)
            page.put(item.findmeld("value"), value)

    def _configuration(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the value of each fact; of the environment, only the names."""
        config, language, known = self._process.config, self._language, self._details
        options = full_config(config)
        yield "command", config.command
        yield (
            "directory",
            config.directory or language.text("fact.daemon_directory", name=os.getcwd()),
        )
        yield "user", _user(config.uid, language)
        secrets = {each.variable for each in options.secretfiles}
        yield "environment", ", ".join(sorted({*config.environment, *secrets}))
        yield "envfiles", ", ".join(each.path for each in options.envfiles)
        yield "stopsignal", signal.Signals(config.stopsignal).name if config.stopsignal else ""
        yield "stdout", known["stdout_logfile"]
        yield "stderr", known["stderr_logfile"]
        file, line = known["config_file"], known["config_line"]
        yield "place", language.text("fact.line", file=file, line=line) if line else file
        yield "pending", ", ".join(known["pending_changes"])

    # -- relations -----------------------------------------------------------------------

    def _fill_dependencies(self, page: Page) -> None:
        groups = self._daemon.process_groups.values()
        members = [(group, process) for group in groups for process in group.processes.values()]
        graph, program = Graph(details.dependencies(members)), self._process.config.program
        needs, dependents = graph.needs.get(program, []), graph.needed_by.get(program, [])
        if not needs and not dependents:
            page.find("dependencies").deparent()
            return
        page.put(page.find("self"), program)
        for one, several, edges in (
            ("need", "needs", needs),
            ("dependent", "dependents", dependents),
        ):
            if not edges:
                page.find(several).deparent()
                continue
            for item, edge in page.find(one).repeat(edges):
                self._fill_edge(page, item, one, graph, edge)

    def _fill_edge(self, page: Page, item: Any, prefix: str, graph: Graph, edge: Edge) -> None:
        target, kind = edge
        link = item.findmeld(f"{prefix}_link")
        page.put(link, target)
        known = graph.programs.get(target)
        name = known["processes"][0] if known else target
        page.put(link, href=f"process.html?{_query({'processname': name})}")
        text = self._language.text(f"kind.{kind}") if kind else ""
        page.put(item.findmeld(f"{prefix}_kind"), text)

    def _fill_descendants(self, page: Page) -> None:
        tree = self._daemon.runtime.services.usage.tree(self._process.pid)
        if not self._process.pid or not tree:
            page.find("descendants").deparent()
            return
        for item, stat in page.find("descendant").repeat(tree[:MAX_DESCENDANTS]):
            page.put(item.findmeld("pid"), str(stat.pid))
            page.put(item.findmeld("parent"), str(stat.parent))
            page.put(item.findmeld("comm"), posix.read_name(stat.pid))
            seconds = f"{stat.cpu_ticks / TICKS_PER_SECOND:.1f}"
            page.put(item.findmeld("cpu"), self._language.text("process.cpu", seconds=seconds))
            page.put(item.findmeld("memory"), f"{stat.resident_pages * PAGE_BYTES / 2**20:.1f} MB")
        more = len(tree) - MAX_DESCENDANTS
        if more > 0:
            page.put(page.find("more"), self._language.count("process.more", more))
        else:
            page.find("more").deparent()

    # -- beside ------------------------------------------------------------------------

    def _fill_control(self, page: Page, query: str) -> None:
        if not self._process.pid:
            page.put(page.find("control"), hidden="hidden")
        page.put(page.find("signal_form"), action=f"process.html?ask=signal&{query}")
        page.put(page.find("stdin_form"), action=f"process.html?action=stdin&{query}")
        for option, name in page.find("signal").repeat(list(SIGNALS)):
            page.put(option, name, value=name)

    def _fill_output(self, page: Page, name: str) -> None:
        rpc = SupervisorNamespaceRPCInterface(self._daemon)
        reads = {"stdout": rpc.readProcessStdoutLog, "stderr": rpc.readProcessStderrLog}
        sources = [Source(name, each) for each in STREAMS]
        streams = [each.stream for each in sources if each.path(self._daemon)]
        if not streams:
            page.find("output").deparent()
            return
        which = "both" if len(streams) > 1 else streams[0]
        follow = f"follow-logs?{_query({'processname': name, 'stream': which})}"
        page.put(page.find("body"), **{"data-follow": follow})
        shared = SharedLogs(self._daemon)
        for section, stream in page.find("output").repeat(streams):
            try:
                text = reads[stream](name, -TAIL_BYTES, 0)
            except RPCError:  # there is no file yet
                text = ""
            label = self._language.text(f"page.{stream}")
            link = section.findmeld("output_link")
            page.put(
                link, label, href=f"tail.html?{_query({'processname': name, 'stream': which})}"
            )
            note = shared.note(self._language, Source(name, stream))
            page.put(section.findmeld("shared"), note)
            tail = section.findmeld("tail")
            if not text:
                page.put(tail, **{"class": "log small empty"})
            page.put(tail, without_sequences(text), **{"aria-label": label})


def _user(uid: int | None, language: Language) -> str:
    """Return the name of a user; of one that is not a program's, only the uid is known."""
    if uid is None:
        name = language.text("fact.uid", uid=os.getuid())
        return language.text("fact.daemon_user", name=name)
    return posix.identity_of(uid).login.get("USER") or language.text("fact.uid", uid=uid)


def _query(fields: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(fields)


def _send_signal(
    rpc: SupervisorNamespaceRPCInterface, name: str, form: Mapping[str, str]
) -> Deferred:
    wanted = form.get("signal", "")
    steps = [lambda: rpc.signalProcess(name, wanted)]
    return run_steps(steps, lambda _: english("message.signalled", signal=wanted, name=name))


def _send_line(
    rpc: SupervisorNamespaceRPCInterface, name: str, form: Mapping[str, str]
) -> Deferred:
    line = form.get("chars", "")
    steps = [lambda: rpc.sendProcessStdin(name, f"{line}\n")]
    return run_steps(steps, lambda _: english("message.written", name=name))


# Name in the URL -> the deferred function of an action that has further fields.
EXTRA_ACTIONS: Final = {"signal": _send_signal, "stdin": _send_line}


def _is_known(action: str) -> bool:
    """Whether an action acts on one process."""
    return action in EXTRA_ACTIONS or (action in ACTIONS and ACTIONS[action].scope == "process")
