"""Templates: read through meld3, kept, and cut into texts to fill (floor 5).

meld3 builds a tree per page, which plugins' views work on.  For our own pages, which may
have hundreds of rows, an element is turned into a text with named gaps once; filling the
gaps is all that a request costs.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))

# What templates written for Supervisor call the namespace of `meld:id`, and what meld3 does.
OUR_NAMESPACE: Final = "https://github.com/Supervisor/supervisor"
MELD3_NAMESPACE: Final = "http://www.plope.com/software/meld3"

_kept: dict[str, tuple[int, Any]] = {}
_gap = re.compile("@@([a-z_]+)@@").sub


def template(path: str) -> Any:
    """Return the tree of a template; its users clone it before they change it.

    A relative path begins in the package.  Raises `OSError`, or what meld3 raises for a
    file that is not well-formed.
    """
    path = os.path.join(PACKAGE, path)
    written = os.stat(path).st_mtime_ns
    kept = _kept.get(path)
    if kept is None or kept[0] != written:
        kept = _kept[path] = (written, _read(path))
    return kept[1]


def _read(path: str) -> Any:
    import meld3

    with open(path, encoding="utf-8") as file:
        text = file.read()
    return meld3.parse_xmlstring(text.replace(OUR_NAMESPACE, MELD3_NAMESPACE))


def gap(name: str) -> str:
    """Return what marks a gap within an element's text or attributes."""
    return f"@@{name}@@"


def text_with_gaps(element: Any) -> str:
    """Return an element as HTML, to be filled by `text % values`; values are HTML too."""
    whole: str = element.write_htmlstring(encoding="utf-8", doctype="").decode()
    return _gap(r"%(\1)s", whole.strip().replace("%", "%%"))


def cut_out(element: Any) -> str:
    """Return an element as text with gaps; its place in the tree becomes one, too."""
    name = element.attrib[f"{{{MELD3_NAMESPACE}}}id"]
    text = text_with_gaps(element)
    element.replace(gap(name))
    return text


def escaped(text: str) -> str:
    """Return text as HTML, fit for elements and quoted attributes."""
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )
