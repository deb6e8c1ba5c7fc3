r"""Parser of the `KEY="value"` pairs of `environment=`.

Fields such as `%(ENV_X)s` are expanded before the text is split into pairs.  Quotes, backslashes
and separators are syntax in the file, but data in the value of a variable: otherwise a password
would be truncated at its first quote.  The special characters of an expanded value are therefore
shielded.  Until the pairs are parsed, each is replaced by a code point from U+D800 on, which
occurs neither in a file nor in an environment.  Shielding preserves the length of the value, so
that `%(ENV_X).3s` still works.

An expansion in the position of a key is parsed as if it were in the file, because
`%(ENV_MORE)s` may contain whole pairs.
"""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from shlex import shlex

EMPTY = "\ud800"
"""Placeholder for an empty value, so that `A=%(ENV_X)s` remains a pair."""

_SHIELD = {code: ord(EMPTY) + code for code in range(1, 128) if not chr(code).isalnum()}
_UNSHIELD = {ord(EMPTY): None} | {shielded: code for code, shielded in _SHIELD.items()}


def shield(value: str) -> str:
    """Return the value with its special characters shielded; see the module docstring."""
    return value.translate(_SHIELD) or EMPTY


def unshield(text: str) -> str:
    """Return the text with its shielded characters restored."""
    return text.translate(_UNSHIELD)


class ShieldedText(str):
    """A string that `%s` inserts in shielded form."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the shielded text."""
        return shield(self)


class _WordCharacters(str):
    """Word characters for `shlex`, extended by all non-ASCII characters."""

    __slots__ = ()

    def __contains__(self, character: object) -> bool:
        return str(character) > "\x7f" or super().__contains__(character)  # type: ignore[operator]


def dict_of_key_value_pairs(value: str | None) -> dict[str, str]:
    """Return the pairs of `KEY="value",OTHER=value`; a trailing comma is allowed.

    Quotes work as in a POSIX shell: both kinds quote commas, blanks and the other kind, and a
    backslash escapes the next character except within single quotes.  Raises ValueError.
    """
    text = str(value)
    tokens = _tokens(text)
    pairs = {}
    while group := list(islice(tokens, 4)):  # key, equals sign, value, separator
        if len(group) < 3 or group[1] != "=":  # noqa: PLR2004 - the separator may be missing
            raise ValueError(f"Unexpected end of key/value pairs in value {unshield(text)!r}")
        pairs[group[0]] = group[2]
    return pairs


def _tokens(text: str) -> Iterator[str]:
    """Yield keys, equals signs, values and separators; split shielded non-values again."""
    count = 0
    for token in _lexer(text):
        plain = unshield(token)
        is_value = count % 4 == 2  # noqa: PLR2004 - see dict_of_key_value_pairs
        found = [plain] if is_value or plain == token else list(_lexer(plain))
        count += len(found)
        yield from found


def _lexer(text: str) -> shlex:
    import shlex

    lexer = shlex.shlex(text, posix=True)
    lexer.wordchars = _WordCharacters(lexer.wordchars + "/.+-():")
    return lexer
