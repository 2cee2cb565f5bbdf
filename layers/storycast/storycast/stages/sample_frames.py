"""SampleFrames: choose and store the frames of one segment."""

import base64
from typing import Any

from storycast import keys, names
from storycast.footage import Segment
from storycast.frames import Frame, SegmentReport, read_segment_list, text_boxes, write_segment_list
from storycast.ports import ObjectStore, Reads, StoredObject
from storycast.video import Bars, Sample, SampledFrame, sample


def sample_frames(segment: Segment, *, store: ObjectStore) -> dict[str, Any]:
    """Sample one segment, unless that was done before.

    The segment's list is written last: a segment without a list was not sampled to its end.

    Returns:
        How many frames were kept and dropped, whether the list was there already, and with how many requests and
        bytes of the footage the segment was sampled.

    Raises:
        FootageMissingError: The object changed since the run began.
    """
    source = segment.source
    list_key = keys.segment_list(source.footage_id, segment.fingerprint, segment.segment)
    try:
        return _summary(*read_segment_list(store.get(list_key)), reused=True)
    except (KeyError, ValueError):
        pass
    stored = StoredObject(source.key, source.size_bytes, source.etag, source.version_id)
    report, reads = Sample(), Reads()
    with store.open(stored, reads) as file:
        taken = sample(file, source.name, segment, report, bars=Bars(*segment.bars_px))
        frames = [_store(sampled, segment, store) for sampled in taken]
    written = SegmentReport(
        segment=segment.segment,
        fingerprint=segment.fingerprint,
        cuts_ms=tuple(report.cuts_ms),
        complete=report.complete,
        note=report.note,
        requests=reads.requests,
        bytes_read=reads.bytes_read,
    )
    store.put(list_key, write_segment_list(written, frames), "application/jsonl")
    return _summary(written, frames, reused=False)


def _store(sampled: SampledFrame, segment: Segment, store: ObjectStore) -> Frame:
    footage_id = segment.source.footage_id
    key = None
    if sampled.jpeg is not None:
        key = keys.frame(footage_id, segment.fingerprint, segment.segment, sampled.time_ms)
        store.put(key, sampled.jpeg, "image/jpeg")
    return Frame(
        frame_id=names.frame_id(footage_id, sampled.time_ms),
        time_ms=sampled.time_ms,
        outcome=sampled.outcome,
        reason=sampled.reason,
        key=key,
        width_px=sampled.width_px,
        height_px=sampled.height_px,
        sharpness=sampled.sharpness,
        thumbnail=base64.b64encode(sampled.thumbnail).decode(),
        hash=sampled.hash,
        texts=text_boxes(sampled.texts),
    )


def _summary(report: SegmentReport, frames: list[Frame], *, reused: bool) -> dict[str, Any]:
    kept = sum(frame.outcome == "kept" for frame in frames)
    return {
        "kept": kept,
        "dropped": len(frames) - kept,
        "reused": reused,
        "requests": report.requests,
        "bytes_read": report.bytes_read,
    }
