"""The screen: colours and live output on a terminal, plain lines elsewhere."""

import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text


def printable(text: str) -> str:
    """Return ``text`` with control characters made visible; it may come from a file's name or a service."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode("ascii") for one in text
    )


class Screen:
    """Where the command writes: results and progress to standard output, problems to standard error.

    Args:
        console: For results and progress.
        errors: For problems.
    """

    def __init__(self, console: Console | None = None, errors: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._errors = errors or Console(stderr=True, highlight=False)

    @classmethod
    def for_data(cls) -> "Screen":
        """Return a screen whose words all go to standard error, so that only data is on standard output."""
        return cls(Console(stderr=True, highlight=False))

    @property
    def is_live(self) -> bool:
        """Whether a person watches a terminal that can redraw lines."""
        dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
        return self.console.is_terminal and self.console.file.isatty() and not dumb

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self.console.print(Text(printable(text), style=style), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line that asks for attention."""
        self._labelled(self.console, "Warning: ", text, "yellow")

    def problem(self, text: str) -> None:
        """Print a problem to standard error."""
        self._labelled(self._errors, "Error: ", text, "bold red")

    def json(self, text: str) -> None:
        """Print data for programs to standard output, as it is."""
        sys.stdout.write(text + "\n")

    @staticmethod
    def _labelled(console: Console, label: str, text: str, style: str) -> None:
        console.print(Text.assemble((label, style), printable(text)), soft_wrap=True)


def bar(screen: Screen, what: str, total: int) -> Progress:
    """Return a bar that counts to ``total`` on a terminal, as its first task; elsewhere it shows nothing."""
    progress = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        console=screen.console,
        disable=not screen.is_live,
        transient=True,
    )
    progress.add_task(what, total=total)
    return progress
