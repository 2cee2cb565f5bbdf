"""ListFrames: join the segments' lists, number shots over the whole footage, report what is lost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from storycast import keys
from storycast.budget import refuse_over_budget
from storycast.costs import spent_usd
from storycast.estimate import frames_usd
from storycast.footage import Segment
from storycast.frames import (
    Frame,
    KeptFrame,
    SegmentReport,
    from_json_lines,
    number_shots,
    read_segment_list,
    settled_frames,
    to_json_lines,
)
from storycast.ledger import Entry, record_entries, refuse_losses
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.runs import Run, change_run

MOST_NOTES = 5
"""Of what is damaged or missing; a film that is cut off is told of by each segment, but in the same words."""


def list_frames(plan: RunPlan, *, store: ObjectStore, now: datetime) -> dict[str, Any]:
    """Write the run's ``frames.jsonl``: the kept frames of all footage, with their shots.

    Args:
        plan: The run's plan.
        store: The bucket.
        now: The time, for what the run has cost so far.

    Returns:
        Where the list is, how many frames it has, and what to tell when it has none.

    Raises:
        TooManyLostError: More segments than ``max_lost_share`` left no list.
        BudgetExceededError: To look at these frames could pass the budget.
    """
    segments = from_json_lines(store.get(keys.run_file(plan.run_id, "segments.jsonl")), Segment)
    frames: dict[str, list[Frame]] = defaultdict(list)
    cuts: dict[str, list[int]] = defaultdict(list)
    entries: list[Entry] = []
    notes: list[str] = []
    lost = requests = bytes_read = 0
    for segment in segments:
        footage_id = segment.source.footage_id
        read = _read(store, segment)
        if read is None:
            lost += 1
            entries.append(_lost(segment))
            continue
        report, listed = read
        requests, bytes_read = requests + report.requests, bytes_read + report.bytes_read
        cuts[footage_id] += report.cuts_ms
        frames[footage_id] += listed
        entries += [_entry(frame, footage_id) for frame in listed]
        if report.note:
            notes.append(f"{report.note}; the rest was used")
    kept: list[KeptFrame] = []
    for footage in plan.footage:
        footage_id = footage.source.footage_id
        kept += number_shots(frames[footage_id], cuts[footage_id], footage_id)
    settled = _settled(plan, kept, frames)
    entries = [_as_settled(entry, settled) for entry in entries]
    sampled = len(kept)
    kept = [frame for frame in kept if frame.frame_id not in settled]
    frames_key = keys.run_file(plan.run_id, "frames.jsonl")
    store.put(frames_key, to_json_lines(kept), "application/jsonl")
    record_entries(store, plan.run_id, "list_frames", entries)
    total = sum(len(listed) for listed in frames.values())

    def listed_in(run: Run) -> Run:
        return run.with_counts(
            segments_lost=lost,
            segment_requests=requests,
            segment_bytes=bytes_read,
            frames_sampled=total,
            frames_kept=len(kept),
            frames_dropped=total - sampled,
            frames_settled=len(settled),
            shots=len({(frame.footage_id, frame.shot) for frame in kept}),
        ).with_warnings(*list(dict.fromkeys(notes))[:MOST_NOTES])

    run = change_run(store, plan.run_id, listed_in)
    refuse_losses("segments", lost, len(segments), plan.settings.max_lost_share)
    _refuse_over_budget(plan, kept, spent_usd(run, (), now), store)
    message = f"None of {total} sampled frames could be kept. The ledger tells why, frame by frame."
    return {"frames_key": frames_key, "frame_count": len(kept), "message": message}


def _settled(plan: RunPlan, kept: Sequence[KeptFrame], frames: Mapping[str, Sequence[Frame]]) -> dict[str, str]:
    """Return the frames that ``detection.economy`` spares, each with the one that is looked at in its place."""
    if not plan.settings.detection.economy:
        return {}
    return settled_frames(kept, {one.frame_id: one.thumbnail for listed in frames.values() for one in listed})


def _as_settled(entry: Entry, settled: Mapping[str, str]) -> Entry:
    if entry.id not in settled:
        return entry
    reason = f"nothing has moved since {settled[entry.id]}, which is looked at (detection.economy)"
    return entry.model_copy(update={"outcome": "settled", "reason": reason})


def _refuse_over_budget(plan: RunPlan, kept: Sequence[KeptFrame], spent: float, store: ObjectStore) -> None:
    budget = plan.settings.budget_usd
    if budget <= 0 or spent + frames_usd(plan.settings, len(kept)) <= budget:
        return
    # What was looked at before costs nothing again; it is counted only where it decides.
    known = {
        stored.key
        for footage in plan.footage
        for stored in store.list(keys.detections_folder(footage.source.footage_id, footage.detections))
    }
    count = sum(
        keys.detections(frame.footage_id, plan.of(frame.footage_id).detections, frame.frame_id) not in known
        for frame in kept
    )
    what = (
        f"finding and embedding the characters of {count:,} frames (fewer frames: sampling.frames_per_second, "
        f"which is {plan.settings.sampling.frames_per_second:g})"
    )
    refuse_over_budget(budget, spent, frames_usd(plan.settings, count), what)


def _read(store: ObjectStore, segment: Segment) -> tuple[SegmentReport, list[Frame]] | None:
    key = keys.segment_list(segment.source.footage_id, segment.fingerprint, segment.segment)
    try:
        return read_segment_list(store.get(key))
    except (KeyError, ValueError):
        return None


def _lost(segment: Segment) -> Entry:
    return Entry(
        kind="segment",
        id=f"{segment.source.footage_id}-segment-{segment.segment:05d}",
        footage_id=segment.source.footage_id,
        outcome="lost",
        reason=f"sampling {segment.start_ms / 1000:.0f} to {segment.end_ms / 1000:.0f} s left no result",
    )


def _entry(frame: Frame, footage_id: str) -> Entry:
    kept = frame.outcome == "kept"
    return Entry(
        kind="frame",
        id=frame.frame_id,
        footage_id=footage_id,
        outcome="sampled" if kept else frame.outcome,
        reason="waits for detection" if kept else frame.reason,
    )
