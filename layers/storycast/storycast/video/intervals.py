"""Sampling intervals: which of an interval's frames is chosen."""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
from av.video.frame import VideoFrame

from storycast.boxes import Box
from storycast.burnt_in_text import find_text
from storycast.video.luma import small_luma
from storycast.video.picture import jpeg, text_luma, upright

THUMBNAIL_PX = (24, 14)
"""Width and height of the picture by which frames are compared: a cell is a twentieth of the width."""
BLANK_DEVIATION = 4.0
"""Standard deviation of luma (0..255) below which a frame shows nothing."""
CUT_MARGIN_FRAMES = 2
"""Frames next to a cut are never chosen: they may be blended or not yet settled."""
ROUNDING_MS = 0.5
"""Times and segments' borders are whole milliseconds, sampling intervals are not: at 24 a second, 41.67."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame chosen for one interval; ``jpeg`` is None where ``outcome`` is not ``kept``."""

    time_ms: int
    outcome: Literal["kept", "blank", "unreadable", "near_cut"]
    reason: str
    jpeg: bytes | None = None
    width_px: int = 0
    height_px: int = 0
    sharpness: float = 0.0
    thumbnail: bytes = b""
    """Luma of :data:`THUMBNAIL_PX` cells, row by row, a byte each."""
    texts: tuple[Box, ...] = ()
    """Burnt-in text, in shares of the frame."""


@dataclass(slots=True)
class Seen:
    """A decoded frame and what was measured on it."""

    frame: VideoFrame
    time_ms: int
    sharpness: float
    deviation: float
    index: int
    near_cut: bool = False


class Interval:
    """The frames of one sampling interval that may still be chosen: few, so that memory stays bounded."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.newest_index = -1
        self._candidates: list[Seen] = []

    def add(self, seen: Seen, pick: str) -> None:
        """Take one more frame, the newest."""
        self.newest_index = seen.index
        if pick == "fixed":
            self._candidates = self._candidates or [seen]
            return
        open_until = seen.index - CUT_MARGIN_FRAMES
        settled = [one for one in self._candidates if one.index < open_until]
        recent = [one for one in self._candidates if one.index >= open_until]
        best = max(settled, key=_preference, default=None)
        self._candidates = [*([best] if best else []), *recent, seen]

    def mark_cut(self, index: int) -> None:
        """Take note that the frame of this index begins a shot."""
        for one in self._candidates:
            one.near_cut = one.near_cut or 0 < index - one.index <= CUT_MARGIN_FRAMES

    def choose(self, pick: str) -> SampledFrame:
        """Return the interval's frame, encoded where it is kept."""
        chosen = max(self._candidates, key=_preference)
        if chosen.near_cut and pick != "fixed":
            return SampledFrame(chosen.time_ms, "near_cut", "every frame of its interval is next to a cut")
        if chosen.deviation < BLANK_DEVIATION:
            return SampledFrame(chosen.time_ms, "blank", "the frame is one even colour")
        picture = upright(chosen.frame)
        height, width = picture.shape[:2]
        return SampledFrame(
            time_ms=chosen.time_ms,
            outcome="kept",
            reason=f"{pick} of its interval",
            jpeg=jpeg(picture),
            width_px=width,
            height_px=height,
            sharpness=round(chosen.sharpness, 2),
            thumbnail=cv2.resize(small_luma(chosen.frame), THUMBNAIL_PX, interpolation=cv2.INTER_AREA).tobytes(),
            texts=find_text(text_luma(picture)),
        )


def _preference(seen: Seen) -> tuple[bool, float, int]:
    return not seen.near_cut, seen.sharpness, -seen.index


def interval_at(time_ms: int, interval_ms: float) -> int:
    """Return the number of the interval that holds a time."""
    return math.floor((time_ms + ROUNDING_MS) / interval_ms + 1e-9)
