"""The filter of the status page: by part of the name, and by kind of state.

The buttons for all processes act on the processes that are selected, else on those that are shown.
"""

from __future__ import annotations

from supervisor.common.namespec import make_namespec
from supervisor.common.records import record
from supervisor.web import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.rpc.lookup import Member


@record(frozen=True)
class Filter:
    """Part of a name (`q`, case-insensitive) and kind (`state`); '' matches all.

    An unknown kind matches none: an action must not reach more processes than its request names.
    `selected` has the names of the selected processes; if there are none, all match.
    """

    q: str
    state: str
    selected: frozenset[str] = frozenset()

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Filter:
        """Return the filter in a request."""
        names = (name.rstrip("\r") for name in form.get("selected", "").split("\n"))
        return cls(
            form.get("q", "").strip(),
            form.get("state", ""),
            frozenset(filter(None, names)),
        )

    @property
    def is_active(self) -> bool:
        """Whether the filter can exclude a process."""
        return bool(self.q or self.state or self.selected)

    @property
    def choice(self) -> str:
        """The way in which the processes are chosen: `selected` or `shown`."""
        return "selected" if self.selected else "shown"

    @property
    def subject_key(self) -> str:
        """The key of the text for the chosen processes and their number."""
        if self.state in kinds.KINDS and not (self.q or self.selected):
            return f"script.kind.{self.state}"
        return f"script.subject.{self.choice}"

    @property
    def fields(self) -> dict[str, str]:
        """The query fields that reproduce the filter, without the selection."""
        fields = {"q": self.q, "state": self.state}
        return {name: value for name, value in fields.items() if value}

    def matches(self, member: Member) -> bool:
        """Whether a process matches the filter."""
        if self.state and kinds.kind_of(member) != self.state:
            return False
        name = make_namespec(member[0].config.name, member[1].config.name)
        if self.selected and name not in self.selected:
            return False
        return self.q.lower() in name.lower()
