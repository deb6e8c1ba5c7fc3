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

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs the client 2 ms
    from collections.abc import Iterable, Iterator
    from typing import Any

NO_DEFAULT: Any = []
NO_EXPANSIONS: Mapping[str, object] = {}

# A doubled percent sign is skipped whole, so that `%%(here)s` stays what it is.
HERE = re.compile(r"%%|%\(here\)s")


class ConfigurationError(ValueError):
    """A mistake on the command line or in a file; its text is one line for the user."""


def expand(value: str, expansions: Mapping[str, object], name: str) -> str:
    """Return `value` with its `%(name)s` fields filled in; `name` is the option's, for errors.

    Raises ValueError if a name is unknown or a field is malformed.
    """
    try:
        return value % expansions
    except KeyError as missing:
        raise ValueError(
            f"Format string {value!r} for {name!r} contains names ({missing}) which cannot be "
            f"expanded. Available names: {', '.join(sorted(expansions))}"
        ) from None
    except (TypeError, ValueError, OverflowError) as problem:
        raise ValueError(
            f"Format string {value!r} for {name!r} is badly formatted: {problem}"
        ) from None


def environment_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the names under which values may use the variables of an environment."""
    return {f"ENV_{name}": value for name, value in environment.items()}


def host_node_name() -> str:
    """Return what `%(host_node_name)s` stands for."""
    return os.uname().nodename


class Section:
    """One section while it is read: its options, its file, and the names it may use."""

    def __init__(
        self, name: str, options: Mapping[str, str], names: Mapping[str, object], file: str | None
    ) -> None:
        self.name = name
        self.options = options
        self.names = names
        self.file = file

    def text(
        self,
        option: str,
        names: Mapping[str, object] | None = None,
        called: str | None = None,
    ) -> str | None:
        """Return the expanded text of an option, None if it is not set.

        `names` replace the section's own; `called` replaces `section.option` in errors.
        """
        value = self.options.get(option)
        if value is None or "%" not in value:
            return value
        used = self.names if names is None else names
        return expand(value, used, called or f"{self.name}.{option}")

    @property
    def suffix(self) -> str:
        """What stands behind the colon of the section's name."""
        return self.name.partition(":")[2].strip()

    def where(self) -> str:
        """Return the words that errors of programs end with."""
        return f" in section {self.name!r} (file: {self.file!r})"


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
        self.expansions: dict[str, object] = {}
        self.here = ""
        self.environment: Mapping[str, str] = {}
        self.warnings: list[str] = []
        self.infos: list[str] = []

    def _read(self, fp: Iterable[str], fpname: str) -> None:
        """Read one file, as all of configparser's reading methods do through this one."""
        super()._read(fp, fpname)  # type: ignore[misc]  # the stubs leave it out
        for section in self.sections():
            self.section_to_file.setdefault(section, fpname)

    def section(self, name: str, **names: object) -> Section:
        """Return a section whose values may use `here`, the expansions and further names."""
        used = {**self.expansions, "here": self.here, **names}
        return Section(name, dict(self.items(name)), used, self.section_to_file.get(name))

    def section_without_here(self, name: str) -> Section:
        """Return a section whose values may use the expansions only, as some of 4.3.0's do."""
        section = self.section(name)
        section.names = self.expansions
        return section

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
        here = here.replace("%", "%%")

        def replaced(value: str) -> str:
            return HERE.sub(lambda found: here if found[0] != "%%" else "%%", value)

        for option, value in self.defaults().items():
            self.set(self.default_section, option, replaced(value))
        for section in self.sections():
            for option, value in self.items(section):
                if "%(here)s" in value:
                    self.set(section, option, replaced(value))


def read_file(parser: UnhosedConfigParser, filename: str) -> None:
    """Read the main file; ConfigurationError if it cannot be read or is malformed."""
    try:
        with open(filename, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError:
        raise ConfigurationError(f"could not read config file {filename}") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(str(error)) from None
