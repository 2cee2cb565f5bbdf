"""Sightings: crops with their place in the film, who they were taken for, and how they follow each other."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from storycast.boxes import Box, overlap_ratio, share_inside
from storycast.crops import Crop
from storycast.cuts import Cut, framing
from storycast.embeddings import Vectors, pair_cosines
from storycast.footage import Record
from storycast.frames import KeptFrame
from storycast.votes import Vote

SHOWN_SHARE = 0.5
"""A square shows a character from this share of its box on."""
SAME_PLACE_RATIO = 0.2
"""Intersection over union of a character's boxes in successive sampled frames, from which it may be the same."""
ALIKE_HERE = 0.6
"""Cosine from which a crop in the same place is the same character as in the frame before."""
GAP_FRAMES = 2
"""Sampled frames of a shot back to which a track is continued: one in which its thing was missed is bridged."""
ALIKE_ELSEWHERE = 0.85
"""Cosine from which it is the same wherever it has moved."""


class Sighting(Record):
    """A crop and who it shows; a line of the run's ``sightings.jsonl``."""

    crop_id: str
    key: str
    frame_id: str
    frame_key: str
    footage_id: str
    time_ms: int
    shot: int
    width_px: int
    height_px: int
    left: float
    top: float
    width: float
    height: float
    left_px: int
    top_px: int
    side_px: int
    confidence: float
    labels: tuple[tuple[str, float], ...]
    custom_labels: tuple[tuple[str, float], ...] = ()
    sharpness: float
    light: float
    contrast: float
    votes: tuple[Vote, ...] = ()
    """Who voted what: first what was paid for by the crop, after naming the votes of all methods."""
    track: int = -1
    cluster: str = ""
    """Id of the cluster of all that looks like it; empty where clusters were not asked for."""
    framing: str = ""
    """How much of the square the character fills; see :func:`storycast.cuts.framing`."""
    cast_in_square: int = 0
    """How many of those named in the frame the square shows."""
    character: str = ""
    """Name of the character; empty where it has none, with the reason beside it."""
    score: float = 0.0
    outcome: str = "found"
    reason: str = ""

    @property
    def box(self) -> Box:
        """The detection's box, in shares of the frame."""
        return Box(self.left, self.top, self.width, self.height)

    @property
    def cut(self) -> Cut:
        """The square that was cut out."""
        return Cut(self.left_px, self.top_px, self.side_px)

    @property
    def quality(self) -> float:
        """How good a picture it is, for choosing among pictures of one thing: sharp, large, surely someone."""
        return self.sharpness * min(self.side_px / 512, 1.0) * self.confidence / 100


def sighting(frame: KeptFrame, crop: Crop) -> Sighting:
    """Return a crop with its place in the film."""
    return Sighting(
        crop_id=crop.crop_id,
        key=crop.key,
        frame_id=frame.frame_id,
        frame_key=frame.key,
        footage_id=frame.footage_id,
        time_ms=frame.time_ms,
        shot=frame.shot,
        width_px=frame.width_px,
        height_px=frame.height_px,
        left=crop.left,
        top=crop.top,
        width=crop.width,
        height=crop.height,
        left_px=crop.left_px,
        top_px=crop.top_px,
        side_px=crop.side_px,
        confidence=crop.confidence,
        labels=tuple((vote.label, vote.confidence) for vote in crop.labels if vote.method == "labels"),
        custom_labels=tuple(
            (vote.label, vote.confidence) for vote in crop.labels if vote.method == "custom_labels"
        ),
        votes=crop.votes,
        sharpness=crop.sharpness,
        light=crop.light,
        contrast=crop.contrast,
    )


def described(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return named sightings with their framing, and how many of the cast each one's square shows."""
    named: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        if one.character:
            named[one.frame_id].append(one)
    result = []
    for one in sightings:
        square = one.cut.box(one.width_px, one.height_px)
        shown = sum(share_inside(other.box, square) >= SHOWN_SHARE for other in named.get(one.frame_id, ()))
        update = {"framing": framing(one.box, one.cut, one.height_px), "cast_in_square": shown}
        result.append(one.model_copy(update=update))
    return result


def link_tracks(sightings: Sequence[Sighting], vectors: Vectors) -> list[int]:
    """Link the sightings of one thing through a shot.

    A sighting continues the track whose last one, at most :data:`GAP_FRAMES` of the shot's frames before, it is
    most like: in the same place and alike, or elsewhere and very much alike. So a track bridges a frame in which
    its thing was missed. Each track gets at most one of each frame.

    Args:
        sightings: In any order.
        vectors: Their embeddings, row by row.

    Returns:
        Per sighting the number of its track, from 0, the same for any order of the frames' crops.
    """
    shots: dict[tuple[str, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, one in enumerate(sightings):
        shots[one.footage_id, one.shot][one.time_ms].append(index)
    tracks = [-1] * len(sightings)
    count = 0
    for shot in sorted(shots):
        last: dict[int, tuple[int, int]] = {}
        for place, time_ms in enumerate(sorted(shots[shot])):
            here = sorted(shots[shot][time_ms], key=lambda index: sightings[index].crop_id)
            before = [index for index, seen in last.values() if place - seen <= GAP_FRAMES]
            for earlier, later in _pairs(before, here, sightings, vectors):
                tracks[later] = tracks[earlier]
            for index in here:
                if tracks[index] < 0:
                    tracks[index] = count
                    count += 1
                last[tracks[index]] = index, place
    return tracks


def _pairs(
    before: Sequence[int], here: Sequence[int], sightings: Sequence[Sighting], vectors: Vectors
) -> list[tuple[int, int]]:
    """Return the best one-to-one links between two frames' sightings, best first."""
    candidates = []
    for earlier in before:
        for later in here:
            cosine = float(vectors[earlier] @ vectors[later])
            place = overlap_ratio(sightings[earlier].box, sightings[later].box)
            if cosine >= ALIKE_ELSEWHERE or (cosine >= ALIKE_HERE and place >= SAME_PLACE_RATIO):
                crops = (sightings[later].crop_id, sightings[earlier].crop_id)
                candidates.append((-(cosine + place), crops, earlier, later))
    taken: set[int] = set()
    links = []
    for _, _, earlier, later in sorted(candidates):
        if earlier not in taken and later not in taken:
            taken |= {earlier, later}
            links.append((earlier, later))
    return links


def neighbour_and_stranger_cosines(
    sightings: Sequence[Sighting], tracks: Sequence[int], vectors: Vectors, *, most: int = 20_000
) -> tuple[list[float], list[float]]:
    """Return the cosines that :func:`storycast.embeddings.calibrate` asks for.

    Args:
        sightings: The sightings, in any order.
        tracks: Their tracks.
        vectors: Their embeddings.
        most: Pairs to draw for the strangers; drawn with a fixed seed, so equal footage gives equal pairs.

    Returns:
        Cosines of successive sightings of one track, and of pairs from different shots.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, track in enumerate(tracks):
        members[track].append(index)
    successive: list[tuple[int, int]] = []
    for track in sorted(members):
        ordered = sorted(members[track], key=lambda index: (sightings[index].time_ms, sightings[index].crop_id))
        successive += pairwise(ordered)
    earlier, later = np.array(successive, np.intp).reshape(-1, 2).T
    neighbours = pair_cosines(vectors, earlier, later)
    if len(sightings) < 2:
        return neighbours, []
    by_id = np.array(sorted(range(len(sightings)), key=lambda index: sightings[index].crop_id))
    numbers = {
        place: number for number, place in enumerate(sorted({(one.footage_id, one.shot) for one in sightings}))
    }
    shots = np.array([numbers[one.footage_id, one.shot] for one in sightings])
    total = len(sightings) * (len(sightings) - 1) // 2
    if total <= most:
        first, second = np.triu_indices(len(sightings), 1)
    else:
        first, second = np.random.default_rng(0).integers(0, len(sightings), (2, most))
    first, second = by_id[first], by_id[second]
    apart = shots[first] != shots[second]
    return neighbours, pair_cosines(vectors, first[apart], second[apart])
