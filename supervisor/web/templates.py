"""Templates: parsed by meld3, cached, and converted to format strings.

meld3 builds a tree per page, and the views of plugins work on it.  Our own pages may have
hundreds of rows.  For these an element is converted once to a text with named placeholders, so
that a request only fills in the placeholders.
"""

from __future__ import annotations

import os
import re

from supervisor.common.text import visible
from supervisor.engine.installation import PACKAGE, kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol

    class Language(Protocol):
        """The part of a language that its links need."""

        code: str
        name: str

        @property
        def link(self) -> dict[str, str]:
            """The attributes of a link to it."""

        @property
        def others(self) -> list[Any]:
            """The other languages."""


DOCTYPE: Final = "<!DOCTYPE html>\n"
"""First line of the daemon's own pages."""

# The namespace of `meld:id` in templates written for Supervisor, and in meld3.
OUR_NAMESPACE: Final = "https://github.com/Supervisor/supervisor"
MELD3_NAMESPACE: Final = "http://www.plope.com/software/meld3"

_cache: dict[str, tuple[int, Any]] = {}
_replace_placeholders = re.compile("@@([a-z_]+)@@").sub


def template(path: str) -> Any:
    """Return the tree of a template; callers must clone it before changing it.

    A relative path is relative to the package.  Raises `OSError`, or an exception of meld3
    for a file that is not well-formed.
    """
    path = os.path.join(PACKAGE, path)
    modified_at = kept.modified_ns(path)
    cached = _cache.get(path)
    if cached is None or cached[0] != modified_at:
        cached = _cache[path] = (modified_at, _read(path))
    return cached[1]


def _read(path: str) -> Any:
    import meld3

    text = kept.read(path)[0].decode()
    return meld3.parse_xmlstring(text.replace(OUR_NAMESPACE, MELD3_NAMESPACE))


def placeholder(name: str) -> str:
    """Return a placeholder for an element's text or attributes."""
    return f"@@{name}@@"


def text_with_placeholders(element: Any) -> str:
    """Return an element as a format string for `text % values`; values are HTML too."""
    html: str = element.write_htmlstring(encoding="utf-8", doctype="").decode()
    return _replace_placeholders(r"%(\1)s", html.strip().replace("%", "%%"))


def extract_fragment(element: Any) -> str:
    """Return an element as a format string; replace it in the tree by a placeholder."""
    name = element.attrib[f"{{{MELD3_NAMESPACE}}}id"]
    text = text_with_placeholders(element)
    element.replace(placeholder(name))
    return text


class Page:
    """A copy of a template's tree whose texts and attributes are filled in.

    Control characters of texts are visible; attributes are as they are, since some are addresses.

    meld3 cannot write all characters together with markup, so it writes placeholders.
    """

    def __init__(self, root: Any) -> None:
        """`root` is a tree of this page's own."""
        self.root = root
        self._values: dict[str, str] = {}

    def find(self, name: str) -> Any:
        """Return the element of a meld3 id."""
        return self.root.findmeld(name)

    def put(self, element: Any, text: str | None = None, **attributes: str) -> None:
        """Set the text of an element, and attributes."""
        if text is not None:
            element.content(self._hold(visible(text)))
        for name, value in attributes.items():
            element.attributes(**{name: self._hold(value)})

    def put_html(self, element: Any, html: str) -> None:
        """Set the content of an element to HTML, whose texts are escaped."""
        element.content(self._hold_html(html))

    def put_languages(self, language: Language, address: str) -> None:
        """Link to a page in the other languages."""
        for link, other in self.find("language").repeat(language.others):
            del link.attrib["hidden"]
            self.put(link, other.name, href=f"{address}&lang={other.code}", **other.link)

    def html(self) -> str:
        """Return the page."""
        return DOCTYPE + text_with_placeholders(self.root) % self._values

    def _hold(self, text: str) -> str:
        return self._hold_html(escaped(text))

    def _hold_html(self, html: str) -> str:
        name = "value_" + "".join(chr(ord("a") + int(digit)) for digit in str(len(self._values)))
        self._values[name] = html
        return placeholder(name)


def readable(text: str) -> str:
    """Return text to be read as HTML: untrusted, so its control characters are visible."""
    return escaped(visible(text))


def escaped(text: str) -> str:
    """Return text escaped for HTML elements and quoted attributes."""
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )
