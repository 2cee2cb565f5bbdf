"""ProbeFootage: read a footage's header: what it is, what is odd about it, where its segments may begin."""

from typing import Any

from storycast import keys
from storycast.fingerprint import fingerprint
from storycast.footage import Probe
from storycast.plan import RunPlan
from storycast.ports import ObjectStore, StoredObject
from storycast.stages.reading import read_own, write_record
from storycast.video import NO_BARS, Bars, Header, find_bars, read_header

VERSION = 3


def probe_footage(plan: RunPlan, footage_id: str, *, store: ObjectStore) -> dict[str, Any]:
    """Read the header of one footage and decode its first frame and a few more, unless that was done before.

    Returns:
        The footage's id and its duration in milliseconds.

    Raises:
        FootageUnreadableError: It is no video or picture, has no picture stream, or holds no frame.
        FootageMissingError: The object changed since the run began.
    """
    source = plan.of(footage_id).source
    key, mark = keys.probe(footage_id), fingerprint(version=VERSION, footage=footage_id)
    probe = read_own(store, key, Probe, mark)
    if probe is None:
        stored = StoredObject(source.key, source.size_bytes, source.etag, source.version_id)
        with store.open(stored) as file:
            header = read_header(file, source.name)
            bars = NO_BARS
            if header.is_seekable and header.duration_ms:
                bars = find_bars(file, source.name, header.duration_ms)
        probe = probe_of(header, bars, footage_id=footage_id, mark=mark)
        write_record(store, key, probe)
    return {"footage_id": footage_id, "duration_ms": probe.duration_ms}


def probe_of(header: Header, bars: Bars = NO_BARS, *, footage_id: str, mark: str) -> Probe:
    """Return what is kept of a header and of the bars that were found, under a fingerprint."""
    return Probe(
        footage_id=footage_id,
        container=header.container,
        codec=header.codec,
        width_px=header.width_px,
        height_px=header.height_px,
        duration_ms=header.duration_ms,
        frames_per_second=header.frames_per_second,
        is_seekable=header.is_seekable,
        is_indexed=header.is_indexed,
        keyframes_ms=header.keyframes_ms,
        notes=(*header.notes, *([bars.words] if bars != NO_BARS else [])),
        bars_px=(bars.top_px, bars.bottom_px, bars.left_px, bars.right_px),
        fingerprint=mark,
    )
