"""One decode pass over a segment: finds cuts and chooses a frame of every sampling interval."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Literal, Protocol

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray

from storycast.video.decoding import (
    duration_ms,
    frame_duration_ms,
    frame_time_ms,
    frames,
    origin_ms,
    picture_stream,
    reason,
)
from storycast.video.intervals import CUT_MARGIN_FRAMES, ROUNDING_MS, Interval, SampledFrame, Seen, interval_at
from storycast.video.luma import deviation, sharpness, small_luma

CUT_DIFFERENCE = 18.0
"""Mean absolute luma difference (0..255) between neighbouring frames from which a cut is possible."""
CUT_CONTRAST = 3.0
"""A cut differs this many times more than the frames around it: fast motion does not."""
LEAD_MS = 500
"""Decoding begins this much before a segment, so that its first frame has one to compare with."""
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


@dataclass(slots=True)
class Sample:
    """What one pass over a segment gave. Filled while the frames are consumed."""

    cuts_ms: list[int] = field(default_factory=list)
    complete: bool = True
    note: str = ""


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
    first = interval_at(plan.start_ms, plan.interval_ms)
    last = math.ceil((plan.end_ms - ROUNDING_MS) / plan.interval_ms - 1e-9)
    # Intervals wait here until no later frame can still show that a cut was next to their choice.
    waiting: deque[Interval] = deque()
    given = first
    last_cut = -CUT_MARGIN_FRAMES
    for seen, cut in _watch(file, name, plan, sample):
        last_cut = seen.index if cut else last_cut
        seen.near_cut = seen.index - last_cut < CUT_MARGIN_FRAMES
        number = interval_at(seen.time_ms, plan.interval_ms)
        if number < first:
            continue
        if not waiting or number > waiting[-1].number:
            waiting.append(Interval(number))
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


def _watch(file: IO[bytes], name: str, plan: Plan, sample: Sample) -> Iterator[tuple[Seen, bool]]:
    """Yield each decoded frame from just before the segment on, and whether it begins a shot."""
    before: NDArray[np.uint8] | None = None
    usual = 0.0
    ends_ms: int | None = None
    try:
        with av.open(file, "r") as container:
            stream = picture_stream(container, name)
            stream.thread_type = "AUTO"
            origin = origin_ms(stream)
            if plan.start_ms > 0 and stream.time_base:
                target = (plan.start_ms + origin - LEAD_MS) / 1000 / float(stream.time_base)
                container.seek(max(int(target), 0), stream=stream)
            for index, frame in enumerate(frames(container, stream)):
                time_ms = frame_time_ms(frame, index, stream) - origin
                ends_ms = time_ms + frame_duration_ms(frame)
                luma = small_luma(frame)
                difference = 0.0 if before is None else float(cv2.absdiff(luma, before).mean())
                cut = before is not None and difference > max(CUT_DIFFERENCE, CUT_CONTRAST * usual)
                usual = difference if cut else 0.8 * usual + 0.2 * difference
                before = luma
                if cut and plan.start_ms <= time_ms < plan.end_ms:
                    sample.cuts_ms.append(time_ms)
                if time_ms >= plan.start_ms - LEAD_MS:
                    yield Seen(frame, max(time_ms, 0), sharpness(luma), deviation(luma), index), cut
            says_ms = duration_ms(container, stream)
            if (ends_ms or 0) + BROKEN_OFF_MS < min(says_ms, plan.end_ms):
                sample.complete = False
                where = "before this segment" if ends_ms is None else f"at {ends_ms / 1000:.1f} s"
                sample.note = f"the data of {name} ends {where}, its header says {says_ms / 1000:.1f} s"
    except (av.error.FFmpegError, OSError) as error:
        sample.complete = False
        sample.note = f"the data of {name} can't be decoded any further ({reason(error)})"
