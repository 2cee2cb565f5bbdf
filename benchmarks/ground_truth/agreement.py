"""Compares two passes over the same frames: how far their boxes and names agree.

python benchmarks/ground_truth/agreement.py
python benchmarks/ground_truth/agreement.py FIRST.json SECOND.json

Only frames of the second pass count. In each frame the pair of boxes with the highest IoU is matched first, then
the best of the rest, whatever their names, down to an IoU of 0.5. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
MATCHED_IOU = 0.5

type Box = dict[str, Any]
type Labels = dict[str, Any]


class Pair(NamedTuple):
    """Two boxes of one frame that are matched, or one that only one pass has."""

    time_ms: int
    first: Box | None
    second: Box | None
    iou: float


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    left, top, width, height = first["box"]
    left2, top2, width2, height2 = second["box"]
    across = min(left + width, left2 + width2) - max(left, left2)
    down = min(top + height, top2 + height2) - max(top, top2)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return float(both / (width * height + width2 * height2 - both))


def pairs_of(time_ms: int, first: Sequence[Box], second: Sequence[Box]) -> list[Pair]:
    """Matches the boxes of one frame, the highest IoU first; a box without a partner is a pair of its own.

    Such a box carries the IoU with the box of the other pass that fits it best, matched or not.
    """
    ious = {(i, j): overlap(a, b) for i, a in enumerate(first) for j, b in enumerate(second)}
    pairs: list[Pair] = []
    left, right = set(range(len(first))), set(range(len(second)))
    for i, j in sorted(ious, key=lambda both: -ious[both]):
        if ious[i, j] >= MATCHED_IOU and i in left and j in right:
            pairs.append(Pair(time_ms, first[i], second[j], ious[i, j]))
            left.remove(i)
            right.remove(j)
    for i in sorted(left):
        best = max((ious[i, j] for j in range(len(second))), default=0.0)
        pairs.append(Pair(time_ms, first[i], None, best))
    for j in sorted(right):
        best = max((ious[i, j] for i in range(len(first))), default=0.0)
        pairs.append(Pair(time_ms, None, second[j], best))
    return pairs


def kappa(names: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two lists of names; None where chance alone would agree always, or there are none."""
    if not names:
        return None
    firsts, seconds = Counter(a for a, _ in names), Counter(b for _, b in names)
    same = sum(a == b for a, b in names) / len(names)
    chance = sum(firsts[name] * seconds[name] for name in firsts) / len(names) ** 2
    return None if chance == 1 else (same - chance) / (1 - chance)


def agreement(first: Labels, second: Labels) -> tuple[dict[str, Any], list[Pair]]:
    """Compares two passes over the frames of the second.

    Returns:
        The figures, and all pairs.

    Raises:
        ValueError: The second pass labels another video, or a frame that the first does not.
    """
    if first["sha256"] != second["sha256"]:
        raise ValueError("the passes are of two videos")
    theirs = {frame["time_ms"]: frame["boxes"] for frame in first["frames"]}
    frames = {frame["time_ms"]: (theirs.get(frame["time_ms"]), frame["boxes"]) for frame in second["frames"]}
    if missing := [time_ms for time_ms, (boxes, _) in frames.items() if boxes is None]:
        raise ValueError(f"not in the first pass: {missing} ms")
    pairs = [pair for time_ms, (boxes, mine) in frames.items() for pair in pairs_of(time_ms, boxes or [], mine)]
    matched = [pair for pair in pairs if pair.first and pair.second]
    names = [(pair.first["name"], pair.second["name"]) for pair in matched if pair.first and pair.second]
    ious = sorted(pair.iou for pair in matched)
    return {
        "frames": len(frames),
        "boxes_first": sum(len(boxes or []) for boxes, _ in frames.values()),
        "boxes_second": sum(len(mine) for _, mine in frames.values()),
        "matched": len(matched),
        "iou_median": round(statistics.median(ious), 3) if ious else None,
        "iou_p10": round(tenth(ious), 3) if ious else None,
        "iou_min": round(ious[0], 3) if ious else None,
        "same_name": round(sum(a == b for a, b in names) / len(names), 4) if names else None,
        "kappa": None if (value := kappa(names)) is None else round(value, 4),
        "only_first": sum(pair.second is None for pair in pairs),
        "only_second": sum(pair.first is None for pair in pairs),
        "empty_first_only": [time_ms for time_ms, (boxes, mine) in frames.items() if mine and not boxes],
        "empty_second_only": [time_ms for time_ms, (boxes, mine) in frames.items() if boxes and not mine],
    }, pairs


def tenth(ascending: Sequence[float]) -> float:
    """The 10th percentile, between the two nearest values in a straight line."""
    place = (len(ascending) - 1) / 10
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (place - below)


def flag_differences(pairs: Sequence[Pair]) -> dict[str, int]:
    """Counts in how many matched pairs each flag differs."""
    both = [(pair.first, pair.second) for pair in pairs if pair.first and pair.second]
    return {
        flag: sum(a.get(flag, False) != b.get(flag, False) for a, b in both)
        for flag in ("small", "truncated", "occluded", "unsure")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints where the passes differ, then the figures."""
    parser = argparse.ArgumentParser(description="Compare two passes over the same frames.")
    parser.add_argument("first", type=Path, nargs="?", default=HERE / "big_buck_bunny_720p.json")
    parser.add_argument("second", type=Path, nargs="?", default=HERE / "big_buck_bunny_720p_second.json")
    options = parser.parse_args(arguments)
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (options.first, options.second))
    figures, pairs = agreement(first, second)
    figures["flags_differ"] = flag_differences(pairs)
    for pair in pairs:
        if pair.first and pair.second:
            if pair.first["name"] != pair.second["name"]:
                print(f"{pair.time_ms} ms: {pair.first['name']} in the first, {pair.second['name']} in the second")
            continue
        which, box = ("first", pair.first) if pair.first else ("second", pair.second or {})
        best = f"best IoU with a box of the other {pair.iou:.2f}"
        print(f"{pair.time_ms} ms: {box['name']} {box['box']} only in the {which} pass, {best}")
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
