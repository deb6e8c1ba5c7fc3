"""HTML fragments of the status page: extracted once, filled in for each request.

`status` renders whole pages, `event_stream` single rows.  A row takes about ten microseconds.
"""

from __future__ import annotations

import re
from functools import lru_cache

from supervisor.common.namespec import make_namespec
from supervisor.common.records import record
from supervisor.process.description import NO_OUTLOOK, describe, outlook
from supervisor.process.details import next_start, process_info
from supervisor.states import STOPPED_STATES, ProcessStates, getProcessStateDescription
from supervisor.web.actions import ACTIONS, actions_on
from supervisor.web.columns import COLUMNS
from supervisor.web.facts import exact_time, facts
from supervisor.web.kinds import TROUBLED_KINDS, flaps_until, numbers_by_kind, present_kind
from supervisor.web.templates import (
    escaped,
    extract_fragment,
    placeholder,
    readable,
    text_with_placeholders,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final, TypeAlias

    from supervisor.process.child import Subprocess
    from supervisor.process.description import Outlook
    from supervisor.rpc.lookup import Member
    from supervisor.web.folding import Fold
    from supervisor.web.language import Language

    RowKey: TypeAlias = tuple[int, tuple[str, ...]]
    """State and actions, in which rows differ."""

STATE_ACTIONS: Final[dict[int, tuple[str, ...]]] = {
    ProcessStates.STOPPED: ("start",),
    ProcessStates.STARTING: ("stop",),
    ProcessStates.RUNNING: ("restart", "stop"),
    ProcessStates.BACKOFF: ("stop",),
    ProcessStates.STOPPING: (),
    ProcessStates.EXITED: ("start",),
    ProcessStates.FATAL: ("start",),
    ProcessStates.UNKNOWN: ("start",),
}
"""State -> the actions that it allows."""

WAITING_ACTIONS: Final = ("stop",)
"""Actions on a process that waits for dependencies: another start would be refused."""

PAUSING_ACTIONS: Final = ("start", "stop")
"""Actions on a process that has exited and will be restarted: to skip the pause, or to end it."""

PAUSING_STATES: Final = (ProcessStates.EXITED, ProcessStates.BACKOFF)
"""States in which a process may pause before its next start; the page counts down."""


@record(frozen=True)
class StatusTexts:
    """The status page and its fragments in one language, as texts with placeholders."""

    language: Language
    page: str
    message: str
    confirmation: str
    group: str
    rows: dict[RowKey, str]


_between_elements = re.compile(r">\s+<").sub

_cached: dict[str, tuple[Any, StatusTexts]] = {}
"""Code of a language -> the tree of the template, and its texts."""


def status_texts(root: Any, language: Language) -> StatusTexts:
    """Return the texts of a template's tree in a language; extract them on first use."""
    cached = _cached.get(language.code)
    if cached is None or cached[0] is not root:
        copy = root.clone()
        language.localize(copy)
        cached = _cached[language.code] = (root, _extract_texts(copy, language))
    return cached[1]


def _extract_texts(root: Any, language: Language) -> StatusTexts:
    message = root.findmeld("message")
    message.content(placeholder("text"))
    message.attributes(**{"class": f"message {placeholder('kind')}"})
    root.findmeld("all").replace(placeholder("all"))
    for name in ("identifier", "place", "title", "version", "counts", "none"):
        root.findmeld(name).content(placeholder(name))
    root.findmeld("body").attributes(
        **{
            "class": placeholder("measured"),
            "data-now": placeholder("now"),
            "data-texts": placeholder("texts"),
        }
    )
    root.findmeld("measure").content(placeholder("measure"))
    root.findmeld("measure").attributes(href=placeholder("measure_url"))
    root.findmeld("q").attributes(value=placeholder("q"))
    for name in ("states", "sorts"):
        root.findmeld(name).content(placeholder(name))
    _hold_columns(root)
    root.findmeld("icon").attributes(href=placeholder("icon"))
    root.findmeld("outdated").attrib.update(hidden=placeholder("outdated"))
    for link, other in root.findmeld("language").repeat(language.others):
        del link.attrib["hidden"]
        link.content(other.name)
        address = f"index.html?{placeholder('fields')}lang={other.code}"
        link.attributes(href=address, **other.link)
    rows = _extract_rows(root.findmeld("row"), language)
    root.findmeld("row").deparent()
    group = _extract_group(root.findmeld("group"), language)
    root.findmeld("sections").replace(placeholder("sections"))
    confirmation = _extract_confirmation(root.findmeld("ask"))
    return StatusTexts(
        language=language,
        message=extract_fragment(message),
        confirmation=confirmation,
        group=group,
        rows=rows,
        page=text_with_placeholders(root).replace(' hidden="%(outdated)s"', "%(outdated)s"),
    )


def _hold_columns(root: Any) -> None:
    """Put placeholders for the orders of the columns and the links that select them."""
    for column, sorts in COLUMNS.items():
        head = root.findmeld(f"column_{column}")
        head.attributes(**{"aria-sort": placeholder(f"order_{column}")})
        for sort in sorts:
            root.findmeld(f"sort_{sort}").attributes(href=placeholder(f"url_{sort}"))


def _extract_confirmation(ask: Any) -> str:
    ask.attributes(action=placeholder("url"))
    ask.findmeld("question").content(placeholder("question"))
    ask.findmeld("yes").content(placeholder("yes"))
    ask.findmeld("ask_selected").attributes(value=placeholder("selected"))
    return extract_fragment(ask)


def _extract_group(group: Any, language: Language) -> str:
    group.findmeld("group_name").content(placeholder("group"))
    group.findmeld("tally").content(placeholder("tally"))
    group.findmeld("fold").attributes(
        href=placeholder("fold"), **{"aria-expanded": placeholder("expanded")}
    )
    label = language.text("select", name=language.text("group", name=placeholder("group")))
    group.findmeld("pick_group").attributes(**{"aria-label": label})
    button = group.findmeld("group_action")
    button.replace(placeholder("buttons"))
    group.deparent()
    buttons = "".join(_button(button, name, "group", language) for name in actions_on("group"))
    return text_with_placeholders(group).replace("%(buttons)s", buttons)


def _extract_rows(row: Any, language: Language) -> dict[RowKey, str]:
    """Return a row for each kind, so that rendering need not decide by state."""
    return {key: _extract_row(row.clone(), *key, language) for key in _row_keys()}


def _row_keys() -> Iterator[RowKey]:
    yield from STATE_ACTIONS.items()
    for state in STOPPED_STATES:
        yield state, WAITING_ACTIONS
    yield ProcessStates.EXITED, PAUSING_ACTIONS


def _extract_row(row: Any, state: int, actions: tuple[str, ...], language: Language) -> str:
    row.attributes(
        **{
            "data-name": placeholder("name"),
            "data-kind": placeholder("kind"),
            "data-changed": placeholder("changed"),
            "data-restarts": placeholder("restarts"),
        }
    )
    row.attrib.update(hidden=placeholder("hidden"))
    label = language.text("select", name=placeholder("shown"))
    row.findmeld("pick").attributes(value=placeholder("name"), **{"aria-label": label})
    row.findmeld("prefix").content(placeholder("prefix"))
    row.findmeld("process").content(placeholder("process"))
    row.findmeld("state").content(str(getProcessStateDescription(state)))
    row.findmeld("state").attributes(**{"class": f"state {placeholder('badge')}"})
    about = row.findmeld("about")
    about.content(placeholder("description"))
    row.findmeld("facts").replace(placeholder("facts"))
    row.findmeld("usage").content(placeholder("usage"))
    if state in PAUSING_STATES:
        about.attributes(**{"data-restart": placeholder("restart")})
    if state == ProcessStates.RUNNING:
        about.attributes(
            title=placeholder("exact"),
            **{"data-start": placeholder("start"), "data-pid": placeholder("pid")},
        )
    row.findmeld("name").attributes(href=f"process.html?processname={placeholder('quoted')}")
    row.findmeld("stdout").attributes(
        href=f"tail.html?processname={placeholder('quoted')}",
        **{"aria-label": language.text("tail_stdout", name=placeholder("shown"))},
    )
    row.findmeld("stderr").attributes(
        href=f"tail.html?processname={placeholder('quoted')}&stream=stderr",
        **{"aria-label": language.text("tail_stderr", name=placeholder("shown"))},
    )
    button = row.findmeld("action")
    clear = _button(row.findmeld("clear"), "clearlog", "shown", language)
    row.findmeld("clear").replace(placeholder("clear"))
    button.replace(placeholder("buttons"))
    buttons = "".join(_button(button, name, "shown", language) for name in actions)
    text = _between_elements("><", text_with_placeholders(row))
    text = text.replace("%(buttons)s", buttons).replace("%(clear)s", clear)
    text = text.replace(' data-restart="%(restart)s"', "%(restart)s")
    text = text.replace(' data-kind="%(kind)s"', ' data-kind="%(kind)s"%(calm)s')
    return text.replace(' hidden="%(hidden)s"', "%(hidden)s")


def _button(button: Any, action_name: str, name: str, language: Language) -> str:
    """Return the button of an action as text with placeholders.

    `name` is the placeholder of the subject's name.  `formaction` works without scripts; an
    action to be confirmed leads to the confirmation.
    """
    button = button.clone()
    action = ACTIONS[action_name]
    query = f"{action.query_field}={action_name}&processname={placeholder('quoted')}"
    label = language.text(f"action.{action_name}")
    button.content(label)
    button.attributes(
        formaction=f"index.html?{query}",
        **{"aria-label": language.text("on", action=label, name=placeholder(name))},
    )
    return text_with_placeholders(button)


@lru_cache(maxsize=4096)  # half the time of a row, and a page is rendered in one loop iteration
def _names(group: str, process: str) -> dict[str, str]:
    """Return the constant parts of a row."""
    from urllib.parse import quote

    name = make_namespec(group, process)
    prefix = name.removesuffix(process)
    return {
        "name": escaped(name),
        "quoted": quote(name, safe=""),
        "shown": readable(name),
        "prefix": readable(prefix),
        "process": readable(process),
    }


def row(texts: StatusTexts, member: Member, *, is_hidden: bool = False, usage: str = "") -> str:
    """Return the row of one process as HTML, with its use of CPU and memory if it is known."""
    group, process = member
    info = process_info(group, process)
    ahead = NO_OUTLOOK if process.is_plain else outlook(process)
    state = _known(info["state"])
    flapping_until = flaps_until(process)
    return texts.rows[state, _actions(state, ahead)] % {
        **_names(group.config.name, process.config.name),
        "description": readable(_description(texts.language, info, ahead)),
        "facts": facts(texts.language, process, flapping_until),
        **_kind(process, flapping_until),
        "exact": exact_time(info["start"]),
        "start": info["start"],
        "pid": info["pid"],
        "restart": f' data-restart="{next_start(process):.1f}"' if ahead[1] else "",
        "changed": max(info["start"], info["stop"]),
        "restarts": process.history.restarts,
        "usage": usage,
        "hidden": " hidden" if is_hidden else "",
    }


def _description(language: Language, info: dict[str, Any], ahead: Outlook) -> str:
    """Return the description of a process in a language, with dates in its 24-hour format."""
    text = info["description"]
    if info["state"] in STOPPED_STATES:
        text = describe(info, ahead, language.time)
    return language.message(text)


def _kind(process: Subprocess, flapping_until: float) -> dict[str, str]:
    """Return the kind of a row; the script gives a flapping one that of its state in time."""
    badge = present_kind(process)
    if not flapping_until:
        return {"kind": badge, "badge": badge, "calm": ""}
    calm = f' data-calm="{badge}" data-calm-at="{flapping_until:.0f}"'
    return {"kind": "flapping", "badge": badge, "calm": calm}


def allowed_actions(member: Member) -> tuple[str, ...]:
    """Return the actions that a process allows, in the order of its buttons."""
    process = member[1]
    ahead = NO_OUTLOOK if process.is_plain else outlook(process)
    return _actions(_known(process.get_state()), ahead)


def _known(state: int) -> int:
    """Return a state; UNKNOWN for one that a plugin has made up."""
    return state if state in STATE_ACTIONS else ProcessStates.UNKNOWN


def _actions(state: int, ahead: Outlook) -> tuple[str, ...]:
    """Return the actions of a row."""
    unmet, pause, _ = ahead
    if unmet and state in STOPPED_STATES:
        return WAITING_ACTIONS
    if pause and state == ProcessStates.EXITED:
        return PAUSING_ACTIONS
    return STATE_ACTIONS[state]


def group_body(
    texts: StatusTexts,
    name: str,
    group: list[Member],
    rows_html: str,
    fold: Fold,
    *,
    is_hidden: bool,
) -> str:
    """Return the table body of a group as HTML: its heading and its rows."""
    from urllib.parse import quote

    heading = texts.group % {
        "group": readable(name),
        "quoted": quote(name, safe=""),
        "tally": tally(texts.language, group),
        "fold": escaped(fold.url(name)),
        "expanded": "false" if fold.is_folded(name) else "true",
    }
    hidden = " hidden" if is_hidden else ""
    attributes = f'class="of-group" data-group="{escaped(name)}"{hidden}'
    return f"<tbody {attributes}>{heading}{rows_html}</tbody>"


def tally(language: Language, group: list[Member]) -> str:
    """Return a phrase with the numbers of processes of a group: that run, and in trouble."""
    running = sum(member[1].get_state() == ProcessStates.RUNNING for member in group)
    parts = [language.text("script.tally", running=running, count=len(group))]
    numbers = numbers_by_kind(group)
    parts += [
        language.text(f"script.kind.{kind}", count=numbers[kind])
        for kind in TROUBLED_KINDS
        if numbers[kind]
    ]
    return language.text("script.comma").join(parts)
