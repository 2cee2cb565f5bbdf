"""Burnt-in text: how often it is found, and how often something else is taken for it, on frames of a film.

    .venv/bin/python -m benchmarks.burnt_in_text --video FILE [--title-free 31.5-488] [--titles 21.4-23,...]

Frames are those that a run would sample. Every other title-free frame gets a line of text, in turn of each font,
size and kind; the others stay as they are. Fonts are Pillow's own and those of DejaVu and Liberation that this
machine has. The film's own titles are counted by themselves. The last line is JSON.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.cast_material import Film, read_film
from storycast.boxes import Box, share_inside
from storycast.burnt_in_text import find_text
from storycast.frames import KeptFrame
from storycast.video.picture import TEXT_WIDTH_PX, text_luma

ROOT = Path(__file__).resolve().parent.parent
FONTS = Path("/usr/share/fonts/truetype")
FACES = (
    "dejavu/DejaVuSans.ttf",
    "dejavu/DejaVuSans-Bold.ttf",
    "dejavu/DejaVuSerif.ttf",
    "liberation/LiberationSans-Regular.ttf",
    "liberation/LiberationSans-BoldItalic.ttf",
    "liberation/LiberationSerif-Italic.ttf",
    "liberation/LiberationSansNarrow-Regular.ttf",
)
HEIGHT_SHARES = (0.035, 0.05, 0.08, 0.14)
"""Of the frame's height that a line is high; subtitles have about 0.05."""
TEXTS = ("Nobody saw the rabbit leave.", "THE END", "Directed by Mara Lind", "Two years later", "CHAPTER THREE")
KINDS = ("white", "white with an outline", "yellow with an outline", "white on a dark box", "black", "half opaque")
FOUND_SHARE = 0.5
"""Of a line's width that found rows must span for it to count as found."""


@dataclass(frozen=True)
class Title:
    """A line that was drawn into a frame."""

    face: str
    height_share: float
    kind: str
    box: Box


def main() -> None:
    """Draw titles into frames, look for text in all, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--title-free", default="31.5-488", help="seconds in which the film has no titles")
    parser.add_argument("--titles", default="21.4-23,25.9-29,490.6-579.5", help="seconds in which it has some")
    parser.add_argument("--frames", type=int, default=400, help="title-free frames, half of which get a title")
    parser.add_argument("--cache", type=Path, default=ROOT / ".storycast" / "benchmarks" / "cast")
    asked = parser.parse_args()
    film = read_film(asked.video, [], asked.cache)
    free = _within(film, asked.title_free)
    free = free[:: max(len(free) // asked.frames, 1)][: asked.frames]
    faces = ["", *(face for face in FACES if (FONTS / face).exists())]
    print(f"{len(free)} title-free frames of {asked.video.name}, {len(faces)} fonts: {', '.join(faces) or 'none'}")

    false_alarms = [frame.time_ms for frame in free[::2] if _texts(cv2.imread(frame.key))]
    spent_s = 0.0
    asked_for = cycle(product(faces, KINDS, HEIGHT_SHARES))
    told: list[tuple[Title, bool]] = []
    extra = 0
    for number, frame in enumerate(free[1::2]):
        # A step that is prime to the number of combinations, so that all are met in any number of frames.
        face, kind, share = [next(asked_for) for _ in range(5)][-1]
        picture, title = _with_title(cv2.imread(frame.key), TEXTS[number % len(TEXTS)], face, share, kind)
        began = time.perf_counter()
        texts = _texts(picture)
        spent_s += time.perf_counter() - began
        told.append((title, _span(texts, title.box) >= FOUND_SHARE))
        extra += any(share_inside(one, _wider(title.box)) < 0.5 for one in texts)
    for what, of in (("font", "face"), ("height", "height_share"), ("kind", "kind")):
        _print_table(what, of, told)
    own = _within(film, asked.titles)
    own_found = [frame for frame in own if _texts(cv2.imread(frame.key))]
    found = sum(was for _, was in told)
    precision = found / max(found + len(false_alarms), 1)
    print(
        f"title-free frames in which text is seen: {len(false_alarms)} of {len(free[::2])}, at {false_alarms} ms"
    )
    print(f"frames with a title in which text is seen elsewhere, too: {extra} of {len(told)}")
    missed = [frame.time_ms for frame in own if frame not in own_found]
    print(f"the film's own titles: {len(own_found)} of {len(own)} frames, missed at {missed} ms")
    print(f"{1000 * spent_s / max(len(told), 1):.1f} ms a frame, {TEXT_WIDTH_PX} px wide")
    figures = {
        "precision": round(precision, 4),
        "recall": round(found / max(len(told), 1), 4),
        "false_alarms": len(false_alarms),
        "title_free_frames": len(free[::2]),
        "own_titles_recall": round(len(own_found) / max(len(own), 1), 4),
    }
    print(json.dumps(figures))


def _within(film: Film, spans: str) -> list[KeptFrame]:
    told = [tuple(float(second) * 1000 for second in span.split("-")) for span in spans.split(",")]
    frames = sorted(film.frames, key=lambda frame: frame.time_ms)
    return [frame for frame in frames if any(begin <= frame.time_ms <= end for begin, end in told)]


def _texts(picture: "cv2.typing.MatLike | None") -> tuple[Box, ...]:
    if picture is None:
        raise ValueError("a frame can't be read")
    return find_text(text_luma(picture.astype(np.uint8, copy=False)))


def _with_title(
    picture: "cv2.typing.MatLike | None", text: str, face: str, share: float, kind: str
) -> tuple["cv2.typing.MatLike", Title]:
    if picture is None:
        raise ValueError("a frame can't be read")
    height, width = picture.shape[:2]
    size = round(share * height)
    image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    font = ImageFont.truetype(FONTS / face, size) if face else ImageFont.load_default(size)
    veil = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(veil)
    long_px = draw.textlength(text, font)
    at = (width - long_px) / 2, height * (0.84 if share < 0.1 else 0.4)
    left, top, right, bottom = draw.textbbox(at, text, font=font)
    outline = max(size // 14, 1) if kind.endswith("outline") else 0
    fill = {"black": (10, 10, 10, 255), "half opaque": (255, 255, 255, 150)}.get(kind, (240, 240, 240, 255))
    if kind.startswith("yellow"):
        fill = (240, 220, 60, 255)
    if kind.endswith("box"):
        draw.rectangle((left - size / 2, top - size / 3, right + size / 2, bottom + size / 3), fill=(0, 0, 0, 170))
    draw.text(at, text, fill=fill, font=font, stroke_width=outline, stroke_fill=(0, 0, 0, 255))
    image.paste(veil, mask=veil)
    box = Box(left / width, top / height, (right - left) / width, (bottom - top) / height)
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR), Title(face or "Pillow's own", share, kind, box)


def _wider(box: Box) -> Box:
    return Box(box.left - 0.02, box.top - 0.02, box.width + 0.04, box.height + 0.04)


def _span(texts: Sequence[Box], box: Box) -> float:
    """Return the share of a line's width above or below which a found row lies in the line."""
    columns = np.zeros(1000, bool)
    for one in texts:
        if share_inside(one, _wider(box)) >= 0.5:
            columns[round(max(one.left, 0) * 1000) : round(one.right * 1000)] = True
    inside = columns[round(max(box.left, 0) * 1000) : round(min(box.right, 1) * 1000)]
    return float(inside.mean()) if inside.size else 0.0


def _print_table(what: str, of: str, told: Sequence[tuple[Title, bool]]) -> None:
    drawn = Counter(getattr(title, of) for title, _ in told)
    found = Counter(getattr(title, of) for title, was in told if was)
    print(f"{what:44} {'drawn':>6} {'found':>6}")
    for value in sorted(drawn):
        print(f"  {value!s:42} {drawn[value]:6} {found[value] / drawn[value]:6.2f}")


if __name__ == "__main__":
    main()
