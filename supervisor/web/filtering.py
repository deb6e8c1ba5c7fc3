"""The filter of the status page: by part of the name, and by kind of state.

The buttons for all processes act on the processes that are shown.
"""

from __future__ import annotations

from supervisor.common.namespec import make_namespec
from supervisor.common.records import record
from supervisor.web import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.rpc.lookup import Member


@record(frozen=True)
class Filter:
    """Part of a name (`q`, case-insensitive) and kind of state (`state`); '' matches all."""

    q: str
    state: str

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Filter:
        """Return the filter in a request; an unknown kind of state is ignored."""
        state = form.get("state", "")
        return cls(form.get("q", "").strip(), state if state in rows.KINDS else "")

    @property
    def is_active(self) -> bool:
        """Whether the filter can exclude a process."""
        return bool(self.q or self.state)

    @property
    def fields(self) -> dict[str, str]:
        """The query fields that reproduce the filter."""
        fields = {"q": self.q, "state": self.state}
        return {name: value for name, value in fields.items() if value}

    def matches(self, member: Member) -> bool:
        """Whether a process matches the filter."""
        if self.state and rows.kind_of(member) != self.state:
            return False
        name = make_namespec(member[0].config.name, member[1].config.name)
        return self.q.lower() in name.lower()
