"""The columns of the table, and the links in its head that sort by them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

BY_NAME: Final = "name"
"""The only order in which the rows of a group are together."""

COLUMNS: Final = {
    "name": (BY_NAME,),
    "state": ("state",),
    "changed": ("changed",),
    "usage": ("cpu", "memory"),
}
"""Column -> the orders that its links select."""


def head_values(sort: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the placeholders in the table's head.

    `fields` are the query fields of the filter, which the links keep.
    """
    from urllib.parse import urlencode

    values = {}
    for column, sorts in COLUMNS.items():
        order = "ascending" if sort == BY_NAME else "descending"
        values[f"order_{column}"] = order if sort in sorts else "none"  # `aria-sort`
        for each in sorts:
            values[f"url_{each}"] = f"./?{urlencode({**fields, 'sort': each})}".replace(
                "&", "&amp;"
            )
    return values
