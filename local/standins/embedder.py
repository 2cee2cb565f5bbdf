"""EfficientNet-Lite0: pictures as vectors whose cosine says how alike they are."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.inference import Network, normalised

SIDE_PX = 224
#: The values that the network gives; all are 0 or more, so cosines lie in 0..1.
WIDTH = 1280
#: Fixes the projections. Changing it makes all vectors stored so far worthless.
PROJECTION_SEED = 20261122

_NETWORK = Network("efficientnet_lite0_fp16w.onnx", ("embedding",))


def embed_picture(rgb: NDArray[np.uint8], length: int) -> list[float]:
    """Embed a picture.

    The picture is padded to a square with its own mean colour and reduced to 224 px. A length below 1,280
    is a fixed Gaussian random projection of the network's values, which keeps cosines up to an error of
    about ``1 / sqrt(length)`` (Johnson and Lindenstrauss). A greater length is the values followed by
    zeros, which keeps cosines exactly.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.
        length: How many values to give, 1 or more.

    Returns:
        A vector of length 1 (L2), as Titan's are.
    """
    tensor = normalised(_squared(rgb), (127.0,) * 3, (128.0,) * 3)
    features = _NETWORK.run(tensor)[0].reshape(-1).astype(np.float64)
    if length < WIDTH:
        vector = features @ _projection(length)
    else:
        vector = np.concatenate([features, np.zeros(length - WIDTH)])
    norm = float(np.linalg.norm(vector))
    return [float(value) for value in (vector / norm if norm > 0 else vector).astype(np.float32)]


def _squared(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reduce a picture to fit 224 px and put it in the middle of a square of its mean colour."""
    height, width = rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(rgb, size, interpolation=method), dtype=np.uint8)
    square = np.empty((SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    square[:] = np.rint(small.reshape(-1, 3).mean(axis=0))
    left, top = (SIDE_PX - size[0]) // 2, (SIDE_PX - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


@cache
def _projection(length: int) -> NDArray[np.float64]:
    """The projection to one length; ``RandomState`` because NumPy promises that its numbers never change."""
    source = np.random.RandomState(PROJECTION_SEED + length)
    return np.asarray(source.standard_normal((WIDTH, length)) / np.sqrt(length), dtype=np.float64)
