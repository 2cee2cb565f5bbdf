"""Charts: their numbers as shapes in a square of 1,000 units, which the page stretches to its own width.

The words round a chart are the page's, so that they keep their size on any screen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storycast.losses import Loss

SIDE = 1000
BINS = 48
MOST_POINTS = 240
"""Of a curve; more are averaged, since a phone has no more pixels."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its words, and its place in hundredths of the axis."""

    text: str
    percent: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Two distributions over one axis, each as a path; each has the height of its own share of pairs."""

    neighbours: str
    strangers: str
    neighbour_count: int
    stranger_count: int
    neighbour_median: float
    stranger_median: float
    threshold: float | None
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


def histogram(
    neighbours: Sequence[float], strangers: Sequence[float], threshold: float | None
) -> Histogram | None:
    """Return the distributions of two sets of cosines; None where one of them is empty.

    Args:
        neighbours: Cosines of successive sightings of one thing.
        strangers: Cosines of pairs from different shots.
        threshold: Cosine from which pictures are duplicates; None where none was chosen.
    """
    if not neighbours or not strangers:
        return None
    low = math.floor(min(*neighbours, *strangers, threshold or 1.0) * 10) / 10
    low = max(min(low, 0.9), -1.0)
    edges = np.linspace(low, 1.0, BINS + 1)
    shares = [_shares(values, edges) for values in (neighbours, strangers)]
    tallest = max(float(share.max()) for share in shares)
    first, second = (_steps(share / tallest) for share in shares)
    span = 1.0 - low
    steps = round(span * 10)
    every = 1 if steps <= 6 else 2
    marks = [1.0 - 0.1 * number for number in range(0, steps + 1, every)]
    return Histogram(
        neighbours=first,
        strangers=second,
        neighbour_count=len(neighbours),
        stranger_count=len(strangers),
        neighbour_median=float(np.median(neighbours)),
        stranger_median=float(np.median(strangers)),
        threshold=threshold,
        threshold_percent=_percent(((threshold or low) - low) / span),
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


def _shares(values: Sequence[float], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    shares: NDArray[np.float64] = counts / max(len(values), 1)
    return shares


def _steps(heights: NDArray[np.float64]) -> str:
    """Return a staircase as a closed path, from the ground up."""
    width = SIDE / len(heights)
    path = [f"M0 {SIDE}"]
    for number, height in enumerate(heights):
        path.append(f"V{SIDE * (1 - height):.1f}H{width * (number + 1):.1f}")
    return "".join([*path, f"V{SIDE}Z"])


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2)
