"""Planes: the small pictures on which every decoded frame is judged, since a whole one is too slow to look at."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from storycast.video.bars import NO_BARS, Bars

FINE_WIDTH_PX = 1280
"""The fine luma plane is halved until it is narrower than this: 640 for 720p, 960 for 1080p and 4K."""
CELLS = (40, 24)
"""Columns and rows of the luma by which neighbouring frames are compared."""
CHROMA_CELLS = (20, 12)
CHROMA_SAMPLES = 80
"""Columns of chroma that are looked at: enough for :data:`CHROMA_CELLS`."""
PLANAR_BITS = {
    f"{kind}{subsampling}p{suffix}": bits
    for kind, suffixes in (("yuv", {"": 8, "10le": 10, "12le": 12}), ("yuvj", {"": 8}))
    for suffix, bits in suffixes.items()
    for subsampling in ("420", "422", "444")
}
"""Pixel formats that have luma and chroma as planes of their own, and their bits: read without a conversion."""

Plane = NDArray[np.uint8]
Samples = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Planes:
    """What is looked at of a frame, 0..255."""

    fine: Plane
    """Luma, at most :data:`FINE_WIDTH_PX` wide."""
    small: Plane
    """Luma of half the size of ``fine``."""
    cells: NDArray[np.int16]
    """Luma of :data:`CELLS`, then both kinds of chroma of :data:`CHROMA_CELLS`, row by row."""


def read_planes(frame: VideoFrame, bars: Bars = NO_BARS) -> Planes:
    """Return the planes of a frame without its bars."""
    bits = PLANAR_BITS.get(frame.format.name)
    if bits is None:
        wide, high = frame.width, frame.height
        while wide >= FINE_WIDTH_PX:
            wide, high = wide // 2, high // 2
        frame = frame.reformat(width=max(wide, 2), height=max(high, 2), format="yuv420p", interpolation="AREA")
        bars, bits = bars.scaled(wide, high), 8
    luma, *chroma = (_plane(frame, number, bars, bits) for number in range(3))
    # Read once in order: halving alone reads two rows at a time, and waits for memory more than twice as long.
    cv2.norm(luma, cv2.NORM_INF)
    fine = luma
    while fine.shape[1] >= FINE_WIDTH_PX:
        fine = _halved(fine)
    fine = _bytes(fine, bits)
    small = _bytes(_halved(fine), 8)
    tiny = _bytes(_halved(_halved(small)), 8)
    cells = [
        _shrunk(tiny, CELLS),
        *(_shrunk(_bytes(_thinned(plane), bits), CHROMA_CELLS) for plane in chroma),
    ]
    return Planes(fine, small, np.concatenate([plane.ravel() for plane in cells]).astype(np.int16))


def read_luma(frame: VideoFrame) -> Plane:
    """Return a frame's luma in its own size, 0..255."""
    bits = PLANAR_BITS.get(frame.format.name)
    if bits is None:
        frame, bits = frame.reformat(format="yuv420p"), 8
    return _bytes(_plane(frame, 0, NO_BARS, bits), bits)


def _plane(frame: VideoFrame, number: int, bars: Bars, bits: int) -> Samples:
    plane = frame.planes[number]
    samples: Samples = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
    rows = samples.reshape(plane.height, -1)[:, : plane.width]
    across, down = frame.width / plane.width, frame.height / plane.height
    top, bottom = round(bars.top_px / down), plane.height - round(bars.bottom_px / down)
    left, right = round(bars.left_px / across), plane.width - round(bars.right_px / across)
    # Of an interlaced frame one field: its two are from different moments, and their comb would look sharp.
    return rows[top : bottom : 2 if frame.interlaced_frame else 1, left:right]


def _halved(plane: Samples) -> Samples:
    """Return a plane of half the size: means of 2 x 2, which OpenCV has a fast way for."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    if not height or not width:
        return plane
    halved = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return halved.astype(plane.dtype, copy=False)


def _thinned(plane: Samples) -> Samples:
    step = max(plane.shape[1] // CHROMA_SAMPLES, 1)
    return np.ascontiguousarray(plane[::step, ::step])


def _shrunk(plane: Plane, size: tuple[int, int]) -> Plane:
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _bytes(plane: Samples, bits: int) -> Plane:
    return plane.astype(np.uint8, copy=False) if bits == 8 else (plane >> (bits - 8)).astype(np.uint8)
