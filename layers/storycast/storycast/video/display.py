"""Display: a decoded frame as the picture that a viewer sees: progressive, SDR, square pixels, upright."""

import struct
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from storycast.video.deinterlacing import deinterlaced
from storycast.video.tone_mapping import Grading, grading_of, tone_mapped

HD_WIDTH_PX, HD_HEIGHT_PX = 1280, 577
"""Frames that name no matrix, nor BT.2020's primaries, are of BT.709 from this width or height on, else BT.601."""
MAX_PIXEL_ASPECT = 4
"""A header that makes pixels more than four times as wide as high, or as high as wide, is in error."""
UNSPECIFIED = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """How a frame is turned: first its rows become columns, or not, then it is mirrored."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def words(self) -> str:
        """Return it in words; empty for none."""
        degrees = {
            (False, True, True): "by 180 degrees",
            (True, True, False): "by 90 degrees to the right",
            (True, False, True): "by 90 degrees to the left",
        }.get((self.transposed, self.mirrored_x, self.mirrored_y))
        if degrees:
            return f"turned {degrees}"
        return "mirrored" if self.transposed or self.mirrored_x or self.mirrored_y else ""


def turn_of(frame: VideoFrame) -> Turn:
    """Return how a frame's display matrix has it shown, to the nearest right angle."""
    if Type.DISPLAYMATRIX not in frame.side_data:
        return Turn()
    # Row by row a, b, u, c, d, v, x, y, w: x' = a x + c y, y' = b x + d y.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(frame.side_data[Type.DISPLAYMATRIX])[:36])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)


def pixel_aspect_of(stream: VideoStream) -> Fraction:
    """Return width by height of a stream's pixels; 1 where its header says nothing, or nothing sensible."""
    said = stream.sample_aspect_ratio
    if not said or said.numerator <= 0 or said.denominator <= 0:
        return Fraction(1)
    aspect = Fraction(said.numerator, said.denominator)
    return aspect if 1 / Fraction(MAX_PIXEL_ASPECT) <= aspect <= MAX_PIXEL_ASPECT else Fraction(1)


def shown_size(frame: VideoFrame, pixel_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
    """Return width and height of a frame as it is shown, in pixels: none is lost, so the shorter side grows."""
    width, height = _square_size(frame.width, frame.height, pixel_aspect)
    return (height, width) if turn_of(frame).transposed else (width, height)


def upright(
    frame: VideoFrame,
    *,
    pixel_aspect: Fraction = Fraction(1),
    before: VideoFrame | None = None,
    after: VideoFrame | None = None,
) -> NDArray[np.uint8]:
    """Return a frame as it is shown: BGR, 8 bits, SDR.

    Args:
        frame: As it was decoded.
        pixel_aspect: Width by height of its pixels.
        before: The frame before it, and
        after: the frame after it, both for an interlaced frame alone.
    """
    whole = deinterlaced(frame, before, after) if frame.interlaced_frame else frame
    picture = _bgr(whole)
    size = _square_size(frame.width, frame.height, pixel_aspect)
    if size != (frame.width, frame.height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return _turned(picture, turn_of(frame))


def has_alpha(frame: VideoFrame) -> bool:
    """Tell whether a frame's format says of each pixel how much of it is seen."""
    return any(component.is_alpha for component in frame.format.components)


def is_see_through(frame: VideoFrame) -> bool:
    """Tell whether some pixel of a frame is not wholly opaque."""
    return has_alpha(frame) and int(frame.to_ndarray(format="rgba")[..., 3].min()) < 255


def _square_size(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def _bgr(frame: VideoFrame) -> NDArray[np.uint8]:
    grading = grading_of(frame)
    if frame.colorspace == UNSPECIFIED and not frame.format.is_rgb:
        frame.colorspace = _usual_matrix(frame, grading)
    if grading is not None:
        return tone_mapped(frame, grading)
    if has_alpha(frame):
        return _over_black(frame.to_ndarray(format="bgra").astype(np.uint8, copy=False))
    return frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)


def _usual_matrix(frame: VideoFrame, grading: Grading | None) -> Colorspace:
    """Return the matrix of a frame that names none; BT.2020's primaries come with BT.2020's matrix."""
    if grading is not None and grading.primaries == ColorPrimaries.BT2020:
        return Colorspace.BT2020
    is_hd = frame.width >= HD_WIDTH_PX or frame.height >= HD_HEIGHT_PX
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


def _over_black(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what is seen of a picture with an alpha channel; under transparent pixels may lie anything."""
    opaque = np.ascontiguousarray(picture[..., :3])
    alpha = picture[..., 3]
    if alpha.min() == 255:
        return opaque
    return cv2.multiply(opaque, cv2.merge([alpha] * 3), scale=1 / 255).astype(np.uint8, copy=False)


def _turned(picture: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    if turn.transposed:
        picture = cv2.transpose(picture).astype(np.uint8, copy=False)
    if turn.mirrored_x or turn.mirrored_y:
        code = -1 if turn.mirrored_x and turn.mirrored_y else int(turn.mirrored_x)
        picture = cv2.flip(picture, code).astype(np.uint8, copy=False)
    return picture
