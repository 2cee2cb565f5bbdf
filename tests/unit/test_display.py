"""A frame as a viewer sees it: upright, with square pixels, whole, and in its own colours."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image, ImageOps

from storycast.video.deinterlacing import deinterlaced
from storycast.video.display import is_see_through, pixel_aspect_of, shown_size, turn_of, upright
from tests.fakes.odd_film import Colours, OddFilm, combed, combing, frames_of, with_matrix


def decoded(content: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(content), "r") as container:
        return list(container.decode(video=0))


def marked() -> Any:
    """Return a picture that differs from all its turns: red at the top left, green at the top right."""
    picture = np.full((64, 96, 3), 128, np.uint8)
    picture[:24, :32] = (230, 20, 20)
    picture[:24, 64:] = (20, 200, 20)
    return picture


def corners(picture: Any) -> tuple[str, ...]:
    """Return what is in the corners of a BGR picture, clockwise from the top left."""
    found = []
    for row, column in ((4, 4), (4, -5), (-5, -5), (-5, 4)):
        blue, green, red = picture[row, column].astype(int)
        found.append("red" if red > green + 60 else "green" if green > red + 60 else "grey" if blue > 90 else "?")
    return tuple(found)


@pytest.mark.parametrize(
    ("matrix", "seen", "words"),
    [
        ((1, 0, 0, 1), ("red", "green", "grey", "grey"), ""),
        ((0, 1, -1, 0), ("grey", "red", "green", "grey"), "turned by 90 degrees to the right"),
        ((-1, 0, 0, -1), ("grey", "grey", "red", "green"), "turned by 180 degrees"),
        ((0, -1, 1, 0), ("green", "grey", "grey", "red"), "turned by 90 degrees to the left"),
        ((-1, 0, 0, 1), ("green", "red", "grey", "grey"), "mirrored"),
        ((1, 0, 0, -1), ("grey", "grey", "green", "red"), "mirrored"),
        ((0, 1, 1, 0), ("red", "grey", "grey", "green"), "mirrored"),
        ((0, -1, -1, 0), ("grey", "green", "red", "grey"), "mirrored"),
    ],
)
def test_a_display_matrix_turns_and_mirrors(matrix: Any, seen: Any, words: str) -> None:
    frame = decoded(with_matrix(OddFilm().of([marked()]), *matrix))[0]
    picture = upright(frame)
    assert corners(picture) == seen
    assert turn_of(frame).words == words
    assert (picture.shape[1], picture.shape[0]) == shown_size(frame)
    assert picture.shape[:2] == ((96, 64) if matrix[0] == 0 else (64, 96))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_by_its_exif(orientation: int) -> None:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    Image.fromarray(marked()).save(out, "JPEG", quality=95, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(out)).convert("RGB"))
    assert corners(upright(decoded(out.getvalue())[0])) == corners(expected[..., ::-1])


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(64, 45), (228, 96)),
        (Fraction(8, 9), (160, 108)),
        (Fraction(1), (160, 96)),
        (Fraction(1, 900), (160, 96)),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_pixels_become_square_and_none_is_lost(aspect: Fraction, size: tuple[int, int], container: str) -> None:
    content = OddFilm(container=container, pixel_aspect=aspect).of(frames_of(2))
    with av.open(io.BytesIO(content), "r") as film:
        stream = film.streams.video[0]
        said = pixel_aspect_of(stream)
        frame = next(film.decode(stream))
    assert upright(frame, pixel_aspect=said).shape[:2] == (size[1], size[0])
    assert shown_size(frame, said) == size


INTERLACED = {
    "mpeg2": OddFilm("mpeg2video", "mpegts", rate=25, options={"flags": "+ildct+ilme"}),
    "h264": OddFilm(rate=25, options={"flags": "+ildct+ilme", "x264-params": "tff=1"}),
}


@pytest.mark.parametrize("codec", INTERLACED)
@pytest.mark.parametrize("neighbours", ["both", "before", "after", "none"])
def test_no_comb_is_left_of_an_interlaced_frame(codec: str, neighbours: str) -> None:
    frames = decoded(INTERLACED[codec].of(combed(9)))
    assert all(frame.interlaced_frame for frame in frames)
    before = frames[3] if neighbours in {"both", "before"} else None
    after = frames[5] if neighbours in {"both", "after"} else None
    assert combing(frames[4].to_ndarray(format="gray")) > 5
    picture = upright(frames[4], before=before, after=after)
    assert combing(picture[..., 1]) < 1.5
    box = np.flatnonzero(picture[48, :, 1] > 140)
    assert min(abs(box.min() - moment) for moment in (42, 46)) <= 1
    assert abs(int(np.ptp(box)) - 29) <= 2, "as wide as the box: one moment's, not both"


@pytest.mark.parametrize(("width", "height"), [(2, 2), (16, 1), (3, 3), (16, 16), (15, 40)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv411p", "gray", "rgb24"])
def test_the_smallest_frames_are_deinterlaced_too(width: int, height: int, pixels: str) -> None:
    frames = [VideoFrame(width, height, pixels) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 25)
    made = deinterlaced(frames[1], frames[0], frames[2])
    assert (made.width, made.height) == (width, height)


def test_what_stands_still_keeps_all_its_rows() -> None:
    still = np.full((96, 160, 3), 60, np.uint8)
    still[40:41] = 220
    frames = decoded(INTERLACED["mpeg2"].of([still] * 9))
    kept = upright(frames[4], before=frames[3], after=frames[5])[..., 1].astype(int)
    assert kept[40].mean() > 180
    assert abs(kept[38].mean() - 60) < 15


def test_deinterlacing_keeps_what_is_said_of_colours() -> None:
    colours = Colours(Colorspace.ITU601, primaries=ColorPrimaries.SMPTE170M, transfer=ColorTrc.SMPTE170M)
    film = OddFilm("mpeg2video", "mpegts", rate=25, options={"flags": "+ildct+ilme"}, colours=colours)
    frames = decoded(film.of(combed(5)))
    made = deinterlaced(frames[2], frames[1], frames[3])
    assert (made.colorspace, made.color_range) == (frames[2].colorspace, frames[2].color_range)


COLOURS = [
    (200, 60, 50),
    (60, 160, 70),
    (50, 70, 190),
    (220, 190, 60),
    (128, 128, 128),
    (16, 16, 16),
    (240, 240, 240),
]


def chart(width: int = 160, height: int = 96) -> Any:
    picture = np.zeros((height, width, 3), np.uint8)
    step = width // len(COLOURS)
    for number, colour in enumerate(COLOURS):
        picture[:, number * step : (number + 1) * step] = colour
    picture[:, len(COLOURS) * step :] = COLOURS[-1]
    return picture


def error_of(picture: Any) -> int:
    """Return by how much the middle of a patch is off at most, 0..255."""
    step = picture.shape[1] // len(COLOURS)
    return max(
        int(np.abs(picture[picture.shape[0] // 2, number * step + step // 2, ::-1].astype(int) - colour).max())
        for number, colour in enumerate(COLOURS)
    )


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020])
def test_a_chart_keeps_its_colours_by_its_own_matrix_and_range(matrix: int, full: bool, pixels: str) -> None:
    film = OddFilm(pixels=pixels, colours=Colours(matrix, full), options={"crf": "1"})
    assert error_of(upright(decoded(film.of([chart()]))[0])) <= 4


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((1280, 96), Colorspace.ITU709), ((160, 576), Colorspace.ITU601), ((160, 580), Colorspace.ITU709)],
)
def test_frames_that_do_not_name_their_matrix_are_read_as_players_do(size: tuple[int, int], matrix: int) -> None:
    frame = av.VideoFrame.from_ndarray(chart(*size), format="rgb24").reformat(
        format="yuv444p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
    )
    frame.colorspace, frame.color_range = 2, ColorRange.UNSPECIFIED
    assert error_of(upright(frame)) <= 3


@pytest.mark.parametrize("pixels", ["gray", "gray16le", "bgr0", "gbrp", "yuvj420p", "rgb48le"])
def test_grey_and_rgb_are_shown(pixels: str) -> None:
    grey = np.repeat(np.linspace(20, 235, 160).astype(np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixels)
    assert np.abs(upright(frame).astype(int) - grey).max() <= 3


def test_transparent_parts_become_black() -> None:
    picture = np.dstack([np.full((96, 160, 3), 200, np.uint8), np.full((96, 160), 255, np.uint8)])
    picture[:, :80, 3] = 0
    picture[:, 80:100, 3] = 128
    frame = av.VideoFrame.from_ndarray(picture, format="rgba")
    made = upright(frame)
    assert (made[10, 10].max(), made[10, 90, 0], made[10, 150, 0]) == (0, 100, 200)
    assert is_see_through(frame)
    picture[..., 3] = 255
    assert not is_see_through(av.VideoFrame.from_ndarray(picture, format="rgba"))
