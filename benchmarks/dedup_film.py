"""Embeddings as a film's crops have them, made up: many are alike within a shot, scenes return, all lie in a cone.

Their strengths are set by what the whole of Big Buck Bunny gives with the local stand-in (937 crops): the length
of the mean, the shares of variance in the first directions, and the cosines of neighbours and strangers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storycast.embeddings import Vectors

DIMENSIONS = 1024
CHARACTERS = 12
CROPS_A_SCENE = 400
"""So many scenes (places) that one has as many crops; its shots come back all through the film."""
FRAMES_A_TRACK = 3
MOST_AT_ONCE = 3
"""Characters in one shot."""

CONE, CHARACTER, SCENE, SHOT, TRACK, DRIFT, NOISE = 0.75, 0.3, 0.45, 0.45, 0.25, 0.22, 0.28
"""Lengths of what is added up: what all share, who, where, which shot and track; per frame a step, and noise."""
ACTIVITY = 0.9
"""Spread, as the logarithm's standard deviation, of how much moves in a shot."""
SPECTRUM = -0.45
"""Power by which directions have less and less of all that; 0 would be alike in all."""


@dataclass(frozen=True)
class MadeFilm:
    """Embeddings in the film's order, with tracks and shots, and an order of quality that knows of neither."""

    vectors: Vectors
    tracks: NDArray[np.int64]
    shots: NDArray[np.int64]
    order: NDArray[np.int64]

    def neighbours(self) -> NDArray[np.float32]:
        """Return the cosines of successive crops of a track."""
        same = np.flatnonzero(self.tracks[1:] == self.tracks[:-1])
        cosines: NDArray[np.float32] = np.einsum("ij,ij->i", self.vectors[same], self.vectors[same + 1])
        return cosines

    def strangers(self, most: int = 20_000) -> NDArray[np.float32]:
        """Return the cosines of pairs of different shots, drawn with a fixed seed."""
        first, second = np.random.default_rng(0).integers(0, len(self.vectors), (2, most))
        apart = self.shots[first] != self.shots[second]
        cosines: NDArray[np.float32] = np.einsum(
            "ij,ij->i", self.vectors[first[apart]], self.vectors[second[apart]]
        )
        return cosines


def make_film(count: int, seed: int = 0, spectrum: float = SPECTRUM) -> MadeFilm:
    """Make the embeddings of ``count`` crops."""
    rng = np.random.default_rng(seed)
    falling = np.arange(1, DIMENSIONS + 1, dtype=np.float64) ** spectrum
    scale = (falling / np.linalg.norm(falling)).astype(np.float32)

    def draw(rows: int, length: float) -> NDArray[np.float32]:
        drawn: NDArray[np.float32] = rng.standard_normal((rows, DIMENSIONS), dtype=np.float32) * scale * length
        return drawn

    cone = rng.standard_normal(DIMENSIONS, dtype=np.float32)
    cone *= np.float32(CONE / np.linalg.norm(cone))
    who = draw(CHARACTERS, CHARACTER)
    scenes = draw(max(count // CROPS_A_SCENE, 4), SCENE)
    vectors = np.empty((count, DIMENSIONS), np.float32)
    tracks, shots = np.empty(count, np.int64), np.empty(count, np.int64)
    at = track = shot = 0
    while at < count:
        place = cone + scenes[rng.integers(len(scenes))] + draw(1, SHOT)[0]
        moves = min(float(np.exp(rng.normal(0, ACTIVITY))), 2.0)
        frames = int(rng.geometric(1 / FRAMES_A_TRACK))
        for one in rng.choice(CHARACTERS, rng.integers(1, MOST_AT_ONCE + 1), replace=False):
            rows = min(frames, count - at)
            steps = np.cumsum(draw(rows, DRIFT * moves), axis=0) + draw(rows, NOISE * moves)
            vectors[at : at + rows] = place + who[one] + draw(1, TRACK)[0] + steps
            tracks[at : at + rows], shots[at : at + rows] = track, shot
            at, track = at + rows, track + 1
        shot += 1
    _turn(vectors, rng)
    return MadeFilm(vectors, tracks, shots, rng.permutation(count))


def _turn(vectors: Vectors, rng: np.random.Generator) -> None:
    """Turn all by one rotation, so that no direction is a component, and give them length 1; in place."""
    mirrors = rng.standard_normal((4, DIMENSIONS)).astype(np.float32)
    mirrors /= np.linalg.norm(mirrors, axis=1, keepdims=True)
    for start in range(0, len(vectors), 4096):
        block = vectors[start : start + 4096]
        for mirror in mirrors:
            block -= 2 * np.outer(block @ mirror, mirror)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
