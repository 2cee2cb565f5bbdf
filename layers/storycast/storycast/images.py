"""Pictures: decoding, cutting, measuring and encoding them. Needs the imaging layer (NumPy, Pillow)."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from storycast.boxes import Box
from storycast.cuts import Cut

MAX_PIXELS = 64_000_000
"""A picture with more is refused before it is decoded: a small file can unpack to gigabytes."""
JPEG_QUALITY = 95
THUMBNAIL_QUALITY = 74
PNG_COMPRESSION = 3
"""A third of the time of zlib's default for a few per cent more bytes."""
MEASURED_SIDE_PX = 256
SHARPNESS_SIDE_PX = 512
"""Longer side on which sharpness is measured; larger pictures are reduced to what training sees of them."""
SHARPNESS_BLUR_PX = 9
EDGE_DIFFERENCE = 2.0
"""Of luma, 0..255, between neighbours: what changes less is shading or noise, which no lens makes sharper."""
LEAST_EDGE_SHARE = 0.001
"""Of a picture that edges are at least, so that one can tell how sharp they are."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What to do to a picture of each EXIF orientation; 1 is upright."""

type Picture = Image.Image
"""A decoded picture. Who handles pictures without looking into them needs no other name of Pillow."""


class PictureUnreadableError(ValueError):
    """The bytes are no picture that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """Simple measures of a picture: light and contrast, 0..1."""

    light: float
    contrast: float


def open_picture(content: bytes) -> Picture:
    """Decode a PNG or JPEG as RGB, upright as its EXIF data says.

    Raises:
        PictureUnreadableError: It is neither, it is damaged, or it has more than :data:`MAX_PIXELS`.
    """
    try:
        picture = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        if picture.width * picture.height <= MAX_PIXELS:
            # Not ImageOps.exif_transpose: it writes the EXIF data anew and stumbles over damaged ones.
            turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
            plain = _eight_bits(picture) if picture.mode.startswith("I") else picture.convert("RGB")
            return (plain if turn is None else plain.transpose(turn)).convert("RGB")
    except UnidentifiedImageError:
        raise PictureUnreadableError("it is no readable PNG or JPEG: it is neither, or broken in front") from None
    except Image.DecompressionBombError:
        raise PictureUnreadableError(f"it is no readable PNG or JPEG: far more than {MAX_PIXELS:,} px") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureUnreadableError(f"it is no readable PNG or JPEG ({error})") from None
    raise PictureUnreadableError(f"it has {picture.width} x {picture.height} px, more than {MAX_PIXELS:,} in all")


def _eight_bits(picture: Picture) -> Picture:
    # Pillow's own conversion keeps the lower byte of a 16-bit grey, which is noise.
    return Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))


def cut_out(picture: Picture, cut: Cut, *, least_px: int = 1, most_px: int = 4096) -> Picture:
    """Return a square of a picture, resized only where its side is outside ``least_px..most_px``.

    Args:
        picture: The frame.
        cut: The square, inside the frame.
        least_px: A smaller square is enlarged to this.
        most_px: A larger square is reduced to this.
    """
    square = picture.crop((cut.left_px, cut.top_px, cut.left_px + cut.side_px, cut.top_px + cut.side_px))
    side = min(max(cut.side_px, least_px), most_px)
    return square if side == cut.side_px else square.resize((side, side), Image.Resampling.LANCZOS)


def cut_rectangle(picture: Picture, box: Box) -> Picture:
    """Return what lies in a box of a picture, at least one pixel; ``box`` in shares of the picture."""
    clipped = box.clipped()
    left, top = int(clipped.left * picture.width), int(clipped.top * picture.height)
    right, bottom = round(clipped.right * picture.width), round(clipped.bottom * picture.height)
    left, top = min(left, picture.width - 1), min(top, picture.height - 1)
    return picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def padded_square(picture: Picture) -> Picture:
    """Return the whole picture on a square of its mean colour, so that nothing is cut off or stretched."""
    if picture.width == picture.height:
        return picture
    side = max(picture.size)
    mean = tuple(int(value) for value in np.asarray(picture).reshape(-1, 3).mean(axis=0).round())
    square = Image.new("RGB", (side, side), mean)
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


def fitted(picture: Picture, most_px: int) -> Picture:
    """Return the picture with its longer side at most ``most_px``."""
    longer = max(picture.size)
    if longer <= most_px:
        return picture
    scale = most_px / longer
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture.resize(size, Image.Resampling.LANCZOS)


def measure(picture: Picture) -> Look:
    """Measure a picture on a plane of :data:`MEASURED_SIDE_PX`, so that sizes compare."""
    small = picture.convert("L").resize((MEASURED_SIDE_PX, MEASURED_SIDE_PX), Image.Resampling.BILINEAR)
    luma = np.asarray(small, dtype=np.float32)
    return Look(light=round(float(luma.mean()) / 255, 3), contrast=round(float(luma.std()) / 128, 3))


def sharpness(picture: Picture) -> float:
    """Return how sharp a picture's edges are, 0..100, however few it has; 0 where it has none.

    What a blur takes from the differences between neighbours is much where they were sharp and little where they
    were blurred already (Crete et al., 2007, "The blur effect"). Only edges are looked at, so that flat colour is
    not called blurred, nor texture sharp.
    """
    luma = np.asarray(fitted(picture, SHARPNESS_SIDE_PX).convert("L"), dtype=np.float32)
    return round(100 * min(_lost_to_blur(luma), _lost_to_blur(luma.T)), 1)


def _lost_to_blur(luma: NDArray[np.float32]) -> float:
    """Return the share of the differences along rows that a blur along rows takes away; 0 where there are none."""
    size = SHARPNESS_BLUR_PX
    padded = np.pad(luma, ((0, 0), (size // 2, size // 2)), mode="edge")
    summed = np.pad(padded.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    blurred = (summed[:, size:] - summed[:, :-size]) / size
    before, after = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(blurred, axis=1))
    edges = before >= EDGE_DIFFERENCE
    if not edges.size or edges.mean() < LEAST_EDGE_SHARE:
        return 0.0
    return float(np.maximum(before - after, 0)[edges].sum() / before[edges].sum())


def pixels(picture: Picture, width_px: int, height_px: int) -> NDArray[np.float32]:
    """Return a picture's pixels at another size, each the mean of what it covers: (height, width, 3), 0..1."""
    small = picture.resize((width_px, height_px), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


def to_jpeg(picture: Picture) -> bytes:
    """Encode as JPEG, quality 95, no chroma subsampling."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()


def thumbnail(content: bytes, most_px: int) -> bytes:
    """Return a PNG or JPEG as a small JPEG for a page, its longer side at most ``most_px``.

    Raises:
        PictureUnreadableError: It is no such picture.
    """
    out = io.BytesIO()
    fitted(open_picture(content), most_px).save(out, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return out.getvalue()


def to_png(picture: Picture) -> bytes:
    """Encode as PNG."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=PNG_COMPRESSION)
    return out.getvalue()


def png_text(content: bytes, keyword: str) -> str:
    """Return a text that a PNG carries, such as ``Software``; empty where there is none or it is no PNG."""
    try:
        picture = Image.open(io.BytesIO(content), formats=("PNG",))
        if picture.width * picture.height > MAX_PIXELS:
            return ""
        picture.load()  # texts may also stand behind the pixels
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
    return str(picture.info.get(keyword, ""))
