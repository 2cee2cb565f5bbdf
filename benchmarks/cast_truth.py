"""Ground truth of who is where in a film, and how what was found is held against it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storycast.boxes import Box, overlap_area, overlap_ratio, share_inside

LEAST_OVERLAP = 0.3
"""Intersection over union from which a detection has found a character. Pictures are squares with surroundings, so
edges need not be exact; at 0.3 two boxes of one size share nearly half of themselves. A box round two characters
of one size may have found one of them, never both."""
PART_INSIDE = 0.8
PART_AREA = 1 / 6
"""A detection that lies in the character's box to 80 % and is a sixth of it has found it, too: a portrait."""
SHOWN_SHARE = 1 / 3
"""A picture shows a character from this share of its box on, or where the box covers as much of the picture."""

NOBODY = "nobody"
"""The class of what shows no member of the cast."""


@dataclass(frozen=True)
class TrueBox:
    """A creature in a labelled frame; ``box`` in shares of the frame."""

    name: str
    box: Box
    unsure: bool
    small: bool
    is_whole: bool
    """Neither cut by the frame's edge nor hidden."""
    note: str


@dataclass(frozen=True)
class Truth:
    """The labelled frames of a film, by time, and the names of its cast."""

    path: Path
    frames: dict[int, tuple[TrueBox, ...]]

    @property
    def cast(self) -> tuple[str, ...]:
        """Names of the characters."""
        named = {one.name for boxes in self.frames.values() for one in boxes}
        return tuple(sorted(named - {"other"}))


def read_truth(path: Path) -> Truth:
    """Read a ground truth; see ``benchmarks/ground_truth/README.md``."""
    content = json.loads(path.read_text("utf-8"))
    width, height = content["width_px"], content["height_px"]
    frames = {}
    for frame in content["frames"]:
        frames[frame["time_ms"]] = tuple(
            TrueBox(
                name=one["name"],
                box=Box(
                    one["box"][0] / width, one["box"][1] / height, one["box"][2] / width, one["box"][3] / height
                ),
                unsure=one.get("unsure", False),
                small=one.get("small", False),
                is_whole=not one.get("truncated", False) and not one.get("occluded", False),
                note=one.get("note", ""),
            )
            for one in frame["boxes"]
        )
    return Truth(path, frames)


def finds(found: Box, true: Box) -> float:
    """Return how well a detection finds a character, 0 where it does not; greater is better."""
    ratio = overlap_ratio(found, true)
    if ratio >= LEAST_OVERLAP:
        return 1 + ratio
    is_part = share_inside(found, true) >= PART_INSIDE and found.area >= PART_AREA * true.area
    return ratio if is_part else 0.0


def pair_up(found: Sequence[Box], true: Sequence[Box]) -> dict[int, int]:
    """Return which detection found which character, one to one, best first: true index by found index."""
    candidates = sorted(
        (
            (-finds(one, other), row, column)
            for row, one in enumerate(found)
            for column, other in enumerate(true)
            if finds(one, other) > 0
        ),
    )
    pairs: dict[int, int] = {}
    for _, row, column in candidates:
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return pairs


def shows(picture: Box, true: Box) -> bool:
    """Tell whether a picture, as a part of the frame, shows a character."""
    both = overlap_area(picture, true)
    return both >= SHOWN_SHARE * true.area or both >= SHOWN_SHARE * picture.area
