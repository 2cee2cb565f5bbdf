"""Held-out pictures: whole shots that a training does not see, to grade its panels against."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from storycast.curation import CuratedImage
from storycast.footage import Record
from storycast.manifest import MIN_RECORDS

MIN_SHOTS = 3
"""A character seen in fewer shots than this gives none away: the others would not show it well enough."""
MOST_TIMES_THE_SHARE = 2.0
"""How far above its share the split may go to have someone of each character."""


class Picture(Record):
    """A picture of the dataset, and where in the film it is from."""

    crop_id: str
    character: str
    footage_id: str
    shot: int


def hold_out(pictures: Sequence[Picture], share: float) -> tuple[str, ...]:
    """Choose the shots that are kept out of a training.

    Each character that has pictures in at least :data:`MIN_SHOTS` shots gets one shot held out, the rarest
    character first, each time the shot with the fewest pictures that still shows it. The order of the pictures
    does not matter.

    Args:
        pictures: The dataset.
        share: Share of the pictures to aim at, 0..1; 0 holds none out.

    Returns:
        Crop ids, sorted; at least :data:`~storycast.manifest.MIN_RECORDS` pictures are left for the training.
    """
    if share <= 0:
        return ()
    shots: dict[tuple[str, int], list[Picture]] = defaultdict(list)
    for picture in pictures:
        shots[picture.footage_id, picture.shot].append(picture)
    seen_in = {
        name: sorted(shot for shot, shown in shots.items() if any(one.character == name for one in shown))
        for name in {picture.character for picture in pictures}
    }
    counts = Counter(picture.character for picture in pictures)
    most = min(round(len(pictures) * share * MOST_TIMES_THE_SHARE), len(pictures) - MIN_RECORDS)
    held: dict[tuple[str, int], list[Picture]] = {}
    for name in sorted(seen_in, key=lambda name: (counts[name], name)):
        own = seen_in[name]
        if len(own) < MIN_SHOTS or any(shot in held for shot in own):
            continue
        for shot in sorted(own, key=lambda shot: (len(shots[shot]), shot)):
            after = {**held, shot: shots[shot]}
            if sum(map(len, after.values())) <= most and _leaves_enough(seen_in, after):
                held = after
                break
    return tuple(sorted(picture.crop_id for shown in held.values() for picture in shown))


def held_out_crops(images: Iterable[CuratedImage], share: float) -> frozenset[str]:
    """Return the crop ids of a dataset's pictures that :func:`hold_out` keeps out of a training.

    Whoever splits a dataset asks here: its records and its card, every training of it, and every export.

    Args:
        images: All pictures of the dataset.
        share: ``training.hold_out_share``.
    """
    places = [
        Picture(crop_id=one.crop_id, character=one.character, footage_id=one.footage_id, shot=one.shot)
        for one in images
    ]
    return frozenset(hold_out(places, share))


def _leaves_enough(seen_in: dict[str, list[tuple[str, int]]], held: dict[tuple[str, int], list[Picture]]) -> bool:
    """Whether each character that loses a shot still has two that are trained on."""
    return all(
        sum(shot not in held for shot in own) >= MIN_SHOTS - 1
        for own in seen_in.values()
        if any(shot in held for shot in own)
    )
