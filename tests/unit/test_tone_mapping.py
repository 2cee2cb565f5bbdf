"""HDR and wide gamut become SDR of BT.709: by the formulas of the standards, each worked out here once more."""

from typing import Any

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from hypothesis import given, settings
from hypothesis import strategies as st

from storycast.video.display import UNSPECIFIED, upright
from storycast.video.tone_mapping import (
    REFERENCE_WHITE_NITS,
    Grading,
    eetf,
    grading_of,
    hlg_scene,
    pq_code,
    pq_nits,
    tone_mapped,
)

SIDE_PX = 32


def coded(rgb: Any, *, transfer: int, primaries: int = ColorPrimaries.BT2020, full: bool = False) -> VideoFrame:
    """Return a frame of one colour, given as R'G'B' 0..1, in Y'CbCr of BT.2020 with 10 bits."""
    red, green, blue = (float(one) for one in rgb)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    parts = (luma, (blue - luma) / 1.8814, (red - luma) / 1.4746)
    span, chroma_span, black = (1023, 1023, 0) if full else (876, 896, 64)
    values = (round(parts[0] * span + black), *(round(part * chroma_span + 512) for part in parts[1:]))
    frame = VideoFrame(SIDE_PX, SIDE_PX, "yuv444p10le")
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
    frame.colorspace, frame.color_trc, frame.color_primaries = Colorspace.BT2020, transfer, primaries
    frame.color_range = ColorRange.JPEG if full else ColorRange.MPEG
    return frame


def shown(frame: VideoFrame) -> list[int]:
    grading = grading_of(frame)
    assert grading is not None
    picture = tone_mapped(frame, grading)
    assert picture.shape == (frame.height, frame.width, 3)
    assert np.ptp(picture.reshape(-1, 3), axis=0).max() == 0
    return [int(one) for one in picture[0, 0, ::-1]]


def pq(*nits: float, full: bool = False) -> VideoFrame:
    return coded(pq_code(np.array(nits)), transfer=ColorTrc.SMPTE2084, full=full)


@pytest.mark.parametrize("transfer", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67, ColorTrc.BT709])
def test_wide_colours_without_a_matrix_are_of_bt2020s(transfer: int) -> None:
    named, unnamed = (coded((0.6, 0.3, 0.2), transfer=transfer) for _ in range(2))
    unnamed.colorspace = UNSPECIFIED
    assert np.array_equal(upright(unnamed), upright(named))


@pytest.mark.parametrize(
    ("code", "nits"), [(0.0, 0.0), (0.5081, 100.0), (0.5807, 203.0), (0.7518, 1000.0), (1.0, 10_000.0)]
)
def test_pq_is_what_its_standard_tables(code: float, nits: float) -> None:
    assert float(pq_nits(np.array(code))) == pytest.approx(nits, rel=2e-3, abs=1e-6)
    assert float(pq_code(np.array(nits))) == pytest.approx(code, abs=1e-4)


@pytest.mark.parametrize(("code", "scene"), [(0.0, 0.0), (0.5, 1 / 12), (0.75, 0.2650), (1.0, 1.0)])
def test_hlg_is_what_its_standard_tables(code: float, scene: float) -> None:
    assert float(hlg_scene(np.array(code))) == pytest.approx(scene, abs=5e-4)


def test_the_curve_leaves_shadows_alone_and_ends_at_reference_white() -> None:
    nits = np.linspace(0, 1000, 5001)
    made = eetf(nits, 1000)
    dark = nits < 80
    assert np.allclose(made[dark], nits[dark], atol=1e-6)
    assert made[-1] == pytest.approx(REFERENCE_WHITE_NITS)
    assert np.all(np.diff(made) >= 0)
    assert np.all(made <= nits + 1e-6)
    assert np.array_equal(eetf(nits, 203), nits)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("nits", "value"), [(0, 0), (1, 28), (10, 73), (50, 142), (92, 184), (203, 230), (1000, 255), (4000, 255)]
)
def test_greys_of_pq_stay_grey(nits: float, value: int, full: bool) -> None:
    made = shown(pq(nits, nits, nits, full=full))
    assert max(made) - min(made) <= 1
    assert abs(made[1] - value) <= 2


def test_hlg_renders_reference_white_as_pq_does() -> None:
    grey = shown(coded((0.75, 0.75, 0.75), transfer=ColorTrc.ARIB_STD_B67))
    assert abs(grey[1] - shown(pq(203, 203, 203))[1]) <= 2
    assert shown(coded((1, 1, 1), transfer=ColorTrc.ARIB_STD_B67)) == [255, 255, 255]
    assert shown(coded((0, 0, 0), transfer=ColorTrc.ARIB_STD_B67)) == [0, 0, 0]


CHART = {
    "dark skin": (0.171, 0.081, 0.056),
    "light skin": (0.552, 0.303, 0.218),
    "blue sky": (0.112, 0.194, 0.338),
    "foliage": (0.103, 0.150, 0.053),
    "orange": (0.700, 0.200, 0.030),
    "purple": (0.110, 0.045, 0.150),
    "yellow": (0.800, 0.570, 0.030),
    "red": (0.430, 0.030, 0.045),
    "grey": (0.190, 0.190, 0.190),
}
"""Patches as linear light of BT.709, 1 for white."""
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""ITU-R BT.2087."""


@pytest.mark.parametrize("patch", CHART)
def test_a_chart_within_the_curves_straight_part_keeps_its_colours(patch: str) -> None:
    light = np.array(CHART[patch])
    # At 90 cd/m2 for white nothing is compressed: only primaries and transfer change.
    frame = coded(pq_code(TO_BT2020 @ light * 90), transfer=ColorTrc.SMPTE2084)
    expected = (light * 90 / REFERENCE_WHITE_NITS) ** (1 / 2.4) * 255
    assert np.abs(np.array(shown(frame)) - expected).max() <= 3


@pytest.mark.parametrize("patch", CHART)
def test_wide_gamut_of_sdr_keeps_its_colours(patch: str) -> None:
    light = np.array(CHART[patch])
    frame = coded((TO_BT2020 @ light) ** (1 / 2.4), transfer=ColorTrc.BT2020_10)
    assert np.abs(np.array(shown(frame)) - light ** (1 / 2.4) * 255).max() <= 3


@given(st.lists(st.floats(0, 4000), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_colour_turns_round(nits: list[float]) -> None:
    frame = coded(pq_code(np.array(nits)), transfer=ColorTrc.SMPTE2084, primaries=ColorPrimaries.BT709)
    made = shown(frame)
    for one in range(3):
        for other in range(3):
            if nits[one] > nits[other] * 1.1 + 2:
                assert made[one] >= made[other]


def test_frames_of_sdr_are_left_alone() -> None:
    frame = VideoFrame(SIDE_PX, SIDE_PX, "yuv420p")
    for primaries in (ColorPrimaries.BT709, ColorPrimaries.UNSPECIFIED, ColorPrimaries.SMPTE170M):
        frame.color_trc, frame.color_primaries = ColorTrc.BT709, primaries
        assert grading_of(frame) is None


def test_rgb_is_mapped_as_ycbcr_is() -> None:
    code = pq_code(np.array((300.0, 120.0, 20.0)))
    rgb = VideoFrame(SIDE_PX, SIDE_PX, "rgb48le")
    rgb.planes[0].update(np.tile((code * 65535).round().astype(np.uint16), SIDE_PX * SIDE_PX).tobytes())
    grading = Grading("pq", ColorPrimaries.BT2020, 1000.0)
    made = tone_mapped(rgb, grading)[0, 0, ::-1].astype(int)
    assert np.abs(made - np.array(shown(pq(300, 120, 20)))).max() <= 2
