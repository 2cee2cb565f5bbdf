"""Approval: which pictures a review's decisions leave in the dataset, as what, and why the others are out."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from pydantic import Field

from storycast.caption_faults import flag
from storycast.caption_lint.findings import RULES, Acknowledged
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage, file_name
from storycast.decisions import (
    ACKNOWLEDGED,
    DROPPED,
    KEPT,
    MAX_CHANGES,
    OPEN,
    Change,
    Decision,
    State,
    Value,
    character,
    lint_rule,
    picture,
)
from storycast.footage import Record
from storycast.review import Review, ReviewPicture


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one crop in the review."""

    crop_id: str
    footage_id: str
    outcome: str
    """``in_dataset``, ``rejected``, ``not_reviewed``, or ``duplicate`` for one that another crop stands for."""
    reason: str


class FinalNames(Record):
    """What a review calls those characters that it renamed or merged; ``review/names.json``."""

    names: Mapping[str, str] = Field(default_factory=dict)
    """Final names by those in the run."""

    def of(self, name: str) -> str:
        """Return the final name of a character of the run."""
        return self.names.get(name, name)


@dataclass(frozen=True, slots=True)
class Approval:
    """What a review comes to."""

    pictures: tuple[DatasetImage, ...]
    """In the review's order, each with its characters' final names."""
    outcomes: tuple[Outcome, ...]
    shortfalls: tuple[str, ...]
    """What keeps characters below ``review.minimum_per_character``, in words."""
    names: FinalNames
    acknowledged: tuple[Acknowledged, ...] = ()
    """Which rules' findings of the caption lint may stay, and who says so."""

    @property
    def per_character(self) -> dict[str, int]:
        """How many pictures each character has, by name."""
        return dict(sorted(Counter(one.image.character for one in self.pictures).items()))


def approve(review: Review, state: State) -> Approval:
    """Derive what is approved; the same review and decisions give the same result.

    A picture is in when somebody kept it and its character is still in the cast.

    Args:
        review: What was shown.
        state: What its decisions come to.
    """
    pictures: list[DatasetImage] = []
    outcomes: list[Outcome] = []
    names = _names(review, state)
    for one in review.pictures:
        image = _shown(one, state)
        refused = _refused(one, state)
        if image.crop_id != one.image.crop_id:
            by = _who(state.values[picture(one.image.crop_id), "shown"])
            outcomes.append(_outcome(one.image, "duplicate", f"{by} uses {image.crop_id} in its place"))
        if refused:
            outcomes.append(_outcome(image, *refused))
            continue
        approved = _approved(review, one, image, state, names)
        pictures.append(approved)
        outcomes.append(_outcome(image, "in_dataset", approved.file_name))
    changed = FinalNames(names={old: new for old, new in names.items() if old != new})
    return Approval(
        pictures=tuple(pictures),
        outcomes=tuple(outcomes),
        shortfalls=_shortfalls(review, pictures),
        names=changed,
        acknowledged=tuple(_acknowledged(state)),
    )


def renamed(caption: str, names: Mapping[str, str]) -> str:
    """Return a caption with whole names replaced, all at once, so that two names can be exchanged.

    Args:
        caption: The text.
        names: New names by old ones; case does not count in finding the old ones.
    """
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return caption
    longest_first = sorted(changed, key=len, reverse=True)
    # A group for each: which name was found is not told by its text, whose letters may fold otherwise.
    pattern = "|".join(f"({re.escape(old)})" for old in longest_first)
    return re.sub(
        rf"(?<!\w)(?:{pattern})(?!\w)",
        lambda found: changed[longest_first[(found.lastindex or 1) - 1]],
        caption,
        flags=re.IGNORECASE,
    )


def _approved(
    review: Review, one: ReviewPicture, image: CuratedImage, state: State, names: Mapping[str, str]
) -> DatasetImage:
    subject = picture(one.image.crop_id)
    whose = state.text(subject, "character")
    # Whom it was taken for is now called as the one whom it is of; the others as they are called now.
    here = {**{name: names.get(name, name) for name in one.image.in_picture}, one.image.character: names[whose]}
    others = [here.get(name, names.get(name, name)) for name in image.in_picture[1:]]
    final = image.model_copy(
        update={
            "character": names[whose],
            "in_picture": tuple(dict.fromkeys((names[whose], *others))),
        }
    )
    caption = state.values[subject, "caption"]
    by_person = ""
    # Words that somebody wrote and took back are the model's again.
    if caption.text != one.caption:
        by_person = caption.by.who if caption.by else one.carried.who if one.carried else ""
    # A person's words are left as they are, whatever the characters are called since.
    text = caption.text if by_person else renamed(caption.text, here)
    return DatasetImage(
        image=final,
        file_name=file_name(final),
        caption=text,
        caption_by=by_person or one.caption_model,
        flags=flag(text, final.in_picture, review.words),
    )


def _shown(one: ReviewPicture, state: State) -> CuratedImage:
    shown = state.text(picture(one.image.crop_id), "shown")
    return next((other.image for other in one.alternatives if other.image.crop_id == shown), one.image)


def _refused(one: ReviewPicture, state: State) -> tuple[str, str] | None:
    """Return the outcome and the reason of a picture that stays out; None where it is in."""
    subject = picture(one.image.crop_id)
    verdict = state.values[subject, "verdict"]
    standing = state.values[character(state.text(subject, "character")), "standing"]
    carried = f"{one.carried.who} in run {one.carried.run_id}" if one.carried else "the review"
    if verdict.text == DROPPED:
        return "rejected", f"dropped by {_who(verdict, carried)}"
    if standing.text == DROPPED:
        return "rejected", f"{_who(standing)} dropped the character from the cast"
    if verdict.text == OPEN:
        return "not_reviewed", "nobody decided on it before the review ended"
    return None


def _acknowledged(state: State) -> Iterator[Acknowledged]:
    for rule in RULES:
        value = state.values[lint_rule(rule), "acknowledged"]
        if value.text == ACKNOWLEDGED and value.by:
            yield Acknowledged(rule=rule, who=value.by.who, when=value.by.when)


def _names(review: Review, state: State) -> dict[str, str]:
    return {member.name: state.text(character(member.name), "name") for member in review.characters}


def _shortfalls(review: Review, pictures: Sequence[DatasetImage]) -> tuple[str, ...]:
    # A character of which nothing is left is out of the cast: nothing falls short of it.
    least = review.minimum_per_character
    have = Counter(one.image.character for one in pictures)
    return tuple(
        f"{name}: {have[name]} of at least {least} pictures" for name in sorted(have) if have[name] < least
    )


def _who(value: Value, otherwise: str = "the review") -> str:
    return value.by.who if value.by else otherwise


def _outcome(image: CuratedImage, outcome: str, reason: str) -> Outcome:
    return Outcome(image.crop_id, image.footage_id, outcome, reason)


def keep_all(review: Review, *, who: str, when: str) -> list[Decision]:
    """Return the decisions of ``review.mode: auto``, which approves every picture that has a caption."""
    changes = [
        Change(subject=picture(one.image.crop_id), field="verdict", before=OPEN, after=KEPT)
        for one in review.pictures
    ]
    return [
        Decision(seq=number, id=f"auto-{number:04d}", who=who, when=when, what="keep", via="auto", changes=part)
        for number, part in enumerate(batched(changes, MAX_CHANGES, strict=False), 1)
    ]
