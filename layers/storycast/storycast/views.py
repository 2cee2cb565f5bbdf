"""Views: the squares of a frame in which a sighting can be shown.

One sighting can be a close-up or have its surroundings round it. All are cut from the frame's own pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from storycast.boxes import Box, overlap_area, share_inside
from storycast.cuts import FULL_BELOW, TRAINING_SIDE_PX, Cut, framing, plan_cut
from storycast.frames import TextBox
from storycast.sightings import SHOWN_SHARE, Sighting

TEXT_SHARE = 0.02
"""Of a square that burnt-in text covers, from which it is no picture to train on: a part of a subtitle's line."""


@dataclass(frozen=True, slots=True)
class View:
    """A square round a sighting, how much of it the character fills, and who is in it."""

    cut: Cut
    framing: str
    in_picture: tuple[str, ...]
    """Names of those in the picture, whom it is of first, then from left to right."""
    text_share: float
    """Of the square that burnt-in text covers."""

    @property
    def is_pair(self) -> bool:
        """Whether several of the cast are in it."""
        return len(set(self.in_picture)) > 1


def views(
    one: Sighting, shown: Sequence[Sighting], padding: float, texts: Sequence[TextBox] = ()
) -> tuple[View, ...]:
    """Return the squares in which a sighting can be shown.

    Args:
        one: The sighting.
        shown: All that were named in its frame.
        padding: Share of the box's longer side that the project adds round it.
        texts: Burnt-in text of the frame.

    Returns:
        First the square that the project's padding plans. Then a close-up, where the box without padding is one
        and has the pixels that training takes, and one with room round the character, where the frame has it.
    """
    planned = planned_view(one, shown, padding, texts)
    found = [planned]
    for padded, least_px, wanted in (
        (0.0, TRAINING_SIDE_PX, "close-up"),
        (padding, math.floor(one.box.clipped().height * one.height_px / FULL_BELOW) + 1, "full"),
    ):
        cut = plan_cut(one.box, one.width_px, one.height_px, padding=padded, least_side_px=least_px)
        is_enlarged = cut.side_px < TRAINING_SIDE_PX
        if wanted != planned.framing and not is_enlarged and framing(one.box, cut, one.height_px) == wanted:
            found.append(_view(one, cut, shown, texts))
    return tuple(found)


def planned_view(one: Sighting, shown: Sequence[Sighting], padding: float, texts: Sequence[TextBox] = ()) -> View:
    """Return the square that the project's padding plans; the arguments are those of :func:`views`."""
    cut = plan_cut(one.box, one.width_px, one.height_px, padding=padding, least_side_px=TRAINING_SIDE_PX)
    return _view(one, cut, shown, texts)


def _view(one: Sighting, cut: Cut, shown: Sequence[Sighting], texts: Sequence[TextBox]) -> View:
    square = cut.box(one.width_px, one.height_px)
    others = sorted(
        (
            other
            for other in shown
            if other.crop_id != one.crop_id and share_inside(other.box, square) >= SHOWN_SHARE
        ),
        key=lambda other: (other.box.left, other.character),
    )
    covered = sum(overlap_area(Box(*text), square) for text in texts)
    return View(
        cut=cut,
        framing=framing(one.box, cut, one.height_px),
        in_picture=(one.character, *(other.character for other in others)),
        text_share=min(covered / square.area, 1.0),
    )
