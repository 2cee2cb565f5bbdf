"""Frames: the pictures sampled from footage, the lists that hold them, and the shots they belong to."""

import base64
import io
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from storycast.boxes import Box
from storycast.footage import Record

STILL_DIFFERENCE = 3
"""Of luma, 0..255, in every cell of the thumbnail: noise of coding is below, a hand that moves is above."""
SETTLED_FRAMES = 5
"""One of so many frames of a shot in which nothing moves is looked at."""

MOST_TEXTS = 200
"""Rows of burnt-in text that a frame tells of: its line is a payload, and a page of print has thousands."""

TextBox = tuple[float, float, float, float]
"""Left, top, width and height of a row of burnt-in text, in shares of the frame."""

FrameOutcome = Literal["kept", "blank", "held", "unreadable", "near_cut"]


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
    thumbnail: str = ""
    """Base64 of a few cells' luma, a byte each, by which frames are compared; empty where it has none."""
    hash: str = ""
    """The 64 bits of its difference hash, in hexadecimal digits; like pictures differ in few. Empty for none."""
    texts: tuple[TextBox, ...] = ()
    """Burnt-in text; see :mod:`storycast.burnt_in_text`."""


class SegmentReport(Record):
    """What sampling one segment gave; the first line of the segment's list."""

    segment: int
    fingerprint: str
    cuts_ms: tuple[int, ...]
    complete: bool
    note: str = ""
    requests: int = 0
    """For ranges of the footage."""
    bytes_read: int = 0
    """Of the footage, headers and what was read twice included."""


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
    texts: tuple[TextBox, ...] = ()


def text_boxes(rows: Sequence[Box]) -> tuple[TextBox, ...]:
    """Return rows of burnt-in text as a frame tells of them: the largest ones, where there are too many."""
    largest = sorted(rows, key=lambda row: row.area, reverse=True)[:MOST_TEXTS]
    kept = rows if len(rows) <= MOST_TEXTS else sorted(largest, key=lambda row: (row.top, row.left))
    return tuple(
        (round(row.left, 4), round(row.top, 4), round(row.width, 4), round(row.height, 4)) for row in kept
    )


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
            texts=frame.texts,
        )
        for frame in sorted(frames, key=lambda frame: frame.time_ms)
        if frame.outcome == "kept" and frame.key is not None
    ]


def settled_frames(kept: Sequence[KeptFrame], thumbnails: Mapping[str, str]) -> dict[str, str]:
    """Return the frames whose shot is settled: nothing has moved since a frame that is looked at.

    Each frame is compared with the last one of its shot that is looked at, not with the one before, so that what
    creeps is seen. Of a settled shot every :data:`SETTLED_FRAMES` th frame is looked at all the same.

    Args:
        kept: Frames in order of time, footage by footage.
        thumbnails: Their thumbnails, by the frame's id; a frame without one is never settled.

    Returns:
        Per settled frame the id of the frame that is looked at in its place.
    """
    settled: dict[str, str] = {}
    looked_at: KeptFrame | None = None
    cells = b""
    passed = 0
    for frame in kept:
        here = base64.b64decode(thumbnails.get(frame.frame_id, ""))
        if (
            looked_at is not None
            and (frame.footage_id, frame.shot) == (looked_at.footage_id, looked_at.shot)
            and passed < SETTLED_FRAMES - 1
            and _is_still(cells, here)
        ):
            settled[frame.frame_id] = looked_at.frame_id
            passed += 1
            continue
        looked_at, cells, passed = frame, here, 0
    return settled


def _is_still(one: bytes, other: bytes) -> bool:
    if not one or len(one) != len(other):
        return False
    return all(abs(first - second) <= STILL_DIFFERENCE for first, second in zip(one, other, strict=True))


def to_json_lines(records: Iterable[Record]) -> bytes:
    """Return records as JSON Lines, one a line, UTF-8."""
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def from_json_lines[R: Record](
    content: bytes, kind: type[R], is_wanted: Callable[[Mapping[str, Any]], bool] | None = None
) -> list[R]:
    """Read what :func:`to_json_lines` wrote.

    Args:
        content: The lines.
        kind: What each of them is.
        is_wanted: Tells by a line's values whether it is read; a film's length of records takes a gigabyte.

    Raises:
        ValueError: A line is not JSON, or no such record.
    """
    # Line by line, not split: a film's length of lines is 100 MB.
    rows = (json.loads(line) for line in io.BytesIO(content) if line.strip())
    return [kind.model_validate(row) for row in rows if is_wanted is None or is_wanted(row)]
