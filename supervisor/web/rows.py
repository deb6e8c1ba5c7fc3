"""HTML fragments of the status page: extracted once, filled in for each request.

`status` renders whole pages, `changes` single rows.  A row takes about ten microseconds.
"""

from __future__ import annotations

import re
from functools import lru_cache

from supervisor.common.records import record
from supervisor.rpc.info import process_info
from supervisor.states import ProcessStates, getProcessStateDescription
from supervisor.web.actions import ACTIONS
from supervisor.web.templates import cut_out, escaped, gap, text_with_gaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from supervisor.rpc.lookup import Member

# State -> its kind (for the appearance and the filter) and the actions that it allows.
LOOKS: Final = {
    ProcessStates.STOPPED: ("off", ("start",)),
    ProcessStates.STARTING: ("busy", ("stop",)),
    ProcessStates.RUNNING: ("ok", ("restart", "stop")),
    ProcessStates.BACKOFF: ("bad", ("stop",)),
    ProcessStates.STOPPING: ("busy", ()),
    ProcessStates.EXITED: ("off", ("start",)),
    ProcessStates.FATAL: ("bad", ("start",)),
    ProcessStates.UNKNOWN: ("bad", ("start",)),
}

# Kind -> its name, in order of urgency.
KINDS: Final = {"bad": "failed", "busy": "changing", "ok": "running", "off": "stopped"}


@record(frozen=True)
class StatusTexts:
    """The status page and its fragments, as texts with placeholders."""

    page: str
    message: str
    ask: str
    group: str
    rows: dict[int, str]


_between_elements = re.compile(r">\s+<").sub

_cut: tuple[Any, StatusTexts] | None = None


def status_texts(root: Any) -> StatusTexts:
    """Return the texts of a template's tree; extract them on first use."""
    global _cut  # noqa: PLW0603 - one page, one cache entry
    if _cut is None or _cut[0] is not root:
        _cut = (root, _cut_texts(root.clone()))
    return _cut[1]


def _cut_texts(root: Any) -> StatusTexts:
    message = root.findmeld("message")
    message.content(gap("text"))
    message.attributes(**{"class": f"message {gap('kind')}"})
    root.findmeld("all").replace(gap("all"))
    for name in ("identifier", "version", "counts", "none"):
        root.findmeld(name).content(gap(name))
    root.findmeld("body").attributes(**{"data-now": gap("now")})
    root.findmeld("q").attributes(value=gap("q"))
    for name in ("states", "sorts"):
        root.findmeld(name).content(gap(name))
    rows = _cut_rows(root.findmeld("row"))
    root.findmeld("row").deparent()
    group = _cut_group(root.findmeld("group"))
    root.findmeld("sections").replace(gap("sections"))
    ask = _cut_ask(root.findmeld("ask"))
    return StatusTexts(
        message=cut_out(message), ask=ask, group=group, rows=rows, page=text_with_gaps(root)
    )


def _cut_ask(ask: Any) -> str:
    ask.attributes(action=gap("url"))
    ask.findmeld("question").content(gap("question"))
    ask.findmeld("yes").content(gap("yes"))
    return cut_out(ask)


def _cut_group(group: Any) -> str:
    group.findmeld("group_name").content(gap("group"))
    button = group.findmeld("group_action")
    button.replace(gap("buttons"))
    group.deparent()
    buttons = "".join(_button(button, name, "group", "quoted") for name in GROUP_ACTIONS)
    return text_with_gaps(group).replace("%(buttons)s", buttons)


GROUP_ACTIONS: Final = ("startgroup", "restartgroup", "stopgroup")


def _cut_rows(row: Any) -> dict[int, str]:
    """Return a row for each state, so that rendering need not decide by state."""
    return {state: _cut_row(row.clone(), state) for state in LOOKS}


def _cut_row(row: Any, state: int) -> str:
    kind, actions = LOOKS[state]
    row.attributes(
        **{
            "data-name": gap("name"),
            "data-kind": kind,
            "data-changed": gap("changed"),
        }
    )
    row.attrib.update(hidden=gap("hidden"))
    row.findmeld("prefix").content(gap("prefix"))
    row.findmeld("process").content(gap("process"))
    row.findmeld("state").content(str(getProcessStateDescription(state)))
    row.findmeld("state").attributes(**{"class": f"state {kind}"})
    about = row.findmeld("about")
    about.content(gap("description"))
    if state == ProcessStates.RUNNING:
        about.attributes(**{"data-start": gap("start"), "data-pid": gap("pid")})
    row.findmeld("name").attributes(href=f"tail.html?processname={gap('quoted')}")
    row.findmeld("stdout").attributes(
        href=f"tail.html?processname={gap('quoted')}",
        **{"aria-label": f"Tail stdout of {gap('name')}"},
    )
    row.findmeld("stderr").attributes(
        href=f"tail.html?processname={gap('quoted')}&stream=stderr",
        **{"aria-label": f"Tail stderr of {gap('name')}"},
    )
    button = row.findmeld("action")
    clear = _button(row.findmeld("clear"), "clearlog", "name", "quoted")
    row.findmeld("clear").replace(gap("clear"))
    button.replace(gap("buttons"))
    buttons = "".join(_button(button, name, "name", "quoted") for name in actions)
    text = _between_elements("><", text_with_gaps(row))
    text = text.replace("%(buttons)s", buttons).replace("%(clear)s", clear)
    return text.replace(' hidden="%(hidden)s"', "%(hidden)s")


def _button(button: Any, action: str, name: str, quoted: str) -> str:
    """Return the button of an action as text with placeholders.

    `formaction` works without scripts; an action to be confirmed leads to the question.
    """
    button = button.clone()
    asks = ACTIONS[action].asks_first
    query = f"{'ask' if asks else 'action'}={action}&processname={gap(quoted)}"
    button.content(ACTIONS[action].label)
    button.attributes(
        formaction=f"index.html?{query}",
        **{"aria-label": f"{ACTIONS[action].label} {gap(name)}"},
    )
    return text_with_gaps(button)


@lru_cache(maxsize=4096)  # half the time of a row, and a page is rendered in one loop iteration
def _names(group: str, process: str) -> dict[str, str]:
    """Return the constant parts of a row."""
    from urllib.parse import quote

    prefix = "" if group == process else f"{group}:"
    name = prefix + process
    return {
        "name": escaped(name),
        "quoted": quote(name, safe=""),
        "prefix": escaped(prefix),
        "process": escaped(process),
    }


def row(texts: StatusTexts, member: Member, *, is_hidden: bool = False) -> str:
    """Return the row of one process as HTML."""
    group, process = member
    info = process_info(group, process)
    text = texts.rows.get(info["state"]) or texts.rows[ProcessStates.UNKNOWN]
    return text % {
        **_names(group.config.name, process.config.name),
        "description": escaped(info["description"]),
        "start": info["start"],
        "pid": info["pid"],
        "changed": max(info["start"], info["stop"]),
        "hidden": " hidden" if is_hidden else "",
    }


def group_heading(texts: StatusTexts, name: str) -> str:
    """Return the heading of a group as HTML."""
    from urllib.parse import quote

    return texts.group % {"group": escaped(name), "quoted": quote(name, safe="")}


def kind_of(member: Member) -> str:
    """Return the kind of a process's state."""
    look = LOOKS.get(member[1].get_state())
    return "bad" if look is None else look[0]
