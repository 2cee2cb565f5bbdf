"""Cut-outs: what stands out in a training picture, on nothing; made when first needed and kept on disk."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.standins.pictures import read_pixels
from local.standins.saliency import saliency_map

#: Pictures are reduced to this first; a panel rarely shows a figure larger.
SIDE_PX = 768
FOLDER = "cutouts"
#: Saliency from which a cell begins to show, and how much more makes it solid.
SHOWS_FROM, SOLID_AFTER = 0.3, 0.4
#: Alpha values (0..255): one that a cut-out must reach somewhere, and the faintest at its edge.
SOLID, FAINT = 128, 20
#: Share of a picture that has to be solid; below it, what stands out is an eye or a mouth of a face that fills it.
LEAST_SHARE = 0.15


def cut_out(folder: Path, file: str) -> Image.Image:
    """What stands out in a picture, cropped to it; of a close-up, where only parts do, all of it in an oval.

    Args:
        folder: Where the picture is; a folder in it keeps the cut-outs.
        file: Its file name.

    Returns:
        RGBA, at most ``SIDE_PX`` a side.
    """
    return _kept(folder / FOLDER / f"{file}.png", folder / file).copy()


@lru_cache(maxsize=16)
def _kept(kept: Path, picture: Path) -> Image.Image:
    if not kept.exists():
        cut = _cut(picture)
        kept.parent.mkdir(exist_ok=True)
        draft = kept.with_suffix(f".{threading.get_ident()}.part")
        cut.save(draft, "PNG", compress_level=1)
        draft.replace(kept)
    with Image.open(kept) as image:
        return image.convert("RGBA")


def _cut(picture: Path) -> Image.Image:
    image = Image.fromarray(read_pixels(picture.read_bytes()))
    image.thumbnail((SIDE_PX, SIDE_PX))
    rgb = np.asarray(image, dtype=np.uint8)
    saliency = cv2.resize(saliency_map(rgb), image.size, interpolation=cv2.INTER_LINEAR)
    alpha = (np.clip((saliency - SHOWS_FROM) / SOLID_AFTER, 0.0, 1.0) * 255).astype(np.uint8)
    if (alpha >= SOLID).mean() < LEAST_SHARE:
        alpha = _oval(image.size)
    rows, columns = np.nonzero(alpha >= FAINT)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return Image.fromarray(np.dstack([rgb, alpha]), "RGBA").crop(box)


def _oval(size: tuple[int, int]) -> NDArray[np.uint8]:
    """An oval as large as the picture, soft at its edge."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    away = np.hypot((columns - width / 2) / (width / 2), (rows - height / 2) / (height / 2))
    return np.asarray(np.clip((1.0 - away) / 0.12, 0.0, 1.0) * 255, dtype=np.uint8)
