"""NanoDet-g: the 80 COCO classes, each found thing with a box, in the whole picture and in squares of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.boxes import Box, without_overlaps
from local.standins.inference import Floats, Network, normalised

SIDE_PX = 416
#: A box below this score is noise even for those who ask for MinConfidence 0.
SCORE_FLOOR = 0.25
OVERLAP_LIMIT = 0.5
#: Squares along the longer side begin this share of their side after each other.
SQUARE_STRIDE = 0.4
#: A picture up to this aspect is looked at as a whole only: its squares would show the same again.
SQUARE_FROM_ASPECT = 1.25
SQUARES_LIMIT = 6
#: What ends so near a square's inner edge is cut off by it, and is whole in the square beside it.
EDGE = 0.01
STRIDES_PX = (8, 16, 32)

# BGR, as the network was trained (RangiLyu/nanodet, config nanodet-g).
_MEAN = (103.53, 116.28, 123.675)
_DEVIATION = (57.375, 57.12, 58.395)
_NETWORK = Network(
    "nanodet_g_416_fp16w.onnx",
    ("Identity:0", "Identity_3:0", "Identity_1:0", "Identity_4:0", "Identity_2:0", "Identity_5:0"),
)


@cache
def coco_classes() -> tuple[tuple[str, str], ...]:
    """The names of the 80 COCO classes with COCO's own supercategory, in the network's order."""
    rows = json.loads(Path(__file__).with_name("coco.json").read_text("utf-8"))["classes"]
    return tuple((row["name"], row["supercategory"]) for row in rows)


def find_objects(rgb: NDArray[np.uint8]) -> list[Box]:
    """Find COCO objects in a picture.

    The picture is looked at as a whole, stretched to a square, and again in squares along its longer side, which
    keep its aspect. On a labelled drawn film the squares raised what was found from 92 % to all of the characters,
    at a score of 0.3 (34 frames of the half of the film that choices are made on; benchmarks/cast.py).

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.

    Returns:
        Boxes whose ``name`` is COCO's class name, best first; scores are the network's own, from
        ``SCORE_FLOOR`` to 1. Empty if there is none.
    """
    boxes = _seen_in(rgb)
    height, width = rgb.shape[:2]
    for left, top, side in squares(width, height):
        square = (left / width, top / height, (left + side) / width, (top + side) / height)
        placed = [_placed(box, square) for box in _seen_in(rgb[top : top + side, left : left + side])]
        boxes += [box for box in placed if not _is_cut_off(box, square)]
    return without_overlaps(boxes, OVERLAP_LIMIT)


def squares(width_px: int, height_px: int) -> list[tuple[int, int, int]]:
    """The squares of a picture that are looked at: left, top and side in px; none if it is about square itself."""
    side, longer = sorted((width_px, height_px))
    if longer < SQUARE_FROM_ASPECT * side:
        return []
    count = min(1 + math.ceil((longer / side - 1) / SQUARE_STRIDE), SQUARES_LIMIT)
    starts = [round(number * (longer - side) / (count - 1)) for number in range(count)]
    return [(start, 0, side) if width_px > height_px else (0, start, side) for start in starts]


def _placed(box: Box, square: tuple[float, float, float, float]) -> Box:
    """A box of a square as one of the whole picture."""
    left, top, right, bottom = square
    across, down = right - left, bottom - top
    return replace(
        box,
        left=left + box.left * across,
        top=top + box.top * down,
        right=left + box.right * across,
        bottom=top + box.bottom * down,
    )


def _is_cut_off(box: Box, square: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = square
    return (
        (left > 0 and box.left < left + EDGE)
        or (top > 0 and box.top < top + EDGE)
        or (right < 1 and box.right > right - EDGE)
        or (bottom < 1 and box.bottom > bottom - EDGE)
    )


def _seen_in(rgb: NDArray[np.uint8]) -> list[Box]:
    bgr = cv2.cvtColor(cv2.resize(rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    outputs = _NETWORK.run(normalised(np.asarray(bgr, dtype=np.uint8), _MEAN, _DEVIATION))
    boxes: list[Box] = []
    for stride, scores, edges in zip(STRIDES_PX, outputs[0::2], outputs[1::2], strict=True):
        boxes += _boxes_of_stride(stride, scores[0], edges[0])
    return boxes


def _boxes_of_stride(stride: int, scores: Floats, edges: Floats) -> list[Box]:
    """Decode one output level: each cell has four distributions of distances (in strides) from its centre."""
    cells, classes = np.nonzero(scores > SCORE_FLOOR)
    if not len(cells):
        return []
    logits = edges[cells].reshape(len(cells), 4, -1)
    likely = np.exp(logits - logits.max(axis=2, keepdims=True))
    distances = (likely / likely.sum(axis=2, keepdims=True)) @ np.arange(logits.shape[2]) * stride
    across = SIDE_PX // stride
    centres = np.stack([cells % across, cells // across], axis=1) * stride + stride / 2
    corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    corners = np.clip(corners / SIDE_PX, 0.0, 1.0)
    found = zip(corners.tolist(), scores[cells, classes].tolist(), classes.tolist(), strict=True)
    return [
        Box(left, top, right, bottom, score=score, name=coco_classes()[kind][0])
        for (left, top, right, bottom), score, kind in found
    ]
