"""The groups whose rows are folded: the field `fold` of the URL has their names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

FIELD: Final = "fold"

SEPARATOR: Final = ","
"""Between names, which are percent-encoded."""


class Fold:
    """The folded groups; `fields` are the query fields that the links of a page keep."""

    def __init__(self, form: Mapping[str, str], fields: Mapping[str, str]) -> None:
        from urllib.parse import unquote

        text = form.get(FIELD, "")
        self._names = {unquote(name): None for name in text.split(SEPARATOR) if name}
        self._fields = fields

    def is_folded(self, group: str) -> bool:
        """Whether the rows of a group are folded."""
        return group in self._names

    def url(self, group: str) -> str:
        """Return the URL that folds a group, or unfolds it if it is folded."""
        from urllib.parse import quote, urlencode

        names = dict.fromkeys([*self._names, group])
        if self.is_folded(group):
            del names[group]
        folded = SEPARATOR.join(quote(name, safe="") for name in names)
        fields = {**self._fields, FIELD: folded} if folded else self._fields
        return f"./?{urlencode(fields)}" if fields else "./"
