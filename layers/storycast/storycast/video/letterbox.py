"""Letterbox: finding the black bars that a film has throughout, on a few keyframes from all over it."""

from collections.abc import Iterator
from typing import IO

import av.container
import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from storycast.video.bars import NO_BARS, Bars
from storycast.video.decoding import origin_ms
from storycast.video.opening import opened
from storycast.video.planes import read_luma

LOOKS = 12
"""Keyframes that are looked at, evenly over the film."""
LEAST_LOOKS = 4
"""Of them have to show something: a dark beginning says nothing of bars."""
BLACK_LUMA = 28
"""What is no brighter is black; 16 is, where luma has the limited range, and coding adds some noise."""
SHOWN_DEVIATION = 8.0
"""Standard deviation of luma (0..255) from which a frame shows something."""
LEAST_SHARE, MOST_SHARE = 0.02, 0.35
"""Of the height or width that a bar takes."""
UNEVEN_SHARE = 0.01
"""Of the height or width by which opposite bars may differ: a picture is in the middle, a dark sky is not."""


def find_bars(file: IO[bytes], name: str, duration_ms: int) -> Bars:
    """Return the bars that every frame has that was looked at; none where there are none, or too few frames.

    Args:
        file: A seekable binary file that decoding can enter anywhere.
        name: What to call it in messages.
        duration_ms: Its duration.

    Raises:
        FootageUnreadableError: It is no video or picture.
    """
    with opened(file, name) as (container, stream):
        edges = [_black_edges(frame) for frame in _spread_frames(container, stream, duration_ms)]
        size = stream.codec_context.height, stream.codec_context.width
    known = [one for one in edges if one is not None]
    if len(known) < LEAST_LOOKS:
        return NO_BARS
    top, bottom, left, right = np.min(known, axis=0).tolist()
    return Bars(*_opposite(top, bottom, size[0]), *_opposite(left, right, size[1]))


def _spread_frames(
    container: av.container.InputContainer, stream: VideoStream, duration_ms: int
) -> Iterator[VideoFrame]:
    if stream.time_base is None:
        return
    stream.codec_context.skip_frame = "NONKEY"
    for look in range(LOOKS):
        time_ms = duration_ms * (look + 0.5) / LOOKS + origin_ms(stream)
        try:
            container.seek(round(time_ms / 1000 / float(stream.time_base)), stream=stream)
            for frame in container.decode(stream):
                if isinstance(frame, VideoFrame):
                    yield frame
                    break
        except av.error.FFmpegError:
            # What is damaged says nothing of bars; sampling will tell of it.
            continue


def _black_edges(frame: VideoFrame) -> tuple[int, int, int, int] | None:
    """Return how many rows and columns are black from the top, the bottom, the left and the right."""
    luma = read_luma(frame)
    # NumPy's own would copy an 8K frame into float64.
    if float(cv2.meanStdDev(luma)[1][0, 0]) < SHOWN_DEVIATION:
        return None
    return *_ends(luma.max(axis=1)), *_ends(luma.max(axis=0))


def _ends(brightest: NDArray[np.uint8]) -> tuple[int, int]:
    shown = np.flatnonzero(brightest > BLACK_LUMA)
    return (int(shown[0]), len(brightest) - 1 - int(shown[-1])) if shown.size else (0, 0)


def _opposite(one: int, other: int, length: int) -> tuple[int, int]:
    """Return two opposite bars, in even numbers of pixels, or none where they are not a pair."""
    if abs(one - other) > max(UNEVEN_SHARE * length, 2) or not LEAST_SHARE <= one / length <= MOST_SHARE:
        return 0, 0
    return (one + 1) // 2 * 2, (other + 1) // 2 * 2
