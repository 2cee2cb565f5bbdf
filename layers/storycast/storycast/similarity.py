"""Similarity: how alike the pictures of one footage are, as a histogram with the duplicates' threshold in it.

Needs NumPy.
"""

import json
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from storycast.duplicates import ROUNDING
from storycast.embeddings import Vectors
from storycast.footage import Record

BINS = 48
MOST_PICTURES = 2_000
"""Pictures whose nearest kept one is looked for; more draw the same shape."""
BLOCK_COLUMNS = 4096


class SimilarityHistogram(Record):
    """Cosines of three kinds of pairs, counted over one axis; ``similarity`` of the run's ``curation.json``.

    All counts have one entry less than there are edges; an empty kind has zeros alone.
    """

    edges: Annotated[tuple[float, ...], Field(min_length=2)]
    """Cosines from the lowest to 1, evenly."""
    neighbours: tuple[int, ...]
    """Pairs of one thing in successive frames of a shot."""
    strangers: tuple[int, ...]
    """Pairs of different shots."""
    nearest_kept: tuple[int, ...]
    """Pictures, by the cosine with the most alike of the others that are no duplicates."""
    duplicate_count: int
    """Pictures of those that reach the threshold."""
    neighbour_median: float | None
    stranger_median: float | None
    threshold: float


def read_similarity(content: bytes) -> SimilarityHistogram | None:
    """Return the histogram out of a ``curation.json``; None in one that was written before there were any.

    Raises:
        ValueError: The content is no JSON, or its histogram none.
    """
    told = json.loads(content)
    found = told.get("similarity") if isinstance(told, dict) else None
    return SimilarityHistogram.model_validate(found) if found else None


def count_similarity(
    neighbours: Sequence[float], strangers: Sequence[float], nearest_kept: Sequence[float], threshold: float
) -> SimilarityHistogram:
    """Count cosines over one axis that holds them all and the threshold.

    Args:
        neighbours: Cosines of successive sightings of one thing.
        strangers: Cosines of pairs from different shots.
        nearest_kept: Cosines of pictures with the most alike of the others that were kept.
        threshold: Cosine from which two are duplicates.
    """
    kinds = [np.asarray(values, np.float64) for values in (neighbours, strangers, nearest_kept)]
    lowest = min([0.9, threshold, *(float(values.min()) for values in kinds if values.size)])
    edges = np.linspace(max(np.floor(lowest * 10) / 10, -1.0), 1.0, BINS + 1)
    first, second, third = (_counts(values, edges) for values in kinds)
    return SimilarityHistogram(
        edges=tuple(round(float(edge), 6) for edge in edges),
        neighbours=first,
        strangers=second,
        nearest_kept=third,
        duplicate_count=int(np.count_nonzero(kinds[2] >= threshold - ROUNDING)),
        neighbour_median=_median(kinds[0]),
        stranger_median=_median(kinds[1]),
        threshold=threshold,
    )


def nearest_kept_cosines(vectors: Vectors, order: Sequence[int], kept: Sequence[int]) -> list[float]:
    """Return how alike pictures are to the most alike of those that were kept, each of them left out for itself.

    Args:
        vectors: Unit vectors, shape (n, d).
        order: Indices of all pictures; of more than :data:`MOST_PICTURES` every so many th is taken.
        kept: Indices of those that are no duplicates.

    Returns:
        One cosine for each picture that was looked at; none where there is no other to be like.
    """
    asked = np.asarray(order, np.intp)[:: max(-(-len(order) // MOST_PICTURES), 1)]
    best = np.full(len(asked), -np.inf, np.float32)
    some = vectors[asked]
    for start in range(0, len(kept), BLOCK_COLUMNS):
        others = np.asarray(kept[start : start + BLOCK_COLUMNS], np.intp)
        cosines = np.where(asked[:, None] == others, -np.inf, some @ vectors[others].T)
        best = np.maximum(best, cosines.max(axis=1))
    return [float(cosine) for cosine in best if np.isfinite(cosine)]


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[int, ...]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return tuple(int(count) for count in counts)


def _median(values: NDArray[np.float64]) -> float | None:
    return round(float(np.median(values)), 4) if values.size else None
