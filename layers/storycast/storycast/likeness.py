"""Likeness: how like each track of a film is to each character, by all that the film shows. Needs NumPy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storycast.cast import CastMember
from storycast.clusters import track_means
from storycast.embeddings import Vectors, stack
from storycast.looks import look_of

LIKEST_REFERENCES = 3
"""A sighting's likeness to a character is the mean over so many of its references, the likest ones."""
LEAST_MARGIN = 0.01
"""Lead in likeness of the likest character over the next; with less, the looks do not tell the two apart."""
NEAREST_TRACKS = 5
"""A track is judged with so many others, those that look most like it."""
NEARNESS = 0.05
"""Of two of them, one that is so much less like the track counts 1/e of the other."""
LEARNING_ROUNDS = 3
LEARNED_WEIGHT = 2.0
"""Of the likeness to a character's sure tracks, where that to its references is 1."""
_BLOCK = 1024
"""Rows of the tracks' likenesses that are in memory at once: a long film has tens of thousands."""

type Likeness = NDArray[np.float64]
"""Of each sighting or track, in rows, to each member of the cast; -1 where a member has no reference."""


def likeness_to_members(looks: Vectors, members: Sequence[CastMember]) -> Likeness:
    """Return each sighting's likeness to each member, by the references alone."""
    columns = []
    for member in members:
        if member.references and len(looks):
            each = looks @ stack([look_of(reference) for reference in member.references]).T
            likest = np.sort(each, axis=1)[:, -LIKEST_REFERENCES:]
            columns.append(likest.mean(axis=1).astype(np.float64))
        else:
            columns.append(np.full(len(looks), -1.0))
    return np.stack(columns, axis=1) if columns else np.zeros((len(looks), 0))


def likeness_over_film(
    likeness: Likeness, tracks: Sequence[int], looks: Vectors, *, known: float, alike: float
) -> Likeness:
    """Return the likeness of each sighting's track to each character, fused over the film.

    It is the mean of the track's own likeness and of that of the tracks that look most like it: what recurs and
    is nobody, such as a tree, is not taken for somebody once, and somebody in odd light is known by a track
    beside it. Then the characters learn: tracks that are surely theirs count as further references, of the light,
    pose and clothes of other scenes. A track is surely theirs where it says so itself and together with those
    nearest to it.

    Args:
        likeness: Of the sightings, to the references.
        tracks: The track of each sighting.
        looks: Its look, row by row.
        known: Likeness from which a track is surely a character's.
        alike: Likeness of two tracks from which one is heard on the other.
    """
    if not likeness.size:
        return likeness
    numbers, rows = np.unique(np.asarray(tracks), return_inverse=True)
    means = track_means(rows, looks, len(numbers))
    nearest, weights = _nearest(means, alike)
    to_references = _track_means(likeness, rows)
    learned = to_references
    for _ in range(LEARNING_ROUNDS):
        fused = _heard(learned, nearest, weights)
        likest = fused.argmax(axis=1)
        own_word = np.minimum(fused, learned)[np.arange(len(fused)), likest]
        is_sure = (own_word >= known) & (_lead(fused) >= LEAST_MARGIN)
        learned = to_references.copy()
        for column in range(fused.shape[1]):
            own = is_sure & (likest == column)
            if own.any():
                to_own = means @ means[own].mean(axis=0)
                learned[:, column] = (to_references[:, column] + LEARNED_WEIGHT * to_own) / (1 + LEARNED_WEIGHT)
    over_film: Likeness = _heard(learned, nearest, weights)[rows]
    return over_film


def _nearest(means: Vectors, alike: float) -> tuple[NDArray[np.intp], Likeness]:
    """Return the tracks that are most like each, and what each of them counts: 1 in sum, 0 where there is none."""
    count = min(NEAREST_TRACKS, len(means) - 1)
    nearest = np.zeros((len(means), count), np.intp)
    similar = np.zeros((len(means), count))
    for start in range(0, len(means), _BLOCK):
        block = means[start : start + _BLOCK] @ means.T
        block[np.arange(len(block)), start + np.arange(len(block))] = -np.inf
        here = np.argsort(-block, axis=1, kind="stable")[:, :count]
        nearest[start : start + _BLOCK] = here
        similar[start : start + _BLOCK] = np.take_along_axis(block, here, axis=1)
    weights = np.where(
        similar >= alike, np.exp((similar - similar.max(axis=1, initial=-1, keepdims=True)) / NEARNESS), 0
    )
    return nearest, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)


def _heard(likeness: Likeness, nearest: NDArray[np.intp], weights: Likeness) -> Likeness:
    """Return the mean of each track's likeness and of that of those nearest to it; its own where it has none."""
    of_nearest = np.einsum("tn,tnm->tm", weights, likeness[nearest])
    has_nearest = weights.any(axis=1, keepdims=True)
    heard: Likeness = np.where(has_nearest, (likeness + of_nearest) / 2, likeness)
    return heard


def _lead(likeness: Likeness) -> NDArray[np.float64]:
    """Return by how much the likest character leads, 2 where there is one alone."""
    ranked = np.sort(likeness, axis=1)
    second = ranked[:, -2] if likeness.shape[1] > 1 else np.full(len(ranked), -1.0)
    lead: NDArray[np.float64] = ranked[:, -1] - second
    return lead


def _track_means(likeness: Likeness, rows: NDArray[np.intp]) -> Likeness:
    sums = np.zeros((rows.max() + 1, likeness.shape[1]))
    np.add.at(sums, rows, likeness)
    means: Likeness = sums / np.bincount(rows)[:, None]
    return means
