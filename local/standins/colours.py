"""Colours: their names, and which ones make up a picture."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

type Pixels = NDArray[np.uint8]
type Lab = NDArray[np.float32]

#: Plain names with sRGB values in the middle of what people call so; several values may share a name.
PLAIN_NAMES: tuple[tuple[str, str], ...] = (
    ("black", "#0c0c0c"),
    ("dark grey", "#404040"),
    ("grey", "#808080"),
    ("light grey", "#bdbdbd"),
    ("white", "#f7f7f7"),
    ("red", "#c8201c"),
    ("red", "#8c1a16"),
    ("orange", "#ee7d1c"),
    ("yellow", "#f2d92e"),
    ("pale yellow", "#f0e6a0"),
    ("green", "#3c9a38"),
    ("green", "#7fb23a"),
    ("dark green", "#24481f"),
    ("olive green", "#7c8030"),
    ("pale green", "#b8d89a"),
    ("teal", "#1f8f8f"),
    ("blue", "#2f62c4"),
    ("pale blue", "#a8c8e8"),
    ("dark blue", "#182a5a"),
    ("purple", "#6f3a96"),
    ("lilac", "#c3aede"),
    ("pink", "#eb94b4"),
    ("brown", "#7a4f2c"),
    ("dark brown", "#3a261a"),
    ("tan", "#c8a878"),
    ("cream", "#f0e4cc"),
)


def to_lab(pixels: Pixels) -> Lab:
    """Turn RGB values ``(..., 3)`` into CIE L*a*b* (L 0..100, a and b about -127..127)."""
    flat = pixels.reshape(-1, 1, 3).astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB), dtype=np.float32).reshape(pixels.shape)


def named_shares(pixels: Pixels) -> list[tuple[str, float]]:
    """Which plain colour names make up some pixels.

    Args:
        pixels: RGB values, ``(count, 3)``.

    Returns:
        Names with the share of the pixels (0..1) nearest to them in L*a*b*, the largest first; equal
        ones by name. Empty without pixels.
    """
    if not len(pixels):
        return []
    names, anchors = _anchors(PLAIN_NAMES)
    nearest = _nearest(to_lab(pixels), anchors)
    shares: dict[str, float] = {}
    for number, count in zip(*np.unique(nearest, return_counts=True), strict=True):
        shares[names[number]] = shares.get(names[number], 0.0) + float(count) / len(pixels)
    return sorted(shares.items(), key=lambda row: (-row[1], row[0]))


def dominant_colours(pixels: Pixels, count: int) -> list[tuple[tuple[int, int, int], float]]:
    """The colours that stand for most of some pixels, by median cut.

    Args:
        pixels: RGB values, ``(count, 3)``.
        count: How many colours at most, 0..256.

    Returns:
        RGB values with their share of the pixels (0..1), the largest first.
    """
    if not len(pixels) or not count:
        return []
    reduced = Image.fromarray(pixels.reshape(1, -1, 3), "RGB").quantize(count, method=Image.Quantize.MEDIANCUT)
    palette = reduced.getpalette() or []
    uses = reduced.getcolors(256) or []
    rows = [(_triple(palette, int(str(index))), uses_count / len(pixels)) for uses_count, index in uses]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def css_name(rgb: tuple[int, int, int]) -> str:
    """The CSS colour keyword nearest in L*a*b*."""
    return _name_of(rgb, _css_names())


def plain_name(rgb: tuple[int, int, int]) -> str:
    """The plain colour name nearest in L*a*b*."""
    return _name_of(rgb, PLAIN_NAMES)


def _triple(palette: list[int], index: int) -> tuple[int, int, int]:
    red, green, blue = palette[3 * index : 3 * index + 3]
    return red, green, blue


def _name_of(rgb: tuple[int, int, int], table: tuple[tuple[str, str], ...]) -> str:
    names, anchors = _anchors(table)
    return names[int(_nearest(to_lab(np.array([rgb], dtype=np.uint8)), anchors)[0])]


@cache
def _css_names() -> tuple[tuple[str, str], ...]:
    # The stand-in for both spellings of a grey, and for the two pairs of synonyms, is the first by name.
    chosen: dict[str, str] = {}
    for name, value in sorted(ImageColor.colormap.items()):
        if isinstance(value, str):
            chosen.setdefault(value, name)
    return tuple((name, value) for value, name in chosen.items())


@cache
def _anchors(table: tuple[tuple[str, str], ...]) -> tuple[tuple[str, ...], Lab]:
    values = np.array([ImageColor.getrgb(value)[:3] for _, value in table], dtype=np.uint8)
    return tuple(name for name, _ in table), to_lab(values)


def _nearest(lab: Lab, anchors: Lab) -> NDArray[np.intp]:
    return np.argmin(((lab[:, np.newaxis] - anchors[np.newaxis]) ** 2).sum(axis=2), axis=1)
