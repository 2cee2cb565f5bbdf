"""Reference pictures that are none, or unpack to more than there is."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bad_input.corpus import Case
from tests.bad_input.doors import PICTURE
from tests.bad_input.videos import still_of
from tests.cli.media import write_png_header, write_video


def a(content: Callable[[], bytes], name: str = "bunny.png") -> Callable[[], str]:
    """Return what writes a picture among the references, and names it."""

    def make() -> str:
        write_video(Path("film.mp4"))
        Path("cast").mkdir()
        (Path("cast") / name).write_bytes(content())
        return name

    return make


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture as bytes."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture of noise."""
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def header_of(side_px: int) -> bytes:
    """Return a PNG that claims a size and holds nothing."""
    return write_png_header(Path("header.png"), side_px).read_bytes()


def with_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG with one more chunk behind its header."""
    png = saved(plain())
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


def turned(orientation: int) -> bytes:
    """Return a JPEG whose EXIF data have this orientation."""
    exif = Image.Exif()
    exif[274] = orientation
    return saved(plain(), "JPEG", exif=exif)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)

CASES = [
    Case(
        "an empty picture",
        PICTURE,
        a(lambda: b""),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "text called .png",
        PICTURE,
        a(lambda: b"grey rabbit"),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "an SVG with a script",
        PICTURE,
        a(lambda: SVG, "bunny.svg"),
        code=2,
        told=(
            "Error: cast/bunny.svg can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.svg can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a HEIC",
        PICTURE,
        a(lambda: HEIC, "bunny.heic"),
        code=2,
        told=(
            "Error: cast/bunny.heic can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.heic can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a GIF",
        PICTURE,
        a(lambda: saved(plain(), "GIF"), "bunny.gif"),
        code=2,
        told=(
            "Error: cast/bunny.gif can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.gif can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a TIFF called .png",
        PICTURE,
        a(lambda: saved(plain(), "TIFF")),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a WebP called .jpg",
        PICTURE,
        a(lambda: saved(plain(), "WEBP"), "bunny.jpg"),
        code=2,
        told=(
            "Error: cast/bunny.jpg can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.jpg can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a PNG of 12,000 x 12,000 px, 70 bytes",
        PICTURE,
        a(lambda: header_of(12_000)),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (12000 x 12000 pixels are "
            "too many). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it has "
            "12000 x 12000 px, more than 64,000,000 in all. Replace it by a readable PNG or JPEG."
        ),
    ),
    Case(
        "a PNG of 60,000 x 60,000 px, 70 bytes",
        PICTURE,
        a(lambda: header_of(60_000)),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (it has far too many "
            "pixels). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG: far more than 64,000,000 px. Replace it by a readable PNG or JPEG."
        ),
    ),
    Case(
        "a PNG of 6,000 x 6,000 px with 64 bits each",
        PICTURE,
        a(lambda: still_of(6000, 6000)),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a PNG of 1 x 100,000 px",
        PICTURE,
        a(lambda: saved(Image.new("L", (1, 100_000)))),
        code=0,
        told="taken\nembedded",
    ),
    Case("a PNG of 1 x 1 px", PICTURE, a(lambda: saved(plain(size=(1, 1)))), code=0, told="taken\nembedded"),
    Case(
        "a JPEG in CMYK",
        PICTURE,
        a(lambda: saved(plain("CMYK"), "JPEG"), "bunny.jpg"),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a PNG of 16 bits", PICTURE, a(lambda: saved(plain("I").convert("I;16"))), code=0, told="taken\nembedded"
    ),
    Case(
        "a palette with transparency",
        PICTURE,
        a(lambda: saved(plain("P"), transparency=3)),
        code=0,
        told="taken\nembedded",
    ),
    Case("a PNG of one bit", PICTURE, a(lambda: saved(plain("1"))), code=0, told="taken\nembedded"),
    Case(
        "turned by an orientation that does not exist",
        PICTURE,
        a(lambda: turned(77), "bunny.jpg"),
        code=0,
        told="taken\nembedded",
    ),
    Case("turned and mirrored", PICTURE, a(lambda: turned(5), "bunny.jpg"), code=0, told="taken\nembedded"),
    Case(
        "EXIF data of nonsense",
        PICTURE,
        a(lambda: with_chunk(b"eXIf", b"MM\x00*\xff\xff\xff\xff")),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a colour profile of nonsense",
        PICTURE,
        a(lambda: with_chunk(b"iCCP", b"x\x00\x00" + zlib.compress(bytes(1000)))),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a colour profile that unpacks to 200 MB",
        PICTURE,
        a(lambda: with_chunk(b"iCCP", b"x\x00\x00" + zlib.compress(bytes(200 * 1024**2), 9))),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (Decompressed data too "
            "large for PngImagePlugin.MAX_TEXT_CHUNK). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG (Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK). "
            "Replace it by a readable PNG or JPEG."
        ),
    ),
    Case(
        "a text that unpacks to 200 MB",
        PICTURE,
        a(lambda: with_chunk(b"zTXt", b"x\x00\x00" + zlib.compress(bytes(200 * 1024**2), 9))),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (Decompressed data too "
            "large for PngImagePlugin.MAX_TEXT_CHUNK). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG (Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK). "
            "Replace it by a readable PNG or JPEG."
        ),
    ),
    Case(
        "1,000 chunks of text",
        PICTURE,
        a(lambda: with_chunk(b"tEXt", b"a\x00" + b"b" * 60_000)),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a PNG cut off",
        PICTURE,
        a(lambda: saved(plain())[:2000]),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (image file is truncated). "
            "Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG (image file is truncated). Replace it by a readable PNG or JPEG."
        ),
    ),
    Case(
        "a JPEG cut off",
        PICTURE,
        a(lambda: saved(plain(), "JPEG")[:700], "bunny.jpg"),
        code=2,
        told=(
            "Error: cast/bunny.jpg can't be read as a PNG or JPEG picture (image file is truncated "
            "(77 bytes not processed)). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.jpg can't be used: it is no "
            "readable PNG or JPEG (image file is truncated (77 bytes not processed)). Replace it by "
            "a readable PNG or JPEG."
        ),
    ),
    Case(
        "a PNG with a wrong checksum",
        PICTURE,
        a(lambda: saved(plain()).replace(b"IDAT", b"IDAX")),
        code=2,
        told=(
            "Error: cast/bunny.png can't be read as a PNG or JPEG picture (it is neither). Replace "
            "or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.png can't be used: it is no "
            "readable PNG or JPEG: it is neither, or broken in front. Replace it by a readable PNG "
            "or JPEG."
        ),
    ),
    Case(
        "a JPEG with a ZIP archive behind it",
        PICTURE,
        a(lambda: saved(plain(), "JPEG") + b"PK\x03\x04" + bytes(500), "bunny.jpg"),
        code=0,
        told="taken\nembedded",
    ),
    Case(
        "a JPEG of 65,535 x 65,535 px",
        PICTURE,
        a(
            lambda: saved(plain(), "JPEG").replace(
                b"\x00\x11\x08\x00\x30\x00\x40", b"\x00\x11\x08\xff\xff\xff\xff"
            ),
            "bunny.jpg",
        ),
        code=2,
        told=(
            "Error: cast/bunny.jpg can't be read as a PNG or JPEG picture (it has far too many "
            "pixels). Replace or remove it.\n"
            "ReferenceMissingError: The reference projects/p/cast/bunny.jpg can't be used: it is no "
            "readable PNG or JPEG: far more than 64,000,000 px. Replace it by a readable PNG or JPEG."
        ),
    ),
]
