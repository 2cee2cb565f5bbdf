"""Embeddings: vectors whose cosine tells how alike two pictures are, and the thresholds of each model.

A threshold belongs to the model that made the vectors: what is 'the same' at 0.9 for one is 'nothing alike' for
another. Needs NumPy.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_PICTURE_SIDE_PX = 2048
"""Titan takes no larger picture."""

Vectors = NDArray[np.float32]
"""Unit vectors, one a row."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which likeness on two pictures are duplicates, and a picture shows a known character.

    ``duplicate`` and ``known`` are cosines of embeddings. The others are likenesses of looks, see
    :mod:`storycast.looks`: of a known character, of tracks that lend each other their likeness to references, and
    of tracks that are one character where there are no references. ``measured`` tells whether someone measured
    them on labelled footage of the model itself or they are a first guess.
    """

    duplicate: float
    known: float
    known_look: float
    alike_look: float
    same_look: float
    measured: bool


THRESHOLDS: dict[str, Thresholds] = {
    "amazon.titan-embed-image-v1": Thresholds(0.93, 0.53, 0.5, 0.45, 0.52, measured=False),
    "amazon.nova-2-multimodal-embeddings-v1:0": Thresholds(0.93, 0.53, 0.5, 0.45, 0.52, measured=False),
}
DEFAULT_THRESHOLDS = Thresholds(0.93, 0.53, 0.5, 0.45, 0.52, measured=False)

MIN_CALIBRATION_PAIRS = 12
"""Fewer neighbour or stranger pairs than this tell nothing; the model's table value is taken."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A duplicates' threshold and where it comes from, in words that a report can show."""

    threshold: float
    source: str
    neighbour_median: float | None = None
    stranger_p95: float | None = None


def thresholds_of(model_id: str) -> Thresholds:
    """Return a model's thresholds; a region's prefix, as in ``us.amazon...``, makes no difference."""
    return next((known for name, known in THRESHOLDS.items() if model_id.endswith(name)), DEFAULT_THRESHOLDS)


def unit(vector: Sequence[float]) -> NDArray[np.float32]:
    """Return a vector with length 1.

    Raises:
        ValueError: It is empty, has a component that is not finite, or has no direction.
    """
    array = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(array))
    if array.ndim != 1 or array.size == 0 or not np.isfinite(length) or length == 0.0:
        raise ValueError("an embedding needs finite components, not all zero")
    return array / np.float32(length)


def encode(vector: NDArray[np.float32]) -> str:
    """Return a vector as base64 of little-endian float32: a fifth of its length as JSON numbers."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def decode(text: str) -> NDArray[np.float32]:
    """Read what :func:`encode` wrote."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)


def stack(vectors: Sequence[NDArray[np.float32]]) -> Vectors:
    """Return vectors as rows of one array; of shape (0, 1) when there are none.

    Raises:
        ValueError: They differ in length, so they come from different models or settings.
    """
    if not vectors:
        return np.zeros((0, 1), dtype=np.float32)
    if len({vector.shape for vector in vectors}) > 1:
        raise ValueError("embeddings of different lengths do not compare")
    return np.stack(vectors)


def calibrate(neighbours: Sequence[float], strangers: Sequence[float], model_id: str) -> Calibration:
    """Choose the duplicates' threshold on the footage itself.

    Neighbours are crops of one character in successive frames of a shot: what one wants to call a duplicate,
    more often than not. Strangers are crops of different shots. The threshold lies halfway between the
    median of the first and the 95th percentile of the second: a film returns to its scenes, so that a few
    strangers are twins.

    Args:
        neighbours: Cosines of neighbours.
        strangers: Cosines of strangers.
        model_id: The embedding model, whose table value is taken where there are too few pairs or where the
            footage does not tell the two apart.
    """
    table = thresholds_of(model_id)
    guess = f"the table's {'measured value' if table.measured else 'first guess'} for {model_id}"
    if min(len(neighbours), len(strangers)) < MIN_CALIBRATION_PAIRS:
        return Calibration(table.duplicate, f"{guess}: too few pairs on this footage to calibrate")
    median = round(float(np.median(neighbours)), 4)
    p95 = round(float(np.quantile(strangers, 0.95)), 4)
    if p95 >= median:
        return Calibration(table.duplicate, f"{guess}: shots of this footage are too alike", median, p95)
    return Calibration(
        round((median + p95) / 2, 4),
        f"calibrated on this footage: halfway between the median of {len(neighbours)} neighbours in a shot "
        f"({median:.3f}) and the 95th percentile of {len(strangers)} pairs of other shots ({p95:.3f})",
        median,
        p95,
    )
