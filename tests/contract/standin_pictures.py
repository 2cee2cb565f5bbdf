"""Pictures made for the tests: a figure before a background, and files with a given header."""

import io
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw


def scene(seed: int = 0, width: int = 320, height: int = 240) -> Image.Image:
    """A round-headed figure of some colour, somewhere before a gradient."""
    source = random.Random(seed)
    top, bottom = ([source.randrange(256) for _ in range(3)] for _ in range(2))
    image = Image.fromarray(np.linspace(top, bottom, height).astype(np.uint8).reshape(height, 1, 3))
    image = image.resize((width, height))
    draw = ImageDraw.Draw(image)
    colour = tuple(255 - value for value in top)
    side, left, over = _place(source, width, height)
    draw.ellipse([left + side * 0.2, over, left + side * 0.8, over + side * 0.5], fill=colour)
    draw.ellipse([left, over + side * 0.4, left + side, over + side], fill=colour, outline="black", width=3)
    draw.ellipse([left + side * 0.35, over + side * 0.15, left + side * 0.42, over + side * 0.25], fill="black")
    draw.ellipse([left + side * 0.58, over + side * 0.15, left + side * 0.65, over + side * 0.25], fill="black")
    return image


def figure_box(seed: int, width: int = 320, height: int = 240) -> tuple[float, float, float, float]:
    """Where a scene's figure is: left, top, right and bottom in parts of the picture."""
    source = random.Random(seed)
    for _ in range(6):
        source.randrange(256)
    side, left, over = _place(source, width, height)
    return left / width, over / height, (left + side) / width, (over + side) / height


def _place(source: random.Random, width: int, height: int) -> tuple[float, float, float]:
    side = min(width, height) * source.uniform(0.35, 0.8)
    return side, source.uniform(0, width - side), source.uniform(0, height - side)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """An image file."""
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def jpeg(seed: int = 0, width: int = 320, height: int = 240) -> bytes:
    """A scene as a JPEG file."""
    return encoded(scene(seed, width, height), "JPEG", quality=92)


def plain_png(width: int, height: int) -> bytes:
    """A PNG of one colour, of any size, made in a moment."""
    return encoded(Image.new("L", (width, height), 128), "PNG", compress_level=1)


def padded_png(size: int, side: int = 100) -> bytes:
    """A small valid PNG of exactly ``size`` bytes, filled up by a text chunk."""
    png = plain_png(side, side)
    end = png.rindex(b"IEND") - 4
    body = b"tEXt" + b"fill\0" + b"x" * (size - len(png) - 12 - 5)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:end] + chunk + png[end:]
