"""Reading video: headers, and one decode pass that samples frames and finds cuts.

Needs PyAV and OpenCV, so it runs in the container image and on the user's machine, never behind the layers.
ffmpeg never gets a URL: it reads from a seekable Python file.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Literal, Protocol

import av
import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from storycast.errors import FootageUnreadableError

LUMA_WIDTH_PX = 320
THUMBNAIL_PX = (24, 14)
"""Width and height of the picture by which frames are compared: a cell is a twentieth of the width."""
JPEG_QUALITY = 95
LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12"})
"""Pixel formats whose first plane is luma, 8 bits a pixel."""
CUT_DIFFERENCE = 18.0
"""Mean absolute luma difference (0..255) between neighbouring frames from which a cut is possible."""
CUT_CONTRAST = 3.0
"""A cut differs this many times more than the frames around it: fast motion does not."""
BLANK_DEVIATION = 4.0
"""Standard deviation of luma (0..255) below which a frame shows nothing."""
CUT_MARGIN_FRAMES = 2
"""Frames next to a cut are never chosen: they may be blended or not yet settled."""
LEAD_MS = 500
"""Decoding begins this much before a segment, so that its first frame has one to compare with."""
ROUNDING_MS = 0.5
"""Times and segments' borders are whole milliseconds, sampling intervals are not: at 24 a second, 41.67."""
BROKEN_OFF_MS = 1500
"""A file that ends this much before its header's duration is broken off; streams of one file rarely end at
the same instant."""


class Plan(Protocol):
    """What sampling needs to know of a segment."""

    @property
    def start_ms(self) -> int:
        """Its first millisecond."""

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""

    @property
    def interval_ms(self) -> float:
        """Length of a sampling interval."""

    @property
    def pick(self) -> Literal["sharpest", "fixed"]:
        """Which frame of an interval is kept."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a video's header says; times in milliseconds, sizes in pixels as shown (rotated)."""

    container: str
    codec: str
    width_px: int
    height_px: int
    duration_ms: int
    frames_per_second: float | None


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame chosen for one interval; ``jpeg`` is None where ``outcome`` is not ``kept``."""

    time_ms: int
    outcome: Literal["kept", "blank", "unreadable", "near_cut"]
    reason: str
    jpeg: bytes | None = None
    width_px: int = 0
    height_px: int = 0
    sharpness: float = 0.0
    thumbnail: bytes = b""
    """Luma of :data:`THUMBNAIL_PX` cells, row by row, a byte each."""


@dataclass(slots=True)
class Sample:
    """What one pass over a segment gave. Filled while the frames are consumed."""

    cuts_ms: list[int] = field(default_factory=list)
    complete: bool = True
    note: str = ""


@dataclass(slots=True)
class _Seen:
    frame: VideoFrame
    time_ms: int
    sharpness: float
    deviation: float
    index: int
    near_cut: bool = False


class _Interval:
    """The frames of one sampling interval that may still be chosen: few, so that memory stays bounded."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.newest_index = -1
        self._candidates: list[_Seen] = []

    def add(self, seen: _Seen, pick: str) -> None:
        self.newest_index = seen.index
        if pick == "fixed":
            self._candidates = self._candidates or [seen]
            return
        open_until = seen.index - CUT_MARGIN_FRAMES
        settled = [one for one in self._candidates if one.index < open_until]
        recent = [one for one in self._candidates if one.index >= open_until]
        best = max(settled, key=_preference, default=None)
        self._candidates = [*([best] if best else []), *recent, seen]

    def mark_cut(self, index: int) -> None:
        for one in self._candidates:
            one.near_cut = one.near_cut or 0 < index - one.index <= CUT_MARGIN_FRAMES

    def choose(self, pick: str) -> SampledFrame:
        chosen = max(self._candidates, key=_preference)
        if chosen.near_cut and pick != "fixed":
            return SampledFrame(chosen.time_ms, "near_cut", "every frame of its interval is next to a cut")
        if chosen.deviation < BLANK_DEVIATION:
            return SampledFrame(chosen.time_ms, "blank", "the frame is one even colour")
        picture = _upright(chosen.frame)
        height, width = picture.shape[:2]
        return SampledFrame(
            time_ms=chosen.time_ms,
            outcome="kept",
            reason=f"{pick} of its interval",
            jpeg=_jpeg(picture),
            width_px=width,
            height_px=height,
            sharpness=round(chosen.sharpness, 2),
            thumbnail=cv2.resize(_luma(chosen.frame), THUMBNAIL_PX, interpolation=cv2.INTER_AREA).tobytes(),
        )


def _preference(seen: _Seen) -> tuple[bool, float, int]:
    return not seen.near_cut, seen.sharpness, -seen.index


def read_header(file: IO[bytes], name: str) -> Header:
    """Read the header of a video or picture and decode its first frame.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.

    Raises:
        FootageUnreadableError: It is no video or picture, has no picture stream, or no frame decodes.
    """
    try:
        with av.open(file, "r") as container:
            stream = _picture_stream(container, name)
            first = next(_frames(container, stream), None)
            if first is None:
                raise FootageUnreadableError(f"{name} ends before its first frame. Upload the whole file again.")
            width, height = _shown_size(first)
            return Header(
                container=container.format.name,
                codec=stream.codec_context.codec.canonical_name,
                width_px=width,
                height_px=height,
                duration_ms=_duration_ms(container, stream),
                frames_per_second=float(stream.average_rate) if stream.average_rate else None,
            )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageUnreadableError(
            f"{name} can't be read as a video or picture ({_reason(error)}). "
            "Use a file that a video player opens, such as MP4, MOV, MKV or WebM."
        ) from None


def sample(file: IO[bytes], name: str, plan: Plan, sample: Sample) -> Iterator[SampledFrame]:
    """Decode a segment once and yield one frame per sampling interval, in order of time.

    Interval ``k`` is the time from ``k * interval_ms`` to before ``(k + 1) * interval_ms`` of the footage.
    ``fixed`` picks its first frame, ``sharpest`` the one with the largest variance of the Laplacian of luma
    (Pech-Pacheco et al., 2000) away from cuts. Times are presentation timestamps.

    Args:
        file: A seekable binary file.
        name: What to call it in messages.
        plan: The segment.
        sample: Filled with cuts (milliseconds of the first frame after each) and with whether the data went
            on to the segment's end.

    Yields:
        One frame per interval that has any; intervals after the end of broken data as ``unreadable``.

    Raises:
        FootageUnreadableError: Nothing can be decoded at all.
    """
    first = _interval_at(plan.start_ms, plan.interval_ms)
    last = math.ceil((plan.end_ms - ROUNDING_MS) / plan.interval_ms - 1e-9)
    # Intervals wait here until no later frame can still show that a cut was next to their choice.
    waiting: deque[_Interval] = deque()
    given = first
    last_cut = -CUT_MARGIN_FRAMES
    for seen, cut in _watch(file, name, plan, sample):
        last_cut = seen.index if cut else last_cut
        seen.near_cut = seen.index - last_cut < CUT_MARGIN_FRAMES
        number = _interval_at(seen.time_ms, plan.interval_ms)
        if number < first:
            continue
        if not waiting or number > waiting[-1].number:
            waiting.append(_Interval(number))
        interval = waiting[-1]
        interval.add(seen, plan.pick)
        if cut:
            for earlier in waiting:
                earlier.mark_cut(seen.index)
        while waiting[0].number < number and seen.index - waiting[0].newest_index > CUT_MARGIN_FRAMES:
            done = waiting.popleft()
            if done.number < last:
                given = done.number + 1
                yield done.choose(plan.pick)
        if waiting[0].number >= last:
            return
    for done in waiting:
        if done.number < last:
            given = done.number + 1
            yield done.choose(plan.pick)
    if not sample.complete:
        for missing in range(given, last):
            yield SampledFrame(round(missing * plan.interval_ms), "unreadable", sample.note)


def _interval_at(time_ms: int, interval_ms: float) -> int:
    return math.floor((time_ms + ROUNDING_MS) / interval_ms + 1e-9)


def _watch(file: IO[bytes], name: str, plan: Plan, sample: Sample) -> Iterator[tuple[_Seen, bool]]:
    """Yield each decoded frame from just before the segment on, and whether it begins a shot."""
    before: NDArray[np.uint8] | None = None
    usual = 0.0
    ends_ms: int | None = None
    try:
        with av.open(file, "r") as container:
            stream = _picture_stream(container, name)
            stream.thread_type = "AUTO"
            origin = _origin_ms(stream)
            if plan.start_ms > 0 and stream.time_base:
                target = (plan.start_ms + origin - LEAD_MS) / 1000 / float(stream.time_base)
                container.seek(max(int(target), 0), stream=stream)
            for index, frame in enumerate(_frames(container, stream)):
                time_ms = _time_ms(frame, index, stream) - origin
                ends_ms = time_ms + _lasts_ms(frame)
                luma = _luma(frame)
                difference = 0.0 if before is None else float(cv2.absdiff(luma, before).mean())
                cut = before is not None and difference > max(CUT_DIFFERENCE, CUT_CONTRAST * usual)
                usual = difference if cut else 0.8 * usual + 0.2 * difference
                before = luma
                if cut and plan.start_ms <= time_ms < plan.end_ms:
                    sample.cuts_ms.append(time_ms)
                if time_ms >= plan.start_ms - LEAD_MS:
                    yield _Seen(frame, max(time_ms, 0), _sharpness(luma), _deviation(luma), index), cut
            says_ms = _duration_ms(container, stream)
            if (ends_ms or 0) + BROKEN_OFF_MS < min(says_ms, plan.end_ms):
                sample.complete = False
                where = "before this segment" if ends_ms is None else f"at {ends_ms / 1000:.1f} s"
                sample.note = f"the data of {name} ends {where}, its header says {says_ms / 1000:.1f} s"
    except (av.error.FFmpegError, OSError) as error:
        sample.complete = False
        sample.note = f"the data of {name} can't be decoded any further ({_reason(error)})"


def _picture_stream(container: "av.container.InputContainer", name: str) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise FootageUnreadableError(
            f"{name} has no picture stream, only {held}. Upload the film itself, not its sound."
        )
    return streams[0]


def _frames(container: "av.container.InputContainer", stream: VideoStream) -> Iterator[VideoFrame]:
    for frame in container.decode(stream):
        if isinstance(frame, VideoFrame):
            yield frame


def _origin_ms(stream: VideoStream) -> int:
    if stream.start_time is None or stream.time_base is None:
        return 0
    return round(stream.start_time * float(stream.time_base) * 1000)


def _time_ms(frame: VideoFrame, index: int, stream: VideoStream) -> int:
    if frame.time is not None:
        return round(frame.time * 1000)
    rate = float(stream.average_rate) if stream.average_rate else 25.0
    return round(index / rate * 1000)


def _lasts_ms(frame: VideoFrame) -> int:
    return round(frame.duration * float(frame.time_base) * 1000) if frame.duration and frame.time_base else 0


def _duration_ms(container: "av.container.InputContainer", stream: VideoStream) -> int:
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * float(stream.time_base) * 1000)
    return round(container.duration / 1000) if container.duration else 0


def _luma(frame: VideoFrame) -> NDArray[np.uint8]:
    height = max(round(LUMA_WIDTH_PX * frame.height / frame.width), 16)
    if frame.format.name in LUMA_FIRST:
        # The first plane is the luma already: four times faster than having it converted.
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        return cv2.resize(rows, (LUMA_WIDTH_PX, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    small = frame.reformat(width=LUMA_WIDTH_PX, height=height, format="gray")
    return small.to_ndarray().astype(np.uint8, copy=False)


def _sharpness(luma: NDArray[np.uint8]) -> float:
    return _deviation(cv2.Laplacian(luma, cv2.CV_16S)) ** 2


def _deviation(plane: "cv2.typing.MatLike") -> float:
    return float(cv2.meanStdDev(plane)[1][0, 0])


def _shown_size(frame: VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    picture = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    encoded, content = cv2.imencode(".jpg", picture, options)
    if not encoded:
        raise RuntimeError(f"OpenCV encoded no JPEG of a picture of shape {picture.shape}")
    return content.tobytes()


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.FFmpegError):
        return error.strerror or type(error).__name__
    return str(error)
