"""One way to find near-duplicates, in a process of its own, so that its peak memory is its own.

    python -m benchmarks.dedup_ways WAY FOLDER THRESHOLD [RESULT]

FOLDER has ``vectors.npy`` and ``order.npy``. The time counts from when the vectors are in memory to when the list
of duplicates is there: for peers the index, the search and the greedy choice. Prints JSON: ``seconds``, ``cpu_s``
(of all threads) and ``peak_mb``. RESULT gets the dropped, their twins and cosines as rows of one array of float64.

Peers run in .tools/benchmarks. ``-all`` finds all pairs that reach the threshold, and chooses then; ``-kept`` asks
a block for the nearest of those that were kept before, which are fewer. OMP_NUM_THREADS says how many threads.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
BLOCK_ROWS = 1024
QUERIES = 4096
"""Asked at once for all pairs, so that what is found, and not yet chosen from, stays small."""
ROUNDING = 1e-6
"""As storycast.duplicates has it: a cosine reaches a threshold that it misses by less."""
FIRST_COUNT = 32
"""Neighbours that usearch, which has no range search, is asked for; four times as many where they all are near."""

Rows = NDArray[Any]
Found = list[tuple[int, int, float]]


def storycast(vectors: Rows, order: Rows, threshold: float) -> Found:
    """The product's own."""
    from storycast.duplicates import find_duplicates  # noqa: PLC0415 (peers' environment lacks it)

    return [(one.dropped, one.kept, one.cosine) for one in find_duplicates(vectors, order.tolist(), threshold)]


def brute_force(vectors: Rows, order: Rows, threshold: float) -> Found:
    """Every picture with every kept one, in float64: what the others are held against."""
    kept = np.empty((len(order), vectors.shape[1]), np.float32)

    def nearest(block: Rows, count: int) -> tuple[Rows, Rows]:
        wide, best, where = block.astype(np.float64), np.full(len(block), -np.inf), np.zeros(len(block), np.intp)
        for start in range(0, count, QUERIES):
            cosines = wide @ kept[start : min(start + QUERIES, count)].astype(np.float64).T
            first = cosines.argmax(axis=1)
            highest = cosines[np.arange(len(block)), first]
            higher = highest > best
            best[higher], where[higher] = highest[higher], start + first[higher]
        return best, where

    def keep(rows: Rows, count: int) -> None:
        kept[count : count + len(rows)] = rows

    return _choose_among_kept(vectors, order, threshold, nearest, keep, np.float64)


def faiss_all(vectors: Rows, order: Rows, threshold: float) -> Found:
    """IndexFlatIP of all, its range search, then the choice."""
    import faiss  # type: ignore[import-not-found]  # noqa: PLC0415

    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)

    def pairs(queries: Rows) -> Iterator[tuple[Rows, Rows]]:
        limits, cosines, found = index.range_search(vectors[queries], threshold - ROUNDING)
        for row in range(len(queries)):
            there = slice(int(limits[row]), int(limits[row + 1]))
            yield found[there], cosines[there]

    return _choose_among_all(order, threshold, pairs)


def faiss_kept(vectors: Rows, order: Rows, threshold: float) -> Found:
    """IndexFlatIP of what was kept, its search for the nearest one."""
    import faiss  # noqa: PLC0415

    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatIP(vectors.shape[1])

    def nearest(block: Rows, _count: int) -> tuple[Rows, Rows]:
        cosines, found = index.search(block, 1)
        return cosines[:, 0], found[:, 0]

    return _choose_among_kept(vectors, order, threshold, nearest, lambda rows, _: index.add(rows), np.float32)


def usearch_all(vectors: Rows, order: Rows, threshold: float) -> Found:
    """usearch's exact search for so many neighbours that the last is not near, then the choice."""
    from usearch.index import MetricKind, search  # type: ignore[import-not-found]  # noqa: PLC0415

    def pairs(queries: Rows) -> Iterator[tuple[Rows, Rows]]:
        answers: dict[int, tuple[Rows, Rows]] = {}
        left, count = np.arange(len(queries)), FIRST_COUNT
        while len(left):
            many = min(count, len(vectors))
            found = search(vectors, vectors[queries[left]], many, MetricKind.IP, exact=True, threads=THREADS)
            keys, cosines = np.atleast_2d(found.keys), 1 - np.atleast_2d(found.distances)
            ended = (cosines[:, -1] < threshold - ROUNDING) | (many == len(vectors))
            for row in np.flatnonzero(ended):
                near = cosines[row] >= threshold - ROUNDING
                answers[int(left[row])] = keys[row][near].astype(np.int64), cosines[row][near]
            left, count = left[~ended], count * 4
        return (answers[row] for row in range(len(queries)))

    return _choose_among_all(order, threshold, pairs)


def usearch_kept(vectors: Rows, order: Rows, threshold: float) -> Found:
    """usearch's exact search for the nearest of what was kept."""
    from usearch.index import MetricKind, search  # noqa: PLC0415

    kept = np.empty_like(vectors)

    def nearest(block: Rows, count: int) -> tuple[Rows, Rows]:
        found = search(kept[:count], block, 1, MetricKind.IP, exact=True, threads=THREADS)
        return 1 - found.distances.reshape(-1), found.keys.reshape(-1).astype(np.int64)

    def keep(rows: Rows, count: int) -> None:
        kept[count : count + len(rows)] = rows

    return _choose_among_kept(vectors, order, threshold, nearest, keep, np.float32)


def _choose_among_all(
    order: Rows, threshold: float, pairs: Callable[[Rows], Iterator[tuple[Rows, Rows]]]
) -> Found:
    """Choose by all pairs that reach the threshold, which come per picture: the others, and their cosines."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    is_kept = np.zeros(len(order), bool)
    found: Found = []
    for start in range(0, len(order), QUERIES):
        block = order[start : start + QUERIES]
        for index, (others, cosines) in zip(block.tolist(), pairs(block), strict=True):
            better = is_kept[others] & (cosines >= threshold - ROUNDING)
            if not better.any():
                is_kept[index] = True
                continue
            twins, alike = others[better], cosines[better]
            nearest = np.lexsort((place[twins], -alike))[0]
            found.append((index, int(twins[nearest]), float(alike[nearest])))
    return found


def _choose_among_kept(
    vectors: Rows,
    order: Rows,
    threshold: float,
    nearest: Callable[[Rows, int], tuple[Rows, Rows]],
    keep: Callable[[Rows, int], None],
    kind: type,
) -> Found:
    """Choose block by block: each picture's nearest among what was kept before, then within the block."""
    kept: list[int] = []
    found: Found = []
    for start in range(0, len(order), BLOCK_ROWS):
        rows = order[start : start + BLOCK_ROWS]
        block = vectors[rows]
        best, where = np.full(len(rows), -np.inf), np.zeros(len(rows), np.intp)
        if kept:
            best, where = nearest(block, len(kept))
        wide: Rows = block.astype(kind)
        within = wide @ wide.T
        here: list[int] = []
        before = len(kept)
        for row, index in enumerate(rows.tolist()):
            cosine, twin = float(best[row]), kept[int(where[row])] if before else -1
            if here:
                inside = within[row, here]
                first = int(inside.argmax())
                if inside[first] > cosine:
                    cosine, twin = float(inside[first]), int(rows[here[first]])
            if cosine >= threshold - ROUNDING:
                found.append((index, twin, cosine))
            else:
                here.append(row)
        kept += rows[here].tolist()
        keep(block[here], before)
    return found


WAYS: dict[str, Callable[[Rows, Rows, float], Found]] = {
    "storycast": storycast,
    "faiss-all": faiss_all,
    "faiss-kept": faiss_kept,
    "usearch-all": usearch_all,
    "usearch-kept": usearch_kept,
    "brute-force": brute_force,
}


def main() -> None:
    """Run one way and say what it took."""
    way, folder, threshold = WAYS[sys.argv[1]], Path(sys.argv[2]), float(sys.argv[3])
    vectors, order = np.load(folder / "vectors.npy"), np.load(folder / "order.npy")
    began, worked = time.perf_counter(), time.process_time()
    found = way(vectors, order, threshold)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - worked
    # Of this program alone: getrusage also counts what its parent had when it was started.
    told = Path("/proc/self/status").read_text(encoding="ascii")
    peak_mb = int(told.partition("VmHWM:")[2].split()[0]) / 1024
    if len(sys.argv) > 4:
        np.save(sys.argv[4], np.array(found, np.float64).reshape(-1, 3))
    print(json.dumps({"seconds": round(seconds, 4), "cpu_s": round(cpu_s, 4), "peak_mb": round(peak_mb, 1)}))


if __name__ == "__main__":
    main()
