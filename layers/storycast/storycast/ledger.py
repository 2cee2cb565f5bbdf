"""The ledger: what became of every segment, frame and crop, and why. Nothing ends in silence."""

from collections.abc import Iterable
from typing import Literal

from storycast import keys
from storycast.footage import Record
from storycast.frames import from_json_lines, to_json_lines
from storycast.ports import ObjectStore

Kind = Literal["segment", "frame", "crop"]

STAGES = ("list_frames", "name_characters", "curate_dataset", "write_dataset")
"""The stages that know more of an item than those before, in order; the last word counts."""

FINAL_OUTCOMES: dict[Kind, tuple[str, ...]] = {
    "segment": ("lost",),
    "frame": ("blank", "near_cut", "unreadable", "lost", "refused", "no_character", "cropped"),
    "crop": (
        "refused",
        "unknown",
        "repeated",
        "duplicate",
        "not_selected",
        "caption_refused",
        "lost",
        "in_dataset",
    ),
}
"""Outcomes that an item of a finished run may have."""


class Entry(Record):
    """What became of one item."""

    kind: Kind
    id: str
    footage_id: str
    outcome: str
    reason: str


def record_entries(store: ObjectStore, run_id: str, stage: str, entries: Iterable[Entry]) -> list[Entry]:
    """Write what a stage knows, and the whole ledger as of now.

    A stage names every item that it has heard of, also those that only wait for the next one; so the ledger is
    complete wherever a run ends. Writing a stage's part again replaces it.

    Args:
        store: The bucket.
        run_id: The run.
        stage: One of :data:`STAGES`.
        entries: What the stage knows; the last of two on one item counts.

    Returns:
        The whole ledger.
    """
    store.put(_part(run_id, stage), to_json_lines(entries), "application/jsonl")
    known: dict[tuple[str, str], Entry] = {}
    for earlier in STAGES[: STAGES.index(stage) + 1]:
        try:
            content = store.get(_part(run_id, earlier))
        except KeyError:
            continue
        for entry in from_json_lines(content, Entry):
            known[entry.kind, entry.id] = entry
    whole = [known[item] for item in sorted(known)]
    store.put(keys.run_file(run_id, "ledger.jsonl"), to_json_lines(whole), "application/jsonl")
    return whole


def lost_share(lost: int, of: int) -> float:
    """Return the share of lost items, 0..1; 0 where there were none to lose."""
    return lost / of if of else 0.0


def _part(run_id: str, stage: str) -> str:
    return keys.run_file(run_id, f"ledger/{STAGES.index(stage) + 1}-{stage}.jsonl")
