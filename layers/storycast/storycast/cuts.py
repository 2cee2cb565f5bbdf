"""Square cuts round a character: where they lie in the frame, in whole pixels."""

from dataclasses import dataclass

from storycast.boxes import Box

TRAINING_SIDE_PX = 512
"""The least side that training takes; smaller cuts are grown with real surroundings, then enlarged."""

CLOSE_UP_FROM = 0.95
"""Of the cut's height that a character fills in a close-up, at least."""
FULL_BELOW = 0.6
"""Of the cut's height below which the character is shown with its surroundings."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A square of a frame, in pixels from its upper left corner."""

    left_px: int
    top_px: int
    side_px: int

    def box(self, width_px: int, height_px: int) -> Box:
        """Return the cut in shares of a frame of this size."""
        return Box(
            self.left_px / width_px,
            self.top_px / height_px,
            self.side_px / width_px,
            self.side_px / height_px,
        )


def plan_cut(box: Box, width_px: int, height_px: int, *, padding: float, least_side_px: int = 1) -> Cut:
    """Return the square round a box: centred on it where the frame allows, else shifted, never stretched.

    Args:
        box: The character, in shares of the frame.
        width_px: Width of the frame.
        height_px: Height of the frame.
        padding: Share of the box's longer side that is added on each side, 0..1.
        least_side_px: The square is grown to this with real surroundings, as far as the frame has them.

    Returns:
        A cut inside the frame. Its side is at most the frame's shorter one, so a character that is longer
        than that is cut off at both ends alike.

    Raises:
        ValueError: The frame has no pixels.
    """
    if width_px < 1 or height_px < 1:
        raise ValueError(f"a frame of {width_px} x {height_px} px holds no cut")
    clipped = box.clipped()
    longer_px = max(clipped.width * width_px, clipped.height * height_px)
    wanted = max(round(longer_px * (1 + 2 * padding)), least_side_px, 1)
    side = min(wanted, width_px, height_px)
    centre_x = (clipped.left + clipped.width / 2) * width_px
    centre_y = (clipped.top + clipped.height / 2) * height_px
    return Cut(
        left_px=min(max(round(centre_x - side / 2), 0), width_px - side),
        top_px=min(max(round(centre_y - side / 2), 0), height_px - side),
        side_px=side,
    )


def framing(box: Box, cut: Cut, height_px: int) -> str:
    """Return how much of the cut the character fills: ``close-up``, ``medium`` or ``full``.

    The share is the box's height over the cut's: film's shot sizes are about how much of a person one sees,
    which a box alone does not tell, so this is the nearest that holds for any body.
    """
    share = box.clipped().height * height_px / cut.side_px
    if share >= CLOSE_UP_FROM:
        return "close-up"
    return "medium" if share >= FULL_BELOW else "full"
