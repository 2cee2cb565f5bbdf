"""The corpus: what is given to Storycast, through which door, and what is told of it; see ``docs/bad-input.md``.

A case is made and judged in a folder of its own, in a process of its own with limits; see :mod:`process`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What somebody gets to see; the code is the command's own, or the one with which it ends after such a run."""

    code: int
    told: str


@dataclass(frozen=True)
class Door:
    """A way in."""

    name: str
    """As the page calls it."""
    enter: Callable[..., Outcome]
    """Takes what a case gives, in the current folder."""


@dataclass(frozen=True)
class Case:
    """An input and what is told of it."""

    what: str
    door: Door
    given: Callable[[], Any]
    """Makes the input in the current folder, and returns what the door takes: one thing or a tuple."""
    code: int
    told: str

    def outcome(self) -> Outcome:
        """Give the input to its door."""
        given = self.given()
        return self.door.enter(*given) if isinstance(given, tuple) else self.door.enter(given)


def all_cases() -> Sequence[tuple[str, Sequence[Case]]]:
    """Return the cases by the heading under which the page has them."""
    from tests.bad_input import (
        answers,
        command_lines,
        decisions,
        events,
        manifests,
        object_keys,
        pictures,
        projects,
        videos,
    )

    return [
        ("Films", videos.CASES),
        ("Pictures", pictures.CASES),
        ("Project files", projects.CASES),
        ("Keys of uploads", object_keys.CASES),
        ("Events and requests", events.CASES),
        ("Manifests", manifests.CASES),
        ("Decisions of a review", decisions.CASES),
        ("Answers of models", answers.CASES),
        ("Command lines", command_lines.CASES),
    ]


def find(what: str) -> Case:
    """Return the case of this name."""
    return next(case for _, cases in all_cases() for case in cases if case.what == what)
