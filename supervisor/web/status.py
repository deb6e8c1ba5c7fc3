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
)
from supervisor.web.filtering import Filter
from supervisor.web.language import cookie_field, english, language_of
from supervisor.web.templates import DOCTYPE, escaped
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from supervisor.rpc.lookup import Member
    from supervisor.web.language import Language

STATES: Final = ("", *rows.KINDS)

SORTS: Final = ("name", "state", "changed")

FORBIDDEN: Final = 403

NOT_DONE: Final = english("message.not_done")


class StatusView(MeldView):
    """View that shows the page, or performs an action and redirects to the page."""

    def render(self) -> Any:
        """Return the page, the message in JSON, or '' with a redirect."""
        form, request = self.context.form, self.context.request
        self.context.response["headers"].update(PAGE_HEADERS | cookie_field(form))
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

    # -- the address, which differs for other pages with actions --------------------

    def _fields(self) -> dict[str, str]:
        """Return the query fields of the page, which a redirect keeps."""
        return self._filter.fields

    def _address(self, query: str) -> str:
        """Return the relative URL of the page."""
        return f"./?{query}"

    def make_callback(self, namespec: str | None, action: str) -> Callable[[], Any]:
        """Return the deferred function of an action; it returns a message in case of errors too."""
        known = ACTIONS.get(action)
        if known is None:
            return _message_only(english("message.unknown_action", name=action))
        name = namespec or ""
        if known.scope == "process" and not name:
            return _message_only(english("message.no_name"))
        if known.scope == "process" and not self._is_process(name):
            return _message_only(english("message.no_such_process", name=name))
        if known.scope == "group" and name not in self.context.supervisord.process_groups:
            return _message_only(english("message.no_such_group", name=name))
        rpc = SupervisorNamespaceRPCInterface(self.context.supervisord)
        if known.make_on is not None and self._filter.is_active:
            return known.make_on(rpc, self._shown(self._all_members()))
        return known.make(rpc, name)

    @cached_property
    def _filter(self) -> Filter:
        return Filter.of(self.context.form)

    @cached_property
    def _language(self) -> Language:
        return language_of(self.context.form)

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
            shown = self._language.message(message)
            return json.dumps({"message": shown, "trouble": reports_failure(message)})
        from urllib.parse import quote, urlencode

        fields = urlencode(self._fields())
        query = f"{fields}{'&' if fields else ''}message={quote(message, safe='')}"
        self.context.response["headers"]["Location"] = self._address(query)
        return ""

    # -- the page -----------------------------------------------------------------

    def _page(self, *, ask: str | None, message: str | None) -> Any:
        supervisord = self.context.supervisord
        language = self._language
        texts = rows.status_texts(self.root, language)
        all_members = self._all_members()
        form = self.context.form
        return DOCTYPE + texts.page % {
            "identifier": escaped(supervisord.options.identifier),
            "version": escaped(VERSION),
            "texts": language.script_texts,
            "fields": self._escaped_fields(),
            "now": int(supervisord.runtime.clock.time()),
            "message": _message(texts, message),
            "ask": self._confirmation(texts, ask),
            "q": escaped(form.get("q", "")),
            "states": _options(language, "state", STATES, form.get("state", "")),
            "sorts": _options(language, "sort", SORTS, form.get("sort", "name")),
            "counts": counts(all_members, language),
            "all": self._buttons_for_all(all_members),
            "none": "" if all_members else language.text("script.none"),
            "sections": self._sections(texts, all_members),
        }

    def _escaped_fields(self) -> str:
        """Return the query fields of the page, each followed by `&`, for links to it."""
        from urllib.parse import urlencode

        form = self.context.form
        sort = {"sort": form["sort"]} if form.get("sort") in SORTS else {}
        return escaped("".join(f"{urlencode([each])}&" for each in (self._fields() | sort).items()))

    def _confirmation(self, texts: rows.StatusTexts, action: str | None) -> str:
        """Return the confirmation form of an action."""
        known = ACTIONS.get(action or "")
        if known is None or action is None:
            return ""
        from urllib.parse import urlencode

        name = self.context.form.get("processname", "")
        language = self._language
        subjects = {"process": name, "group": language.text("group", name=name)}
        label = language.text(f"action.{action}")
        if known.scope in subjects:
            label = language.text("on", action=label, name=subjects[known.scope])
        fields = {"action": action, "processname": name}
        if known.make_on is not None and self._filter.is_active:
            label = language.count(f"{action}.shown", len(self._shown(self._all_members())))
            fields = {"action": action, **self._filter.fields}
        query = urlencode(fields)
        return texts.confirmation % {
            "url": escaped(f"index.html?{query}"),
            "question": escaped(language.text("script.question", action=label)),
            "yes": escaped(label),
        }

    def _buttons_for_all(self, all_members: list[Member]) -> str:
        """Return the buttons that act on all shown processes, labelled accordingly."""
        if not self._filter.is_active:
            return "".join(self._button_for_all(name) for name in actions_on("all"))
        from urllib.parse import urlencode

        shown, fields = len(self._shown(all_members)), urlencode(self._filter.fields)
        return "".join(
            self._button_for_all(
                name, self._language.text(f"script.{name}.shown", count=shown), fields
            )
            for name in actions_on("all")
        )

    def _button_for_all(self, name: str, label: str | None = None, fields: str = "") -> str:
        """Return a button; `data-label` is its label without a filter."""
        without_filter = self._language.text(f"action.{name}")
        field = ACTIONS[name].query_field
        url = escaped(f"index.html?{field}={name}{'&' if fields else ''}{fields}")
        return (
            f'<button type="submit" data-label="{without_filter}" formaction="{url}">'
            f"{label or without_filter}</button>"
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


def _message_only(text: str) -> Callable[[], Any]:
    return run_steps([], lambda _: text)


def _message(texts: rows.StatusTexts, message: str | None) -> str:
    kind = "trouble" if message and (reports_failure(message) or message == NOT_DONE) else ""
    return texts.message % {"text": escaped(texts.language.message(message or "")), "kind": kind}


def _options(language: Language, kind: str, values: Iterable[str], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>'
        f"{language.text(f'{kind}.{value}')}</option>"
        for value in values
    )


def _body(heading: str, rows_html: list[str]) -> str:
    return f"<tbody>{heading}{''.join(rows_html)}</tbody>" if rows_html else ""


def counts(all_members: list[Member], language: Language) -> str:
    """Return a phrase with the number of processes, in total and of each kind."""
    numbers = dict.fromkeys(rows.KINDS, 0)
    for member in all_members:
        numbers[rows.kind_of(member)] += 1
    parts = [
        language.text(f"script.kind.{kind}", count=number)
        for kind, number in numbers.items()
        if number
    ]
    total = language.count("script.processes", len(all_members))
    if not parts:
        return total
    return language.text(
        "script.counts", total=total, parts=language.text("script.comma").join(parts)
    )


def _urgency(member: Member) -> tuple[int, str]:
    return rows.KINDS.index(rows.kind_of(member)), member[1].config.name


def _latest_first(member: Member) -> float:
    return -max(member[1].laststart, member[1].laststop)


_KEYS: Final[dict[str, Callable[[Member], Any]]] = {"state": _urgency, "changed": _latest_first}
