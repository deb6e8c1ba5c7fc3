"""All problems of a configuration, for `supervisord --check`.

The reader of the configuration reports its mistakes to an object, `Mistakes`, whose ordinary rule
is to raise the first.  `AllMistakes` keeps them, and the reader goes on: with the default of an
option whose value is invalid, and without a section that cannot be read at all.
"""

from __future__ import annotations

from supervisor.common.records import record
from supervisor.common.text import one_line
from supervisor.config import settings
from supervisor.config.comments import option_lines
from supervisor.config.parser import ConfigurationError, Mistakes, Remark, UnhosedConfigParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from supervisor.config.model import Configuration
    from supervisor.config.settings import Source

ERROR, WARNING, HINT = "error", "warning", "hint"
"""Severities of a problem: the daemon would not start, it would, and there is a better way."""

MAX_SHOWN_CHARS = 4096
"""Length to which the path of a file is shortened in a line, that of the longest path."""


@record(frozen=True)
class Problem:
    """One problem; `line` (from 1) is that of the option or of its section, if known."""

    severity: str
    text: str
    section: str | None = None
    option: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return one line in the format of compilers, which editors understand."""
        place = "" if self.file is None else f"{one_line(self.file, MAX_SHOWN_CHARS)}:"
        if self.line is not None:
            place += f"{self.line}:"
        return f"{place} {self.severity}: {self.text}".lstrip()


class AllMistakes(Mistakes):
    """The rule that all mistakes are kept, in the order in which they are found."""

    def __init__(self) -> None:
        self.errors: dict[str, ConfigurationError] = {}  # by text: numprocs repeats them
        self.places: set[tuple[str | None, str | None]] = set()  # section and option of each
        self.lost: set[str] = set()
        self._invalid: set[tuple[str | None, str | None]] = set()

    def report(self, error: ConfigurationError) -> None:
        """Keep the error, unless it follows from an invalid value ("there is no command")."""
        if error.option is None or (error.section, error.option) not in self._invalid:
            self.errors.setdefault(str(error), error)
            self.places.add((error.section, error.option))

    def report_value(self, error: ConfigurationError) -> None:
        """Keep the first error about the value of an option."""
        self.report(error)
        self._invalid.add((error.section, error.option))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        """Keep an error that ends the reading of a part, and go on after that part."""
        if not isinstance(error, ConfigurationError):
            return False
        self.report(error)
        if error.section is not None:
            self.lost.add(error.section.partition(":")[2].strip())
        return True


class Findings:
    """The problems of one configuration, in the order in which they are found."""

    def __init__(self) -> None:
        self.parser = UnhosedConfigParser()
        self.problems: dict[Problem, None] = {}
        self._lines: dict[str, dict[tuple[str, str], int]] = {}
        self._mistakes = self.parser.mistakes = AllMistakes()

    def read(self, source: Source, command_line: Mapping[str, Any]) -> Configuration | None:
        """Read a configuration; return it, None if it is too incomplete for further checks."""
        configuration = None
        with self._mistakes:
            configuration = settings.read(source, command_line, parser=self.parser)
        for error in self._mistakes.errors.values():
            self.add(ERROR, error)
        for remark in configuration.warnings if configuration is not None else ():
            self.add_remark(remark)
        return configuration

    def add(self, severity: str, about: ConfigurationError | Remark) -> None:
        """Add a problem; its text and place are those of an error or a remark."""
        section, option, file = about.section, about.option, about.file
        line = about.line if isinstance(about, ConfigurationError) else None
        if section is not None and self.parser.has_section(section):
            file = file or self.parser.file_of(section, option)
            line = line or self._line(file or "", section, option)
        self.problems[Problem(severity, str(about), section, option, file, line)] = None

    def add_remark(self, remark: Remark) -> None:
        """Add a warning or a hint, unless it is about an option whose value is a mistake."""
        if remark.section is None or not self.is_invalid(remark.section, remark.option):
            self.add(HINT if remark.is_hint else WARNING, remark)

    def report(self, severity: str, text: str, section: str, option: str) -> None:
        """Add a problem of an option; its section, file and name are appended to the text."""
        self.add(severity, self.parser.section(section).error(text, option))

    def is_invalid(self, section: str, option: str | None) -> bool:
        """Whether there is a mistake in an option, so that further checks make no sense."""
        return option is not None and (section, option) in self._mistakes.places

    def _line(self, file: str, section: str, option: str | None) -> int | None:
        """Return the line of an option, or else of its section."""
        if option is not None:
            lines = self._option_lines(file)
            line = lines.get((section, option)) or lines.get(("DEFAULT", option))
            if line is not None:
                return line
        place, line = self.parser.place_of(section)
        return line if line and place == file else None

    def _option_lines(self, file: str) -> dict[tuple[str, str], int]:
        if file not in self._lines:
            texts = [text for name, text, _ in self.parser.sources if name == file]
            self._lines[file] = option_lines(texts[-1]) if texts else {}
        return self._lines[file]
