"""A decoded frame and what was measured on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from storycast.video.bars import NO_BARS, Bars
from storycast.video.measures import change, deviation, largest_change, sharpness
from storycast.video.planes import Planes, read_planes

BLANK_DEVIATION = 4.0
"""Standard deviation (0..255) of luma and chroma below which a frame shows nothing: black, white or one colour."""
HELD_CELL_DIFFERENCE = 2
"""A frame in which no cell differs by more than this (0..255) from the one before is the same picture, held."""


@dataclass(slots=True)
class Seen:
    """A decoded frame on its way through the pass; times in milliseconds from the footage's beginning."""

    time_ms: float
    gap_ms: float
    """Since the decoded frame before; 0 for the first one."""
    cells: NDArray[np.int16]
    change: float
    """How much the cells differ from those of the frame before, 0..255 and more; 0 for the first one."""
    held: bool
    sharpness: float
    deviation: float
    picture: VideoFrame | None
    planes: Planes | None
    field_before: VideoFrame | None = None
    field_after: VideoFrame | None = None
    """Of an interlaced frame, the ones before and after it: a whole picture is made out of all three."""
    steps: "Sequence[Seen] | None" = None
    """All frames since the one before, where some were passed over and it was looked again; without pictures."""
    cut_ms: float | None = None
    """Where a shot begins with this frame, or after the frame before: the exact time of its first frame."""

    def let_go(self) -> None:
        """Free the picture, which takes most of the memory: it will not be chosen."""
        self.picture = self.planes = self.field_before = self.field_after = None


def see(frame: VideoFrame, time_ms: float, before: Seen | None, bars: Bars = NO_BARS) -> Seen:
    """Measure a frame."""
    planes = read_planes(frame, bars)
    cells = planes.cells
    if before is not None and before.picture is not None and before.picture.interlaced_frame:
        before.field_after = frame
    return Seen(
        time_ms=time_ms,
        gap_ms=time_ms - before.time_ms if before else 0.0,
        cells=cells,
        change=change(before.cells, cells) if before else 0.0,
        held=before is not None and largest_change(before.cells, cells) <= HELD_CELL_DIFFERENCE,
        sharpness=sharpness(planes),
        deviation=deviation(planes, BLANK_DEVIATION),
        picture=frame,
        planes=planes,
        field_before=before.picture if before and frame.interlaced_frame else None,
    )
