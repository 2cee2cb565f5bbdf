"""WriteDataset: cut the pictures for training, write manifest, card and contact sheet, close the ledger."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from storycast import keys
from storycast.captions import Caption
from storycast.contact_sheet import MAX_TILES, Tile
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

WRITERS = 4
"""Pictures at work at once: one is cut and encoded while others are on their way from and to the bucket."""


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
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in pool.map(partial(_write_picture, plan, store), curated, captions):
            entries.append(done.entry)
            if done.made is not None:
                images.append(done.made)
            # A sheet has room for some; thousands would fill the memory.
            if done.tile is not None and len(tiles) < MAX_TILES:
                tiles.append(done.tile)
    record_entries(store, plan.run_id, "write_dataset", entries)
    run = _close(plan, images, entries, captions, store)
    _refuse_useless(plan, entries, len(curated))
    obstacles = problems(len(images), plan.settings.training.target)
    manifest_key = keys.run_file(plan.run_id, keys.MANIFEST)
    store.put(manifest_key, dataset_manifest(plan, images, store.bucket), "application/jsonl")
    lint_dataset(plan, images, makers={one.caption_by for one in images}, store=store)
    write_card(run, images, obstacles, store)
    write_contact_sheet(run, len(images), tiles, store)
    change_run(store, plan.run_id, lambda run: run.with_warnings(*obstacles))
    return {"manifest_key": manifest_key, "record_count": len(images)}


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of one curated picture; only what is in the dataset has more than its entry."""

    entry: Entry
    made: DatasetImage | None = None
    tile: Tile | None = None


def _write_picture(plan: RunPlan, store: ObjectStore, image: CuratedImage, caption: Caption | None) -> _Written:
    if caption is None or caption.refused:
        outcome = "lost" if caption is None else "caption_refused"
        reason = "captioning left no result" if caption is None else caption.refused
        return _Written(_entry(image, outcome, reason))
    try:
        picture = training_picture(plan, image, store=store)
    except (KeyError, PictureUnreadableError) as error:
        return _Written(_entry(image, "lost", f"its frame can't be read again: {error}"))
    made, content = dataset_image(image, caption), to_png(picture)
    problem = picture_problem(picture.width, picture.height, len(content))
    if problem:
        return _Written(_entry(image, "over_limit", problem))
    store.put(image_key(plan.run_id, made), content, "image/png")
    shown = small(picture)
    if plan.settings.review.mode == "page":
        store.put(keys.review_thumb(plan.run_id, image.crop_id), to_jpeg(shown), "image/jpeg")
    return _Written(_entry(image, "in_dataset", made.file_name), made, tile(shown, made))


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
