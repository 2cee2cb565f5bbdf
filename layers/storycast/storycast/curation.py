"""Curation: which sightings become pictures of the dataset, and why the others do not."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from storycast.boxes import share_inside
from storycast.cuts import TRAINING_SIDE_PX, Cut, framing, plan_cut
from storycast.duplicates import find_duplicates
from storycast.embeddings import Vectors
from storycast.footage import Record
from storycast.sightings import Sighting

IN_PICTURE_SHARE = 0.5
"""A character is in a picture when this share of its box is."""


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
    """Crop ids that were dropped for this one."""

    @property
    def cut(self) -> Cut:
        """The square of the frame."""
        return Cut(self.left_px, self.top_px, self.side_px)


class Verdict(Record):
    """What became of a sighting."""

    crop_id: str
    outcome: str
    reason: str


def curate(
    sightings: Sequence[Sighting],
    vectors: Vectors,
    *,
    threshold: float,
    images_per_character: int,
    padding: float,
) -> tuple[list[CuratedImage], list[Verdict]]:
    """Choose the dataset's pictures from named sightings.

    Near-duplicates go first, over the whole film, best first. Of the rest, each character gets up to its
    budget, shot by shot in turn, so that no scene dominates.

    Args:
        sightings: Named and unnamed, in any order; the result does not depend on it.
        vectors: Their embeddings.
        threshold: Cosine from which two pictures are duplicates.
        images_per_character: The budget.
        padding: Share of the box's longer side that is added round it.

    Returns:
        The chosen pictures, by character and time, and a verdict on each sighting that has a name.
    """
    named = [index for index, one in enumerate(sightings) if one.character]
    order = sorted(named, key=lambda index: (-sightings[index].quality, sightings[index].crop_id))
    dropped = find_duplicates(vectors, order, threshold)
    twins: dict[int, list[str]] = defaultdict(list)
    verdicts = []
    for duplicate in dropped:
        twins[duplicate.kept].append(sightings[duplicate.dropped].crop_id)
        verdicts.append(
            Verdict(
                crop_id=sightings[duplicate.dropped].crop_id,
                outcome="duplicate",
                reason=f"cosine {duplicate.cosine:.3f} with {sightings[duplicate.kept].crop_id}, "
                f"threshold {threshold:.3f}",
            )
        )
    gone = {duplicate.dropped for duplicate in dropped}
    by_character: dict[str, list[int]] = defaultdict(list)
    for index in order:
        if index not in gone:
            by_character[sightings[index].character].append(index)
    shown = named_by_frame(sightings)
    images = []
    for character, indices in sorted(by_character.items()):
        chosen = set(_in_turn(indices, sightings, images_per_character))
        for index in indices:
            one = sightings[index]
            if index in chosen:
                images.append(curated_image(one, shown[one.frame_id], padding, twins[index]))
                verdicts.append(Verdict(crop_id=one.crop_id, outcome="curated", reason="chosen"))
            else:
                reason = f"{character} has its {images_per_character} pictures without it"
                verdicts.append(Verdict(crop_id=one.crop_id, outcome="not_selected", reason=reason))
    images.sort(key=lambda image: (image.character, image.footage_id, image.time_ms, image.crop_id))
    return images, verdicts


def _in_turn(indices: Sequence[int], sightings: Sequence[Sighting], budget: int) -> list[int]:
    """Return up to ``budget`` indices, the best of each shot first, then the second best of each."""
    seen: Counter[tuple[str, int]] = Counter()
    turns = []
    for rank, index in enumerate(indices):
        shot = (sightings[index].footage_id, sightings[index].shot)
        turns.append((seen[shot], rank, index))
        seen[shot] += 1
    return [index for _, _, index in sorted(turns)[:budget]]


def named_by_frame(sightings: Sequence[Sighting]) -> Mapping[str, list[Sighting]]:
    """Return who was named in each frame, by the frame's id."""
    shown: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        if one.character:
            shown[one.frame_id].append(one)
    return shown


def curated_image(
    one: Sighting, shown: Sequence[Sighting], padding: float, duplicates: Sequence[str]
) -> CuratedImage:
    """Return the picture of the dataset that a sighting makes.

    Args:
        one: The sighting.
        shown: All that were named in its frame.
        padding: Share of the box's longer side that is added round it.
        duplicates: Crop ids that were dropped for it.
    """
    cut = plan_cut(one.box, one.width_px, one.height_px, padding=padding, least_side_px=TRAINING_SIDE_PX)
    square = cut.box(one.width_px, one.height_px)
    others = sorted(
        (
            other
            for other in shown
            if other.crop_id != one.crop_id and share_inside(other.box, square) >= IN_PICTURE_SHARE
        ),
        key=lambda other: (other.box.left, other.character),
    )
    return CuratedImage(
        crop_id=one.crop_id,
        character=one.character,
        frame_id=one.frame_id,
        frame_key=one.frame_key,
        footage_id=one.footage_id,
        time_ms=one.time_ms,
        shot=one.shot,
        left_px=cut.left_px,
        top_px=cut.top_px,
        side_px=cut.side_px,
        in_picture=(one.character, *(other.character for other in others)),
        framing=framing(one.box, cut, one.height_px),
        enlarged=cut.side_px < TRAINING_SIDE_PX,
        score=one.score,
        duplicates=tuple(sorted(duplicates)),
    )
