"""Asking before money is spent, or something is lost that cost money."""

import sys

import typer

from cli.problems import InputRefusedError
from cli.screen import Screen


def agreed(question: str, why: str, screen: Screen, *, yes: bool) -> bool:
    """Ask a person once, and return what they say.

    Args:
        question: What to ask.
        why: What the answer decides on, for where nobody can be asked.
        screen: Whether a person watches it.
        yes: Whether they said so beforehand.

    Raises:
        InputRefusedError: Nobody can be asked, and nobody said yes.
    """
    if yes:
        return True
    if not (screen.console.is_terminal and sys.stdin.isatty()):
        raise InputRefusedError([f"{why} Nobody can be asked here: say --yes to agree."])
    return typer.confirm(question, default=False)
