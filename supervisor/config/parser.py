"""The INI reader: files to sections, and sections to expanded text (floor 3).

`UnhosedConfigParser` keeps the name and the methods that plugins use.  Our own readers
take a whole `Section` from it, because asking configparser for one option at a time
costs more than everything else in reading a large configuration.
The client reads its own section with this module, so nothing heavy is imported here.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping

from supervisor.config.comments import NO_CLOSING_QUOTATION, comment_hint
from supervisor.datatypes import process_or_group_name
from supervisor.quoting import ShieldedText, shield, unshield

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TextIO, TypeVar

    Converted = TypeVar("Converted")

NO_DEFAULT: Any = []
NO_EXPANSIONS: Mapping[str, object] = {}

PERCENT_HINT = "; a literal % is written %%"

# A doubled percent sign is skipped whole, so that `%%(here)s` stays what it is.
HERE = r"%%|%\(here\)s"

HOST_NODE_NAME = "host_node_name"


class ConfigurationError(ValueError):
    """A mistake on the command line or in a file; its text is one line for the user.

    Behind what is wrong it says where, as far as that is known:
    `... in section 'program:x' (file: '/etc/a.conf'), option 'startsecs'`.
    Values and configparser write several lines, but to a command one line is the answer.
    """

    def __init__(
        self,
        problem: object,
        section: str | None = None,
        file: str | None = None,
        option: str | None = None,
    ) -> None:
        # The first line keeps its blanks: 4.3.0 prints "Error:  is not an existing directory".
        first, *rest = str(problem).splitlines() or [""]
        super().__init__(
            "; ".join([first, *(line.lstrip() for line in rest if line.strip())])
            + (f" in section {section!r}" if section is not None else "")
            + (f" (file: {file!r})" if file is not None else "")
            + (f", option {option!r}" if option is not None else "")
        )


def expand(value: str, expansions: Mapping[str, object], name: str) -> str:
    """Return `value` with its `%(name)s` fields filled in; `name` is the option's, for errors.

    Every value may use `host_node_name`, whether or not it is among the expansions.  Raises
    ValueError if a name is unknown or a field is malformed.
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
    """Expansions for a value in which quotes are syntax; see `supervisor.quoting`."""

    def __init__(self, expansions: Mapping[str, object]) -> None:
        self._expansions = expansions

    def __getitem__(self, name: str) -> object:
        expansion = self._expansions[name]
        return ShieldedText(expansion) if isinstance(expansion, str) else expansion


def environment_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the names under which values may use the variables of an environment."""
    return {f"ENV_{name}": value for name, value in environment.items()}


def host_expansion() -> dict[str, str]:
    """Return the host's name (uname(2)) under the name by which values use it."""
    return {HOST_NODE_NAME: os.uname().nodename}


class Section:
    """One section while it is read: its options, its file, and the names it may use."""

    def __init__(self, parser: UnhosedConfigParser, name: str, names: Mapping[str, object]) -> None:
        self.name = name
        self.options: dict[str, Any] = dict(parser.items(name))
        self.names = names
        self._parser = parser

    def value(
        self,
        option: str,
        convert: Callable[[str], Any] = str,
        names: Mapping[str, object] | None = None,
        called: str | None = None,
        *,
        shielded: bool = False,
    ) -> Any:
        """Return an option, expanded and converted; None if it is not set.

        `names` replace the section's own; `called` replaces `section.option` in errors.
        `shielded` expansions reach the conversion as `supervisor.quoting` explains.  Raises
        ConfigurationError for every ValueError of the conversion.
        """
        text = self.options.get(option)
        if text is None:
            return None
        if not isinstance(text, str):  # supervisor_twiddler sets what its callers give it
            text = str(text)
        if "\0" in text:  # no path, argument or variable can hold it
            raise self.mistake(f"null byte in {text!r}", option)
        try:
            if "%" in text:
                used = self.names if names is None else names
                expanded = expand(text, used, called or f"{self.name}.{option}")
                text = text % _Shielded(used) if shielded else expanded
            return convert(text)
        except ValueError as error:
            hint = self.comment_hint(option) if str(error) == NO_CLOSING_QUOTATION else ""
            raise self.mistake(f"{error}{hint}", option) from None

    def comment_hint(self, option: str) -> str:
        """Return the reason for an unbalanced quote in an option's value, '' if it has another."""
        file = self._parser.file_of(self.name, option)
        texts = [text for name, text, _ in self._parser.sources if name == file]
        return comment_hint(texts[-1], self.name, option) if texts else ""

    @property
    def suffix(self) -> str:
        """What stands behind the colon of the section's name."""
        return self.name.partition(":")[2].strip()

    def name_of_group(self) -> str:
        """Return the suffix if it may be the name of a program or a group."""
        return self.convert(process_or_group_name, self.suffix)

    def convert(
        self, conversion: Callable[[str], Converted], text: str, option: str | None = None
    ) -> Converted:
        """Return the converted text; its ValueError becomes a ConfigurationError."""
        try:
            return conversion(text)
        except ValueError as error:
            raise self.mistake(error, option) from None

    def mistake(self, problem: object, option: str | None = None) -> ConfigurationError:
        """Return the error that says where the problem stands."""
        file = self._parser.file_of(self.name, option)
        return ConfigurationError(problem, self.name, file, option)


class UnhosedConfigParser(configparser.RawConfigParser):
    """A RawConfigParser with Supervisor's comments, merged duplicates and `%()s` fields.

    It also carries what the readers of its sections share: the names that values may use
    (`expansions`, `here`), the `environment` of `[supervisord]`, and the `warnings` and
    `infos` that can only be logged once the log is open.
    """

    mysection = "supervisord"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what RawConfigParser takes; comments and strictness are ours by default."""
        kwargs.setdefault("inline_comment_prefixes", (";", "#"))
        kwargs.setdefault("strict", False)
        super().__init__(*args, **kwargs)
        # section -> the first file in which it stands
        self.section_to_file: dict[str, str] = {}
        # the files that were laid over the main one, with what each says itself
        self.included: list[tuple[str, UnhosedConfigParser]] = []
        self.expansions: dict[str, object] = {}
        self.here = ""
        self.environment: Mapping[str, str] = {}
        # what was read, the main file first: path, text, and mode of the descriptor
        self.sources: list[tuple[str, str, int]] = []
        # the directories in which a new file would be included
        self.include_directories: list[str] = []
        self.warnings: list[str] = []
        self.infos: list[str] = []
        # the uids whose groups have been looked up in this reading
        self.users: set[int] = set()

    def _read(self, fp: Iterable[str], fpname: str) -> None:
        """Read one file, as all of configparser's reading methods do through this one."""
        super()._read(fp, fpname)  # type: ignore[misc]  # the stubs leave it out
        for section in self.sections():
            self.section_to_file.setdefault(section, fpname)

    def section(self, name: str, **names: object) -> Section:
        """Return a section whose values may use `here`, the expansions and further names."""
        used = {**self.expansions, "here": self.here, **names}
        return Section(self, name, used)

    def section_without_here(self, name: str) -> Section:
        """Return a section whose values may use the expansions only, as some of 4.3.0's do."""
        section = self.section(name)
        section.names = self.expansions
        return section

    def file_of(self, section: str, option: str | None = None) -> str | None:
        """Return the file in which an option stands, or where its section begins."""
        if option is not None and self.has_option(section, option):
            text = self.get(section, option)
            for filename, included in reversed(self.included):
                own = (included.get(name, option, fallback=None) for name in (section, "DEFAULT"))
                if text in own:
                    return filename
        return self.section_to_file.get(section)

    def sections_of(self, kind: str) -> Iterator[str]:
        """Return the names of the sections `[kind:...]`, in the order of the files."""
        return (name for name in self.sections() if name.startswith(f"{kind}:"))

    def saneget(
        self,
        section: str,
        option: str,
        default: Any = NO_DEFAULT,
        do_expand: bool = True,  # noqa: FBT001, FBT002 - the signature that plugins call
        expansions: Mapping[str, object] = NO_EXPANSIONS,
    ) -> Any:
        """Return the expanded text of an option, or `default`, which is expanded too.

        Raises NoOptionError without a default and NoSectionError, as configparser does.
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
        """Return an option of the parser's main section, as `saneget` does."""
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
    """Open a file, which may begin with a byte order mark."""
    return open(filename, encoding="utf-8-sig")


def read_file(
    parser: UnhosedConfigParser, filename: str, opener: Callable[[str], TextIO] = open_text
) -> None:
    """Read a file that `opener` opens.

    Raises ConfigurationError if it cannot be read or is malformed.
    """
    try:
        with opener(filename) as file:
            text = file.read()
            parser.sources.append((filename, text, _mode(file)))
        parser.read_string(text, filename)
    except OSError as error:
        raise ConfigurationError(
            f"could not read config file {filename}: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{error} in line {line}", file=filename) from None
    except configparser.Error as error:
        raise ConfigurationError(error) from None


def _mode(file: TextIO) -> int:
    """Return the mode of an open file; 0 for text in memory, which plugins may open."""
    try:
        return os.fstat(file.fileno()).st_mode
    except (AttributeError, OSError, TypeError, ValueError):
        return 0
