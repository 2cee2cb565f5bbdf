"""Pictures: checked before anything is loaded, and each fitted into a bucket of about the same area."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from trainer.errors import PicturesUnreadableError
from trainer.job import Picture

WIDEST = 4.0
"""The longest side of a bucket is this many times the other: SDXL was trained so far, and datasets go so far."""
MUCH_CROPPED = 0.1
"""A picture that loses more than this share of itself to its bucket is told of."""


@dataclass(frozen=True)
class Size:
    """Of a picture, px."""

    width: int
    height: int


@dataclass(frozen=True)
class Fit:
    """How a picture becomes one of its bucket: scaled to cover it, then cropped about its middle."""

    original: Size
    scaled: Size
    bucket: Size
    left: int
    top: int

    @property
    def is_enlarged(self) -> bool:
        """Whether the picture is smaller than its bucket."""
        return self.scaled.width > self.original.width

    @property
    def lost_share(self) -> float:
        """How much of the picture is not seen."""
        return 1 - self.bucket.width * self.bucket.height / (self.scaled.width * self.scaled.height)

    @property
    def sizes(self) -> tuple[int, int, int, int, int, int]:
        """Original height and width, top and left of the crop, height and width of the crop: SDXL's conditions."""
        original, bucket = self.original, self.bucket
        return (original.height, original.width, self.top, self.left, bucket.height, bucket.width)


@dataclass(frozen=True)
class Item:
    """A picture of the job that can be read."""

    picture: Picture
    fit: Fit
    sha256: str


@cache
def buckets(resolution: int) -> tuple[Size, ...]:
    """List the sizes that pictures are brought to: up to 1:4 and 4:1, none larger than a square of the resolution.

    At 1024 px they are those that SDXL itself was trained on.

    Args:
        resolution: Side of the square one, px.
    """
    grid_px = 64 if resolution >= 512 else 32
    found = set()
    for one in range(grid_px, resolution + 1, grid_px):
        other = resolution**2 // one // grid_px * grid_px
        if other <= WIDEST * one:
            found |= {Size(one, other), Size(other, one)}
    for one in range(resolution, int(resolution * math.sqrt(WIDEST)) + 1, grid_px):
        other = resolution**2 // one // grid_px * grid_px
        if other > 0 and one <= WIDEST * other:
            found |= {Size(one, other), Size(other, one)}
    return tuple(sorted(found, key=lambda size: (size.width, size.height)))


def fit(original: Size, resolution: int) -> Fit:
    """Fit a picture into the bucket of the nearest shape; there always is one."""
    shape = math.log(original.width / original.height)
    bucket = min(
        buckets(resolution),
        key=lambda size: (abs(math.log(size.width / size.height) - shape), -size.width * size.height, size.width),
    )
    scale = max(bucket.width / original.width, bucket.height / original.height)
    scaled = Size(
        max(bucket.width, round(original.width * scale)), max(bucket.height, round(original.height * scale))
    )
    return Fit(original, scaled, bucket, (scaled.width - bucket.width) // 2, (scaled.height - bucket.height) // 2)


def check(folder: Path, pictures: Sequence[Picture], resolution: int) -> tuple[Item, ...]:
    """Read every picture once, to the end.

    Raises:
        PicturesUnreadableError: Some are missing or can't be read; all of them are named.
    """
    items: list[Item] = []
    faults: list[str] = []
    for picture in pictures:
        file = folder / picture.file
        try:
            content = file.read_bytes()
            with Image.open(file) as opened:
                size = Size(*ImageOps.exif_transpose(opened).size)
                opened.load()
        except FileNotFoundError:
            faults.append(f"{picture.file} (missing)")
        # Whatever a decoder stumbles over is the file's fault, and decoders raise all sorts.
        except Exception as error:
            faults.append(f"{picture.file} ({type(error).__name__}: {error})")
        else:
            items.append(Item(picture, fit(size, resolution), hashlib.sha256(content).hexdigest()))
    if faults:
        raise PicturesUnreadableError(
            f"{len(faults)} of {len(pictures)} pictures below {folder} can't be read: {', '.join(faults)}. "
            "Write the dataset again, or leave these pictures out in the review."
        )
    return tuple(items)


def pixels(folder: Path, item: Item) -> Tensor:
    """Read a picture as its bucket has it: [3, height, width], -1..1."""
    to = item.fit
    with Image.open(folder / item.picture.file) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.has_transparency_data:
            # Without a ground, hidden colours would come to light.
            ground = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(ground, upright.convert("RGBA"))
        scaled = upright.convert("RGB").resize((to.scaled.width, to.scaled.height), Image.Resampling.LANCZOS)
    cut = scaled.crop((to.left, to.top, to.left + to.bucket.width, to.top + to.bucket.height))
    values = np.asarray(cut, dtype=np.float32) / 127.5 - 1
    return torch.from_numpy(values).permute(2, 0, 1)


def say_fits(items: Sequence[Item], resolution: int) -> list[str]:
    """Tell what fitting does to the pictures that the user might not expect; empty where nothing."""
    said = []
    enlarged = [item for item in items if item.fit.is_enlarged]
    if enlarged:
        said.append(
            f"{len(enlarged)} of {len(items)} pictures are smaller than {resolution} px asks for, and were "
            f"enlarged: what they teach is blurred. The smallest: {_name(min(enlarged, key=_area))}."
        )
    cropped = [item for item in items if item.fit.lost_share > MUCH_CROPPED]
    if cropped:
        worst = max(cropped, key=lambda item: item.fit.lost_share)
        said.append(
            f"{len(cropped)} of {len(items)} pictures lose more than a tenth of themselves to the nearest shape "
            f"that is trained on; the most {_name(worst)}: {worst.fit.lost_share:.0%}."
        )
    return said


def _area(item: Item) -> int:
    return item.fit.original.width * item.fit.original.height


def _name(item: Item) -> str:
    return f"{item.picture.file} ({item.fit.original.width}x{item.fit.original.height} px)"
