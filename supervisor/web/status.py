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
from supervisor.common.text import visible
from supervisor.common.version import VERSION
from supervisor.config.file_stamps import have_changed
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
from supervisor.web.columns import BY_NAME, head_values
from supervisor.web.filtering import Filter
from supervisor.web.folding import Fold
from supervisor.web.identity import place
from supervisor.web.kinds import KINDS, TROUBLED_KINDS, numbers_by_kind
from supervisor.web.language import cookie_field, english, language_of
from supervisor.web.sorting import KEYS, SORTS, SORTS_BY_USAGE
from supervisor.web.templates import DOCTYPE, escaped, readable
from supervisor.web.usage import measured, usage_text
from supervisor.web.views import PAGE_HEADERS, MeldView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from supervisor.rpc.lookup import Member
    from supervisor.web.language import Language

STATES: Final = ("", *KINDS)

CURRENT: Final = ' aria-current="true"'

USAGE_FIELD: Final = "usage"
"""Query field that asks for the use of CPU and memory."""

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
            if self._needs_usage():
                return NOT_DONE_YET
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
            return known.make_on(rpc, self._shown(self._all_members()), self._filter.choice)
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
            shown = visible(self._language.message(message))
            return json.dumps({"message": shown, "trouble": reports_failure(message)})
        from urllib.parse import quote, urlencode

        fields = urlencode(self._fields())
        query = f"{fields}{'&' if fields else ''}message={quote(message, safe='')}"
        self.context.response["headers"]["Location"] = self._address(query)
        return ""

    # -- the page -----------------------------------------------------------------

    @property
    def _sort(self) -> str:
        chosen: str = self.context.form.get("sort", BY_NAME)
        return chosen if chosen in KEYS else BY_NAME

    @cached_property
    def _shows_usage(self) -> bool:
        """Whether the request asks for the use of CPU and memory, which scripts fetch otherwise."""
        return USAGE_FIELD in self.context.form or self._sort in SORTS_BY_USAGE

    def _needs_usage(self) -> bool:
        """Whether the page depends on a sample of /proc that is still being taken."""
        if not self._shows_usage:
            return False
        if self.callback is None:
            self.callback = measured(self.context.supervisord)
        return self.callback() is NOT_DONE_YET

    def _page(self, *, ask: str | None, message: str | None) -> Any:
        supervisord = self.context.supervisord
        language = self._language
        texts = rows.status_texts(self.root, language)
        all_members = self._all_members()
        numbers = numbers_by_kind(all_members)
        form = self.context.form
        return DOCTYPE + texts.page % {
            **self._identity(numbers),
            "version": escaped(VERSION),
            "texts": language.script_texts,
            "fields": self._escaped_fields(),
            "now": int(supervisord.runtime.clock.time()),
            "message": _message(texts, message),
            "ask": self._confirmation(texts, ask),
            "q": escaped(form.get("q", "")),
            "states": _options(language, "state", STATES, form.get("state", "")),
            "sorts": _options(language, "sort", SORTS, self._sort),
            **head_values(self._sort, self._filter.fields),
            "counts": counts(numbers, language, self._filter.state),
            "all": self._buttons_for_all(all_members),
            **self._measure_link(),
            "none": "" if all_members else language.text("script.none"),
            "sections": self._sections(texts, all_members),
        }

    def _escaped_fields(self) -> str:
        """Return the query fields of the page, each followed by `&`, for links to it."""
        from urllib.parse import urlencode

        form = self.context.form
        sort = {"sort": form["sort"]} if form.get("sort") in SORTS else {}
        return escaped("".join(f"{urlencode([each])}&" for each in (self._fields() | sort).items()))

    def _measure_link(self) -> dict[str, str]:
        """Return the link that shows or hides the use of CPU and memory, and the body's class."""
        from urllib.parse import urlencode

        is_shown = self._shows_usage
        fields = self._fields() if is_shown else {**self._fields(), USAGE_FIELD: "1"}
        return {
            "measured": "measured" if is_shown else "",
            "measure": self._language.text("usage.hide" if is_shown else "usage.show"),
            "measure_url": escaped(f"./?{urlencode(fields)}" if fields else "./"),
        }

    def _identity(self, numbers: dict[str, int]) -> dict[str, str]:
        """Return the identity of the daemon, and whether something needs attention."""
        options = self.context.supervisord.options
        host = place(self.context.form)
        title = self._language.text("status.title", identifier=options.identifier, host=host)
        has_trouble = any(numbers[kind] for kind in TROUBLED_KINDS)
        return {
            "identifier": readable(options.identifier),
            "place": readable(host),
            "title": readable(title),
            "icon": "images/trouble.png" if has_trouble else "images/icon.png",
            "outdated": "" if have_changed(options.file_stamps) else " hidden",
        }

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
            label = self._label_for(action, self._all_members())
            fields = {"action": action, **self._filter.fields}
        query = urlencode(fields)
        return texts.confirmation % {
            "url": escaped(f"index.html?{query}"),
            "question": readable(language.text("script.question", action=label)),
            "yes": readable(label),
            "selected": escaped("\n".join(self._filter.selected)),
        }

    def _buttons_for_all(self, all_members: list[Member]) -> str:
        """Return the buttons that act on all shown processes, labelled accordingly."""
        if not self._filter.is_active:
            return "".join(self._button_for_all(name) for name in actions_on("all"))
        from urllib.parse import urlencode

        fields = urlencode(self._filter.fields)
        return "".join(
            self._button_for_all(name, self._label_for(name, all_members), fields)
            for name in actions_on("all")
        )

    def _label_for(self, action: str, all_members: list[Member]) -> str:
        """Return the label of an action on the chosen processes, with their number."""
        number = len(self._shown(all_members))
        subject = self._language.text(self._filter.subject_key, count=number)
        return self._language.text(f"script.{action}.on", subject=subject)

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
        if self._sort in KEYS:
            in_order = sorted(all_members, key=KEYS[self._sort])
            return _body([self._row(texts, member) for member in in_order])
        singles: list[str] = []
        groups: dict[str, list[Member]] = {}
        for member in all_members:
            group, process = member
            name = group.config.name
            if name == process.config.name and len(group.processes) == 1:
                singles.append(self._row(texts, member))
            else:
                groups.setdefault(name, []).append(member)
        fold = Fold(self.context.form, self._filter.fields)
        return _body(singles) + "".join(
            self._group(texts, name, group, fold) for name, group in groups.items()
        )

    def _group(self, texts: rows.StatusTexts, name: str, group: list[Member], fold: Fold) -> str:
        """Return the table body of a group; a filter shows rows of folded groups too.

        It hides a group without a row that matches.
        """
        is_folded = fold.is_folded(name) and not self._filter.is_active
        made = [self._row(texts, member, is_folded=is_folded) for member in group]
        is_hidden = not any(map(self._filter.matches, group))
        return rows.group_body(texts, name, group, "".join(made), fold, is_hidden=is_hidden)

    def _row(self, texts: rows.StatusTexts, member: Member, *, is_folded: bool = False) -> str:
        usage = ""
        if self._shows_usage and member[1].pid:
            usage = usage_text(self.context.supervisord.runtime.services.usage.usage(member[1].pid))
        is_hidden = is_folded or not self._filter.matches(member)
        return rows.row(texts, member, is_hidden=is_hidden, usage=usage)


def _message_only(text: str) -> Callable[[], Any]:
    return run_steps([], lambda _: text)


def _message(texts: rows.StatusTexts, message: str | None) -> str:
    kind = "trouble" if message and (reports_failure(message) or message == NOT_DONE) else ""
    return texts.message % {"text": readable(texts.language.message(message or "")), "kind": kind}


def _options(language: Language, kind: str, values: Iterable[str], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>'
        f"{language.text(f'{kind}.{value}')}</option>"
        for value in values
    )


def _body(rows_html: list[str]) -> str:
    return f"<tbody>{''.join(rows_html)}</tbody>" if rows_html else ""


def _toggled(kind: str, shown: str) -> str:
    return "./" if kind == shown else f"./?state={kind}"


def counts(numbers: dict[str, int], language: Language, shown: str = "") -> str:
    """Return a phrase with the number of processes, in total and of each kind, as HTML.

    The number of a kind is a link to the processes of that kind; that of `shown` to all.
    """
    parts = [
        f'<a href="{_toggled(kind, shown)}" data-state="{kind}"'
        f"{CURRENT if kind == shown else ''}>"
        f"{language.text(f'script.kind.{kind}', count=number)}</a>"
        for kind, number in numbers.items()
        if number
    ]
    total = language.count("script.processes", sum(numbers.values()))
    if not parts:
        return total
    return language.text(
        "script.counts", total=total, parts=language.text("script.comma").join(parts)
    )
