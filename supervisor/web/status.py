"""The status page: all processes, actions on them, and the results of actions.

URLs are those of Supervisor 4.3: `index.html?action=stop&processname=cat`.  New are
`ask=` in place of `action=`, which shows a confirmation first; `q`, `state` and `sort`, which
select the rows to show, and so the processes that "all" refers to; and a JSON message instead
of a redirect for a client that accepts only JSON.
"""

from __future__ import annotations

import json
from functools import cached_property

from supervisor.common.namespec import split_namespec
from supervisor.common.version import VERSION
from supervisor.engine.deferred import NOT_DONE_YET
from supervisor.http import csrf
from supervisor.rpc.lookup import members
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.web import rows
from supervisor.web.actions import (
    ACTIONS,
    actions_on,
    reports_failure,
    run_steps,
    shown_processes,
)
from supervisor.web.filtering import Filter
from supervisor.web.templates import DOCTYPE, escaped
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from supervisor.rpc.lookup import Member

STATES: Final = {"": "All states", **{kind: word.title() for kind, word in rows.KINDS.items()}}

SORTS: Final = {"name": "By name", "state": "By state", "changed": "Latest change first"}

FORBIDDEN: Final = 403

NOT_DONE: Final = "Nothing was done: the request did not come from this page."


class StatusView(MeldView):
    """View that shows the page, or performs an action and redirects to the page."""

    def render(self) -> Any:
        """Return the page, the message in JSON, or '' with a redirect."""
        form, request = self.context.form, self.context.request
        self.context.response["headers"].update(PAGE_HEADERS)
        action = form.get("action")
        if not action or request.command == "HEAD":
            return self._page(ask=form.get("ask"), message=form.get("message"))
        if request.command == "GET" and action != "refresh" and csrf.may_be_cross_site(request):
            self.context.response["status"] = FORBIDDEN
            return self._page(ask=action, message=NOT_DONE)
        if self.callback is None:
            self.callback = self.make_callback(form.get("processname"), action)
        message = self.callback()
        if message is NOT_DONE_YET:
            return NOT_DONE_YET
        return self._respond(message)

    def make_callback(self, namespec: str | None, action: str) -> Callable[[], Any]:
        """Return the deferred function of an action; it returns a message in case of errors too."""
        known = ACTIONS.get(action)
        if known is None:
            return _message_only(f"Unknown action {action}")
        name = namespec or ""
        if known.scope == "process" and not name:
            return _message_only("No process name found")
        if known.scope == "process" and not self._is_process(name):
            return _message_only(f"No such process named {name}")
        if known.scope == "group" and name not in self.context.supervisord.process_groups:
            return _message_only(f"No such group named {name}")
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        if known.make_on is not None and self._filter.is_active:
            return known.make_on(rpc, self._shown(self._all_members()))
        return known.make(rpc, name)

    @cached_property
    def _filter(self) -> Filter:
        return Filter.of(self.context.form)

    def _all_members(self) -> list[Member]:
        return members(list(self.context.supervisord.process_groups.values()), by_name=True)

    def _shown(self, all_members: list[Member]) -> list[Member]:
        return [member for member in all_members if self._filter.matches(member)]

    def _is_process(self, name: str) -> bool:
        group_name, process_name = split_namespec(name)
        group = self.context.supervisord.process_groups.get(group_name)
        return group is not None and process_name in group.processes

    def _respond(self, message: str) -> str:
        """Return the response to an action; a redirect has a relative URL."""
        if self.context.request.get_header("accept") == "application/json":
            self.context.response["headers"]["Content-Type"] = "application/json"
            return json.dumps({"message": message, "trouble": reports_failure(message)})
        from urllib.parse import quote, urlencode

        filter_query = urlencode(self._filter.fields)
        query = f"{filter_query}{'&' if filter_query else ''}message={quote(message, safe='')}"
        self.context.response["headers"]["Location"] = f"./?{query}"
        return ""

    # -- the page -----------------------------------------------------------------

    def _page(self, *, ask: str | None, message: str | None) -> str:
        supervisord = self.context.supervisord
        texts = rows.status_texts(self.root)
        all_members = self._all_members()
        form = self.context.form
        return DOCTYPE + texts.page % {
            "identifier": escaped(supervisord.options.identifier),
            "version": escaped(VERSION),
            "now": int(supervisord.runtime.clock.time()),
            "message": _message(texts, message),
            "ask": self._confirmation(texts, ask),
            "q": escaped(form.get("q", "")),
            "states": _options(STATES, form.get("state", "")),
            "sorts": _options(SORTS, form.get("sort", "name")),
            "counts": counts(all_members),
            "all": self._buttons_for_all(all_members),
            "none": "" if all_members else "No programs are configured.",
            "sections": self._sections(texts, all_members),
        }

    def _confirmation(self, texts: rows.StatusTexts, action: str | None) -> str:
        """Return the confirmation form of an action."""
        known = ACTIONS.get(action or "")
        if known is None or action is None:
            return ""
        from urllib.parse import urlencode

        name = self.context.form.get("processname", "")
        subject = {"process": name, "group": f"group {name}"}.get(known.scope, "")
        label = f"{known.label} {subject}".strip()
        fields = {"action": action, "processname": name}
        if known.make_on is not None and self._filter.is_active:
            label = known.label_for(shown_processes(len(self._shown(self._all_members()))))
            fields = {"action": action, **self._filter.fields}
        query = urlencode(fields)
        return texts.confirmation % {
            "url": escaped(f"index.html?{query}"),
            "question": escaped(f"{label}?"),
            "yes": escaped(label),
        }

    def _buttons_for_all(self, all_members: list[Member]) -> str:
        """Return the buttons that act on all shown processes, labelled accordingly."""
        if not self._filter.is_active:
            return "".join(_button_for_all(name, ACTIONS[name].label) for name in actions_on("all"))
        from urllib.parse import urlencode

        shown, fields = len(self._shown(all_members)), urlencode(self._filter.fields)
        return "".join(
            _button_for_all(name, ACTIONS[name].label_for(f"{shown} shown"), fields)
            for name in actions_on("all")
        )

    def _sections(self, texts: rows.StatusTexts, all_members: list[Member]) -> str:
        """Return the table bodies: single programs, then each group under its heading."""
        sort = self.context.form.get("sort")
        if sort in _KEYS:
            return _body(
                "", [self._row(texts, member) for member in sorted(all_members, key=_KEYS[sort])]
            )
        singles: list[str] = []
        groups: dict[str, list[str]] = {}
        for member in all_members:
            group, process = member
            name = group.config.name
            is_single = name == process.config.name and len(group.processes) == 1
            section = singles if is_single else groups.setdefault(name, [])
            section.append(self._row(texts, member))
        bodies = [
            _body(rows.group_heading(texts, name), rows_html) for name, rows_html in groups.items()
        ]
        return _body("", singles) + "".join(bodies)

    def _row(self, texts: rows.StatusTexts, member: Member) -> str:
        return rows.row(texts, member, is_hidden=not self._filter.matches(member))


def _button_for_all(name: str, label: str, fields: str = "") -> str:
    """Return a button; `data-label` is its label without a filter."""
    action = ACTIONS[name]
    url = escaped(f"index.html?{action.query_field}={name}{'&' if fields else ''}{fields}")
    return f'<button type="submit" data-label="{action.label}" formaction="{url}">{label}</button>'


def _message_only(text: str) -> Callable[[], Any]:
    return run_steps([], lambda _: text)


def _message(texts: rows.StatusTexts, message: str | None) -> str:
    kind = "trouble" if message and (reports_failure(message) or message == NOT_DONE) else ""
    return texts.message % {"text": escaped(message or ""), "kind": kind}


def _options(choices: dict[str, str], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{word}</option>'
        for value, word in choices.items()
    )


def _body(heading: str, rows_html: list[str]) -> str:
    return f"<tbody>{heading}{''.join(rows_html)}</tbody>" if rows_html else ""


def counts(all_members: list[Member]) -> str:
    """Return a phrase with the number of processes, in total and of each kind."""
    numbers = dict.fromkeys(rows.KINDS, 0)
    for member in all_members:
        numbers[rows.kind_of(member)] += 1
    parts = [f"{number} {rows.KINDS[kind]}" for kind, number in numbers.items() if number]
    noun = "process" if len(all_members) == 1 else "processes"
    return f"{len(all_members)} {noun}" + (": " + ", ".join(parts) if parts else "")


def _urgency(member: Member) -> tuple[int, str]:
    return list(rows.KINDS).index(rows.kind_of(member)), member[1].config.name


def _latest_first(member: Member) -> float:
    return -max(member[1].laststart, member[1].laststop)


_KEYS: Final[dict[str, Callable[[Member], Any]]] = {"state": _urgency, "changed": _latest_first}
