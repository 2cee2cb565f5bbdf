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

LEAST_GAP = 0.1
"""Cosine between neighbours' median and strangers' 95th percentile, from which halfway between means something."""
MOST_RAISED = 0.98
"""Above it lie only pictures that nobody tells apart."""
PAIRS_AT_ONCE = 2048


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


class Rows:
    """Vectors that come one after the other, as rows of one array: they are in memory once.

    Args:
        most: How many come at most.
    """

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._rows: Vectors = np.zeros((0, 1), dtype=np.float32)

    def append(self, vector: NDArray[np.float32]) -> None:
        """Add a row.

        Raises:
            ValueError: It differs in length from those before, so it comes from another model or other settings.
        """
        if not self._count:
            # What is never written to takes no memory.
            self._rows = np.empty((self._most, len(vector)), dtype=np.float32)
        if vector.shape != self._rows.shape[1:]:
            raise ValueError("embeddings of different lengths do not compare")
        self._rows[self._count] = vector
        self._count += 1

    def taken(self) -> Vectors:
        """Return the rows, of shape (0, 1) when there are none, and hold them no longer."""
        rows, self._rows = self._rows[: self._count], np.zeros((0, 1), dtype=np.float32)
        self._count = 0
        return rows


def pair_cosines(vectors: Vectors, some: NDArray[np.intp], others: NDArray[np.intp]) -> list[float]:
    """Return the cosines of pairs of rows, a few thousand at a time, so that no copy of all is held."""
    cosines: list[float] = []
    for start in range(0, len(some), PAIRS_AT_ONCE):
        one, other = some[start : start + PAIRS_AT_ONCE], others[start : start + PAIRS_AT_ONCE]
        cosines += np.einsum("ij,ij->i", vectors[one], vectors[other]).tolist()
    return cosines


def calibrate(neighbours: Sequence[float], strangers: Sequence[float], model_id: str) -> Calibration:
    """Choose the duplicates' threshold on the footage itself.

    Neighbours are crops of one character in successive frames of a shot: what one wants to call a duplicate,
    more often than not. Strangers are crops of different shots. The threshold lies halfway between the
    median of the first and the 95th percentile of the second: a film returns to its scenes, so that a few
    strangers are twins.

    Where the footage does not tell the two apart the model's table value is taken: with too few pairs (a film of
    one shot, stills alone), or with less than :data:`LEAST_GAP` between them, where halfway would drop much that
    is no duplicate. But where even neighbours are mostly more alike than that value, as in one long shot of a
    talking head, it would leave one picture of all: it is raised to their median, at most to :data:`MOST_RAISED`.

    Args:
        neighbours: Cosines of neighbours.
        strangers: Cosines of strangers.
        model_id: The embedding model, whose table value is taken where the footage does not tell.
    """
    enough = [len(values) >= MIN_CALIBRATION_PAIRS for values in (neighbours, strangers)]
    median = round(float(np.median(neighbours)), 4) if enough[0] else None
    p95 = round(float(np.quantile(strangers, 0.95)), 4) if enough[1] else None
    told = f"{len(neighbours)} neighbours in a shot"
    if median is not None and p95 is not None and median - p95 >= LEAST_GAP:
        return Calibration(
            round((median + p95) / 2, 4),
            f"calibrated on this footage: halfway between the median of {told} "
            f"({median:.3f}) and the 95th percentile of {len(strangers)} pairs of other shots ({p95:.3f})",
            median,
            p95,
        )
    table = thresholds_of(model_id)
    threshold = table.duplicate
    source = f"the table's {'measured value' if table.measured else 'first guess'} for {model_id}: "
    if median is None or p95 is None:
        source += (
            f"too few pairs on this footage to calibrate ({told}, {len(strangers)} pairs of other shots; "
            f"{MIN_CALIBRATION_PAIRS} of each are needed)"
        )
    else:
        source += (
            f"shots of this footage are too alike (the median of {told} is {median:.3f}, "
            f"the 95th percentile of {len(strangers)} pairs of other shots {p95:.3f})"
        )
    if median is not None and median > threshold:
        threshold = max(threshold, min(median, MOST_RAISED))
        source += (
            f"; raised from {table.duplicate:.3f} to {threshold:.3f}, since most neighbours (median {median:.3f}) "
            "would be duplicates of each other"
        )
    return Calibration(threshold, source, median, p95)
