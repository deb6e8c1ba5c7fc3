"""The language of a page: selection, texts with values, translation of templates and messages.

The field `lang` of a request selects a language and stores it in a cookie; without either, the
field Accept-Language (RFC 9110, 12.5.4) selects it.  The default is English.
"""

from __future__ import annotations

import json
import re
import time
from functools import cached_property

from supervisor.common.explanation import largest_unit
from supervisor.web.templates import escaped
from supervisor.web.texts import LANGUAGES, SCRIPT_KEYS, TAGS, TEXTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

DEFAULT: Final = next(iter(LANGUAGES))

FIELD: Final = "lang"
COOKIE: Final = "supervisor_lang"
COOKIE_SECONDS: Final = 365 * 24 * 3600

MAX_HEADER_CHARS: Final = 1000
"""Part of Accept-Language and Cookie that is read."""

TRANSLATED_ATTRIBUTES: Final = ("placeholder", "aria-label", "alt", "title")

NESTED: Final = frozenset({"message", "reason", "uptime", "description", "subject"})
"""Values of a message that are messages themselves."""

MAX_NESTING: Final = 4

MAX_MESSAGE_CHARS: Final = 2000
"""Length of the messages that are translated."""

_placeholder = re.compile(r"\{(\w+)\}")


class Language:
    """One language of the pages."""

    def __init__(self, code: str) -> None:
        """`code` is a key of `LANGUAGES`."""
        self.code = code
        self.name = LANGUAGES[code]
        self.tag = TAGS[code]

    def text(self, key: str, **values: object) -> str:
        """Return a text of the table with its values."""
        template = TEXTS[key][self.code]
        return template.format(**values) if values else template

    def count(self, key: str, count: int) -> str:
        """Return the text for a number: that of `KEY.one` or `KEY.other`."""
        return self.text(f"{key}.{'one' if count == 1 else 'other'}", count=count)

    def duration(self, seconds: float) -> str:
        """Return a duration in its largest unit."""
        number, unit = largest_unit(seconds)
        return self.count(f"duration.{unit}", number)

    def time(self, seconds: float) -> str:
        """Return a local time; `seconds` is since the epoch."""
        return time.strftime(self.text("time"), time.localtime(seconds))

    def sentence(self, key: str, values: Mapping[str, Any]) -> str:
        """Return a sentence of an explanation (see `common.explanation`)."""
        shown = dict(values)
        for name, text_of in (("duration", self.duration), ("time", self.time)):
            if name in shown:
                shown[name] = text_of(shown[name])
        for name in NESTED & shown.keys():
            shown[name] = self.message(shown[name])
        return self.text(f"explain.{key}", **shown)

    def message(self, english: str, depth: int = 0) -> str:
        """Return a message or description in this language, unchanged if it is not known."""
        if self.code == DEFAULT or depth > MAX_NESTING or len(english) > MAX_MESSAGE_CHARS:
            return english
        for pattern, template in self._patterns:
            found = pattern.fullmatch(english)
            if found is not None:
                values = {
                    name: self.message(value, depth + 1) if name in NESTED else value
                    for name, value in found.groupdict().items()
                }
                return template.format(**values)
        return english

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (_pattern(texts[DEFAULT]), texts[self.code])
            for key, texts in TEXTS.items()
            if key.startswith("message.")
        ]

    @cached_property
    def script_texts(self) -> str:
        """The texts of the scripts, escaped for an attribute of the page."""
        return escaped(self.script_json)

    @cached_property
    def script_json(self) -> str:
        """The texts of the scripts in JSON."""
        texts = {
            key: texts[self.code] for key, texts in TEXTS.items() if key.startswith(SCRIPT_KEYS)
        }
        return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def others(self) -> list[Language]:
        """The other languages, which a page links to."""
        return [each for code, each in _languages.items() if code != self.code]

    @property
    def link(self) -> dict[str, str]:
        """The attributes of a link to a page in this language, except its address."""
        return {"lang": self.tag, "hreflang": self.tag}

    def localize(self, root: Any) -> None:
        """Translate the texts and attributes of a template's tree, and set its language."""
        if self.code == DEFAULT:
            return
        for element in root.getiterator():
            if isinstance(element.tag, str):
                for name in TRANSLATED_ATTRIBUTES:
                    if name in element.attrib:
                        element.attrib[name] = self._translated(element.attrib[name])
                element.text = self._translated(element.text)
            element.tail = self._translated(element.tail)
        root.attrib["lang"] = self.tag

    def _translated(self, text: str | None) -> str | None:
        words = (text or "").strip()
        other = self._template_texts.get(words)
        return text if text is None or other is None else text.replace(words, other)

    @cached_property
    def _template_texts(self) -> Mapping[str, str]:
        return {texts[DEFAULT]: texts[self.code] for texts in TEXTS.values()}


_languages: Final = {code: Language(code) for code in LANGUAGES}

ENGLISH: Final = _languages[DEFAULT]


def language_of(form: Mapping[str, str]) -> Language:
    """Return the language of a request; `form` has its fields and CGI variables."""
    chosen = form.get(FIELD, "")
    if chosen not in LANGUAGES:
        chosen = _cookie(form.get("HTTP_COOKIE", ""))
    if chosen not in LANGUAGES:
        chosen = _accepted(form.get("HTTP_ACCEPT_LANGUAGE", ""))
    return _languages[chosen]


def cookie_field(form: Mapping[str, str]) -> dict[str, str]:
    """Return the header field that stores the language that a request selects, if it does.

    Without a Path the cookie is valid below the page's own folder, also behind a proxy.
    """
    chosen = form.get(FIELD, "")
    if chosen not in LANGUAGES:
        return {}
    return {"Set-Cookie": f"{COOKIE}={chosen}; Max-Age={COOKIE_SECONDS}; SameSite=Lax; HttpOnly"}


def _cookie(header: str) -> str:
    for part in header[:MAX_HEADER_CHARS].split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _accepted(header: str) -> str:
    """Return the code of the accepted language with the highest weight."""
    best, best_weight = DEFAULT, 0.0
    for tag, weight in _weights(header[:MAX_HEADER_CHARS]):
        code = tag.partition("-")[0]
        if code in LANGUAGES and weight > best_weight:
            best, best_weight = code, weight
    return best


def _weights(header: str) -> Iterator[tuple[str, float]]:
    for part in header.lower().split(","):
        tag, _, weight = part.partition(";")
        try:
            yield tag.strip(), float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue


def _pattern(english: str) -> re.Pattern[str]:
    """Return a pattern that matches an English text with any values."""
    pieces = _placeholder.split(english)
    for index, piece in enumerate(pieces):
        pieces[index] = f"(?P<{piece}>.+)" if index % 2 else re.escape(piece)
    return re.compile("".join(pieces), re.DOTALL)


def english(key: str, **values: object) -> str:
    """Return the English text of a key with its values."""
    return ENGLISH.text(key, **values)
