"""The filter of the status page: by a part of the name, and by the kind of state (floor 5).

What is shown is also what the buttons for all processes act on.
"""

from __future__ import annotations

from supervisor.namespec import make_namespec
from supervisor.records import record
from supervisor.web import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.rpc.lookup import Member


@record(frozen=True)
class Filter:
    """A part of a name (`q`, any case) and a kind of state (`state`); empty: all."""

    q: str
    state: str

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Filter:
        """Return the filter that a request asks for; an unknown kind of state is none."""
        state = form.get("state", "")
        return cls(form.get("q", "").strip(), state if state in rows.KINDS else "")

    @property
    def is_active(self) -> bool:
        """Whether there is anything to filter by."""
        return bool(self.q or self.state)

    @property
    def fields(self) -> dict[str, str]:
        """The query fields that ask for the filter again."""
        fields = {"q": self.q, "state": self.state}
        return {name: value for name, value in fields.items() if value}

    def matches(self, member: Member) -> bool:
        """Whether a process is shown."""
        if self.state and rows.kind_of(member) != self.state:
            return False
        name = make_namespec(member[0].config.name, member[1].config.name)
        return self.q.lower() in name.lower()
