"""Pictures: a decoded frame as the one that is kept, and as a JPEG. Only for frames that are kept."""

from fractions import Fraction

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from storycast.video.bars import NO_BARS, Bars
from storycast.video.display import turn_of, upright

JPEG_QUALITY = 95
TEXT_WIDTH_PX = 640
"""Subtitles have strokes of a pixel or two at this width."""


def kept_picture(
    frame: VideoFrame,
    *,
    bars: Bars = NO_BARS,
    pixel_aspect: Fraction = Fraction(1),
    before: VideoFrame | None = None,
    after: VideoFrame | None = None,
) -> NDArray[np.uint8]:
    """Return a frame as it is shown, in BGR, without its bars; for the arguments see :func:`upright`."""
    picture = upright(frame, pixel_aspect=pixel_aspect, before=before, after=after)
    turn = turn_of(frame)
    height, width = picture.shape[:2]
    wide, high = (frame.height, frame.width) if turn.transposed else (frame.width, frame.height)
    shown = bars.turned(turn).scaled(width / wide, height / high)
    inside = picture[shown.top_px : height - shown.bottom_px, shown.left_px : width - shown.right_px]
    return np.ascontiguousarray(inside)


def text_luma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a BGR picture's luma, :data:`TEXT_WIDTH_PX` wide, on which burnt-in text is found."""
    height, width = picture.shape[:2]
    size = TEXT_WIDTH_PX, max(round(TEXT_WIDTH_PX * height / width), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Return a BGR picture as a JPEG of :data:`JPEG_QUALITY`, 4:4:4."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    encoded, content = cv2.imencode(".jpg", picture, options)
    if not encoded:
        raise RuntimeError(f"OpenCV encoded no JPEG of a picture of shape {picture.shape}")
    return content.tobytes()
