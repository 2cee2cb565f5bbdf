"""Findings: what the lint says of a set of captions, and who has said that it may stay so."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from storycast.fingerprint import fingerprint
from storycast.footage import Record

Rule = Literal[
    "repeated_fragment",
    "repeated_traits",
    "kind_words",
    "near_identical",
    "missing_names",
    "wrong_cast",
    "unusable_caption",
    "caption_length",
]
RULES: tuple[Rule, ...] = get_args(Rule)
Severity = Literal["blocks", "notes"]
"""Whether a training is refused for it, or it is only told."""


@dataclass(frozen=True, slots=True)
class LintedCaption:
    """A caption and what is known of its picture."""

    id: str
    """The picture's crop id; its file where nobody knows that."""
    caption: str
    character: str | None = None
    """Whom the picture is of; None where nobody knows."""
    in_picture: tuple[str, ...] | None = None
    """Who is in it, by name; None where nobody knows."""
    by_person: bool = False
    """Whether a person wrote it, who has seen the picture."""


class Finding(Record):
    """One thing that is wrong with some of the captions."""

    id: str
    """The same for the same thing about the same captions."""
    rule: Rule
    severity: Severity
    message: str
    """In words, with counts."""
    crop_ids: tuple[str, ...]
    """The pictures whose captions are concerned, sorted."""
    fragment: str = ""
    """The words that it is about; empty where it is about none."""
    suggestion: str = ""
    """What to do, in a sentence."""


class Acknowledged(Record):
    """Somebody's word that a rule's findings may stay as they are."""

    rule: Rule
    who: str
    when: str = ""
    """Empty where a setting says it."""


class Lint(Record):
    """What the lint found; ``dataset/lint.json``."""

    version: Literal[1] = 1
    """Raised when a finding's shape changes: one of another shape is not read."""
    caption_count: int
    findings: tuple[Finding, ...]
    """By rule and weight."""
    left_out: tuple[str, ...] = ()
    """What could not be looked at, in words, with the reason."""
    acknowledged: tuple[Acknowledged, ...] = ()
    """By the review, and by the project's file."""

    @property
    def acknowledged_rules(self) -> frozenset[Rule]:
        """The rules whose findings the review lets stay."""
        return frozenset(one.rule for one in self.acknowledged)

    def blocking(self, acknowledged: Collection[str] = ()) -> tuple[Finding, ...]:
        """Return the findings that a training is refused for.

        Args:
            acknowledged: Rules whose findings may stay, besides those that the review lets stay.
        """
        allowed = self.acknowledged_rules | frozenset(acknowledged)
        return tuple(one for one in self.findings if one.severity == "blocks" and one.rule not in allowed)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are only told."""
        return tuple(one for one in self.findings if one.severity == "notes")


def finding(
    rule: Rule,
    message: str,
    crop_ids: Collection[str],
    *,
    blocks: bool,
    fragment: str = "",
    suggestion: str = "",
    about: str = "",
) -> Finding:
    """Return a finding with its id.

    Args:
        rule: Which rule found it.
        message: In words, with counts.
        crop_ids: The pictures concerned, in any order.
        blocks: Whether a training is refused for it.
        fragment: The words that it is about.
        suggestion: What to do.
        about: The character that it is about, where it is about one.
    """
    return Finding(
        id=fingerprint(rule=rule, about=about, fragment=fragment, crops=sorted(crop_ids)),
        rule=rule,
        severity="blocks" if blocks else "notes",
        message=message,
        crop_ids=tuple(sorted(crop_ids)),
        fragment=fragment,
        suggestion=suggestion,
    )


def rules_of(findings: Sequence[Finding]) -> tuple[Rule, ...]:
    """Return the rules of findings, each once, in the rules' order."""
    there = {one.rule for one in findings}
    return tuple(rule for rule in RULES if rule in there)


def captions_word(number: int) -> str:
    """Return a number of captions in words."""
    return f"{number:,} caption" if number == 1 else f"{number:,} captions"
