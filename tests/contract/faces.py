"""Photographs for the tests of faces: two people in the public domain, framed otherwise each time."""

import io
import random
from pathlib import Path

from PIL import Image, ImageEnhance

FOLDER = Path(__file__).parents[1] / "pictures"
COLLINS, HOPPER = "eileen_collins", "grace_hopper"


def photograph(name, number=0):
    """A photograph; ``number`` above 0 pans, scales, mirrors and lights it otherwise."""
    picture = Image.open(FOLDER / f"{name}.jpg").convert("RGB")
    if not number:
        return picture
    source = random.Random(f"{name} {number}")
    share = source.uniform(0.7, 0.95)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = source.randrange(picture.width - width + 1), source.randrange((picture.height - height) // 3 + 1)
    part = picture.crop((left, top, left + width, top + height))
    scale = source.uniform(0.8, 1.5)
    part = part.resize((round(width * scale), round(height * scale)))
    part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else part
    return ImageEnhance.Brightness(part).enhance(source.uniform(0.7, 1.2))


def side_by_side(*pictures):
    """Pictures beside each other, each of its own size."""
    row = Image.new("RGB", (sum(one.width for one in pictures), max(one.height for one in pictures)), "grey")
    left = 0
    for one in pictures:
        row.paste(one, (left, 0))
        left += one.width
    return row


def as_jpeg(picture):
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()
