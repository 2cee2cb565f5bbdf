"""Letterbox bars: black rows and columns that a film has throughout. They belong to no picture of it."""

from dataclasses import dataclass

from storycast.video.display import Turn


@dataclass(frozen=True, slots=True)
class Bars:
    """How much of a coded frame is black on each side, in pixels, before the frame is turned."""

    top_px: int = 0
    bottom_px: int = 0
    left_px: int = 0
    right_px: int = 0

    @property
    def words(self) -> str:
        """Return what is done with them."""
        sides = {"top": self.top_px, "bottom": self.bottom_px, "left": self.left_px, "right": self.right_px}
        named = ", ".join(f"{width} px at the {side}" for side, width in sides.items() if width)
        return f"black bars throughout ({named}): they are cut off kept frames"

    def scaled(self, across: float, down: float) -> "Bars":
        """Return the bars of a frame that is so many times as wide and high."""
        return Bars(
            round(self.top_px * down),
            round(self.bottom_px * down),
            round(self.left_px * across),
            round(self.right_px * across),
        )

    def turned(self, turn: Turn) -> "Bars":
        """Return the bars of a frame that is shown turned."""
        top, bottom, left, right = self.top_px, self.bottom_px, self.left_px, self.right_px
        if turn.transposed:
            top, bottom, left, right = left, right, top, bottom
        if turn.mirrored_x:
            left, right = right, left
        if turn.mirrored_y:
            top, bottom = bottom, top
        return Bars(top, bottom, left, right)


NO_BARS = Bars()
