"""Boxes round things in a picture, with the score that a model gave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in parts of the picture (0..1), its score (0..1) and what the model calls it."""

    left: float
    top: float
    right: float
    bottom: float
    score: float
    name: str = ""

    @property
    def area(self) -> float:
        """The share of the picture that the box covers, 0..1."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    def shared_area(self, other: Box) -> float:
        """The share of the picture that both boxes cover, 0..1."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        shared = self.shared_area(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


def without_overlaps(boxes: Iterable[Box], limit: float) -> list[Box]:
    """Keep the best of boxes of one name that lie on each other (non-maximum suppression).

    Args:
        boxes: Candidates, in any order.
        limit: The intersection over union (0..1) above which the weaker one goes.

    Returns:
        The boxes that stay, best score first.
    """
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda candidate: -candidate.score):
        if all(box.name != other.name or box.overlap(other) <= limit for other in kept):
            kept.append(box)
    return kept


def bounding_box(box: Box) -> dict[str, float]:
    """The box as Rekognition tells it."""
    return {"Left": box.left, "Top": box.top, "Width": box.right - box.left, "Height": box.bottom - box.top}


def percent(share: float) -> float:
    """A score or a likeness as Rekognition's confidence, 0..100."""
    return min(100.0, max(0.0, share * 100.0))
