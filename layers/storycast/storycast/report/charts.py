"""Charts: their numbers as shapes in a square of 1,000 units, which the page stretches to its own width.

The words round a chart are the page's, so that they keep their size on any screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storycast.losses import Loss
from storycast.similarity import SimilarityHistogram

SIDE = 1000
MOST_POINTS = 240
"""Of a curve; more are averaged, since a phone has no more pixels."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its words, and its place in hundredths of the axis."""

    text: str
    percent: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distributions over one axis, each as a path; each has the height of its own shares."""

    neighbours: str
    strangers: str
    nearest_kept: str
    """Empty where no picture has another to be like."""
    neighbour_count: int
    stranger_count: int
    nearest_kept_count: int
    duplicate_count: int
    """Pictures of those whose nearest kept one reaches the threshold."""
    neighbour_median: float
    stranger_median: float
    threshold: float
    threshold_percent: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A loss by step; beside it that on held-out pictures, over the same axes, where it was measured."""

    points: str
    held_out: str
    """Empty where it was measured fewer than two times."""
    held_out_first: float | None
    held_out_last: float | None
    first: Loss
    last: Loss
    lowest: Loss
    ticks: tuple[Tick, ...]
    top: float
    bottom: float


def histogram(similarity: SimilarityHistogram) -> Histogram | None:
    """Return what is drawn of a footage's similarities; None where there are no neighbours or no strangers."""
    if similarity.neighbour_median is None or similarity.stranger_median is None:
        return None
    low, span = similarity.edges[0], similarity.edges[-1] - similarity.edges[0]
    kinds = (similarity.neighbours, similarity.strangers, similarity.nearest_kept)
    shares = [np.asarray(counts) / max(sum(counts), 1) for counts in kinds]
    tallest = max(float(share.max()) for share in shares)
    neighbours, strangers, nearest = (_steps(share / tallest) for share in shares)
    steps = round(span * 10)
    every = 1 if steps <= 6 else 2
    marks = [1.0 - 0.1 * number for number in range(0, steps + 1, every)]
    return Histogram(
        neighbours=neighbours,
        strangers=strangers,
        nearest_kept=nearest if sum(similarity.nearest_kept) else "",
        neighbour_count=sum(similarity.neighbours),
        stranger_count=sum(similarity.strangers),
        nearest_kept_count=sum(similarity.nearest_kept),
        duplicate_count=similarity.duplicate_count,
        neighbour_median=similarity.neighbour_median,
        stranger_median=similarity.stranger_median,
        threshold=similarity.threshold,
        threshold_percent=_percent((similarity.threshold - low) / span),
        ticks=tuple(
            Tick(f"{mark:.1f}".replace("-0.0", "0.0"), _percent((mark - low) / span)) for mark in marks[::-1]
        ),
    )


def curve(losses: Sequence[Loss]) -> Curve | None:
    """Return a loss by step, averaged to at most :data:`MOST_POINTS` points; None with fewer than two."""
    if len(losses) < 2 or losses[0].step == losses[-1].step:
        return None
    steps = np.array([one.step for one in losses], dtype=np.float64)
    values = np.array([one.loss for one in losses], dtype=np.float64)
    groups = np.array_split(np.arange(len(losses)), min(MOST_POINTS, len(losses)))
    xs = np.array([steps[group].mean() for group in groups])
    ys = np.array([values[group].mean() for group in groups])
    seen = [(one.step, one.held_out) for one in losses if one.held_out is not None]
    seen = seen if len(seen) > 1 else []
    held = np.array([loss for _, loss in seen], dtype=np.float64)
    bottom, top = float(np.concatenate([ys, held]).min()), float(np.concatenate([ys, held]).max())

    def path(at: NDArray[np.float64], height: NDArray[np.float64]) -> str:
        across = (at - steps[0]) / (steps[-1] - steps[0]) * SIDE
        down = (top - height) / max(top - bottom, 1e-9) * SIDE
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))

    middle = (losses[0].step + losses[-1].step) // 2
    ticks = ((losses[0].step, 0.0), (middle, 50.0), (losses[-1].step, 100.0))
    return Curve(
        points=path(xs, ys),
        held_out=path(np.array([step for step, _ in seen], dtype=np.float64), held),
        held_out_first=seen[0][1] if seen else None,
        held_out_last=seen[-1][1] if seen else None,
        first=losses[0],
        last=losses[-1],
        lowest=min(losses, key=lambda one: one.loss),
        ticks=tuple(Tick(f"{step:,}", percent) for step, percent in ticks),
        top=top,
        bottom=bottom,
    )


def _steps(heights: NDArray[np.float64]) -> str:
    """Return a staircase as a closed path, from the ground up."""
    width = SIDE / len(heights)
    path = [f"M0 {SIDE}"]
    for number, height in enumerate(heights):
        path.append(f"V{SIDE * (1 - height):.1f}H{width * (number + 1):.1f}")
    return "".join([*path, f"V{SIDE}Z"])


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2)
