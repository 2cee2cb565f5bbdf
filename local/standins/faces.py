"""YuNet: faces with boxes and five points; and EfficientNet-Lite0's vector of a face, which is no face model."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.boxes import Box, without_overlaps
from local.standins.embedder import WIDTH, embed_picture
from local.standins.inference import Floats, Network

SIDE_PX = 640
STRIDES_PX = (8, 16, 32)
#: Below this score most of what is found on drawn pictures is no face.
SCORE_FLOOR = 0.6
OVERLAP_LIMIT = 0.3
#: In the network's order; left and right are the picture's own, as Rekognition's are.
POINTS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
#: Share of a face's longer side that its vector sees on each side of it: hair and ears help to tell faces apart.
SURROUNDINGS = 0.15

_KINDS = ("cls", "obj", "bbox", "kps")
_NETWORK = Network(
    "face_detection_yunet_2023mar.onnx", tuple(f"{kind}_{stride}" for stride in STRIDES_PX for kind in _KINDS)
)


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its box, and five points in parts of the picture."""

    box: Box
    points: tuple[tuple[float, float], ...]


def find_faces(rgb: NDArray[np.uint8]) -> list[Face]:
    """Find faces in a picture.

    The picture is reduced or enlarged to fit a square of 640 px, so faces below about one fiftieth of its
    longer side are not seen.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.

    Returns:
        Faces, best first; scores are the network's own, from ``SCORE_FLOOR`` to 1. Boxes end at the
        picture's edges. Empty if there is none.
    """
    height, width = rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    square[: size[1], : size[0]] = cv2.cvtColor(cv2.resize(rgb, size, interpolation=method), cv2.COLOR_RGB2BGR)
    outputs = _NETWORK.run(np.ascontiguousarray(square.astype(np.float32).transpose(2, 0, 1)[np.newaxis]))
    found: dict[Box, Face] = {}
    for number, stride in enumerate(STRIDES_PX):
        scores, objects, edges, points = (output[0] for output in outputs[4 * number : 4 * number + 4])
        for face in _faces_of_stride(stride, scores * objects, edges, points, size):
            found[face.box] = face
    return [found[box] for box in without_overlaps(found, OVERLAP_LIMIT)]


def _faces_of_stride(
    stride: int, products: Floats, edges: Floats, points: Floats, size: tuple[int, int]
) -> list[Face]:
    """Decode one output level: centre and size from the cell's corner, the latter as logarithms, in strides."""
    scores = np.sqrt(np.clip(products[:, 0], 0.0, 1.0))
    cells = np.nonzero(scores >= SCORE_FLOOR)[0]
    across = SIDE_PX // stride
    limits = np.array(size, dtype=np.float64)
    faces = []
    for cell in cells:
        corner = np.array([cell % across, cell // across])
        middle = (corner + edges[cell, :2]) * stride
        half = np.exp(edges[cell, 2:]) * stride / 2
        left, top = np.clip((middle - half) / limits, 0.0, 1.0).tolist()
        right, bottom = np.clip((middle + half) / limits, 0.0, 1.0).tolist()
        places = (corner + points[cell].reshape(5, 2)) * stride / limits
        box = Box(left, top, right, bottom, score=float(scores[cell]))
        faces.append(Face(box, tuple((float(x), float(y)) for x, y in places)))
    return faces


def face_vector(rgb: NDArray[np.uint8], box: Box) -> list[float]:
    """Embed a face with a little of what is round it.

    The network was trained on ImageNet, not on faces: it tells pictures of one face in one film from those of
    another by looks, hair and light, and is no match for a face model.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.
        box: The face in it.

    Returns:
        A vector of length 1 (L2); all values are 0 or more.
    """
    height, width = rgb.shape[:2]
    margin = SURROUNDINGS * max((box.right - box.left) * width, (box.bottom - box.top) * height)
    left, right = max(0, round(box.left * width - margin)), min(width, round(box.right * width + margin))
    top, bottom = max(0, round(box.top * height - margin)), min(height, round(box.bottom * height + margin))
    return embed_picture(np.ascontiguousarray(rgb[top : max(bottom, top + 1), left : max(right, left + 1)]), WIDTH)
