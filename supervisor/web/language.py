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

TRANSLATED_ATTRIBUTES: Final = ("placeholder", "aria-label", "alt", "title", "data-empty")

NESTED: Final = frozenset(
    {"message", "reason", "why", "uptime", "description", "subject", "span", "times", "health"}
)
"""Values of a message that are messages themselves."""

LISTED: Final = frozenset({"failed", "names"})
"""Values of a message that list names, each of which a reason in parentheses may follow."""

DATED: Final = "time"
"""Value of a message that may be a date in the format of ctime(3)."""

MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

_date = re.compile(r"\w{3} (\w{3}) +(\d\d?) (\d\d):(\d\d):(\d\d) (\d{4})").fullmatch
_split_list = re.compile(r", (?=\S+ \(|\d+ more\Z)").split
_listed = re.compile(r"(\S+) \((.*)\)", re.DOTALL).fullmatch
_more = re.compile(r"(\d+) more").fullmatch

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
        for name in (NESTED | LISTED) & shown.keys():
            shown[name] = self._value(name, shown[name], 0)
        return self.text(f"explain.{key}", **shown)

    def message(self, english: str, depth: int = 0) -> str:
        """Return a message or description in this language, unchanged if it is not known."""
        if self.code == DEFAULT or depth > MAX_NESTING or len(english) > MAX_MESSAGE_CHARS:
            return english
        for pattern, template in self._patterns.get(english[:1], self._patterns[""]):
            found = pattern.fullmatch(english)
            if found is not None:
                values = {
                    name: self._value(name, value, depth + 1)
                    for name, value in found.groupdict().items()
                }
                return template.format(**values)
        return english

    def _value(self, name: str, english: str, depth: int) -> str:
        """Return a value of a message in this language."""
        if name in NESTED:
            return self.message(english, depth)
        if name in LISTED:
            return self._list(english, depth)
        return self._date(english) if name == DATED else english

    def _list(self, english: str, depth: int) -> str:
        """Return a list as in `web (spawn error), db (no such file), 4 more`."""
        shown = []
        for item in _split_list(english):
            found, more = _listed(item), _more(item)
            if found is not None:
                reason = self.message(found[2], depth)
                shown.append(self.text("failed.process", name=found[1], reason=reason))
            else:
                shown.append(item if more is None else self.text("failed.more", count=more[1]))
        return self.text("script.comma").join(shown)

    def _date(self, english: str) -> str:
        """Return a date of ctime(3) in the format of this language."""
        found = _date(english)
        if found is None or found[1] not in MONTHS:
            return english
        year, month = int(found[6]), MONTHS.index(found[1]) + 1
        day, hour, minute, second = (int(found[number]) for number in range(2, 6))
        moment = time.struct_time((year, month, day, hour, minute, second, 0, 1, -1))
        return time.strftime(self.text("time"), moment)

    @cached_property
    def _patterns(self) -> dict[str, list[tuple[re.Pattern[str], str]]]:
        """First character of a message -> the patterns of the table that it may match, in order.

        Those that begin with a value are in each list, and are the only ones of "".
        """
        patterns: dict[str, list[tuple[re.Pattern[str], str]]] = {"": []}
        for key, texts in TEXTS.items():
            if key.startswith("message."):
                first = texts[DEFAULT][0].replace("{", "")
                for each in [first] if first else [*patterns]:
                    known = patterns.setdefault(each, [*patterns[""]])
                    known.append((_pattern(texts[DEFAULT]), texts[self.code]))
        return patterns

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
        value = r"[\d.]+" if piece == "count" else ".+"
        pieces[index] = f"(?P<{piece}>{value})" if index % 2 else re.escape(piece)
    return re.compile("".join(pieces), re.DOTALL)


def english(key: str, **values: object) -> str:
    """Return the English text of a key with its values."""
    return ENGLISH.text(key, **values)
