"""The command that the completion scripts of shells run: complete."""

from __future__ import annotations

from supervisor.supervisorctl.commands import CommandGroup
from supervisor.supervisorctl.flags import Flag, FlagTable

WORD = "--word"


class CompleteCommands(CommandGroup):
    """The command `complete`."""

    flags_complete = FlagTable(
        Flag(WORD, help="The word to complete, which may be empty", value="WORD", default=""),
        first_word_only=True,
    )

    def do_complete(self, arg: str) -> None:
        """Print the possible completions of a word, each with its description after a tab."""
        given = self._parse("complete", arg)
        if given is None:
            return
        found = self.ctl.completions(given[WORD], given.names)
        if found:
            self.ctl.output("\n".join(f"{word}\t{about}" for word, about in found.items()))

    def help_complete(self) -> None:
        """Print the help of `complete`."""
        self.ctl.output("complete <word> [...]\tShow what may follow these words, for shells")
