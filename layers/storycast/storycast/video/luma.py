"""Luma: the small grey plane on which every decoded frame is judged."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

LUMA_WIDTH_PX = 320
LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12"})
"""Pixel formats whose first plane is luma, 8 bits a pixel."""


def small_luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """Return a frame's luma, :data:`LUMA_WIDTH_PX` wide, 0..255."""
    height = max(round(LUMA_WIDTH_PX * frame.height / frame.width), 16)
    if frame.format.name in LUMA_FIRST:
        # The first plane is the luma already: four times faster than having it converted.
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        return cv2.resize(rows, (LUMA_WIDTH_PX, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    small = frame.reformat(width=LUMA_WIDTH_PX, height=height, format="gray")
    return small.to_ndarray().astype(np.uint8, copy=False)


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of luma (Pech-Pacheco et al., 2000)."""
    return deviation(cv2.Laplacian(luma, cv2.CV_16S)) ** 2


def deviation(plane: "cv2.typing.MatLike") -> float:
    """Return the standard deviation of a plane."""
    return float(cv2.meanStdDev(plane)[1][0, 0])
