"""Clusters: what is alike all round, and never by a chain of likenesses. Needs NumPy."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storycast.embeddings import Vectors

MOST_TRACKS = 12_000
"""Tracks that are clustered with each other, some five hours of film: their likenesses take half a gigabyte."""
JOINED_AT_ONCE = 512


def complete_linkage(similarities: Vectors, least: float, *, in_place: bool = False) -> list[list[int]]:
    """Cluster so that every two members of a cluster are at least ``least`` alike.

    The two most similar clusters are merged, similarity being that of their least similar members, until none
    reaches ``least`` (Sorensen, 1948); found along chains of nearest neighbours (Murtagh, 1983), so that time and
    memory grow with the square of the number of rows.

    Args:
        similarities: Symmetric, shape (n, n), in any order of rows; of equally similar ones the lower rows merge
            first.
        least: Similarity that every two members reach.
        in_place: Whether ``similarities``, of float32, are used up; else they are copied.

    Returns:
        Clusters of row numbers, each sorted, in order of their first member.
    """
    linkage = similarities.astype(np.float32, copy=not in_place)
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

    Of more than :data:`MOST_TRACKS` the longest are clustered with each other. Each of the others then joins the
    cluster to whose every track of these it is most alike, or stays alone: time and memory grow as the tracks do.

    Args:
        tracks: The track of each sighting.
        looks: Its look, row by row.
        least: Likeness that every two tracks of a cluster reach.

    Returns:
        Numbers from 0, in order of the clusters' first tracks.
    """
    numbers, rows = np.unique(np.asarray(tracks), return_inverse=True)
    means = track_means(rows, looks, len(numbers))
    longest = np.sort(np.argsort(-np.bincount(rows), kind="stable")[:MOST_TRACKS])
    compared = means if len(longest) == len(means) else means[longest]
    clusters = complete_linkage(compared @ compared.T, least, in_place=True)
    of_track = np.full(len(numbers), -1, np.intp)
    for number, cluster in enumerate(clusters):
        of_track[longest[cluster]] = number
    others = np.flatnonzero(of_track < 0)
    if len(others):
        of_track[others] = _joined(means[others], compared, clusters, least)
    _, firsts, of_track = np.unique(of_track, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts))[of_track][rows]


def _joined(
    others: Vectors, compared: Vectors, clusters: Sequence[Sequence[int]], least: float
) -> NDArray[np.intp]:
    """Return the cluster that each of the others joins; for those who stay alone, numbers behind the clusters'."""
    by_cluster = compared[np.concatenate(clusters)]
    starts = np.cumsum([0, *map(len, clusters[:-1])])
    joined = len(clusters) + np.arange(len(others))
    for start in range(0, len(others), JOINED_AT_ONCE):
        block = others[start : start + JOINED_AT_ONCE]
        to_least_alike = np.minimum.reduceat(block @ by_cluster.T, starts, axis=1)
        nearest = to_least_alike.argmax(axis=1)
        is_alike = to_least_alike[np.arange(len(block)), nearest] >= least
        joined[start : start + len(block)][is_alike] = nearest[is_alike]
    return joined


def track_means(rows: NDArray[np.intp], looks: Vectors, count: int) -> Vectors:
    """Return the mean look of each track, length 1; ``rows`` has the track of each sighting, from 0."""
    means = np.zeros((count, looks.shape[1]), np.float32)
    np.add.at(means, rows, looks)
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.float32(1e-9))
    return (means / lengths).astype(np.float32)
