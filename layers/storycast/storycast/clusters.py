"""Clusters: what is alike all round, and never by a chain of likenesses. Needs NumPy."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storycast.embeddings import Vectors


def complete_linkage(similarities: Vectors, least: float) -> list[list[int]]:
    """Cluster so that every two members of a cluster are at least ``least`` alike.

    The two most similar clusters are merged, similarity being that of their least similar members, until none
    reaches ``least`` (Sorensen, 1948); found along chains of nearest neighbours (Murtagh, 1983), so that time and
    memory grow with the square of the number of rows.

    Args:
        similarities: Symmetric, shape (n, n), in any order of rows; of equally similar ones the lower rows merge
            first.
        least: Similarity that every two members reach.

    Returns:
        Clusters of row numbers, each sorted, in order of their first member.
    """
    linkage = similarities.astype(np.float32, copy=True)
    np.fill_diagonal(linkage, -np.inf)
    members = {row: [row] for row in range(len(linkage))}
    waiting = list(range(len(linkage) - 1, -1, -1))
    is_settled = np.zeros(len(linkage), bool)
    chain: list[int] = []
    while chain or waiting:
        if not chain:
            row = waiting.pop()
            if is_settled[row]:
                continue
            chain.append(row)
        here = chain[-1]
        nearest = int(linkage[here].argmax())
        if linkage[here, nearest] < least:
            # Merging only ever makes clusters less alike: this one is done, and nobody's neighbour.
            _leave(linkage, here)
            is_settled[here] = True
            chain.pop()
            continue
        before = chain[-2] if len(chain) > 1 else -1
        if before < 0 or linkage[here, before] < linkage[here, nearest]:
            chain.append(nearest)
            continue
        del chain[-2:]
        keep, gone = sorted((here, before))
        merged = np.minimum(linkage[keep], linkage[gone])
        _leave(linkage, gone)
        merged[[keep, gone]] = -np.inf
        linkage[keep], linkage[:, keep] = merged, merged
        members[keep] += members.pop(gone)
        is_settled[gone] = True
        waiting.append(keep)
    return [sorted(members[row]) for row in sorted(members)]


def _leave(linkage: Vectors, row: int) -> None:
    linkage[row], linkage[:, row] = -np.inf, -np.inf


def cluster_id(crop_ids: Sequence[str]) -> str:
    """Return a cluster's id, made of its first crop's: the same footage and settings give the same ids.

    Args:
        crop_ids: Of the sightings in it, in any order.
    """
    return f"c-{hashlib.sha256(min(crop_ids).encode()).hexdigest()[:8]}"


def clustered_tracks(tracks: Sequence[int], looks: Vectors, least: float) -> NDArray[np.intp]:
    """Return the cluster of each sighting: tracks are clustered by their mean looks.

    Args:
        tracks: The track of each sighting.
        looks: Its look, row by row.
        least: Likeness that every two tracks of a cluster reach.

    Returns:
        Numbers from 0, in order of the clusters' first tracks.
    """
    numbers, rows = np.unique(np.asarray(tracks), return_inverse=True)
    means = track_means(rows, looks, len(numbers))
    of_track = np.zeros(len(numbers), np.intp)
    for number, cluster in enumerate(complete_linkage(means @ means.T, least)):
        of_track[cluster] = number
    return of_track[rows]


def track_means(rows: NDArray[np.intp], looks: Vectors, count: int) -> Vectors:
    """Return the mean look of each track, length 1; ``rows`` has the track of each sighting, from 0."""
    means = np.zeros((count, looks.shape[1]), np.float32)
    np.add.at(means, rows, looks)
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.float32(1e-9))
    return (means / lengths).astype(np.float32)
