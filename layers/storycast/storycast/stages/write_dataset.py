"""WriteDataset: cut the pictures for training, write manifest, card and contact sheet, close the ledger."""

from collections.abc import Sequence
from typing import Any

from storycast import keys
from storycast.captions import Caption
from storycast.contact_sheet import Tile
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage, dataset_image
from storycast.errors import CaptionsFailedError
from storycast.frames import from_json_lines
from storycast.images import PictureUnreadableError, to_jpeg, to_png
from storycast.ledger import Entry, record_entries, refuse_losses
from storycast.manifest import picture_problem, problems
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
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
from storycast.stages.reading import read_records
from storycast.stages.training_picture import training_picture


def write_dataset(plan: RunPlan, *, store: ObjectStore) -> dict[str, Any]:
    """Write the dataset of a run.

    Returns:
        Where the manifest is, how many records it has, and what keeps it from being used for training.

    Raises:
        TooManyLostError: More captions than ``max_lost_share`` left no result.
        CaptionsFailedError: No picture got a caption.
    """
    curated = from_json_lines(store.get(keys.run_file(plan.run_id, "curated.jsonl")), CuratedImage)
    caption_keys = [keys.run_file(plan.run_id, f"captions/{image.crop_id}.json") for image in curated]
    images: list[DatasetImage] = []
    tiles: list[Tile] = []
    entries: list[Entry] = []
    captions = list(read_records(store, caption_keys, Caption))
    for image, caption in zip(curated, captions, strict=True):
        if caption is None or caption.refused:
            outcome = "lost" if caption is None else "caption_refused"
            entries.append(
                _entry(image, outcome, "captioning left no result" if caption is None else caption.refused)
            )
            continue
        try:
            picture = training_picture(plan, image, store=store)
        except (KeyError, PictureUnreadableError) as error:
            entries.append(_entry(image, "lost", f"its frame can't be read again: {error}"))
            continue
        made, content = dataset_image(image, caption), to_png(picture)
        problem = picture_problem(picture.width, picture.height, len(content))
        if problem:
            entries.append(_entry(image, "over_limit", problem))
            continue
        store.put(image_key(plan.run_id, made), content, "image/png")
        shown = small(picture)
        if plan.settings.review.mode == "page":
            key = keys.review_thumb(plan.run_id, image.crop_id)
            store.put(key, to_jpeg(shown), "image/jpeg")
        tiles.append(tile(shown, made))
        images.append(made)
        entries.append(_entry(image, "in_dataset", made.file_name))
    record_entries(store, plan.run_id, "write_dataset", entries)
    run = _close(plan, images, entries, captions, store)
    _refuse_useless(plan, entries, len(curated))
    obstacles = problems(len(images), plan.settings.training.target)
    manifest_key = keys.run_file(plan.run_id, keys.MANIFEST)
    store.put(manifest_key, dataset_manifest(plan, images, store.bucket), "application/jsonl")
    lint_dataset(plan, images, makers={one.caption_by for one in images}, store=store)
    write_card(run, images, obstacles, store)
    write_contact_sheet(run, len(tiles), tiles, store)
    change_run(store, plan.run_id, lambda run: run.with_warnings(*obstacles))
    return {"manifest_key": manifest_key, "record_count": len(images)}


def _close(
    plan: RunPlan,
    images: Sequence[DatasetImage],
    entries: Sequence[Entry],
    captions: Sequence[Caption | None],
    store: ObjectStore,
) -> Run:
    known = [caption for caption in captions if caption is not None]
    firsts = [caption.answers[0] for caption in known if caption.answers]
    seconds = [answer for caption in known for answer in caption.answers[1:]]
    paid = [answer for answer in (*firsts, *seconds) if answer.paid_by == plan.run_id]
    counts = {
        "dataset_images": len(images),
        "pictures_over_limit": sum(entry.outcome == "over_limit" for entry in entries),
        "captions_refused": sum(entry.outcome == "caption_refused" for entry in entries),
        "captions_lost": sum(entry.outcome == "lost" for entry in entries),
        "captions_repaired": sum(len(one.answers) > 1 and bool(one.caption) and not one.flags for one in known),
        "captions_flagged": sum(bool(one.flags) for one in known),
        "paid_captions": sum(answer.paid_by == plan.run_id for answer in firsts),
        "paid_caption_repairs": sum(answer.paid_by == plan.run_id for answer in seconds),
        "paid_input_tokens": sum(answer.input_tokens for answer in paid),
        "paid_output_tokens": sum(answer.output_tokens for answer in paid),
    }
    return change_run(store, plan.run_id, lambda run: run.with_counts(**counts))


def _refuse_useless(plan: RunPlan, entries: Sequence[Entry], curated: int) -> None:
    lost = sum(entry.outcome == "lost" for entry in entries)
    refuse_losses("captions", lost, curated, plan.settings.max_lost_share)
    if not any(entry.outcome == "in_dataset" for entry in entries):
        reasons = "; ".join(sorted({entry.reason for entry in entries})[:3])
        raise CaptionsFailedError(
            f"None of {curated} pictures got a caption that can be used: {reasons}. "
            "Name another captions.model, or look at the answers in captions/."
        )


def _entry(image: CuratedImage, outcome: str, reason: str) -> Entry:
    return Entry(kind="crop", id=image.crop_id, footage_id=image.footage_id, outcome=outcome, reason=reason)
