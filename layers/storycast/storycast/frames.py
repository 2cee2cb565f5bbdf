"""Frames: the pictures sampled from footage, the lists that hold them, and the shots they belong to."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from storycast.footage import Record

FrameOutcome = Literal["kept", "blank", "unreadable", "near_cut"]


class Frame(Record):
    """One sampling interval's frame: kept, or dropped with the reason."""

    frame_id: str
    time_ms: Annotated[int, Field(ge=0)]
    outcome: FrameOutcome
    reason: str
    key: str | None = None
    width_px: int = 0
    height_px: int = 0
    sharpness: float = 0.0


class SegmentReport(Record):
    """What sampling one segment gave; the first line of the segment's list."""

    segment: int
    fingerprint: str
    cuts_ms: tuple[int, ...]
    complete: bool
    note: str = ""


class KeptFrame(Record):
    """A frame that goes on to detection; a line of the run's ``frames.jsonl``."""

    frame_id: str
    footage_id: str
    key: str
    time_ms: int
    shot: Annotated[int, Field(ge=0)]
    width_px: Annotated[int, Field(gt=0)]
    height_px: Annotated[int, Field(gt=0)]
    sharpness: float


def write_segment_list(report: SegmentReport, frames: Sequence[Frame]) -> bytes:
    """Return a segment's list as JSON Lines: the report, then one line per sampling interval."""
    lines = [report.model_dump_json(), *(frame.model_dump_json() for frame in frames)]
    return ("\n".join(lines) + "\n").encode()


def read_segment_list(content: bytes) -> tuple[SegmentReport, list[Frame]]:
    """Read what :func:`write_segment_list` wrote.

    Raises:
        ValueError: The content is no such list.
    """
    # Split as bytes: text would also be split at U+2028 and its like, which JSON leaves in file names.
    first, *rest = content.splitlines()
    return SegmentReport.model_validate_json(first), [Frame.model_validate_json(line) for line in rest]


def number_shots(frames: Iterable[Frame], cuts_ms: Iterable[int], footage_id: str) -> list[KeptFrame]:
    """Return the kept frames of one footage with the number of their shot.

    Args:
        frames: Frames of all segments of the footage, in any order; dropped ones are passed over.
        cuts_ms: Times of the first frame after each cut, over the whole footage, repetitions allowed.
        footage_id: The footage.

    Returns:
        Kept frames by time. Shots count from 0 at the beginning of the footage.
    """
    cuts = sorted(set(cuts_ms))
    return [
        KeptFrame(
            frame_id=frame.frame_id,
            footage_id=footage_id,
            key=frame.key,
            time_ms=frame.time_ms,
            shot=bisect_right(cuts, frame.time_ms),
            width_px=frame.width_px,
            height_px=frame.height_px,
            sharpness=frame.sharpness,
        )
        for frame in sorted(frames, key=lambda frame: frame.time_ms)
        if frame.outcome == "kept" and frame.key is not None
    ]


def to_json_lines(records: Iterable[Record]) -> bytes:
    """Return records as JSON Lines, one a line, UTF-8."""
    return "".join(record.model_dump_json() + "\n" for record in records).encode()


def from_json_lines[R: Record](content: bytes, kind: type[R]) -> list[R]:
    """Read what :func:`to_json_lines` wrote.

    Raises:
        ValueError: A line is not JSON, or no such record.
    """
    return [kind.model_validate(json.loads(line)) for line in content.splitlines() if line.strip()]
