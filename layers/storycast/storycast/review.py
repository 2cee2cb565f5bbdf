"""The review: what people are shown of a run's pictures and captions; ``review/review.json``."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from storycast import keys
from storycast.caption_lint.findings import RULES, Lint, Rule
from storycast.curation import CuratedImage
from storycast.decisions import (
    ACKNOWLEDGED,
    DROPPED,
    IN_CAST,
    KEPT,
    OPEN,
    UNACKNOWLEDGED,
    Change,
    Verdict,
    character,
    lint_rule,
    picture,
)
from storycast.errors import RequestInvalidError
from storycast.footage import Record
from storycast.manifest import MAX_CAPTION, MIN_CAPTION, MIN_RECORDS
from storycast.ports import ObjectStore
from storycast.settings import Character

MAX_ALTERNATIVES = 12
"""Duplicates of one picture that are shown beside it, the best first."""


_VALUES: Mapping[str, tuple[frozenset[str], str]] = {
    "verdict": (frozenset({OPEN, KEPT, DROPPED}), "is no verdict"),
    "standing": (frozenset({IN_CAST, DROPPED}), "is no standing of a character"),
    "acknowledged": (frozenset({UNACKNOWLEDGED, ACKNOWLEDGED}), "does not acknowledge a finding"),
}
"""What fields hold that have few values, and what a value is that is none of them."""


class ChangeRefusedError(ValueError):
    """A change asks for what cannot be; the message says which, and what can be."""


class Alternative(Record):
    """A near-duplicate that may stand in a picture's place."""

    image: CuratedImage
    crop_key: str
    """Key of its crop, a JPEG of its native size."""
    reason: str


class Carried(Record):
    """What people decided on the same picture in an earlier run of the project; it holds until changed."""

    run_id: str
    who: str
    when: str
    verdict: Verdict = OPEN
    caption: str | None = None
    """A person's words; None where they left the model's."""


class ReviewPicture(Record):
    """One picture with its caption, and what a reviewer should know of it."""

    image: CuratedImage
    file_name: str
    footage: str
    """Name of the file that it is from."""
    caption: str
    caption_model: str
    flags: tuple[str, ...] = ()
    """What to look at, in plain words; empty where nothing stands out."""
    alternatives: tuple[Alternative, ...] = ()
    more_alternatives: int = 0
    """How many further duplicates were dropped for this picture."""
    carried: Carried | None = None


class ReviewCharacter(Record):
    """A member of the cast, or a discovered one with its working name."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    description: str = ""


class BaseLicence(Record):
    """The licence of the model that is trained."""

    name: str
    link: str
    """Where its text is; empty where nobody knows."""
    restricts: str
    """What it restricts, in a sentence."""


class TrainingAhead(Record):
    """The training that follows a review, for those who finish it."""

    target: str
    base_model: str
    step_count: int
    batch_size: int
    hold_out_share: float
    cost_usd: tuple[float, float]
    """Training, hosting and panels, from the least to the most, at list prices."""
    budget_usd: float
    prices_as_of: str
    charged: bool = True
    """False where local stand-ins answer, who charge nobody."""
    least_pictures: int = MIN_RECORDS
    """That a training needs."""
    instance_type: str = ""
    """Of a training on SageMaker, as are the next three."""
    spot: bool = False
    most_usd: float | None = None
    """What it can cost before AWS's own clocks end its jobs."""
    licence: BaseLicence | None = None


class Review(Record):
    """All that a review is about. It never changes once it is written; decisions are kept apart."""

    run_id: str
    project: str
    made_at: str
    mode: Literal["page", "a2i", "auto"]
    minimum_per_character: int
    images_per_character: int
    words: tuple[int, int]
    characters: tuple[ReviewCharacter, ...]
    pictures: tuple[ReviewPicture, ...]
    made_by: tuple[str, ...]
    """Who stands behind the models, a line each; stand-ins say so."""
    training: TrainingAhead | None = None
    lint: Lint | None = None
    """What the caption lint says of the captions as the run made them; None in reviews of before."""
    acknowledged: tuple[Rule, ...] = ()
    """Rules of the caption lint whose findings may stay, as the project says."""

    @cached_property
    def initial(self) -> dict[tuple[str, str], str]:
        """Every field's first value, by subject and field."""
        values: dict[tuple[str, str], str] = {}
        for one in self.pictures:
            subject, carried = picture(one.image.crop_id), one.carried
            values[subject, "verdict"] = carried.verdict if carried else OPEN
            values[subject, "caption"] = (carried and carried.caption) or one.caption
            values[subject, "character"] = one.image.character
            values[subject, "shown"] = one.image.crop_id
        for member in self.characters:
            values[character(member.name), "name"] = member.name
            values[character(member.name), "standing"] = IN_CAST
        for rule in RULES:
            values[lint_rule(rule), "acknowledged"] = UNACKNOWLEDGED
        return values

    @cached_property
    def by_crop(self) -> dict[str, ReviewPicture]:
        """The pictures by the crop that each is in the run."""
        return {one.image.crop_id: one for one in self.pictures}

    def check(self, change: Change) -> None:
        """Refuse a change to a value that its field cannot hold.

        Raises:
            ChangeRefusedError: With the reason.
        """
        kind, _, key = change.subject.partition(":")
        if (change.subject, change.field) not in self.initial:
            raise ChangeRefusedError(
                f"The review of {self.run_id} has no {kind or 'subject'} '{key}' to change so."
            )
        problem = self._problem(change.field, key, change.after)
        if problem:
            raise ChangeRefusedError(problem)

    def _problem(self, name: str, key: str, after: str) -> str:
        if name in _VALUES:
            values, problem = _VALUES[name]
            return "" if after in values else f"'{after}' {problem}."
        if name == "character":
            known = [member.name for member in self.characters]
            return "" if after in known else f"There is no character '{after}'; there are {', '.join(known)}."
        if name == "shown":
            return "" if after in set(_crops(self.by_crop[key])) else f"'{after}' is no duplicate of this picture."
        if name == "name":
            return name_problem(after)
        return caption_problem(after)


def name_problem(name: str) -> str:
    """Return in words why a character cannot be called so; empty when it can. Project files have the same rule."""
    try:
        Character(name=name)
    except ValueError:
        return "A name has 1 to 60 characters, is not 'unknown', and holds no quotes, backslashes, <, >, { or }."
    return "" if name == name.strip() else "A name does not begin or end with a space."


def caption_problem(caption: str) -> str:
    """Return in words why a text cannot be a caption; empty when it can."""
    if not MIN_CAPTION <= len(caption) <= MAX_CAPTION:
        return f"A caption has {MIN_CAPTION} to {MAX_CAPTION:,} characters; this one has {len(caption):,}."
    if any(not sign.isprintable() for sign in caption):
        return "A caption is one line, without control characters."
    return "" if caption == caption.strip() else "A caption does not begin or end with a space."


def _crops(one: ReviewPicture) -> Iterator[str]:
    yield one.image.crop_id
    yield from (other.image.crop_id for other in one.alternatives)


def write_review(store: ObjectStore, review: Review) -> None:
    """Write what a review is about."""
    store.put(keys.review(review.run_id), review.model_dump_json(indent=1).encode() + b"\n", "application/json")


def read_review(store: ObjectStore, run_id: str) -> Review:
    """Read what a review is about.

    Raises:
        RequestInvalidError: The run has no review.
    """
    try:
        return Review.model_validate_json(store.get(keys.review(run_id)))
    except KeyError:
        raise RequestInvalidError(f"The run '{run_id}' has nothing to review yet.") from None
