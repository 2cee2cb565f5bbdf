"""Discovery: who is in the film when nobody said so, by clusters of tracks that are alike. Needs NumPy."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from storycast.embeddings import Vectors
from storycast.names import working_name
from storycast.naming import once_per_frame
from storycast.sightings import Sighting

MIN_SIGHTINGS = 3
"""A cluster seen less often gets no name: a character of a film returns."""


def discover(
    sightings: Sequence[Sighting], tracks: Sequence[int], vectors: Vectors, *, same_cosine: float
) -> list[Sighting]:
    """Give working names to what is seen again and again.

    Tracks are clustered by complete linkage: every two tracks of a cluster reach ``same_cosine``, so clusters
    never chain. Names count from the largest cluster on.

    Args:
        sightings: In any order.
        tracks: Their tracks.
        vectors: Their embeddings.
        same_cosine: Cosine of two tracks' mean vectors from which they may be one character.

    Returns:
        The sightings, in the same order, with working name, score and the reason.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, track in enumerate(tracks):
        members[track].append(index)
    numbers = sorted(members)
    means = np.stack([vectors[members[track]].mean(axis=0) for track in numbers])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    clusters = complete_linkage(means @ means.T, same_cosine)
    crops = {row: [sightings[index].crop_id for index in members[numbers[row]]] for row in range(len(numbers))}
    sizes = [(sum(len(crops[row]) for row in cluster), cluster) for cluster in clusters]
    sizes.sort(key=lambda sized: (-sized[0], min(crop for row in sized[1] for crop in crops[row])))
    named = list(sightings)
    found = 0
    for size, cluster in sizes:
        found += size >= MIN_SIGHTINGS
        centre = means[cluster].mean(axis=0)
        for row in cluster:
            for index in members[numbers[row]]:
                named[index] = sightings[index].model_copy(
                    update={
                        "track": numbers[row],
                        "score": round(float(vectors[index] @ centre), 4),
                        **_verdict(found, size, len(cluster)),
                    }
                )
    return once_per_frame(named)


def complete_linkage(similarities: Vectors, least: float) -> list[list[int]]:
    """Cluster so that every two members of a cluster are at least ``least`` alike.

    The two most similar clusters are merged, similarity being that of their least similar members, until none
    reaches ``least`` (Sorensen, 1948).

    Args:
        similarities: Symmetric, shape (n, n).
        least: Similarity that every two members reach.

    Returns:
        Clusters of row numbers, each sorted, in order of their first member.
    """
    clusters = {row: [row] for row in range(len(similarities))}
    linkage = similarities.astype(np.float64, copy=True)
    np.fill_diagonal(linkage, -np.inf)
    while len(clusters) > 1:
        one, other = np.unravel_index(int(linkage.argmax()), linkage.shape)
        if linkage[one, other] < least:
            break
        keep, gone = sorted((int(one), int(other)))
        clusters[keep] += clusters.pop(gone)
        merged = np.minimum(linkage[keep], linkage[gone])
        linkage[keep], linkage[:, keep] = merged, merged
        linkage[keep, keep] = -np.inf
        linkage[gone], linkage[:, gone] = -np.inf, -np.inf
    return [sorted(clusters[row]) for row in sorted(clusters)]


def _verdict(number: int, size: int, tracks: int) -> dict[str, str]:
    if size < MIN_SIGHTINGS:
        reason = f"seen {size} of the {MIN_SIGHTINGS} times that make a character"
        return {"character": "", "outcome": "unknown", "reason": reason}
    name = working_name(number)
    reason = f"one of {size} sightings in {tracks} tracks that are alike"
    return {"character": name, "outcome": "named", "reason": reason}
