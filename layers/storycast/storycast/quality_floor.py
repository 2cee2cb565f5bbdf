"""The quality floor: sightings that no picture is made of, however few there are."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from storycast.cuts import TRAINING_SIDE_PX
from storycast.sightings import Sighting

SHARPNESS_SHARE = 0.7
"""Of its footage's median sharpness that a sighting has at least: what falls behind is out of focus or moved."""
LEAST_CHARACTER_PX = 64
"""Longer side of a character in the frame, an eighth of the training size; below there is no look to learn."""
ENLARGED_MOST = 3.0
"""Times that a picture is enlarged at most to reach the training size."""


def below_floor(sightings: Sequence[Sighting]) -> dict[str, str]:
    """Return what is below the quality floor.

    Sharpness is held against the footage's own, since a film on tape is not as sharp as one from a computer.
    Stills are compared with each other.

    Args:
        sightings: Those with a name.

    Returns:
        Per crop id the reason.
    """
    floors = _sharpness_floors(sightings)
    reasons = {}
    for one in sightings:
        box = one.box.clipped()
        longer_px = round(max(box.width * one.width_px, box.height * one.height_px))
        side_px = min(one.width_px, one.height_px)
        least = floors[one.footage_id]
        if longer_px < LEAST_CHARACTER_PX:
            reasons[one.crop_id] = f"size: the character is {longer_px} px of at least {LEAST_CHARACTER_PX}"
        elif side_px * ENLARGED_MOST < TRAINING_SIDE_PX:
            reasons[one.crop_id] = (
                f"size: a square of this frame has {side_px} px "
                f"and would be enlarged more than {ENLARGED_MOST:g} times"
            )
        elif one.sharpness < least:
            reasons[one.crop_id] = (
                f"sharpness {one.sharpness:.0f} of at least {least:.0f}, "
                f"which is {SHARPNESS_SHARE:g} of the median of its footage"
            )
    return reasons


def _sharpness_floors(sightings: Sequence[Sighting]) -> dict[str, float]:
    """Return the least sharpness by footage; all stills are one footage."""
    frames: dict[str, set[str]] = defaultdict(set)
    for one in sightings:
        frames[one.footage_id].add(one.frame_id)
    group = {footage: footage if len(ids) > 1 else "" for footage, ids in frames.items()}
    values: dict[str, list[float]] = defaultdict(list)
    for one in sightings:
        values[group[one.footage_id]].append(one.sharpness)
    return {footage: SHARPNESS_SHARE * median(values[group[footage]]) for footage in frames}
