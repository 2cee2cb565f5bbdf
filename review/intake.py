"""The intake: decisions that were made in an offline bundle, read strictly and taken to the desk."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from review.drafts import Draft, DraftInvalidError, parsed
from storycast.decisions import Conflict
from storycast.footage import Record
from storycast.review import ChangeRefusedError
from storycast.review_desk import ReviewDesk

MOST_FILE_BYTES = 16 * 1024 * 1024
MOST_DECISIONS = 20_000


class FileRefusedError(ValueError):
    """A file is not one of decisions for this run; the message names it and says why."""


class _BundledDraft(Draft):
    when: Annotated[str, Field(max_length=40)]
    """When it was made in the bundle. The log has when it was taken in: its order is what counts."""


class DecisionsFile(Record):
    """What the bundle's page gives: one person's decisions, in the order in which they were made."""

    format: Literal["storycast-decisions-1"]
    run_id: Annotated[str, Field(max_length=40)]
    who: Annotated[str, Field(min_length=1, max_length=200)]
    decisions: Annotated[tuple[_BundledDraft, ...], Field(max_length=MOST_DECISIONS)]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file's decisions."""

    new: int
    """How many were taken in."""
    known: int
    """How many were in the log already, or changed nothing any more."""
    conflicts: tuple[Conflict, ...]
    """Changes that were left out, since others decided otherwise meanwhile; the last of each field."""
    refused: tuple[str, ...]
    """Why decisions can't be, in words."""


def read_decisions(path: Path) -> DecisionsFile:
    """Read a file of decisions.

    Raises:
        FileRefusedError: It is none.
        OSError: It can't be read.
    """
    if path.is_fifo():
        # Nobody may ever write to it.
        raise FileRefusedError(f"{path} is no regular file: it is no file of decisions from a review's bundle.")
    with path.open("rb") as file:
        content = file.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise FileRefusedError(
            f"{path} has more than {MOST_FILE_BYTES:,} bytes: it is no file of decisions from a review's bundle."
        )
    try:
        read = parsed(DecisionsFile, content)
    except DraftInvalidError as error:
        raise FileRefusedError(f"{path} is no file of decisions from a review's bundle: {error}") from None
    if not read.who.isprintable() or read.who != read.who.strip():
        raise FileRefusedError(f"{path} names nobody who can decide: {read.who!a}.")
    return read


def take_in(desk: ReviewDesk, file: DecisionsFile) -> Taken:
    """Take a file's decisions to the desk, in their order; those that are in the log already change nothing.

    Args:
        desk: The desk of the run that the file is of.
        file: The decisions.

    Raises:
        ReviewClosedError: The review takes no more decisions; what was taken in before stays.
    """
    log = {decision.id for decision in desk.decisions()}
    # What comes before something that is in the log was looked at then: how things are now decides nothing anew.
    seen = max((number for number, one in enumerate(file.decisions, 1) if one.id in log), default=0)
    intake = _Intake(desk, file.who)
    for draft in file.decisions[seen:]:
        intake.take(draft)
    return Taken(intake.new, seen + intake.known, tuple(intake.conflicts.values()), tuple(intake.refused))


class _Intake:
    """Takes one decision after the other to the desk, and remembers what became of them."""

    def __init__(self, desk: ReviewDesk, who: str) -> None:
        self._desk = desk
        self._who = who
        self._left_out: set[str] = set()
        self.new = self.known = 0
        self.conflicts: dict[tuple[str, str], Conflict] = {}
        self.refused: list[str] = []

    def take(self, draft: Draft) -> None:
        fields = [(change.subject, change.field) for change in draft.changes]
        if draft.undoes in self._left_out:
            # It takes back what was never taken in.
            self._forget(fields)
            self.known += 1
            return
        try:
            answer = self._desk.decide(draft.proposal(self._who, "bundle"))
        except (ChangeRefusedError, DraftInvalidError) as error:
            self._left_out.add(draft.id)
            self.refused.append(str(error))
            return
        left_out = {(one.change.subject, str(one.change.field)): one for one in answer.conflicts}
        if draft.undoes:
            # Nor is it a conflict to take back the part of a decision that was left out.
            left_out = {field: one for field, one in left_out.items() if field not in self.conflicts}
        self._forget(fields)
        self.conflicts |= left_out
        if answer.decision:
            self.new += 1
        else:
            self._left_out.add(draft.id)
            self.known += not answer.conflicts

    def _forget(self, fields: Iterable[tuple[str, str]]) -> None:
        for field in fields:
            self.conflicts.pop(field, None)
