"""Footage: one video or picture of a run, what its header says, and how its sampling is split."""

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SEGMENT_MS = 60_000
"""Length of a segment. One function decodes a minute of 1080p in well under its time limit, and a two-hour
film still gives only 120 children."""
WITHOUT_INDEX_TIMES = 5
"""Segments of a film without an index are so many times as long: each reads all that lies before it."""
LEAD_MS = 1000
"""A segment begins at least so much after a keyframe: sampling looks at what lies before, and the times of an
index may be those of decoding, a few frames earlier than those of presentation."""
TAIL_MS = 10
"""No picture is shown for less: a last interval that is shorter has none of its own."""


class Record(BaseModel):
    """Base of everything that is written as JSON: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


BarsPx = tuple[int, int, int, int]
"""Letterbox bars that no kept frame has: at the top, the bottom, the left and the right of the coded frame."""


class FootageSource(Record):
    """Where the bytes of a footage are: an object pinned to one content."""

    footage_id: str
    name: str
    key: str
    size_bytes: Annotated[int, Field(gt=0)]
    etag: str
    version_id: str | None = None


class Probe(Record):
    """What a footage's header says, and whether its first frame could be decoded."""

    footage_id: str
    container: str
    codec: str
    width_px: Annotated[int, Field(gt=0)]
    height_px: Annotated[int, Field(gt=0)]
    duration_ms: Annotated[int, Field(ge=0)]
    frames_per_second: float | None
    fingerprint: str
    is_seekable: bool = True
    """Whether decoding can begin elsewhere than at the beginning."""
    is_indexed: bool = True
    """Whether the file tells where to find a moment; else each segment reads all that lies before it."""
    keyframes_ms: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Of the file's own index, at least two seconds apart; empty where it has none."""
    notes: tuple[str, ...] = ()
    """What is unusual about it, and what will be done with that."""
    bars_px: BarsPx = (0, 0, 0, 0)


class Segment(Record):
    """A time range of one footage that one function samples: ``start_ms`` to before ``end_ms``."""

    source: FootageSource
    segment: Annotated[int, Field(ge=0)]
    start_ms: Annotated[int, Field(ge=0)]
    end_ms: Annotated[int, Field(gt=0)]
    interval_ms: Annotated[float, Field(gt=0)]
    pick: Literal["sharpest", "fixed"]
    fingerprint: str
    bars_px: BarsPx = (0, 0, 0, 0)


def plan_segments(
    source: FootageSource,
    probe: Probe,
    *,
    frames_per_second: float,
    pick: Literal["sharpest", "fixed"],
    fingerprint: str,
    segment_ms: int = SEGMENT_MS,
) -> list[Segment]:
    """Split a footage into segments whose borders are borders of sampling intervals.

    The intervals count from time 0 of the whole footage, so the same frames are chosen however many segments
    there are. Where the file's index tells its keyframes, a segment begins soon after one of them: decoding begins
    at the keyframe before, and what lies between is decoded twice.

    Args:
        source: The footage.
        probe: What its header says.
        frames_per_second: Sampling rate; one interval is its inverse.
        pick: Which frame of an interval is kept.
        fingerprint: Of the footage's content and the sampling settings.
        segment_ms: Length to aim at, in milliseconds, of a film that has an index.

    Returns:
        Segments in order, without gap or overlap, the last one up to the end of its last interval, of which a rest
        of :data:`TAIL_MS` is none; one
        segment where the header gives no duration, or where the footage can be entered at its beginning alone.
    """
    interval_ms = 1000.0 / frames_per_second
    segment_ms *= 1 if probe.is_indexed else WITHOUT_INDEX_TIMES
    intervals = max(1, math.ceil((probe.duration_ms - min(TAIL_MS, interval_ms / 2)) / interval_ms))
    firsts = _first_intervals(probe, intervals, interval_ms, segment_ms) if probe.is_seekable else [0]
    return [
        Segment(
            source=source,
            segment=number,
            start_ms=round(first * interval_ms),
            end_ms=max(round(end * interval_ms), 1),
            interval_ms=interval_ms,
            pick=pick,
            fingerprint=fingerprint,
            bars_px=probe.bars_px,
        )
        for number, (first, end) in enumerate(pairwise([*firsts, intervals]))
    ]


def _first_intervals(probe: Probe, intervals: int, interval_ms: float, segment_ms: int) -> list[int]:
    """Return the number of the first interval of each segment."""
    per_segment = max(1, round(segment_ms / interval_ms))
    entries = sorted({math.ceil((keyframe + LEAD_MS) / interval_ms) for keyframe in probe.keyframes_ms})
    firsts = [0]
    for aimed in range(per_segment, intervals, per_segment):
        # Its neighbours alone: a day of film has 40,000 keyframes, and 1,400 segments.
        place = bisect_left(entries, aimed)
        near = [
            entry
            for entry in entries[max(place - 1, 0) : place + 1]
            if 4 * abs(entry - aimed) <= per_segment and entry < intervals
        ]
        firsts.append(min(near, key=lambda entry: (abs(entry - aimed), entry), default=aimed))
    return firsts
