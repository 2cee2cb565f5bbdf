"""Near-duplicates: pictures so alike that only the best of them is kept. Needs NumPy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storycast.embeddings import Vectors

BLOCK_ROWS = 512
"""Candidates that are compared at once with :data:`BLOCK_COLUMNS` kept ones; bounds the memory it takes."""
BLOCK_COLUMNS = 4096
PAIR_ROWS = 512
"""Pairs whose components are gathered at once: 4 MB of them stay in a processor's cache."""
SCREEN_SIZES = (127, 255, 383)
"""Directions in which pairs are screened, before the few that pass are compared in all of them."""
LEAST_SCREENED = 1024
"""Fewer pictures are compared sooner than the directions are found."""
MOST_SAMPLED = 4096
"""Pictures in which the directions are looked for, or twice as many; of few pictures an eighth."""
PAIR_COST = 65_536
"""A pair that is compared by itself takes as long as so many multiplications in a product of matrices."""
SEARCH_COST = 256
"""Finding directions takes so many multiplications for each number of the sample and direction."""
MOST_PASSING = 0.015
"""Of a block's pairs; where more are left, one product in all directions is faster than one pair each."""
SCREEN_MARGIN = 1e-4
"""More than float32 loses in sums of a thousand products of unit vectors: no pair is screened out wrongly."""

ROUNDING = 1e-6
"""Float32 unit vectors miss their length by less, so that equal pictures reach a threshold of 1."""

_Indices = NDArray[np.intp]
_Cosines = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A picture that was dropped, the kept one that it is like, and their cosine."""

    dropped: int
    kept: int
    cosine: float


def find_duplicates(vectors: Vectors, order: Sequence[int], threshold: float) -> list[Duplicate]:
    """Return which pictures to drop so that no two of the rest reach the threshold.

    Pictures are taken in the given order, the best first. One is dropped only when its direct cosine with a
    kept one reaches the threshold, and names the kept one that it is most like, of equals the best; so duplicates
    never chain. The result is that of comparing every pair, whatever the order of rows or the size of blocks:

    - Most pairs are told apart by few directions. By Cauchy and Schwarz a cosine is at most the product within
      these directions plus the product of what the two vectors have outside of them.
    - What is near the threshold, and which kept one is the most alike, is decided in float64, in which products
      of float32 are exact. A cosine reaches a threshold that it misses by less than :data:`ROUNDING`.

    A pair that may stay at one threshold may stay at each higher one, and so may all survivors of one together.
    But a higher threshold's survivors need not include a lower one's: of pictures at 0, 11 and 20 degrees, best
    first, the first and the last stay at the cosine of 12 degrees; at that of 10 degrees the second stays, and the
    last is dropped for it.

    Args:
        vectors: Unit vectors, shape (n, d).
        order: Indices of the rows, best first; rows not in it are passed over.
        threshold: Cosine from which two are duplicates.

    Returns:
        The dropped ones, in the order in which they were dropped.
    """
    rows = np.asarray(order, dtype=np.intp)
    search = _Search(vectors, rows, threshold - ROUNDING)
    dropped = []
    for start in range(0, len(rows), BLOCK_ROWS):
        places, twins, cosines = search.take(start, min(start + BLOCK_ROWS, len(rows)))
        dropped += [
            Duplicate(dropped=int(rows[place]), kept=int(rows[twin]), cosine=round(float(cosine), 4))
            for place, twin, cosine in zip(places, twins, cosines, strict=True)
        ]
    return dropped


class _Search:
    """The pictures by their place in the order, and those of them that were kept so far."""

    def __init__(self, vectors: Vectors, rows: _Indices, cutoff: float) -> None:
        self._vectors, self._rows, self._cutoff = vectors, rows, cutoff
        directions = _choose_directions(vectors, rows, cutoff)
        self._is_exact = directions is None
        self._screened = vectors[rows] if directions is None else _screened(vectors, rows, directions)
        self._kept = np.empty(len(rows), np.intp)
        self._kept_screened = np.empty_like(self._screened)
        self._kept_count = 0

    def take(self, start: int, stop: int) -> tuple[_Indices, _Indices, _Cosines]:
        """Decide on the pictures of these places; return the dropped, their twins and cosines."""
        kept_rows, twins, best = self._nearest_kept(start, stop)
        cosines = np.full(stop - start, -np.inf)
        nearest = np.zeros(stop - start, np.intp)
        _take_best(cosines, nearest, kept_rows, twins, self._cosines(start + kept_rows, twins))
        later, earlier = self._alike_within(start, stop, best)
        within = self._cosines(start + later, start + earlier)
        is_dropped = cosines >= self._cutoff
        reach = within >= self._cutoff
        links: dict[int, list[int]] = {}
        for one, other in zip(later[reach].tolist(), earlier[reach].tolist(), strict=True):
            links.setdefault(one, []).append(other)
        for one in sorted(links):
            is_dropped[one] |= not is_dropped[links[one]].all()
        stays = ~is_dropped[earlier]
        _take_best(cosines, nearest, later[stays], start + earlier[stays], within[stays])
        self._keep(start + np.flatnonzero(~is_dropped))
        gone = np.flatnonzero(is_dropped)
        return start + gone, nearest[gone], cosines[gone]

    def _keep(self, places: _Indices) -> None:
        end = self._kept_count + len(places)
        self._kept[self._kept_count : end] = places
        self._kept_screened[self._kept_count : end] = self._screened[places]
        self._kept_count = end

    def _nearest_kept(self, start: int, stop: int) -> tuple[_Indices, _Indices, NDArray[np.float32]]:
        """Return pairs of a row of the block and a kept place that may be the nearest and a duplicate.

        Returns:
            The rows, the places, and per row of the block the float32 cosine that the nearest has at least.
        """
        best = np.full(stop - start, self._cutoff, np.float32)
        found = []
        for first in range(0, self._kept_count, BLOCK_COLUMNS):
            last = min(first + BLOCK_COLUMNS, self._kept_count)
            bounds = self._screened[start:stop] @ self._kept_screened[first:last].T
            rows, columns = _where(bounds >= best[:, None] - SCREEN_MARGIN)
            cosines = bounds[rows, columns]
            there = self._kept[first:last]
            if not self._is_exact:
                rows, columns, cosines = self._compare(start, there, rows, columns, cosines, best)
            np.maximum.at(best, rows, cosines)
            alike = cosines >= best[rows] - SCREEN_MARGIN
            found.append((rows[alike], there[columns[alike]], cosines[alike]))
        if not found:
            return np.zeros(0, np.intp), np.zeros(0, np.intp), best
        rows, places, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        nearest = cosines >= best[rows] - SCREEN_MARGIN
        return rows[nearest], places[nearest], best

    def _compare(
        self,
        start: int,
        there: _Indices,
        rows: _Indices,
        columns: _Indices,
        bounds: NDArray[np.float32],
        best: NDArray[np.float32],
    ) -> tuple[_Indices, _Indices, NDArray[np.float32]]:
        """Return those of the pairs that may be their row's nearest, with their cosines in float32."""
        # The likeliest of each row goes first: what it reaches tells most of the others from the nearest.
        likeliest = np.full(len(best), -np.inf, np.float32)
        np.maximum.at(likeliest, rows, bounds)
        is_first = bounds == likeliest[rows]
        reached = self._products(start + rows[is_first], there[columns[is_first]])
        np.maximum.at(best, rows[is_first], reached)
        is_left = ~is_first & (bounds >= best[rows] - SCREEN_MARGIN)
        if np.count_nonzero(is_left) > MOST_PASSING * len(best) * len(there):
            block = self._of(np.arange(start, start + len(best)))
            return rows, columns, (block @ self._of(there).T)[rows, columns]
        left = self._products(start + rows[is_left], there[columns[is_left]])
        return (
            np.concatenate([rows[is_first], rows[is_left]]),
            np.concatenate([columns[is_first], columns[is_left]]),
            np.concatenate([reached, left]),
        )

    def _alike_within(self, start: int, stop: int, best: NDArray[np.float32]) -> tuple[_Indices, _Indices]:
        """Return the pairs within a block that may be duplicates, the later rows first.

        Without those whose earlier row is like a kept picture: it is dropped, and nothing is dropped for it.
        """
        bounds = self._screened[start:stop] @ self._screened[start:stop].T
        may_stay = best < self._cutoff + SCREEN_MARGIN
        later, earlier = _where(np.tril(bounds >= best[:, None] - SCREEN_MARGIN, -1) & may_stay)
        if self._is_exact:
            return later, earlier
        if len(later) > MOST_PASSING * bounds.size:
            block = self._of(np.arange(start, stop))
            cosines = (block @ block.T)[later, earlier]
        else:
            cosines = self._products(start + later, start + earlier)
        alike = cosines >= best[later] - SCREEN_MARGIN
        return later[alike], earlier[alike]

    def _of(self, places: _Indices) -> Vectors:
        found: Vectors = self._vectors[self._rows[places]]
        return found

    def _products(self, some: _Indices, others: _Indices) -> NDArray[np.float32]:
        """Return pairs' cosines as float32 has them."""
        parts = [np.einsum("ij,ij->i", self._of(one), self._of(other)) for one, other in _in_parts(some, others)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _cosines(self, some: _Indices, others: _Indices) -> _Cosines:
        """Return pairs' cosines in float64: the same for a pair whichever others are asked for with it."""
        parts = [
            np.multiply(self._of(one), self._of(other), dtype=np.float64).sum(axis=1)
            for one, other in _in_parts(some, others)
        ]
        return np.concatenate([np.zeros(0), *parts])


def _in_parts(some: _Indices, others: _Indices) -> Iterator[tuple[_Indices, _Indices]]:
    for start in range(0, len(some), PAIR_ROWS):
        yield some[start : start + PAIR_ROWS], others[start : start + PAIR_ROWS]


def _take_best(cosines: _Cosines, nearest: _Indices, rows: _Indices, places: _Indices, values: _Cosines) -> None:
    """Put each row's highest value and its place, where it is higher than before; of equals the first place."""
    ranked = np.lexsort((places, -values, rows))
    first = ranked[np.flatnonzero(np.diff(rows[ranked], prepend=-1))]
    first = first[values[first] > cosines[rows[first]]]
    cosines[rows[first]], nearest[rows[first]] = values[first], places[first]


def _where(passing: NDArray[np.bool]) -> tuple[_Indices, _Indices]:
    """Return the rows and columns of what passes; faster than NumPy's own where that is little."""
    rows, columns = np.divmod(np.flatnonzero(passing), passing.shape[1])
    return rows, columns


def _choose_directions(vectors: Vectors, rows: _Indices, cutoff: float) -> Vectors | None:
    """Return the directions in which screening costs least on a sample; None where comparing at once does."""
    if len(rows) < LEAST_SCREENED:
        return None
    sample = vectors[rows[:: max(len(rows) // MOST_SAMPLED, min(len(rows) // 512, 8), 1)]]
    few = np.arange(min(len(sample), 512))
    alike = np.count_nonzero(sample[few] @ sample[few].T >= cutoff)
    chosen, least = None, float(vectors.shape[1])
    for size in SCREEN_SIZES:
        if 2 * size > min(vectors.shape[1], len(sample)):
            break
        directions = _directions(sample, size)
        screened = _screened(sample, few, directions)
        passing = np.count_nonzero(screened @ screened.T >= cutoff - SCREEN_MARGIN) - alike
        wasted = PAIR_COST * passing / len(few) ** 2
        if size + wasted < least:
            chosen, least = directions, size + wasted
        # More directions waste less on what passes for nothing, but they have to be found first.
        if (wasted - size) * len(rows) ** 2 < SEARCH_COST * sample.size * size:
            break
    return chosen


def _screened(vectors: Vectors, rows: _Indices, directions: Vectors) -> Vectors:
    """Return vectors, in order, whose products are at least the cosines.

    Each holds a vector's components in the directions, and last the length of what it has outside of them.
    """
    size = directions.shape[1]
    screened = np.empty((len(rows), size + 1), np.float32)
    for start in range(0, len(rows), BLOCK_COLUMNS):
        block = vectors[rows[start : start + BLOCK_COLUMNS]]
        inside = block @ directions
        rest = np.einsum("ij,ij->i", block, block) - np.einsum("ij,ij->i", inside, inside)
        screened[start : start + BLOCK_COLUMNS, :size] = inside
        # What float32 loses of a difference near 0 is added: too high a bound passes more, but drops nothing.
        screened[start : start + BLOCK_COLUMNS, size] = np.sqrt(np.maximum(rest, 0) + ROUNDING)
    return screened


def _directions(sample: Vectors, size: int) -> Vectors:
    """Return orthonormal columns: the directions in which a sample has most, by two steps of subspace iteration.

    The sample is not centred: embeddings of one model lie in a common cone, whose axis so comes first.
    """
    basis = np.random.default_rng(0).standard_normal((sample.shape[1], size), dtype=np.float32)
    for _ in range(2):
        basis = sample.T @ (sample @ basis)
        basis /= np.linalg.norm(basis, axis=0)
    return np.ascontiguousarray(np.linalg.qr(basis)[0])
