"""What finding burnt-in text takes most of its time for, done by OpenCV."""

import cv2
import numpy as np
from numpy.typing import NDArray

from storycast.burnt_in_text import Ways


def opened(plane: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the plane without what is bright and thinner than ``size``."""
    square = np.ones((size, size), np.uint8)
    thick = cv2.morphologyEx(plane, cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
    return thick.astype(np.uint8, copy=False)


def joined_rows(strokes: NDArray[np.bool_], reach: int) -> list[tuple[int, int, int, int]]:
    """Return top, bottom, left and right of strokes that touch or nearly touch in their line."""
    padded = cv2.copyMakeBorder(strokes.view(np.uint8), 0, 0, 2 * reach, 2 * reach, cv2.BORDER_CONSTANT)
    bridged = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((1, 2 * reach + 1), np.uint8))
    inner = np.ascontiguousarray(bridged[:, 2 * reach : bridged.shape[1] - 2 * reach])
    # Outer borders have no parent in the list of two levels. Labels of all pixels would take five times as long.
    borders, levels = cv2.findContours(inner, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not borders:
        return []
    outer = [border for border, level in zip(borders, levels[0], strict=True) if level[3] < 0]
    boxes = [cv2.boundingRect(border) for border in outer]
    return [(top, top + high, left, left + wide) for left, top, wide, high in boxes]


OPENCV_WAYS = Ways(opened, joined_rows)
