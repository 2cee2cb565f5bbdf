"""Curation: which sightings become pictures of the dataset, and why the others do not."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from storycast.cuts import TRAINING_SIDE_PX, Cut
from storycast.duplicates import find_duplicates
from storycast.embeddings import Vectors
from storycast.footage import Record
from storycast.frames import TextBox
from storycast.quality_floor import below_floor
from storycast.selection import Candidate, Rules, select
from storycast.selection_summary import SelectionSummary, summarise
from storycast.sightings import Sighting
from storycast.views import TEXT_SHARE, View, views

MOST_DUPLICATES = 20
"""Crop ids that a picture names; a scene that stands for an hour has thousands, and a payload has 32 KB."""


class CuratedImage(Record):
    """A picture of the dataset; a line of ``curated.jsonl`` and the input of ``CaptionImages``."""

    crop_id: str
    character: str
    frame_id: str
    frame_key: str
    footage_id: str
    time_ms: int
    shot: int
    left_px: int
    top_px: int
    side_px: Annotated[int, Field(gt=0)]
    in_picture: tuple[str, ...]
    """Names of those in the picture, whom it is of first, then from left to right."""
    framing: str
    enlarged: bool
    """Whether the frame has too few pixels here, so that the picture is enlarged for training."""
    score: float
    duplicates: tuple[str, ...]
    """Crop ids that were dropped for this one, the best :data:`MOST_DUPLICATES` of them."""
    more_duplicates: int = 0
    """How many further ones were; the ledger names them all."""

    @property
    def duplicate_count(self) -> int:
        """How many crops were dropped for this one."""
        return len(self.duplicates) + self.more_duplicates

    @property
    def cut(self) -> Cut:
        """The square of the frame."""
        return Cut(self.left_px, self.top_px, self.side_px)


class Verdict(Record):
    """What became of a sighting."""

    crop_id: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Curation:
    """What became of the sightings."""

    images: list[CuratedImage]
    """The dataset's pictures, by character and time."""
    verdicts: list[Verdict]
    """One on each sighting that has a name."""
    summary: SelectionSummary


def curate(
    sightings: Sequence[Sighting],
    vectors: Vectors,
    *,
    threshold: float,
    rules: Rules,
    padding: float,
    texts: Mapping[str, Sequence[TextBox]],
) -> Curation:
    """Choose the dataset's pictures from named sightings.

    What is below the quality floor or has burnt-in text goes first, so that nothing is dropped as a duplicate
    of it. Then near-duplicates, over the whole footage, best first. Of the rest, the selection takes up to the
    budget.

    Args:
        sightings: Named and unnamed, in any order; the result does not depend on it.
        vectors: Their embeddings.
        threshold: Cosine from which two pictures are duplicates.
        rules: Of the selection.
        padding: Share of the box's longer side that is added round it.
        texts: Burnt-in text, by the frame's id.
    """
    named = [index for index, one in enumerate(sightings) if one.character]
    order = sorted(named, key=lambda index: (-sightings[index].quality, sightings[index].crop_id))
    shown = named_by_frame(sightings)
    outcomes: dict[int, tuple[str, str]] = {}
    below = below_floor([sightings[index] for index in order])
    usable: dict[int, tuple[View, ...]] = {}
    for index in order:
        one = sightings[index]
        if one.crop_id in below:
            outcomes[index] = "below_quality", below[one.crop_id]
            continue
        squares = views(one, shown[one.frame_id], padding, texts.get(one.frame_id, ()))
        usable[index] = tuple(view for view in squares if view.text_share <= TEXT_SHARE)
        if not usable[index]:
            least = min(view.text_share for view in squares)
            outcomes[index] = (
                "burnt_in_text",
                f"text covers {least:.0%} of the picture, of {TEXT_SHARE:.0%} at most",
            )
    left = [index for index in order if index not in outcomes]
    rank = {index: place for place, index in enumerate(left)}
    twins: dict[int, list[str]] = defaultdict(list)
    for duplicate in sorted(find_duplicates(vectors, left, threshold), key=lambda one: rank[one.dropped]):
        twins[duplicate.kept].append(sightings[duplicate.dropped].crop_id)
        outcomes[duplicate.dropped] = (
            "duplicate",
            f"cosine {duplicate.cosine:.3f} with {sightings[duplicate.kept].crop_id}, threshold {threshold:.3f}",
        )
    candidates = [Candidate(index, sightings[index], usable[index]) for index in left if index not in outcomes]
    chosen = select(candidates, vectors, rules)
    images = []
    for of_one in chosen.values():
        outcomes |= of_one.left_out
        for index, view in of_one.views.items():
            outcomes[index] = "curated", "chosen"
            images.append(image_of(sightings[index], view, twins[index]))
    images.sort(key=lambda image: (image.character, image.footage_id, image.time_ms, image.crop_id))
    verdicts = [
        Verdict(crop_id=sightings[index].crop_id, outcome=outcomes[index][0], reason=outcomes[index][1])
        for index in order
    ]
    told = Counter((sightings[index].character, outcome) for index, (outcome, _) in outcomes.items())
    cast = sorted({sightings[index].character for index in named})
    summary = summarise(cast, chosen, {index: sightings[index] for index in named}, told, rules)
    return Curation(images, verdicts, summary)


def named_by_frame(sightings: Sequence[Sighting]) -> Mapping[str, list[Sighting]]:
    """Return who was named in each frame, by the frame's id."""
    shown: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        if one.character:
            shown[one.frame_id].append(one)
    return shown


def curated_image(
    one: Sighting, shown: Sequence[Sighting], padding: float, texts: Sequence[TextBox] = ()
) -> CuratedImage:
    """Return the picture that a sighting makes by itself: in the square that the project's padding plans.

    Where burnt-in text is in that square, it is the next one that has none, as far as there is one.

    Args:
        one: The sighting.
        shown: All that were named in its frame.
        padding: Share of the box's longer side that is added round it.
        texts: Burnt-in text of the frame.
    """
    squares = views(one, shown, padding, texts)
    return image_of(one, next((view for view in squares if view.text_share <= TEXT_SHARE), squares[0]), ())


def image_of(one: Sighting, view: View, duplicates: Sequence[str]) -> CuratedImage:
    """Return the picture that a sighting makes in one of its squares; ``duplicates`` has the best first."""
    return CuratedImage(
        crop_id=one.crop_id,
        character=one.character,
        frame_id=one.frame_id,
        frame_key=one.frame_key,
        footage_id=one.footage_id,
        time_ms=one.time_ms,
        shot=one.shot,
        left_px=view.cut.left_px,
        top_px=view.cut.top_px,
        side_px=view.cut.side_px,
        in_picture=view.in_picture,
        framing=view.framing,
        enlarged=view.cut.side_px < TRAINING_SIDE_PX,
        score=one.score,
        duplicates=tuple(duplicates[:MOST_DUPLICATES]),
        more_duplicates=max(len(duplicates) - MOST_DUPLICATES, 0),
    )
