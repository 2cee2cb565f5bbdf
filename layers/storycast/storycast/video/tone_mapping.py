"""Tone mapping: HDR and wide-gamut frames as SDR of BT.709.

PQ (SMPTE ST 2084) and HLG (ITU-R BT.2100) become light in cd/m2; the curve of ITU-R BT.2390-8 section 5.4 (EETF)
brings the largest of R, G and B from the source's peak down to reference white, 203 cd/m2 (ITU-R BT.2408), and
scales the other two alike, so hues stay; BT.2020's primaries become BT.709's, and what lies outside is mixed with
grey of the same luminance until it fits; at last the inverse of BT.1886's display gamma, 2.4. Black stays black.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

REFERENCE_WHITE_NITS = 203.0
"""What becomes the brightest white; ITU-R BT.2408."""
USUAL_PEAK_NITS = 1000.0
"""Of a source that does not say its own; also the display that HLG is rendered for."""
LARGEST_PEAK_NITS = 10_000.0
HLG_SYSTEM_GAMMA = 1.2
"""At 1000 cd/m2; ITU-R BT.2100."""
DISPLAY_GAMMA = 2.4
STEPS = 4096
"""Entries of each table of a curve: finer than the 1024 codes of 10 bits."""
BAND_ROWS = 16
"""So many rows at a time, so that memory stays a small part of a frame's."""

Transfer = Literal["pq", "hlg", "gamma"]
Plane = NDArray[np.float32]

_WIDE = frozenset({ColorPrimaries.BT2020, ColorPrimaries.SMPTE432})
_CHROMATICITIES = {
    ColorPrimaries.BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    ColorPrimaries.BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    ColorPrimaries.SMPTE432: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_WHITE_D65 = (0.3127, 0.3290)
_LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.ITU601: (0.299, 0.114),
}
_LUMA_WEIGHTS_2020 = (0.2627, 0.0593)


@dataclass(frozen=True, slots=True)
class Grading:
    """How a frame was graded."""

    transfer: Transfer
    primaries: int
    peak_nits: float


def grading_of(frame: VideoFrame) -> Grading | None:
    """Return how an HDR or wide-gamut frame was graded; None for what is SDR of BT.709's colours or near them."""
    if frame.color_trc == ColorTrc.SMPTE2084:
        return Grading("pq", _primaries(frame), _peak_nits(frame))
    if frame.color_trc == ColorTrc.ARIB_STD_B67:
        return Grading("hlg", _primaries(frame), USUAL_PEAK_NITS)
    if frame.color_primaries in _WIDE:
        return Grading("gamma", frame.color_primaries, REFERENCE_WHITE_NITS)
    return None


def tone_mapped(frame: VideoFrame, grading: Grading) -> NDArray[np.uint8]:
    """Return a frame as BGR, 8 bits, SDR of BT.709."""
    height, width = frame.height, frame.width
    picture = np.empty((height, width, 3), np.uint8)
    if frame.format.is_rgb:
        coded = frame.to_ndarray(format="rgb48le")
        for top in range(0, height, BAND_ROWS):
            rows = slice(top, top + BAND_ROWS)
            picture[rows] = _mapped(np.divide(coded[rows], 65535, dtype=np.float32), grading)
        return picture
    deep = frame.reformat(format="yuv444p12le")
    planes = [_rows_of(deep, number) for number in range(3)]
    for top in range(0, height, BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        picture[rows] = _mapped(_rgb([plane[rows] for plane in planes], frame), grading)
    return picture


def eetf(nits: NDArray[np.float64], peak_nits: float) -> NDArray[np.float64]:
    """Return light after BT.2390's curve from ``peak_nits`` to reference white, both in cd/m2.

    Below the knee nothing changes; above it a Hermite spline rolls off, so that the peak becomes reference white.
    """
    if peak_nits <= REFERENCE_WHITE_NITS:
        return nits
    source = float(pq_code(np.array(peak_nits)))
    code = np.minimum(pq_code(nits) / source, 1.0)
    largest = float(pq_code(np.array(REFERENCE_WHITE_NITS))) / source
    knee = 1.5 * largest - 0.5
    part = np.clip((code - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * part**3 - 3 * part**2 + 1) * knee
        + (part**3 - 2 * part**2 + part) * (1 - knee)
        + (-2 * part**3 + 3 * part**2) * largest
    )
    return pq_nits(np.where(code < knee, code, spline) * source)


def pq_nits(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of PQ codes 0..1 in cd/m2; SMPTE ST 2084."""
    power = np.asarray(code, np.float64) ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return LARGEST_PEAK_NITS * light ** (1 / 0.1593017578125)


def pq_code(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ codes 0..1 of light in cd/m2."""
    power = np.clip(np.asarray(nits, np.float64) / LARGEST_PEAK_NITS, 0, None) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_scene(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scene light 0..1 of HLG codes 0..1; ITU-R BT.2100."""
    high = (np.exp((np.maximum(code, 0.5) - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(code <= 0.5, code**2 / 3, high)


def _mapped(coded: Plane, grading: Grading) -> NDArray[np.uint8]:
    """Return R'G'B' 0..1 as BGR, 8 bits; a shape of (rows, columns, 3)."""
    light = _looked_up(_light_table(grading.transfer), coded)
    if grading.transfer == "hlg":
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light *= (np.maximum(luminance, 1e-6) ** (HLG_SYSTEM_GAMMA - 1))[..., None]
        light *= USUAL_PEAK_NITS / REFERENCE_WHITE_NITS
    peak = grading.peak_nits / REFERENCE_WHITE_NITS
    if peak > 1:
        largest = np.minimum(_largest(light), peak)
        light *= _looked_up(_scale_table(grading.peak_nits), np.sqrt(largest / peak))[..., None]
        light = np.minimum(light, 1.0)
    if grading.primaries in _WIDE:
        light = _within(cv2.transform(light, _to_bt709(grading.primaries)).astype(np.float32, copy=False))
    shown = _looked_up(_display_table(), np.sqrt(np.clip(light, 0, 1)))
    return (shown[..., ::-1] * 255 + 0.5).astype(np.uint8)


def _within(light: Plane) -> Plane:
    """Mix negative and too bright pixels with grey of their own luminance until they fit."""
    least, most = -_largest(-light), _largest(light)
    outside = (least < 0) | (most > 1)
    pixels, least, most = light[outside], least[outside], most[outside]
    luminance = np.clip(pixels @ np.array([0.2126, 0.7152, 0.0722], np.float32), 0, 1)
    keep_low = luminance / np.maximum(luminance - np.minimum(least, 0), 1e-9)
    keep_high = (1 - luminance) / np.maximum(np.maximum(most, 1) - luminance, 1e-9)
    grey = luminance[:, None]
    light[outside] = grey + (pixels - grey) * np.minimum(keep_low, keep_high)[:, None]
    return light


def _largest(light: Plane) -> Plane:
    """Return the largest of each pixel's three values: far faster than along an axis of three."""
    return np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])


def _rgb(planes: list[NDArray[np.uint16]], frame: VideoFrame) -> Plane:
    """Return R'G'B' 0..1 of rows of Y'CbCr of 12 bits, by the frame's own matrix and range."""
    red_weight, blue_weight = _LUMA_WEIGHTS.get(frame.colorspace, _LUMA_WEIGHTS_2020)
    is_full = frame.color_range == ColorRange.JPEG
    black, luma_span, chroma_span = (0, 4095, 4095) if is_full else (256, 3504, 3584)
    luma = (planes[0].astype(np.float32) - black) / np.float32(luma_span)
    blue, red = ((plane.astype(np.float32) - 2048) / np.float32(chroma_span) for plane in planes[1:])
    red_part = luma + 2 * (1 - red_weight) * red
    blue_part = luma + 2 * (1 - blue_weight) * blue
    green_part = (luma - red_weight * red_part - blue_weight * blue_part) / (1 - red_weight - blue_weight)
    picture = cv2.merge([red_part, green_part, blue_part])
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def _rows_of(frame: VideoFrame, number: int) -> NDArray[np.uint16]:
    plane = frame.planes[number]
    return np.frombuffer(plane, np.uint16).reshape(plane.height, plane.line_size // 2)[:, : plane.width]


def _looked_up(table: Plane, values: Plane) -> Plane:
    return table[(values * (STEPS - 1) + 0.5).astype(np.uint16)]


@functools.cache
def _light_table(transfer: Transfer) -> Plane:
    """Return light by code: of reference white for PQ and gamma, of the scene for HLG."""
    codes = np.linspace(0, 1, STEPS)
    if transfer == "pq":
        return np.asarray(pq_nits(codes) / REFERENCE_WHITE_NITS, np.float32)
    if transfer == "hlg":
        return np.asarray(hlg_scene(codes), np.float32)
    return np.asarray(codes**DISPLAY_GAMMA, np.float32)


@functools.lru_cache(maxsize=8)
def _scale_table(peak_nits: float) -> Plane:
    """Return by how much light is scaled, by the square root of its share of the peak."""
    nits = np.maximum(np.linspace(0, 1, STEPS) ** 2 * peak_nits, 1e-6)
    return np.asarray(eetf(nits, peak_nits) / nits, np.float32)


@functools.cache
def _display_table() -> Plane:
    """Return what is shown, 0..1, by the square root of light."""
    return np.asarray((np.linspace(0, 1, STEPS) ** 2) ** (1 / DISPLAY_GAMMA), np.float32)


@functools.cache
def _to_bt709(primaries: int) -> NDArray[np.float32]:
    """Return the matrix from linear RGB of some primaries to that of BT.709."""
    source, target = (_to_xyz(_CHROMATICITIES[ColorPrimaries(one)]) for one in (primaries, ColorPrimaries.BT709))
    return np.asarray(np.linalg.solve(target, source), np.float32)


def _to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in chromaticities]).T
    x, y = _WHITE_D65
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    return np.asarray(columns * np.linalg.solve(columns, white))


def _primaries(frame: VideoFrame) -> int:
    unsaid = ColorPrimaries.UNSPECIFIED
    return ColorPrimaries.BT2020 if frame.color_primaries == unsaid else frame.color_primaries


def _peak_nits(frame: VideoFrame) -> float:
    """Return the peak that a PQ frame was graded for: MaxCLL, else its mastering display's, else the usual one."""
    peak = 0.0
    if Type.CONTENT_LIGHT_LEVEL in frame.side_data:
        peak = float(np.frombuffer(frame.side_data[Type.CONTENT_LIGHT_LEVEL], np.uint32)[0])
    if not peak and Type.MASTERING_DISPLAY_METADATA in frame.side_data:
        # AVMasteringDisplayMetadata: eight rationals of chromaticity, then the least and the largest luminance,
        # then whether either is there.
        numbers = np.frombuffer(frame.side_data[Type.MASTERING_DISPLAY_METADATA], np.int32)
        if numbers[21] and numbers[19]:
            peak = float(numbers[18]) / float(numbers[19])
    return min(max(peak or USUAL_PEAK_NITS, REFERENCE_WHITE_NITS), LARGEST_PEAK_NITS)
