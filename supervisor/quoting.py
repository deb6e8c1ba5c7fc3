r"""`environment=`: pairs with quotes, and values that no quote of theirs can end (floor 0).

A field such as `%(ENV_X)s` is expanded before the text is split into pairs.  Quotes, backslashes
and separators of the text count, those of a variable do not, or a password would be cut at its
first quote.  So the characters of an expanded value that mean something are shielded: replaced,
one by one, by code points that no other text has (U+D800 and the following, which neither
a file nor an environment can hold), until the pairs have been found.  The length of the value
stays the same, so that `%(ENV_X).3s` means what it says.

An expansion where a name is expected is text of the file like any other: `%(ENV_MORE)s` may
hold whole pairs.
"""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from shlex import shlex

EMPTY = "\ud800"
"""Shields a value of no characters, which is a value nevertheless: `A=%(ENV_X)s`."""

_SHIELD = {code: ord(EMPTY) + code for code in range(1, 128) if not chr(code).isalnum()}
_UNSHIELD = {ord(EMPTY): None} | {shielded: code for code, shielded in _SHIELD.items()}


def shield(value: str) -> str:
    """Return a value whose characters mean nothing to `dict_of_key_value_pairs`."""
    return value.translate(_SHIELD) or EMPTY


def unshield(text: str) -> str:
    """Return a text with its shielded parts as they were."""
    return text.translate(_UNSHIELD)


class ShieldedText(str):
    """A text that a `%s` field fills in shielded."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the shielded text."""
        return shield(self)


class _WordCharacters(str):
    """Every character outside of ASCII is one that words are made of."""

    __slots__ = ()

    def __contains__(self, character: object) -> bool:
        return str(character) > "\x7f" or super().__contains__(character)  # type: ignore[operator]


def dict_of_key_value_pairs(value: str | None) -> dict[str, str]:
    """Return the pairs of `KEY="value",OTHER=value`, in which a comma may be left last.

    Quotes are those of a POSIX shell: either kind protects commas, blanks and the other
    kind, and a backslash protects the next character except within single quotes.  Raises
    ValueError.
    """
    text = str(value)
    tokens = _tokens(text)
    pairs = {}
    while group := list(islice(tokens, 4)):  # key, equal sign, value, separator
        if len(group) < 3 or group[1] != "=":  # noqa: PLR2004 - the separator may be missing
            raise ValueError(f"Unexpected end of key/value pairs in value {unshield(text)!r}")
        pairs[group[0]] = group[2]
    return pairs


def _tokens(text: str) -> Iterator[str]:
    """Yield keys, equal signs, values and separators; only values may be shielded."""
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
