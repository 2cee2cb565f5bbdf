"""NanoDet-g: the 80 COCO classes, each found thing with a box."""

from __future__ import annotations

import json
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

    The picture is stretched to a square, which found more of the drawn characters that we tried it on
    than keeping its aspect did.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.

    Returns:
        Boxes whose ``name`` is COCO's class name, best first; scores are the network's own, from
        ``SCORE_FLOOR`` to 1. Empty if there is none.
    """
    bgr = cv2.cvtColor(cv2.resize(rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    outputs = _NETWORK.run(normalised(np.asarray(bgr, dtype=np.uint8), _MEAN, _DEVIATION))
    boxes: list[Box] = []
    for stride, scores, edges in zip(STRIDES_PX, outputs[0::2], outputs[1::2], strict=True):
        boxes += _boxes_of_stride(stride, scores[0], edges[0])
    return without_overlaps(boxes, OVERLAP_LIMIT)


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
