"""Pictures: a decoded frame as it is shown, and as a JPEG. Only for frames that are kept."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

JPEG_QUALITY = 95
TEXT_WIDTH_PX = 640
"""Subtitles have strokes of a pixel or two at this width."""


def shown_size(frame: VideoFrame) -> tuple[int, int]:
    """Return width and height of a frame as it is shown, in pixels."""
    return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)


def upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """Return a frame as it is shown: BGR, turned as its metadata say."""
    picture = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


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
