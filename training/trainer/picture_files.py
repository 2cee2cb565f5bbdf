"""The files of pictures that were drawn: PNG with where it comes from; noise of a stand-in shows that it is."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from trainer.progress import write_whole

SOFTWARE = "Storycast"
STAND_IN_SOFTWARE = "Storycast local stand-in: random weights, noise"
"""Storycast grades no picture whose PNG text ``Software`` begins with "Storycast local stand-in:"."""
BAND = "LOCAL STAND-IN: random weights, noise"


@dataclass(frozen=True)
class Origin:
    """Where a picture comes from."""

    prompt: str
    negative_prompt: str
    seed: int
    model: str
    licence: str
    is_stand_in: bool


def write_picture(file: Path, pixels: NDArray[np.float32], origin: Origin) -> None:
    """Write a picture, whole or not at all.

    Args:
        file: Where to.
        pixels: Height, width and colours, 0..1.
        origin: What its PNG texts say.
    """
    picture = Image.fromarray((pixels * 255).round().clip(0, 255).astype(np.uint8))
    if origin.is_stand_in:
        _put_band(picture)
    texts = PngImagePlugin.PngInfo()
    for keyword, text in (
        ("Software", STAND_IN_SOFTWARE if origin.is_stand_in else SOFTWARE),
        ("prompt", origin.prompt),
        ("negative_prompt", origin.negative_prompt),
        ("seed", str(origin.seed)),
        ("model", origin.model),
        ("licence", origin.licence),
    ):
        texts.add_text(keyword, text)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=texts, compress_level=6)
    write_whole(file, out.getvalue())


def _put_band(picture: Image.Image) -> None:
    """Put the band over the lower edge, as large as the width lets it be."""
    draw = ImageDraw.Draw(picture)
    size_px = max(14, picture.width // 32)
    while draw.textlength(BAND, font=ImageFont.load_default(size_px)) > picture.width * 0.96 and size_px > 5:
        size_px -= 1
    deep_px = round(size_px * 1.8)
    draw.rectangle((0, picture.height - deep_px, picture.width, picture.height), fill=(20, 20, 20))
    middle = (picture.width / 2, picture.height - deep_px / 2)
    draw.text(middle, BAND, fill=(255, 214, 90), font=ImageFont.load_default(size_px), anchor="mm")
