"""ApplyReview: turn decisions into the approved manifest and end the run as a dataset that is ready."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.fingerprint import canonical_json
from storycast.frames import from_json_lines
from storycast.ledger import Entry
from storycast.plan import RunPlan
from storycast.ports import Notifier, ObjectStore
from storycast.runs import read_run, write_run


def apply_review(plan: RunPlan, *, store: ObjectStore, notifier: Notifier, now: datetime) -> dict[str, Any]:
    """Approve what ``review.mode: auto`` approves, which is every picture that has a caption.

    Returns:
        Where the approved manifest is and what it can be used for.
    """
    ledger = from_json_lines(store.get(keys.run_file(plan.run_id, "ledger.jsonl")), Entry)
    decisions = "".join(
        canonical_json(
            {"who": "review.mode auto", "when": now.isoformat(), "crop_id": entry.id, "what": "approve"}
        )
        + "\n"
        for entry in ledger
        if entry.outcome == "in_dataset"
    )
    store.put(keys.run_file(plan.run_id, "review/decisions.jsonl"), decisions.encode(), "application/jsonl")
    approved_key = keys.run_file(plan.run_id, keys.APPROVED_MANIFEST)
    store.put(approved_key, store.get(keys.run_file(plan.run_id, keys.MANIFEST)), "application/jsonl")
    run = read_run(store, plan.run_id)
    run = run.model_copy(update={"status": "dataset_ready", "ended_at": now.isoformat()})
    write_run(store, run)
    count = run.counts.get("dataset_images", 0)
    message = (
        f"Run {plan.run_id} of project {plan.project}: the dataset is ready, {count} pictures. "
        f"s3://{store.bucket}/{keys.run_file(plan.run_id, 'dataset/')}"
    )
    notifier.tell(f"Storycast: dataset ready ({plan.run_id})", message)
    return {"manifest_key": approved_key, "record_count": count, "message": message}
