"""Decoding, cutting and measuring pictures, and the contact sheet."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from storycast.contact_sheet import MAX_TILES, Tile, draw_contact_sheet
from storycast.cuts import Cut
from storycast.images import (
    MAX_PIXELS,
    PictureUnreadableError,
    cut_out,
    fitted,
    measure,
    open_picture,
    padded_square,
    sharpness,
    to_jpeg,
    to_png,
)
from tests.fakes.film import encoded, numbered


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


GRADIENT = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :], 48, axis=0)


def mean(content: bytes) -> list[int]:
    pixels = np.asarray(open_picture(content)).reshape(-1, 3)
    return [round(float(value)) for value in pixels.mean(axis=0)]


# ---- decoding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_any_png_becomes_rgb(mode: str) -> None:
    picture = open_picture(saved(Image.fromarray(GRADIENT).convert(mode), "PNG"))
    assert (picture.mode, picture.size) == ("RGB", (64, 48))


def test_a_palette_keeps_its_colours() -> None:
    picture = Image.new("RGB", (20, 20), (200, 40, 90)).quantize(4)
    assert mean(saved(picture, "PNG")) == pytest.approx([200, 40, 90], abs=3)


def test_sixteen_bits_keep_their_shades() -> None:
    deep = Image.fromarray(GRADIENT.astype(np.uint16) * 257)
    picture = np.asarray(open_picture(saved(deep, "PNG")))[..., 0].astype(int)
    assert np.abs(picture - GRADIENT).max() <= 1


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    picture = Image.new("RGB", (20, 20), (200, 40, 90)).convert("CMYK")
    assert mean(saved(picture, "JPEG", quality=95)) == pytest.approx([200, 40, 90], abs=6)


def test_a_grey_jpeg_becomes_rgb() -> None:
    assert open_picture(saved(Image.fromarray(GRADIENT), "JPEG")).mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_a_camera_turned_is_shown_upright(orientation: int) -> None:
    upright = Image.new("RGB", (40, 20), "black")
    upright.paste("red", (0, 0, 10, 10))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = open_picture(saved(stored, "JPEG", quality=100, subsampling=0, exif=exif))
    assert shown.size == (40, 20)
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(upright)).mean() < 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        encoded(numbered(1), "PNG")[:200],
        saved(Image.fromarray(GRADIENT), "GIF"),
        saved(Image.fromarray(GRADIENT), "TIFF"),
        saved(Image.fromarray(GRADIENT), "BMP"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_what_is_no_png_or_jpeg_is_unreadable_and_says_so(content: bytes) -> None:
    with pytest.raises(PictureUnreadableError, match="readable PNG or JPEG"):
        open_picture(content)


@pytest.mark.parametrize(
    ("width", "height"), [(8001, 8001), (10_000, 9_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)]
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_that_unpacks_to_gigabytes_is_refused_before(width: int, height: int) -> None:
    assert width * height > MAX_PIXELS
    with pytest.raises(PictureUnreadableError):
        open_picture(claimed_png(width, height))


def _with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9003] = 6, "Maker", "2026:01:02 03:04:05"
    return saved(Image.fromarray(numbered(7)), "JPEG", exif=exif)


_FILES = [encoded(numbered(7), "PNG"), encoded(numbered(7), "JPEG"), _with_exif()]


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=300)
@given(
    st.sampled_from(_FILES),
    st.lists(st.tuples(st.integers(0, 200) | st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 400),
)
def test_damage_anywhere_is_a_picture_or_unreadable(content: bytes, hits: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(content[: len(content) - cut])
    for place, value in hits:
        damaged[place % len(damaged)] = value
    with suppress(PictureUnreadableError):
        assert open_picture(bytes(damaged)).mode == "RGB"


# ---- cutting and measuring ------------------------------------------------------------------------


def test_a_cut_is_resized_only_outside_its_limits() -> None:
    frame = Image.fromarray(numbered(3, width=800, height=600))
    assert cut_out(frame, Cut(100, 50, 300)).size == (300, 300)
    assert cut_out(frame, Cut(100, 50, 300), least_px=512).size == (512, 512)
    assert cut_out(frame, Cut(0, 0, 600), most_px=512).size == (512, 512)
    exact = cut_out(frame, Cut(100, 50, 300))
    assert np.array_equal(np.asarray(exact), np.asarray(frame)[50:350, 100:400])


def test_a_reference_is_padded_not_cut_or_stretched() -> None:
    picture = Image.new("RGB", (100, 40), (10, 200, 30))
    square = padded_square(picture)
    assert square.size == (100, 100)
    assert np.asarray(square).reshape(-1, 3).mean(axis=0) == pytest.approx([10, 200, 30])
    assert padded_square(square) is square


@pytest.mark.parametrize(
    ("size", "fit"), [((3000, 1000), (1500, 500)), ((100, 100), (100, 100)), ((9000, 1), (1500, 1))]
)
def test_a_picture_is_fitted_without_losing_a_side(size: tuple[int, int], fit: tuple[int, int]) -> None:
    assert fitted(Image.new("RGB", size), 1500).size == fit


def test_measures_tell_light_from_dark() -> None:
    dark, light = (measure(Image.new("RGB", (30, 30), colour)) for colour in ("black", "white"))
    assert (dark.light, light.light) == (0.0, 1.0)
    assert dark.contrast == light.contrast == 0.0


def drawn_shape(blur_px: float, contrast: int = 150) -> Image.Image:
    """Return one flat shape on flat ground, as cartoons have them."""
    picture = Image.new("L", (500, 400), 90)
    ImageDraw.Draw(picture).ellipse((120, 80, 380, 320), fill=90 + contrast)
    return picture.filter(ImageFilter.GaussianBlur(blur_px)).convert("RGB")


@pytest.mark.parametrize("contrast", [20, 60, 150])
def test_flat_colour_with_sharp_edges_is_sharp_and_the_same_blurred_is_not(contrast: int) -> None:
    sharp, soft, blurred = (sharpness(drawn_shape(blur_px, contrast)) for blur_px in (0.6, 3, 8))
    assert sharp > 1.5 * soft
    assert sharp > 2.5 * blurred
    textured = Image.fromarray(numbered(3, texture=120, width=512, height=512))
    assert sharpness(textured.filter(ImageFilter.GaussianBlur(8))) < sharp / 2, "texture does not make it sharp"


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3), (2000, 10)])
def test_pictures_of_any_shape_have_a_sharpness(size: tuple[int, int]) -> None:
    assert 0 <= sharpness(Image.new("RGB", size, "green")) <= 100


def test_jpeg_keeps_full_colour_and_png_every_pixel() -> None:
    picture = Image.fromarray(numbered(3))
    with Image.open(io.BytesIO(to_jpeg(picture))) as jpeg:
        assert jpeg.format == "JPEG"
        assert jpeg.layer[1][1:3] == (1, 1)  # type: ignore[attr-defined]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(picture)))), np.asarray(picture))


# ---- the contact sheet ----------------------------------------------------------------------------


def sheet(count: int, text: str = "Mara waves") -> Image.Image:
    tiles = [Tile(Image.new("RGB", (64, 64), "teal"), f"Mara · {number}", text) for number in range(count)]
    drawn = Image.open(io.BytesIO(draw_contact_sheet("run-1: pictures", ["a: b (tests)"], tiles)))
    assert drawn.format == "JPEG"
    return drawn


def test_the_sheet_grows_by_rows() -> None:
    none, one, five, six = (sheet(count) for count in (0, 1, 5, 6))
    assert none.width == one.width < five.width == six.width
    assert none.height < one.height == five.height < six.height


def test_the_sheet_shows_no_more_than_it_can() -> None:
    assert sheet(MAX_TILES + 50).size == sheet(MAX_TILES).size
    assert max(sheet(MAX_TILES).size) < 65_500


def test_the_pictures_are_on_the_sheet() -> None:
    teal = np.asarray(sheet(3)).astype(int)
    assert (np.abs(teal - [0, 128, 128]).sum(axis=2) < 20).sum() > 3 * 200 * 200


@pytest.mark.parametrize("text", ["", "x" * 5000, "映画 – ümläut", "a\nb\tc", "'\"<&>"])
def test_any_text_can_stand_on_the_sheet(text: str) -> None:
    assert sheet(2, text).size == sheet(2).size
