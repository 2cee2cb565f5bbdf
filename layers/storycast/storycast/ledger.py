"""The ledger: what became of every segment, frame and crop, and why. Nothing ends in silence."""

from collections.abc import Iterable
from typing import Literal

from storycast import keys
from storycast.errors import TooManyLostError
from storycast.footage import Record
from storycast.frames import from_json_lines, to_json_lines
from storycast.ports import ObjectStore

Kind = Literal["segment", "frame", "crop"]

STAGES = ("list_frames", "name_characters", "curate_dataset", "write_dataset", "apply_review")
"""The stages that know more of an item than those before, in order; the last word counts."""

FINAL_OUTCOMES: dict[Kind, tuple[str, ...]] = {
    "segment": ("lost",),
    "frame": ("blank", "held", "near_cut", "unreadable", "lost", "refused", "settled", "no_character", "cropped"),
    "crop": (
        "refused",
        "unknown",
        "repeated",
        "several",
        "dropped",
        "below_quality",
        "burnt_in_text",
        "duplicate",
        "same_picture",
        "shot_has_enough",
        "less_varied",
        "budget_full",
        "caption_refused",
        "over_limit",
        "lost",
        "rejected",
        "not_reviewed",
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


def refuse_losses(what: str, lost: int, of: int, max_share: float) -> None:
    """End the run where more items were lost than the project allows; the ledger must be written before.

    Args:
        what: What the items are, such as ``frames``.
        lost: How many left no result.
        of: How many there were.
        max_share: Share that may be lost, 0..1.

    Raises:
        TooManyLostError: With the numbers.
    """
    if of and lost / of > max_share:
        raise TooManyLostError(
            f"{lost} of {of} {what} were lost ({lost / of:.1%}), more than max_lost_share ({max_share:.1%}). "
            f"ledger.jsonl names them. Start the run again: it pays for just these {what}."
        )


def _part(run_id: str, stage: str) -> str:
    return keys.run_file(run_id, f"ledger/{STAGES.index(stage) + 1}-{stage}.jsonl")
