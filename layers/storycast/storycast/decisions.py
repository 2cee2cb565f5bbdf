"""Decisions: what people decide in a review, as an append-only log from which the state follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from storycast.footage import Record

MAX_CHANGES = 500
"""Of one decision: some 150 bytes each, far below the 400 KB of an item in DynamoDB."""
Verdict = Literal["open", "kept", "dropped"]
OPEN: Final = "open"
KEPT: Final = "kept"
DROPPED: Final = "dropped"
"""Values of a picture's verdict."""
UNACKNOWLEDGED: Final = "no"
ACKNOWLEDGED: Final = "yes"
"""Values of a rule of the caption lint: whether its findings may stay."""
IN_CAST = "cast"
"""Value of a character's standing; the other one is :data:`DROPPED`."""

FieldName = Literal["verdict", "caption", "character", "shown", "name", "standing", "acknowledged"]
"""``verdict``, ``caption``, ``character`` (whom it is of) and ``shown`` (the crop that stands for it) of a
picture; ``name`` and ``standing`` of a character; ``acknowledged`` of a rule of the caption lint. Two characters
of one name are one."""

Making = Literal[
    "keep",
    "drop",
    "reopen",
    "caption",
    "move",
    "use",
    "rename",
    "merge",
    "drop_character",
    "restore_character",
    "acknowledge",
    "undo",
]
"""What people do who review."""
What = Literal[Making, "finish", "time_out"]
"""What a decision is called where people read of it; its changes alone say what it does."""
CLOSING = frozenset({"finish", "time_out"})
"""After one of these a review takes no more decisions."""

Via = Literal["page", "bundle", "a2i", "auto", "rule"]
"""How a decision came in; ``rule`` is the project's own, such as ``review.on_timeout``."""


class SequenceTakenError(Exception):
    """Somebody else's decision has this number: read the log anew and try the next one."""


class Change(Record):
    """One value that a decision changes; ``before`` is what its maker saw."""

    subject: Annotated[str, Field(max_length=200)]
    """``picture:<crop id>``, ``character:<name as the run has it>`` or ``lint:<rule>``."""
    field: FieldName
    before: Annotated[str, Field(max_length=2048)]
    after: Annotated[str, Field(max_length=2048)]


class Decision(Record):
    """A line of ``review/decisions.jsonl``."""

    seq: Annotated[int, Field(ge=1)]
    """Its place in the log, from 1 without gaps."""
    id: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")]
    """Made by its maker, so that the same decision sent twice is one."""
    who: Annotated[str, Field(min_length=1, max_length=200)]
    when: str
    what: What
    via: Via
    undoes: str | None = None
    """Id of the decision that this one takes back."""
    changes: Annotated[tuple[Change, ...], Field(max_length=MAX_CHANGES)] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """What a field holds, and the decision that said so; None where it is as the run made it."""

    text: str
    by: Decision | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that was not made, since its field is no longer what its maker saw."""

    change: Change
    now: Value


@dataclass(slots=True)
class State:
    """What a review has come to: every field's value, and the decision that closed it."""

    values: dict[tuple[str, str], Value]
    seq: int = 0
    closed_by: Decision | None = None

    def text(self, subject: str, name: FieldName) -> str:
        """Return what a field holds.

        Raises:
            KeyError: The review has no such subject, or the subject no such field.
        """
        return self.values[subject, name].text

    def apply(self, decision: Decision) -> None:
        """Take over a decision of the log; changes of subjects that the review does not have are passed over."""
        for change in decision.changes:
            if (change.subject, change.field) in self.values:
                self.values[change.subject, change.field] = Value(change.after, decision)
        self.seq = decision.seq
        if decision.what in CLOSING:
            self.closed_by = decision

    def divided(self, changes: Iterable[Change]) -> tuple[list[Change], list[Conflict]]:
        """Divide changes into those that can be made and those that somebody else's decision is in the way of.

        A change that is so already is neither: two people who agree are no conflict.

        Raises:
            KeyError: A change names a subject or a field that the review does not have.
        """
        sound: list[Change] = []
        conflicts: list[Conflict] = []
        for change in changes:
            now = self.values[change.subject, change.field]
            if now.text == change.after:
                continue
            if now.text == change.before:
                sound.append(change)
            else:
                conflicts.append(Conflict(change, now))
        return sound, conflicts


def state_of(initial: Mapping[tuple[str, str], str], log: Sequence[Decision]) -> State:
    """Return the state that a log leads to from what the run made.

    Args:
        initial: Every field's first value, by subject and field.
        log: All decisions, by ``seq``.
    """
    state = State({key: Value(text) for key, text in initial.items()})
    for decision in log:
        state.apply(decision)
    return state


def closing(log: Iterable[Decision]) -> Decision | None:
    """Return the decision that closed a review; None where it is open."""
    return next((decision for decision in log if decision.what in CLOSING), None)


def picture(crop_id: str) -> str:
    """Return the subject that a picture is."""
    return f"picture:{crop_id}"


def character(name: str) -> str:
    """Return the subject that a character is, by its name in the run."""
    return f"character:{name}"


def lint_rule(rule: str) -> str:
    """Return the subject that a rule of the caption lint is."""
    return f"lint:{rule}"
