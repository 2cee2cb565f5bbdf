"""Sampling intervals: which of an interval's frames is chosen."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from storycast.video.seen import BLANK_DEVIATION, Seen

FRAMES_BEFORE_CUT, FRAMES_AFTER_CUT = 2, 2
"""Frames next to a cut are never chosen: they may be blended or not yet settled."""
LONGEST_FRAME_MS = 100.0
"""Slower films have no more time next to a cut than this a frame."""
MOTION_MS = 125.0
"""Motion round a frame is looked at so long on each side."""
FILM_FRAME_MS = 1000 / 24
BLURRING_MOTION = 20.0
"""Change of cells in a 24th of a second by which a frame counts half as sharp as one in which nothing moves."""
CONTEXT_MS = max(MOTION_MS, LONGEST_FRAME_MS * (FRAMES_AFTER_CUT + 0.5))
"""What is known of a frame rests on cuts and changes at most this far from it."""
MOST_AROUND = 60
"""Frames that are looked at on each side: as many as 240 a second have. More are an error of their times."""
HELD_BYTES = 800 * 1024 * 1024
"""Of whole pictures that wait for what is said of them: fewer of the largest ones wait."""
LEAST_AROUND = 6
ROUNDING_MS = 0.5
"""Times and segments' borders are whole milliseconds, sampling intervals are not: at 24 a second, 41.67."""

Outcome = Literal["kept", "blank", "held", "unreadable", "near_cut"]
Pick = Literal["sharpest", "fixed"]


@dataclass(slots=True)
class Candidate:
    """A frame with what its neighbours say of it."""

    seen: Seen
    near_cut: bool
    motion: float
    """Change of cells in a 24th of a second, over the time round the frame."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of one interval: ``seen`` is None where no picture of it is kept."""

    time_ms: int
    outcome: Outcome
    reason: str
    seen: Seen | None = None


class Interval:
    """One sampling interval and the best of its frames so far."""

    def __init__(self, number: int, pick: Pick) -> None:
        self.number = number
        self._pick = pick
        self._best: Candidate | None = None
        self._rank: tuple[bool, bool, float] = (False, False, 0.0)
        self._drawn = 0.0

    def add(self, candidate: Candidate) -> None:
        """Take one more frame, the newest; all but the best lose their pictures."""
        seen = candidate.seen
        # A drawing that is held is as sharp as when it was first shown: coding alone makes it look sharper.
        held = seen.held and self._best is not None
        self._drawn = min(self._drawn, seen.sharpness) if held else seen.sharpness
        shown = seen.deviation >= BLANK_DEVIATION
        rank = (not candidate.near_cut, shown, self._drawn / (1 + candidate.motion / BLURRING_MOTION))
        if self._best is not None and (self._pick == "fixed" or rank <= self._rank):
            seen.let_go()
            return
        if self._best is not None:
            self._best.seen.let_go()
        self._best, self._rank = candidate, rank

    def choose(self) -> Choice:
        """Return the interval's frame."""
        if self._best is None:
            raise ValueError(f"no frame was added to interval {self.number}")
        seen = self._best.seen
        time_ms = max(round(seen.time_ms), 0)
        if self._best.near_cut and self._pick != "fixed":
            return Choice(time_ms, "near_cut", "every frame of its interval is next to a cut")
        if seen.deviation < BLANK_DEVIATION:
            return Choice(time_ms, "blank", "the frame is one even colour")
        return Choice(time_ms, "kept", f"{self._pick} of its interval", seen)


def look_around(frames: Iterable[Seen], frame_ms: float) -> Iterator[Candidate]:
    """Say of each frame whether a cut is next to it and how much moves round it; somewhat later than it came.

    Args:
        frames: Frames whose cuts are marked, in order.
        frame_ms: The usual time from one frame to the next.
    """
    frame_ms = min(frame_ms, LONGEST_FRAME_MS)
    past: deque[Seen] = deque(maxlen=MOST_AROUND)
    coming: deque[Seen] = deque()
    for frame in frames:
        coming.append(frame)
        while frame.time_ms - coming[0].time_ms > CONTEXT_MS or len(coming) > _most_waiting(frame):
            yield _candidate(past, coming, frame_ms)
    while coming:
        yield _candidate(past, coming, frame_ms)


def _most_waiting(frame: Seen) -> int:
    size = sum(plane.buffer_size for plane in frame.picture.planes) if frame.picture is not None else 0
    return min(MOST_AROUND, max(LEAST_AROUND, HELD_BYTES // max(size, 1)))


def _candidate(past: deque[Seen], coming: deque[Seen], frame_ms: float) -> Candidate:
    frame = coming.popleft()
    while past and frame.time_ms - past[0].time_ms > CONTEXT_MS:
        past.popleft()
    cuts = [one.cut_ms for one in (*past, frame, *coming) if one.cut_ms is not None]
    near_cut = any(
        -(FRAMES_BEFORE_CUT + 0.5) * frame_ms < frame.time_ms - cut < (FRAMES_AFTER_CUT - 0.5) * frame_ms
        for cut in cuts
    )
    steps = [one for one in (*past, frame) if one.gap_ms and frame.time_ms - one.time_ms + one.gap_ms <= MOTION_MS]
    steps += [one for one in coming if one.time_ms - frame.time_ms <= MOTION_MS]
    if not steps:
        # Its neighbours are far away: what it changed itself is all there is.
        steps = [frame] if frame.gap_ms else []
    lasted_ms = sum(one.gap_ms for one in steps)
    motion = sum(one.change for one in steps) / lasted_ms * FILM_FRAME_MS if lasted_ms else 0.0
    past.append(frame)
    return Candidate(frame, near_cut, motion)


def interval_at(time_ms: float, interval_ms: float) -> int:
    """Return the number of the interval that holds a time."""
    return math.floor((time_ms + ROUNDING_MS) / interval_ms + 1e-9)
