"""ApplyReview: turn decisions into the approved dataset: its manifest, and the pictures that it names."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from storycast import keys
from storycast.approval import Outcome, approve, keep_all
from storycast.caption_lint.findings import Lint
from storycast.contact_sheet import MAX_TILES
from storycast.dataset import DatasetImage, with_split
from storycast.decisions import Decision, state_of
from storycast.frames import to_json_lines
from storycast.human_loops import batch_pictures, open_batches
from storycast.images import PictureUnreadableError, open_picture, to_png
from storycast.ledger import Entry, record_entries
from storycast.manifest import problems
from storycast.payloads import clipped, listed
from storycast.plan import RunPlan
from storycast.ports import Notifier, ObjectStore, ReviewLog
from storycast.review import Review, read_review
from storycast.runs import Run, change_run
from storycast.stages.caption_linting import lint_dataset
from storycast.stages.dataset_folder import (
    dataset_manifest,
    image_key,
    small,
    tile,
    write_card,
    write_contact_sheet,
)
from storycast.stages.reading import write_record
from storycast.stages.training_picture import training_picture

AUTO = "review.mode auto"
MOST_FINDINGS = 3
"""Of the caption lint, that people are told of."""
MOST_OF_FINDING_BYTES = 1000


def apply_review(
    plan: RunPlan, *, store: ObjectStore, log: ReviewLog, notifier: Notifier, now: datetime
) -> dict[str, Any]:
    """Write what the review's decisions come to; done again it writes the same.

    ``review/decisions.jsonl`` is the log as it is. The approved manifest follows from it and from what was shown;
    the dataset's folder then holds the approved pictures and no others: what is not approved is removed from it,
    what stands in another's place, or was renamed, is cut from its frame once more.

    Args:
        plan: The run's plan.
        store: The bucket.
        log: The decisions.
        notifier: Whom to tell.
        now: The time.

    Returns:
        ``status``: ``approved``, ``too_few`` (no training is started) or ``nothing``; where the approved manifest
        is, how many records it has, and a ``message``.
    """
    review = read_review(store, plan.run_id)
    decisions: Sequence[Decision]
    if plan.settings.review.mode == "auto":
        decisions = keep_all(review, who=AUTO, when=now.isoformat(timespec="milliseconds"))
    else:
        decisions = log.read(plan.run_id)
    approval = approve(review, state_of(review.initial, decisions))
    store.put(keys.run_file(plan.run_id, keys.DECISIONS), to_json_lines(decisions), "application/jsonl")
    write_record(store, keys.run_file(plan.run_id, keys.FINAL_NAMES), approval.names)
    there_now = _cut_missing(plan, approval.pictures, store)
    pictures = with_split(there_now, plan.settings.training.hold_out_share)
    there = {one.image.crop_id for one in pictures}
    record_entries(store, plan.run_id, "apply_review", [_entry(one, there) for one in approval.outcomes])
    _write_manifest(plan, pictures, store)
    _remove_others(plan, pictures, store)
    found = lint_dataset(
        plan,
        pictures,
        makers={one.caption_model for one in review.pictures},
        store=store,
        names=approval.names.names,
        acknowledged=approval.acknowledged,
    )
    obstacles = problems(len(pictures), plan.settings.training.target)
    warnings = [*obstacles, *approval.shortfalls]
    status, message = _result(plan, review, warnings, pictures)
    if status == "approved":
        message += _of_lint(found)

    def close(run: Run) -> Run:
        # One that has failed was stopped while this was at work: that end stays.
        is_ready = pictures and run.status != "failed"
        update = {"status": "dataset_ready", "ended_at": now.isoformat()} if is_ready else {}
        counts = {"approved": len(pictures), "rejected": len(review.pictures) - len(pictures)}
        if review.mode == "a2i":
            asked = open_batches(review)
            counts["paid_human_reviews"] = sum(len(batch_pictures(review, batch)) for batch in asked)
        return run.with_counts(**counts).with_warnings(*warnings).model_copy(update=update)

    run = change_run(store, plan.run_id, close)
    write_card(run, pictures, obstacles, store)
    if [(one.image, one.caption) for one in pictures] != [(one.image, one.caption) for one in review.pictures]:
        _draw_contact_sheet(run, pictures, store)
    if pictures and run.status != "failed":
        notifier.tell(f"Storycast: dataset ready ({plan.run_id})", message)
    return {
        "status": status,
        "manifest_key": keys.run_file(plan.run_id, keys.APPROVED_MANIFEST),
        "record_count": len(pictures),
        "message": message,
    }


def _result(
    plan: RunPlan, review: Review, too_few: Sequence[str], pictures: Sequence[DatasetImage]
) -> tuple[str, str]:
    run = f"Run {plan.run_id} of project {plan.project}"
    # Amazon A2I's workers are not shown again what they have decided.
    again = "Start the run again with review.mode: page" if review.mode == "a2i" else "Start the run again"
    if not pictures:
        return "nothing", (
            f"{run}: none of {len(review.pictures)} pictures was approved. {again} to review it anew: nothing is "
            "paid twice, and what was decided is shown."
        )
    if too_few and plan.settings.training.target != "none":
        return "too_few", (
            f"{run}: the dataset is ready, {len(pictures)} pictures, but nothing is trained on it: "
            f"{listed(too_few, '; ')}. {again}, which takes over what was decided, and approve more, "
            "drop the character, or lower review.minimum_per_character."
        )
    return "approved", f"{run}: the dataset is ready, {len(pictures)} pictures."


def _of_lint(found: Lint) -> str:
    """Return what stands in a training's way; empty where nothing of the captions does."""
    blocking = found.blocking()
    if not blocking:
        return ""
    told = " ".join(clipped(one.message, MOST_OF_FINDING_BYTES) for one in blocking[:MOST_FINDINGS])
    more = f" And {len(blocking) - MOST_FINDINGS} more." if len(blocking) > MOST_FINDINGS else ""
    return f" A training is refused for its captions, unless somebody acknowledges what was found: {told}{more}"


def _entry(one: Outcome, there: Collection[str]) -> Entry:
    """Return an outcome for the ledger; a picture that is not there although it was approved is lost."""
    is_lost = one.outcome == "in_dataset" and one.crop_id not in there
    outcome, reason = ("lost", "its frame can't be read again") if is_lost else (one.outcome, one.reason)
    return Entry(kind="crop", id=one.crop_id, footage_id=one.footage_id, outcome=outcome, reason=reason)


def _cut_missing(plan: RunPlan, pictures: Sequence[DatasetImage], store: ObjectStore) -> list[DatasetImage]:
    """Write those pictures that are not there under their names; return those that are there then."""
    there = {one.key for one in store.list(keys.run_file(plan.run_id, keys.IMAGES))}
    cut: list[DatasetImage] = []
    for one in pictures:
        if image_key(plan.run_id, one) not in there:
            try:
                picture = training_picture(plan, one.image, store=store)
            except (KeyError, PictureUnreadableError):
                continue
            store.put(image_key(plan.run_id, one), to_png(picture), "image/png")
        cut.append(one)
    return cut


def _write_manifest(plan: RunPlan, pictures: Sequence[DatasetImage], store: ObjectStore) -> None:
    store.put(keys.run_file(plan.run_id, keys.PICTURES), to_json_lines(pictures), "application/jsonl")
    content = dataset_manifest(plan, pictures, store.bucket)
    for name in (keys.MANIFEST, keys.APPROVED_MANIFEST):
        store.put(keys.run_file(plan.run_id, name), content, "application/jsonl")


def _remove_others(plan: RunPlan, pictures: Sequence[DatasetImage], store: ObjectStore) -> None:
    """Remove what is not approved from the dataset's folder, so that who takes the folder takes the dataset."""
    mine = {image_key(plan.run_id, one) for one in pictures}
    for one in list(store.list(keys.run_file(plan.run_id, keys.IMAGES))):
        if one.key not in mine:
            store.delete(one.key)


def _draw_contact_sheet(run: Run, pictures: Sequence[DatasetImage], store: ObjectStore) -> None:
    """Draw the contact sheet anew; what was approved as it was proposed has the same one already."""
    tiles = [tile(small(open_picture(store.get(image_key(run.run_id, one)))), one) for one in pictures[:MAX_TILES]]
    write_contact_sheet(run, len(pictures), tiles, store)
