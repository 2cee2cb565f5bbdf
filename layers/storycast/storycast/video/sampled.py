"""Sampled frames: what is handed on of each sampling interval. Kept ones are encoded beside the decoding."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Self

import cv2

from storycast.boxes import Box
from storycast.burnt_in_text import find_text
from storycast.video.bars import Bars
from storycast.video.intervals import Choice, Outcome
from storycast.video.measures import difference_hash
from storycast.video.picture import jpeg, kept_picture, text_luma
from storycast.video.text_ways import OPENCV_WAYS

THUMBNAIL_PX = (24, 14)
"""Width and height of the picture by which frames are compared: a cell is a twentieth of the width."""
WAITING_FRAMES = 3
"""So many frames may wait to be encoded: more would fill the memory where encoding is slower than decoding."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame chosen for one interval; ``jpeg`` is None where ``outcome`` is not ``kept``."""

    time_ms: int
    outcome: Outcome
    reason: str
    jpeg: bytes | None = None
    width_px: int = 0
    height_px: int = 0
    sharpness: float = 0.0
    thumbnail: bytes = b""
    """Luma of :data:`THUMBNAIL_PX` cells, row by row, a byte each."""
    hash: str = ""
    """The 64 bits of its difference hash as 16 hexadecimal digits."""
    texts: tuple[Box, ...] = ()
    """Burnt-in text, in shares of the frame."""


class Encoder:
    """Encodes chosen frames on a thread of its own (OpenCV and PyAV let go of Python's lock), in order."""

    def __init__(self, bars: Bars) -> None:
        self.pixel_aspect = Fraction(1)
        """Width by height of the film's pixels."""
        self.bars = bars
        # Its own threads only get in the way of the decoder's.
        cv2.setNumThreads(1)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._waiting: deque[Future[SampledFrame]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def put(self, choice: Choice) -> Iterator[SampledFrame]:
        """Take an interval's choice and yield those that are finished before it."""
        self._waiting.append(self._pool.submit(finished, choice, self.bars, self.pixel_aspect))
        while len(self._waiting) > WAITING_FRAMES or (self._waiting and self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def rest(self) -> Iterator[SampledFrame]:
        """Yield all that are still waiting."""
        while self._waiting:
            yield self._waiting.popleft().result()


def finished(choice: Choice, bars: Bars, pixel_aspect: Fraction) -> SampledFrame:
    """Return what is handed on of an interval; its picture is freed."""
    seen = choice.seen
    if seen is None or seen.picture is None or seen.planes is None:
        return SampledFrame(choice.time_ms, choice.outcome, choice.reason)
    picture = kept_picture(
        seen.picture, bars=bars, pixel_aspect=pixel_aspect, before=seen.field_before, after=seen.field_after
    )
    height, width = picture.shape[:2]
    sampled = SampledFrame(
        time_ms=choice.time_ms,
        outcome=choice.outcome,
        reason=choice.reason,
        jpeg=jpeg(picture),
        width_px=width,
        height_px=height,
        sharpness=round(seen.sharpness, 3),
        thumbnail=cv2.resize(seen.planes.small, THUMBNAIL_PX, interpolation=cv2.INTER_AREA).tobytes(),
        hash=difference_hash(seen.planes),
        texts=find_text(text_luma(picture), OPENCV_WAYS),
    )
    seen.let_go()
    return sampled
