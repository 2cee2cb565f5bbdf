"""Near-duplicates: pictures so alike that only the best of them is kept. Needs NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storycast.embeddings import Vectors

BLOCK_ROWS = 1024
"""Candidates that are compared with all kept ones in one matrix product; bounds the memory it takes."""

ROUNDING = 1e-6
"""Products of float32 unit vectors miss by as much, so that equal pictures may stay below a threshold of 1."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A picture that was dropped, the kept one that it is like, and their cosine."""

    dropped: int
    kept: int
    cosine: float


def find_duplicates(vectors: Vectors, order: Sequence[int], threshold: float) -> list[Duplicate]:
    """Return which pictures to drop so that no two of the rest reach the threshold.

    Pictures are taken in the given order, the best first. One is dropped only when its direct cosine with a
    kept one reaches the threshold, and names the kept one that it is most like; so duplicates never chain.

    Args:
        vectors: Unit vectors, shape (n, d).
        order: Indices of the rows, best first; rows not in it are passed over.
        threshold: Cosine from which two are duplicates.

    Returns:
        The dropped ones, in the order in which they were dropped.
    """
    kept: list[int] = []
    dropped: list[Duplicate] = []
    for start in range(0, len(order), BLOCK_ROWS):
        block = list(order[start : start + BLOCK_ROWS])
        candidates = vectors[block]
        earlier = candidates @ vectors[kept].T if kept else np.zeros((len(block), 0), np.float32)
        within = candidates @ candidates.T
        kept_here: list[int] = []
        for row, index in enumerate(block):
            cosines = np.concatenate([earlier[row], within[row, kept_here]])
            if cosines.size and float(cosines.max()) >= threshold - ROUNDING:
                nearest = int(cosines.argmax())
                twin = kept[nearest] if nearest < len(kept) else block[kept_here[nearest - len(kept)]]
                dropped.append(Duplicate(index, twin, round(float(cosines.max()), 4)))
            else:
                kept_here.append(row)
        kept.extend(block[row] for row in kept_here)
    return dropped
