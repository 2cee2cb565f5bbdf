"""Image files: what they are, without trusting what the sender says about them, and their pixels."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

#: The formats that some service here takes, by Pillow's names.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


class PictureUnreadableError(Exception):
    """The bytes are no picture that can be decoded."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What an image file says of itself before it is decoded."""

    #: ``png``, ``jpeg``, ``gif`` or ``webp``, read from the content.
    format: str
    width_px: int
    height_px: int


def read_header(content: bytes) -> PictureHeader:
    """Read the format and the size of an image file.

    Raises:
        PictureUnreadableError: It is no PNG, JPEG, GIF or WebP.
    """
    with _opened(content) as image:
        return PictureHeader((image.format or "").lower(), image.width, image.height)


def read_pixels(content: bytes) -> NDArray[np.uint8]:
    """Decode an image file.

    Returns:
        RGB, ``(height, width, 3)``, 8 bits, turned upright by its EXIF orientation; what is transparent
        lies on white. Of an animation, the first picture.

    Raises:
        PictureUnreadableError: It is no picture, or is cut short.
    """
    with _opened(content) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
                layer = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            return np.asarray(upright.convert("RGB"), dtype=np.uint8)
        except (OSError, ValueError, SyntaxError) as error:
            raise PictureUnreadableError(f"The picture cannot be decoded: {error}") from error


def _opened(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(content), formats=FORMATS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureUnreadableError("These bytes are no PNG, JPEG, GIF or WebP picture") from error
