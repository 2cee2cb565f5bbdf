"""Figures of who was found and named, over the labelled frames of some shots."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.cast_truth import NOBODY, TrueBox, finds, pair_up, shows
from storycast.sightings import Sighting

RESAMPLES = 2000
LOWER_QUANTILE = 0.05


@dataclass(frozen=True)
class Judged:
    """One sighting of a labelled frame, and whom it shows by the ground truth."""

    shot: int
    true: str
    """Name of a member of the cast, or ``nobody``."""
    said: str
    """Name that it was given, or ``nobody``."""
    shows_cast: bool
    """Whether its picture shows any member of the cast."""
    kind: str
    """What it shows, more closely: a name, ``other: bird``, ``nothing``."""


@dataclass(frozen=True)
class Appearance:
    """A character in a labelled frame, and what became of it."""

    shot: int
    name: str
    is_small: bool
    is_detected: bool
    is_named: bool


@dataclass(frozen=True)
class Held:
    """Sightings held against the ground truth."""

    judged: tuple[Judged, ...]
    appearances: tuple[Appearance, ...]
    passed_over: int
    """Sightings that count neither way: a second box on one character, or what the labeller was unsure of."""


@dataclass(frozen=True)
class Figure:
    """A share, with the count that it is of, and its lower bound; NaN where there is nothing to count."""

    value: float
    count: int
    lower: float = float("nan")

    def __str__(self) -> str:
        if not self.count:
            return "  -  (0)"
        bound = "" if np.isnan(self.lower) else f" (lower bound {self.lower:.3f})"
        return f"{self.value:.3f}{bound} of {self.count}"


def hold_against(
    sightings: Sequence[Sighting], truth: dict[str, tuple[TrueBox, ...]], shot_of: dict[str, int]
) -> Held:
    """Hold named sightings against the labelled frames.

    Args:
        sightings: All sightings of the film; those of other frames are passed over.
        truth: The boxes of each labelled frame, by the frame's id.
        shot_of: The shots of those frames.
    """
    by_frame: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        if one.frame_id in truth:
            by_frame[one.frame_id].append(one)
    judged: list[Judged] = []
    appearances: list[Appearance] = []
    passed_over = 0
    for frame_id, boxes in sorted(truth.items()):
        here = sorted(by_frame[frame_id], key=lambda one: one.crop_id)
        pairs = pair_up([one.box for one in here], [one.box for one in boxes])
        shot = shot_of[frame_id]
        named = {}
        for row, one in enumerate(here):
            picture = one.cut.box(one.width_px, one.height_px)
            shows_cast = any(shows(picture, true.box) for true in boxes if true.name != "other")
            said = one.character or NOBODY
            if row in pairs:
                true = boxes[pairs[row]]
                named[pairs[row]] = said
                if true.unsure:
                    passed_over += 1
                    continue
                kind = f"other: {true.note}" if true.name == "other" else true.name
                judged.append(Judged(shot, NOBODY if true.name == "other" else true.name, said, shows_cast, kind))
            elif any(finds(one.box, true.box) for true in boxes):
                passed_over += 1
            else:
                judged.append(Judged(shot, NOBODY, said, shows_cast, "nothing"))
        appearances += [
            Appearance(shot, true.name, true.small, column in named, named.get(column) == true.name)
            for column, true in enumerate(boxes)
            if true.name != "other" and not true.unsure
        ]
    return Held(tuple(judged), tuple(appearances), passed_over)


def balanced_accuracy(judged: Sequence[Judged]) -> float:
    """Return the mean over the characters, and nobody, of the share of their sightings that is named rightly."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for one in judged:
        total[one.true] += 1
        right[one.true] += one.said == one.true
    return float(np.mean([right[name] / total[name] for name in total])) if total else float("nan")


def with_bound[T: Judged | Appearance](items: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> Figure:
    """Return a figure with its one-sided lower 95 % bound, by resampling whole shots."""
    if not items:
        return Figure(float("nan"), 0)
    by_shot: dict[int, list[T]] = defaultdict(list)
    for one in items:
        by_shot[one.shot].append(one)
    shots = sorted(by_shot)
    draws = np.random.default_rng(0).integers(0, len(shots), (RESAMPLES, len(shots)))
    values = [statistic([one for shot in row for one in by_shot[shots[shot]]]) for row in draws]
    return Figure(statistic(items), len(items), float(np.nanquantile(values, LOWER_QUANTILE)))


def noise(judged: Sequence[Judged]) -> Figure:
    """Return the share of the pictures that enter curation (the named ones) that show nobody of the cast."""
    entering = [one for one in judged if one.said != NOBODY]
    wrong = sum(not one.shows_cast for one in entering)
    return Figure(wrong / len(entering) if entering else float("nan"), len(entering))


def recall(appearances: Sequence[Appearance]) -> tuple[Figure, Figure, Figure]:
    """Return the recall of appearances, and its two factors: detected, and named where detected."""
    count = len(appearances)
    detected = sum(one.is_detected for one in appearances)
    named = sum(one.is_named for one in appearances)
    return (
        Figure(named / count if count else float("nan"), count),
        Figure(detected / count if count else float("nan"), count),
        Figure(named / detected if detected else float("nan"), detected),
    )


@dataclass(frozen=True)
class Clusters:
    """How pure discovered clusters are."""

    purity: Figure
    """Share of sightings that show what most of their cluster's sightings show."""
    cast_purity: Figure
    """The same over those that show a member of the cast."""
    coverage: Figure
    """Share of the appearances that are in a cluster that is mostly of their character."""
    count: int
    """Clusters with any labelled sighting."""
    of_cast: int
    """Those that are mostly of one member of the cast."""
    sizes: dict[str, int]
    """Clusters by what they mostly show."""


def clusters_of(held: Held) -> Clusters:
    """Return how pure the clusters are that ``said`` names; everything that is nothing counts as one thing."""
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for one in held.judged:
        if one.said != NOBODY:
            members[one.said][one.kind] += 1
    mostly = {name: min(kinds, key=lambda kind: (-kinds[kind], kind)) for name, kinds in members.items()}
    total = sum(sum(kinds.values()) for kinds in members.values())
    pure = sum(kinds[mostly[name]] for name, kinds in members.items())
    cast = {one.name for one in held.appearances}
    of_cast = [one for one in held.judged if NOBODY not in {one.said, one.true}]
    pure_cast = sum(mostly[one.said] == one.kind for one in of_cast)
    count = len(held.appearances)
    return Clusters(
        Figure(pure / total if total else float("nan"), total),
        Figure(pure_cast / len(of_cast) if of_cast else float("nan"), len(of_cast)),
        Figure(pure_cast / count if count else float("nan"), count),
        len(members),
        sum(kind in cast for kind in mostly.values()),
        dict(sorted(Counter(mostly.values()).items())),
    )
