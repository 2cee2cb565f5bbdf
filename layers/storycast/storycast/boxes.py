"""Boxes: where something is in a frame, in shares of its width and height."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle in shares of the frame: ``left`` and ``top`` from the upper left corner, each 0..1."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge, in shares of the frame's width."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge, in shares of the frame's height."""
        return self.top + self.height

    @property
    def area(self) -> float:
        """Share of the frame that the box covers, 0..1."""
        return self.width * self.height

    def clipped(self) -> "Box":
        """Return the part of the box inside the frame; detectors report boxes that reach out of it."""
        left, top = min(max(self.left, 0.0), 1.0), min(max(self.top, 0.0), 1.0)
        right, bottom = min(max(self.right, 0.0), 1.0), min(max(self.bottom, 0.0), 1.0)
        return Box(left, top, max(right - left, 0.0), max(bottom - top, 0.0))


def percent(confidence: float) -> float:
    """Return a service's confidence as 0..100; 0 for what is no number."""
    return min(max(confidence, 0.0), 100.0) if math.isfinite(confidence) else 0.0


def overlap_area(one: Box, other: Box) -> float:
    """Return the share of the frame that both boxes cover, 0..1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return width * height if width > 0 and height > 0 else 0.0


def overlap_ratio(one: Box, other: Box) -> float:
    """Return intersection over union, 0..1; 0 when both boxes are empty."""
    both = overlap_area(one, other)
    union = one.area + other.area - both
    return both / union if union > 0 else 0.0


def share_inside(inner: Box, outer: Box) -> float:
    """Return the share of ``inner`` that lies in ``outer``, 0..1; 0 when ``inner`` is empty."""
    return overlap_area(inner, outer) / inner.area if inner.area > 0 else 0.0


def same_object(one: Box, other: Box) -> bool:
    """Tell whether two boxes are likely two reports of one thing.

    Either they coincide (half of their union is shared), or one lies in the other and is of its size: a
    detector's tight box within another's loose one. A head within a body is neither.
    """
    if overlap_ratio(one, other) >= 0.5:
        return True
    small, large = sorted((one, other), key=lambda box: box.area)
    return large.area > 0 and share_inside(small, large) >= 0.85 and small.area >= 0.4 * large.area


def group_same(boxes: Sequence[Box]) -> list[list[int]]:
    """Group the indices of boxes that report one thing.

    Args:
        boxes: Boxes, the most trusted first.

    Returns:
        Groups of indices. Each begins with the box that founded it, and each other member is the
        :func:`same_object` as that one, so groups never chain.
    """
    groups: list[list[int]] = []
    for index, box in enumerate(boxes):
        for group in groups:
            if same_object(boxes[group[0]], box):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
