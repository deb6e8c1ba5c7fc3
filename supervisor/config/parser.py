"""INI reader: files to sections, and sections to expanded text.

`UnhosedConfigParser` keeps the name and the methods that plugins use.  Our own readers
take a whole `Section` from it, because single option look-ups in configparser dominate the
time to read a large configuration.
The client reads its own section with this module, so the module must not import anything
slow.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping

from supervisor.common.quoting import ShieldedText, shield, unshield
from supervisor.config.comments import NO_CLOSING_QUOTATION, comment_hint, section_lines
from supervisor.datatypes import process_or_group_name

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self, TextIO, TypeVar

    from supervisor.config.scales import Scales

    Converted = TypeVar("Converted")

NO_DEFAULT: Any = []
NO_EXPANSIONS: Mapping[str, object] = {}

MIN_LARGE_CHARS = 10_000
"""Length of a text from which on it saves time to parse its plain sections separately."""

PERCENT_HINT = "; a literal % is written %%"

# A doubled percent sign matches as a whole, so that `%%(here)s` remains unchanged.
HERE = r"%%|%\(here\)s"

HOST_NODE_NAME = "host_node_name"

PROGRAM_DEFAULT = "program-default"
"""Name of the section with the defaults of all programs."""


class ConfigurationError(ValueError):
    """An error on the command line or in a file; its text is one line for the user.

    The text names the problem and then, as far as known, its place:
    `... in section 'program:x' (file: '/etc/a.conf'), option 'startsecs'`.
    Messages with a value or from configparser may span several lines, which are joined because
    a command reports an error on one line.
    """

    def __init__(
        self,
        problem: object,
        section: str | None = None,
        file: str | None = None,
        option: str | None = None,
    ) -> None:
        # Keep leading spaces: 4.3.0 prints "Error:  is not an existing directory".
        first, *rest = str(problem).splitlines() or [""]
        super().__init__(
            "; ".join([first, *(line.lstrip() for line in rest if line.strip())])
            + (f" in section {section!r}" if section is not None else "")
            + (f" (file: {file!r})" if file is not None else "")
            + (f", option {option!r}" if option is not None else "")
        )
        self.section = section
        self.file = file
        self.option = option
        self.line: int | None = None


class Mistakes:
    """The rule for mistakes while a configuration is read: the first one ends the reading.

    It is also a context manager for each part of the configuration, such as a section, that can be
    read without the others.  `supervisord --check` replaces it to find all mistakes; see
    `config.problems`.
    """

    lost: frozenset[str] | set[str] = frozenset()
    """Names of the programs and groups that could not be read."""

    def report(self, error: ConfigurationError) -> None:
        """Raise the error; if this returns, the reader goes on without the value."""
        raise error

    def report_value(self, error: ConfigurationError) -> None:
        """Raise the error; if this returns, the reader goes on with the option's default."""
        raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool | None:
        return None


class Remark(str):
    """A line about a configuration that is valid, for the log, with the place that it is about.

    It is a warning unless `is_hint`.
    """

    __slots__ = ("file", "is_hint", "option", "section")

    section: str | None
    option: str | None
    file: str | None
    is_hint: bool

    def __new__(
        cls,
        text: str,
        section: str | None = None,
        option: str | None = None,
        file: str | None = None,
        *,
        is_hint: bool = False,
    ) -> Self:
        """Return the text with the place that it is about, as far as known."""
        self = super().__new__(cls, text)
        self.section = section
        self.option = option
        self.file = file
        self.is_hint = is_hint
        return self


def expand(value: str, expansions: Mapping[str, object], name: str) -> str:
    """Return `value` with its `%(name)s` fields expanded; `name` is the option, for errors.

    Every value may use `host_node_name`, even if `expansions` lacks it.  Raises ValueError if a
    name is unknown or a field is malformed.
    """
    if HOST_NODE_NAME in value:
        expansions = {**expansions, **host_expansion()}
    try:
        return value % expansions
    except KeyError as missing:
        raise ValueError(
            f"Format string {unshield(value)!r} for {name!r} contains names ({missing}) "
            f"which cannot be expanded. Available names: {', '.join(sorted(expansions))}"
        ) from None
    except (TypeError, ValueError, OverflowError) as problem:
        raise ValueError(
            f"Format string {unshield(value)!r} for {name!r} is badly formatted: {problem}"
            f"{PERCENT_HINT}"
        ) from None


class _Shielded:
    """Shielded expansions, for values in which quotes are syntax; see `common.quoting`."""

    def __init__(self, expansions: Mapping[str, object]) -> None:
        self._expansions = expansions

    def __getitem__(self, name: str) -> object:
        expansion = self._expansions[name]
        return ShieldedText(expansion) if isinstance(expansion, str) else expansion


def environment_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the expansions `ENV_NAME` for the variables of an environment."""
    return {f"ENV_{name}": value for name, value in environment.items()}


def host_expansion() -> dict[str, str]:
    """Return the expansion `host_node_name`, the name of the host (uname(2))."""
    return {HOST_NODE_NAME: os.uname().nodename}


class Section:
    """One section being read: its options, and the names that its values may use."""

    def __init__(self, parser: UnhosedConfigParser, name: str, names: Mapping[str, object]) -> None:
        self.name = name
        self.options: dict[str, Any] = parser.options_of(name)
        self.options.update(parser.defaults_for(name))
        self.names = names
        self._parser = parser
        self.mistakes = parser.mistakes

    def value(
        self,
        option: str,
        convert: Callable[[str], Any] = str,
        names: Mapping[str, object] | None = None,
        called: str | None = None,
        *,
        shielded: bool = False,
        expanded: bool = True,
    ) -> Any:
        """Return an option, expanded and converted; None if it is not set.

        `names` replaces the section's own names; `called` replaces `section.option` in errors.
        `shielded` shields the expansions as `common.quoting` explains.  A value that is not
        `expanded` is converted as it is.  Raises ConfigurationError for any ValueError of the
        conversion.
        """
        text = self.options.get(option)
        if text is None:
            return None
        if not isinstance(text, str):  # supervisor_twiddler stores any type
            text = str(text)
        if "\0" in text:  # not allowed in paths, arguments and variables
            raise self.error(f"null byte in {text!r}", option)
        try:
            if expanded and "%" in text:
                used = self.names if names is None else names
                plain = expand(text, used, called or f"{self.name}.{option}")
                text = text % _Shielded(used) if shielded else plain
            return convert(text)
        except ValueError as error:
            hint = self.comment_hint(option) if str(error) == NO_CLOSING_QUOTATION else ""
            raise self.error(f"{error}{hint}", option) from None

    def comment_hint(self, option: str) -> str:
        """Return a hint if a comment causes an unbalanced quote in an option's value, else ''."""
        owner = self._parser.owner_of(self.name, option)
        file = self._parser.file_of(owner, option)
        texts = [text for name, text, _ in self._parser.sources if name == file]
        return comment_hint(texts[-1], owner, option) if texts else ""

    @property
    def suffix(self) -> str:
        """The part of the section's name after the colon."""
        return self.name.partition(":")[2].strip()

    def name_of_group(self) -> str:
        """Return the suffix if it is a valid program or group name."""
        return self.convert(process_or_group_name, self.suffix)

    def convert(
        self, conversion: Callable[[str], Converted], text: str, option: str | None = None
    ) -> Converted:
        """Return the converted text; its ValueError becomes a ConfigurationError."""
        try:
            return conversion(text)
        except ValueError as error:
            raise self.error(error, option) from None

    def error(self, problem: object, option: str | None = None) -> ConfigurationError:
        """Return an error that names the section, file and option of the problem."""
        owner = self._parser.owner_of(self.name, option)
        return ConfigurationError(problem, owner, self._parser.file_of(owner, option), option)


class UnhosedConfigParser(configparser.RawConfigParser):
    """A RawConfigParser with Supervisor's comments, merged duplicates and `%()s` fields.

    It also holds the state that the readers of its sections share: the names that values may
    use (`expansions`, `here`), the `environment` of `[supervisord]`, the `program_defaults`, the
    `scales` of the daemon, and the `warnings` and `infos` to log once the log is open.  `mistakes`
    decides whether the first mistake ends the reading.
    """

    mysection = "supervisord"

    _sections: Mapping[str, dict[str, str]]  # of configparser: without `[DEFAULT]` merged in

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept the arguments of RawConfigParser, with Supervisor's comments and strictness."""
        self._has_plain_syntax = not args and not kwargs
        kwargs.setdefault("inline_comment_prefixes", (";", "#"))
        kwargs.setdefault("strict", False)
        super().__init__(*args, **kwargs)
        # section -> the first file that defines it
        self.section_to_file: dict[str, str] = {}
        # the included files, each with a parser of its own options
        self.included: list[tuple[str, UnhosedConfigParser]] = []
        self.mistakes = Mistakes()
        self.expansions: dict[str, object] = {}
        self.here = ""
        self.environment: Mapping[str, str] = {}
        # option, with its flat name -> value for the programs that do not set it
        self.program_defaults: dict[str, Any] = {}
        # called with the section and the config of each process, if defaults depend on its options
        self.adjust_process: Callable[[Section, Any], object] | None = None
        self.scales: Scales | None = None
        # path, text and file mode of each file read, the main file first
        self.sources: list[tuple[str, str, int]] = []
        # section -> file and line of its first definition, once they are needed
        self._places: dict[str, tuple[str, int]] | None = None
        # directories in which a new file would be included
        self.include_directories: list[str] = []
        self.warnings: list[Remark] = []
        self.infos: list[str] = []
        # uids whose groups have been looked up during this read
        self.users: set[tuple[int, ...]] = set()

    def read_string(self, string: str, source: str = "<string>") -> None:
        """Read a text; raises the errors of configparser.

        Of a large text, only what is not plain is left to configparser, which takes ten times as
        long; see `config.plain_sections`.
        """
        if len(string) < MIN_LARGE_CHARS or not self._has_plain_syntax:
            super().read_string(string, source)
            return
        from supervisor.config.plain_sections import split_plain  # most files are small

        rest, plain = split_plain(string, self.optionxform)
        try:
            super().read_string(rest, source)
        finally:
            for section, options in plain.items():
                self._sections[section].update(options)

    def _read(self, fp: Iterable[str], fpname: str) -> None:
        """Read one file; all public reading methods of configparser call this."""
        try:
            super()._read(fp, fpname)  # type: ignore[misc]  # missing in the stubs
        finally:
            for section in self.sections():
                self.section_to_file.setdefault(section, fpname)

    def section(self, name: str, **names: object) -> Section:
        """Return a section whose values may use `here`, the expansions and `names`."""
        used = {**self.expansions, "here": self.here, **names}
        return Section(self, name, used)

    def section_without_here(self, name: str) -> Section:
        """Return a section whose values may use only the expansions, as some do in 4.3.0."""
        section = self.section(name)
        section.names = self.expansions
        return section

    def remark(self, section: str, option: str, template: str) -> Remark:
        """Return a remark about an option; `{where}` in the template becomes section and file."""
        file = self.file_of(section, option)
        where = f"in section {section!r} (file: {file!r})"
        return Remark(template.replace("{where}", where), section, option, file)

    def file_of(self, section: str, option: str | None = None) -> str | None:
        """Return the file that sets an option, or else the first file with its section."""
        if option is not None and self.has_option(section, option):
            text = self.get(section, option)
            for filename, included in reversed(self.included):
                own = (included.get(name, option, fallback=None) for name in (section, "DEFAULT"))
                if text in own:
                    return filename
        return self.section_to_file.get(section)

    def options_of(self, section: str) -> dict[str, Any]:
        """Return the options of a section and of `[DEFAULT]`; raises NoSectionError.

        `items` returns the same, but takes five times as long.
        """
        own = self._sections.get(section)
        return dict(self.items(section)) if own is None else {**self.defaults(), **own}

    def defaults_for(self, section: str) -> dict[str, str]:
        """Return the options that a program has from `[program-default]`: those it does not set.

        They override `[DEFAULT]`, which is less specific.
        """
        common = self._sections.get(PROGRAM_DEFAULT) if section.startswith("program:") else None
        if not common:
            return {}
        own = self._sections.get(section, {})
        return {option: text for option, text in common.items() if option not in own}

    def owner_of(self, section: str, option: str | None) -> str:
        """Return the section that sets an option for another one: itself, or the defaults."""
        return PROGRAM_DEFAULT if option in self.defaults_for(section) else section

    def place_of(self, section: str) -> tuple[str, int]:
        """Return the file and the line (from 1) where a section begins, 0 for an unknown line."""
        if self._places is None:
            self._places = {}
            for file, text, _ in self.sources:
                for name, line in section_lines(text):
                    self._places.setdefault(name, (file, line))
        return self._places.get(section) or (self.section_to_file.get(section, ""), 0)

    def sections_of(self, kind: str) -> Iterator[str]:
        """Return the names of the sections `[kind:...]`, in the order of the files."""
        return (name for name in self.sections() if name.startswith(f"{kind}:"))

    def saneget(
        self,
        section: str,
        option: str,
        default: Any = NO_DEFAULT,
        do_expand: bool = True,  # noqa: FBT001, FBT002 - plugins rely on this signature
        expansions: Mapping[str, object] = NO_EXPANSIONS,
    ) -> Any:
        """Return the expanded text of an option, or `default`, which is also expanded.

        Raises NoSectionError, or NoOptionError without a default, as configparser does.
        """
        try:
            value = self.get(section, option)
        except configparser.NoOptionError:
            if default is NO_DEFAULT:
                raise
            value = default
        if do_expand and isinstance(value, str):
            value = expand(value, {**self.expansions, **expansions}, f"{section}.{option}")
        return value

    def getdefault(
        self,
        option: str,
        default: Any = NO_DEFAULT,
        expansions: Mapping[str, object] = NO_EXPANSIONS,
        **kwargs: Any,
    ) -> Any:
        """Return an option of the parser's main section; see `saneget`."""
        return self.saneget(self.mysection, option, default, expansions=expansions, **kwargs)

    def expand_here(self, here: str) -> None:
        """Replace `%(here)s` in every value read so far, defaults first."""
        plain, shielded = here.replace("%", "%%"), shield(here)

        def replaced(option: str, value: str) -> str:
            path = shielded if option == "environment" else plain
            return re.sub(HERE, lambda found: path if found[0] != "%%" else "%%", value)

        for option, value in self.defaults().items():
            self.set(self.default_section, option, replaced(option, value))
        for section in self.sections():
            for option, value in self.items(section):
                if "%(here)s" in value:
                    self.set(section, option, replaced(option, value))


def open_text(filename: str) -> TextIO:
    """Open a UTF-8 file, skipping a byte order mark."""
    return open(filename, encoding="utf-8-sig")


def read_file(
    parser: UnhosedConfigParser, filename: str, opener: Callable[[str], TextIO] = open_text
) -> None:
    """Read a file that `opener` opens into the parser.

    Raises ConfigurationError if it cannot be read or is malformed.
    """
    try:
        with opener(filename) as file:
            text = file.read()
            parser.sources.append((filename, text, _mode(file)))
        parser.read_string(text, filename)
    except OSError as error:
        mistake = ConfigurationError(f"could not read config file {filename}: {error.strerror}")
        mistake.file = filename
        raise mistake from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        mistake = ConfigurationError(f"{error} in line {line}", file=filename)
        mistake.line = line
        raise mistake from None
    except configparser.Error as error:
        mistake = ConfigurationError(error)
        mistake.file, mistake.line = filename, first_line(error)
        # The parser goes on after a line without `=`, but not after one before all sections.
        if isinstance(error, configparser.MissingSectionHeaderError):
            raise mistake from None
        parser.mistakes.report(mistake)


def first_line(error: configparser.Error) -> int | None:
    """Return the number of the first line that configparser rejects, if the error has one."""
    lines = getattr(error, "errors", None)  # of a ParsingError: pairs of number and text
    number = lines[0][0] if lines else getattr(error, "lineno", None)
    return number if isinstance(number, int) else None


def _mode(file: TextIO) -> int:
    """Return the mode of an open file, or 0 for in-memory text, which plugins may pass."""
    try:
        return os.fstat(file.fileno()).st_mode
    except (AttributeError, OSError, TypeError, ValueError):
        return 0
