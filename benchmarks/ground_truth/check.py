"""Checks the labelled frames beside this file, prints their counts and draws their boxes over the film.

python benchmarks/ground_truth/check.py
python benchmarks/ground_truth/check.py --overlay out/boxes --video big_buck_bunny_720p.mp4
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
COLOURS = {
    "Bunny": (255, 0, 255),
    "Frank": (0, 255, 255),
    "Rinky": (255, 255, 0),
    "Gamera": (0, 255, 0),
    "other": (255, 60, 60),
}
FLAGS = ("small", "truncated", "occluded", "unsure")
SMALL_PX = 60

type Labels = dict[str, Any]


def problems(labels: Labels) -> Iterator[str]:
    """Yields what is wrong with the labels of one video, in words."""
    times = [frame["time_ms"] for frame in labels["frames"]]
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        yield "the times are not ascending and unique"
    for frame in labels["frames"]:
        for box in frame["boxes"]:
            for problem in box_problems(box, labels["width_px"], labels["height_px"]):
                yield f"{frame['time_ms']} ms, {box.get('name')}: {problem}"


def box_problems(box: Labels, width_px: int, height_px: int) -> Iterator[str]:
    """Yields what is wrong with one box, in words."""
    if box.get("name") not in COLOURS:
        yield f"unknown name, known are {', '.join(COLOURS)}"
    if unknown := set(box) - {"name", "box", "note", *FLAGS}:
        yield f"unknown fields {sorted(unknown)}"
    left, top, width, height = box["box"]
    if width <= 0 or height <= 0:
        yield "no positive size"
    if left < 0 or top < 0 or left + width > width_px or top + height > height_px:
        yield "outside the frame"
    if box.get("small", False) != (height < SMALL_PX):
        yield f"small is for heights below {SMALL_PX} px"
    touches = left == 0 or top == 0 or left + width == width_px or top + height == height_px
    if box.get("truncated", False) != touches:
        yield "truncated is for boxes at the frame's edge"
    if box.get("name") == "other" and not box.get("note"):
        yield "other needs a note of what it is"


def counts(labels: Labels) -> str:
    """Says in one line how many frames and boxes there are, per name and per flag."""
    boxes = [box for frame in labels["frames"] for box in frame["boxes"]]
    names = Counter(box["name"] for box in boxes)
    empty = sum(not frame["boxes"] for frame in labels["frames"])
    parts = [f"{len(labels['frames'])} frames ({empty} empty)", f"{len(boxes)} boxes"]
    parts += [f"{name} {names[name]}" for name in COLOURS]
    parts += [f"{flag} {sum(box.get(flag, False) for box in boxes)}" for flag in FLAGS]
    return f"{labels['video']}: {', '.join(parts)}"


def draw(labels: Labels, video: Path, folder: Path) -> None:
    """Writes each labelled frame of the video with its boxes to the folder, as JPEG."""
    frames = {frame["time_ms"]: frame["boxes"] for frame in labels["frames"]}
    font = ImageFont.load_default(18)
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            time_ms = round((frame.time or 0) * 1000)
            if time_ms not in frames:
                continue
            image = Image.fromarray(frame.to_ndarray(format="rgb24"))
            pen = ImageDraw.Draw(image)
            for box in frames[time_ms]:
                left, top, width, height = box["box"]
                words = " ".join([box["name"], *(flag for flag in FLAGS if flag in box)])
                colour = COLOURS[box["name"]]
                pen.rectangle((left, top, left + width - 1, top + height - 1), outline=colour, width=2)
                pen.text((left + 4, top + 2), words, fill=colour, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
            image.save(folder / f"{time_ms:06d}.jpg", quality=90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks all files; draws the boxes of the video that is named.

    Returns:
        1 where something is wrong with the labels, else 0.
    """
    parser = argparse.ArgumentParser(description="Check the labelled frames, print counts, draw the boxes.")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="write pictures of the frames with boxes here")
    parser.add_argument("--video", type=Path, metavar="FILE", help="the film that was labelled, for --overlay")
    options = parser.parse_args(arguments)
    if (options.overlay is None) != (options.video is None):
        parser.error("--overlay and --video go together")
    wrong = 0
    files = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("*.json"))}
    for path, labels in files.items():
        print(counts(labels))
        for problem in problems(labels):
            print(f"{path.name}: {problem}", file=sys.stderr)
            wrong = 1
    if options.video is not None:
        digest = hashlib.sha256(options.video.read_bytes()).hexdigest()
        labels = next((labels for labels in files.values() if labels["sha256"] == digest), None)
        if labels is None:
            parser.error(f"{options.video} is none of the labelled videos (its SHA-256 is {digest})")
        draw(labels, options.video, options.overlay)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
