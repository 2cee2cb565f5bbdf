"""U2Netp: which parts of a picture stand out, as a map and as boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.boxes import Box
from local.standins.inference import Floats, Network, normalised

#: The network was trained at 320. At 256 it costs 0.64 of that; on drawn film the boxes came out as good, by eye:
#: some scenes lose one, others part two characters that 320 had joined.
SIDE_PX = 256
#: A cell of the map belongs to a region from this saliency on.
THRESHOLD = 0.4
#: Regions below this share of the picture are specks.
AREA_FLOOR = 0.004

# RGB, ImageNet's values; the network's own normalisation divides by the picture's brightest value first.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_NETWORK = Network("u2netp.onnx", ("1959",))


def saliency_map(rgb: NDArray[np.uint8], side_px: int = SIDE_PX) -> Floats:
    """How much each part of a picture stands out.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.
        side_px: Side of the square that the network sees, a multiple of 32. Cost grows with its square; a small
            one still tells how much of a picture stands out, and where.

    Returns:
        A map of ``side_px`` x ``side_px`` cells over the whole picture, each 0..1, as the network's
        last layer says it: it is not stretched to 1, so an empty scene stays near 0.
    """
    small = np.asarray(cv2.resize(rgb, (side_px, side_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    brightest = max(1.0, float(small.max()))
    mean = tuple(value * brightest for value in _MEAN)
    deviation = tuple(value * brightest for value in _DEVIATION)
    answer = _NETWORK.run(normalised(small, mean, deviation))[0]
    return np.asarray(np.clip(answer[0, 0], 0.0, 1.0), dtype=np.float32)


def salient_boxes(saliency: Floats) -> list[Box]:
    """The connected regions of a saliency map as boxes.

    Args:
        saliency: What ``saliency_map`` gave.

    Returns:
        One box per region above the floor in area, scored by the mean saliency inside the region
        (``THRESHOLD``..1), best first. Empty if nothing stands out. Characters that touch share a box;
        :mod:`local.standins.necks` parts them.
    """
    height, width = saliency.shape
    boxes = []
    for region in salient_regions(saliency):
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        left, top = float(columns[0] / width), float(rows[0] / height)
        right, bottom = float((columns[-1] + 1) / width), float((rows[-1] + 1) / height)
        boxes.append(Box(left, top, right, bottom, score=float(saliency[region].mean())))
    return sorted(boxes, key=lambda box: -box.score)


def salient_regions(saliency: Floats) -> list[NDArray[np.bool_]]:
    """The connected regions of a saliency map that are above the floor in area, each as a mask over the map."""
    mask = (saliency >= THRESHOLD).astype(np.uint8)
    count, regions = cv2.connectedComponents(mask, connectivity=8)
    masks = [np.asarray(regions == number) for number in range(1, count)]
    return [mask for mask in masks if mask.sum() >= AREA_FLOOR * saliency.size]
