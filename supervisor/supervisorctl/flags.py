"""Flags of a command: one declared table for parsing, help, completion and errors.

A pure machine.  A plugin declares the flags of its command `x` as `flags_x`, beside `do_x` and
`help_x`:

    flags_status = FlagTable(
        Flag("--json", help="Print one JSON array", machine_readable=True),
        unknown_is_name=True,
    )

Flags and names may be mixed (`status web --json`); `--` ends the flags.  Two kinds of commands
keep the arguments of Supervisor 4: with `unknown_is_name`, a word with a dash that is no flag
is a name; with `first_word_only`, only the first word can be a flag.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

NUMBER = "-N"
"""Name of a flag that is itself a number: `-100`."""

END_OF_FLAGS = "--"

MAX_SECONDS = 1e9
"""Limit of a duration, in seconds: far more than any timer accepts is an error in typing."""

BAD_ARGUMENT = "Error: bad argument {}"
"""Text of Supervisor 4 for a wrong flag of `tail`, used for those of every command."""

HELP_COLUMN = 24
"""Column at which the descriptions begin, as in the help of most commands."""


class Flag:
    """One row of a table.

    `names` are its spellings; the first one is the key of its value.  `value` is the word for
    its value in the help text (`--batch N`), empty for a switch.  `convert` turns the text of
    a value into an object, or raises ValueError; with `choices`, the value is one of these texts.
    `default` is the value of a flag that is not given.  A flag with an `implied` value may be given
    without a value; one that is given follows an equals sign (`--watch=5`), because the next word
    may be a name.  A flag without `help` is not listed, because the command's own text describes
    it.  `machine_readable` reserves stdout for output that another program parses.
    """

    def __init__(
        self,
        *names: str,
        help: str = "",  # noqa: A002 - as in argparse
        value: str = "",
        convert: Callable[[str], Any] = str,
        default: Any = None,
        implied: Any = None,
        choices: tuple[str, ...] = (),
        machine_readable: bool = False,
    ) -> None:
        self.names = names
        self.help = help
        self.value = value
        self.convert = convert
        self.takes_value = bool(value)
        self.implied = implied
        self.choices = choices
        self.default = default if value or NUMBER in names else False
        self.machine_readable = machine_readable

    @property
    def key(self) -> str:
        """The first name, under which `Arguments` has the value."""
        return self.names[0]

    def usage(self) -> str:
        """Return the names, and the word for the value: `-b, --batch N`, `--watch[=SECONDS]`."""
        names = ", ".join(self.names)
        if self.implied is not None:
            return f"{names}[={self.value}]"
        return f"{names} {self.value}".rstrip()

    def value_of(self, text: str) -> Any:
        """Return the value that a text means; raises ValueError."""
        if self.choices and text not in self.choices:
            raise ValueError(text)
        return self.convert(text)

    def completions(self) -> list[str]:
        """Return what Tab offers: the names, with each choice if there are choices."""
        if not self.choices:
            return list(self.names)
        return [f"{name}={choice}" for name in self.names for choice in self.choices]


class Arguments:
    """The parsed arguments of one command: `given["--json"]`, `given.names`.

    `error` is the text for the first wrong flag, or None.
    """

    def __init__(self, defaults: dict[str, Any]) -> None:
        self.names: list[str] = []
        self.error: str | None = None
        self.machine_readable = False
        self._values = defaults

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def set_value(self, flag: Flag, value: Any) -> None:
        """Store the value of a flag."""
        self._values[flag.key] = value
        self.machine_readable |= flag.machine_readable

    def refuse(self, error: str) -> None:
        """Store an error, unless there is an earlier one."""
        self.error = self.error or error


class FlagTable:
    """All flags of one command."""

    def __init__(
        self, *flags: Flag, unknown_is_name: bool = False, first_word_only: bool = False
    ) -> None:
        self._flags = flags
        self._by_name = {name: flag for flag in flags for name in flag.names}
        self._number = self._by_name.pop(NUMBER, None)
        self._unknown_is_name = unknown_is_name
        self._first_word_only = first_word_only

    def parse(self, words: Iterable[str]) -> Arguments:
        """Return flags and names; a wrong flag is not raised, but is the result's `error`."""
        given = Arguments({flag.key: flag.default for flag in self._flags})
        rest = iter(words)
        for word in rest:
            if word == END_OF_FLAGS and not self._first_word_only:
                break
            self._parse_word(given, word, rest)
            if self._first_word_only:
                break
        given.names += rest
        return given

    def _parse_word(self, given: Arguments, word: str, rest: Iterator[str]) -> None:
        """Store a flag or a name; the value of a flag may be the next word."""
        name, equals, text = word.partition("=")
        flag = self._by_name.get(name)
        if flag is not None and flag.implied is not None and not equals:
            given.set_value(flag, flag.implied)
        elif flag is not None and flag.takes_value:
            value = text if equals else next(rest, None)
            if value is None:
                given.refuse(f"Error: {name} requires a value")
            else:
                _convert(given, flag, value, word if equals else f"{word} {value}")
        elif flag is not None and not equals:
            given.set_value(flag, True)
        elif self._number is not None and word[:1] == "-" and word[1:].isdecimal():
            _convert(given, self._number, word[1:], word)
        elif word.startswith("-") and not self._unknown_is_name:
            given.refuse(BAD_ARGUMENT.format(word))
        else:
            given.names.append(word)

    def completions(self) -> dict[str, str]:
        """Return what Tab offers, each with the help of its flag."""
        flags = [flag for flag in self._flags if NUMBER not in flag.names]
        return {each: flag.help for flag in flags for each in flag.completions()}

    def help_lines(self) -> list[str]:
        """Return a line for each flag with a description."""
        width = HELP_COLUMN - 1
        return [f"{flag.usage():<{width}} {flag.help}" for flag in self._flags if flag.help]


def seconds(text: str) -> float:
    """Return a duration in seconds, above zero; raises ValueError."""
    value = float(text)
    if not 0 < value < MAX_SECONDS:  # also rejects nan
        raise ValueError(text)
    return value


NO_FLAGS = FlagTable()
"""Table of a command that declares none."""


def flags_of(plugin: object, command: str) -> FlagTable:
    """Return the table that a plugin declares for its command."""
    table: FlagTable = getattr(plugin, f"flags_{command}", NO_FLAGS)
    return table


def _convert(given: Arguments, flag: Flag, text: str, shown: str) -> None:
    try:
        given.set_value(flag, flag.value_of(text))
    except ValueError:
        given.refuse(BAD_ARGUMENT.format(shown))
