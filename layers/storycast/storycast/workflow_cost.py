"""What the workflow itself costs: state transitions, functions and objects, by a formula from counts.

It is a small share of a run's cost, and AWS alone knows it exactly. Durations rest on the functions' memory in the
template and on runs of the demo's kind of footage (720p to 1080p); an estimate spreads them, see
:mod:`storycast.estimate`.
"""

from dataclasses import dataclass

from storycast.prices import Price, price_table

RUN_TRANSITIONS = 40
"""States of ``build_dataset`` outside its maps, retries included."""
SEGMENT_TRANSITIONS = 4
"""Of a standard child of a Distributed Map."""
CAPTION_TRANSITIONS = 4
SESSION_TRANSITIONS = 500
"""A training that is looked at every two minutes for some hours, hosting, teardown."""
RUN_GB_SECONDS = 150.0
"""The reducers, which have 3 GB, and the functions that run once."""
SEGMENT_GB_SECONDS = 60.0
"""Decoding a minute of film with 3 GB."""
FRAME_GB_SECONDS = 0.8
"""Detection with 0.5 GB and cropping with 1.8 GB."""
CROP_GB_SECONDS = 0.5
CAPTION_GB_SECONDS = 5.0
"""Waiting for a caption with 1 GB, and writing the picture with 3 GB."""
FRAME_EXPRESS_GB_SECONDS = 0.15
"""An express child is billed in 64 MB for as long as it lives."""
RUN_OBJECTS = 60
FRAME_OBJECTS = 5
CROP_OBJECTS = 2
CAPTION_OBJECTS = 6
"""Writes of objects, with turns and records that are written again; counted in docs/load.md, as are the reads."""
READS_PER_WRITE = 1.2
FRAME_GB = 0.0003
CROP_GB = 0.0001
CAPTION_GB = 0.0006
"""Stored for a month: a frame, a crop, a picture of the dataset."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much of everything a run has to do."""

    segments: float = 0.0
    frames: float = 0.0
    crops: float = 0.0
    captions: float = 0.0
    sessions: float = 0.0


def workflow_units(work: Work) -> dict[str, float]:
    """Return how much so much work takes of Step Functions, Lambda and S3, by the items of the price table."""
    transitions = (
        RUN_TRANSITIONS
        + SEGMENT_TRANSITIONS * work.segments
        + CAPTION_TRANSITIONS * work.captions
        + SESSION_TRANSITIONS * work.sessions
    )
    gb_seconds = (
        RUN_GB_SECONDS
        + SEGMENT_GB_SECONDS * work.segments
        + FRAME_GB_SECONDS * work.frames
        + CROP_GB_SECONDS * work.crops
        + CAPTION_GB_SECONDS * work.captions
    )
    invocations = (
        RUN_TRANSITIONS + work.segments + 2 * work.frames + work.captions + SESSION_TRANSITIONS * work.sessions
    )
    writes = (
        RUN_OBJECTS + FRAME_OBJECTS * work.frames + CROP_OBJECTS * work.crops + CAPTION_OBJECTS * work.captions
    )
    stored_gb = FRAME_GB * work.frames + CROP_GB * work.crops + CAPTION_GB * work.captions
    return {
        "transition": transitions,
        "express_request": work.frames,
        "express_gb_second": FRAME_EXPRESS_GB_SECONDS * work.frames,
        "function_request": invocations,
        "function_gb_second": gb_seconds,
        "object_write": writes,
        "object_read": READS_PER_WRITE * writes,
        "storage_gb_month": stored_gb,
    }


def workflow_price(work: Work) -> Price:
    """Return what Step Functions, Lambda and S3 cost for so much work, one month of storage included."""
    units = workflow_units(work)
    table = price_table()
    return Price(
        item="workflow",
        model=None,
        usd=sum(table.price(item).usd * count for item, count in units.items()),
        unit="run",
        confirmed=all(table.price(item).confirmed for item in units),
        source="computed by a formula",
    )
