"""PrepareReview: gather what people are shown, with what they decided on the same pictures before."""

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from storycast import keys
from storycast.boxes import Box, overlap_ratio
from storycast.caption_lint.findings import Lint
from storycast.captions import Caption
from storycast.cast import Cast
from storycast.costs import is_charged
from storycast.curation import CuratedImage, curated_image, named_by_frame
from storycast.dataset import file_name, made_by
from storycast.decisions import OPEN, picture, state_of
from storycast.errors import RequestInvalidError
from storycast.estimate import (
    NOTHING,
    hosting_most_usd,
    hosting_usd,
    storyboard_usd,
    training_most_usd,
    training_usd,
)
from storycast.footage import Record
from storycast.frames import KeptFrame, from_json_lines
from storycast.human_loops import open_batches
from storycast.ledger import Entry
from storycast.licences import licence_of
from storycast.manifest import MIN_ADAPTER_RECORDS
from storycast.names import frame_of
from storycast.plan import RunPlan
from storycast.ports import ObjectStore, ReviewLog
from storycast.prices import price_table
from storycast.review import (
    MAX_ALTERNATIVES,
    Alternative,
    BaseLicence,
    Carried,
    Review,
    ReviewCharacter,
    ReviewPicture,
    TrainingAhead,
    read_review,
    write_review,
)
from storycast.runs import ModelUsed, Run, read_run
from storycast.settings import Settings
from storycast.sightings import Sighting
from storycast.stages.open_review import wait_seconds
from storycast.stages.reading import read_record, read_records

UNSURE_SCORE = 0.5
"""Likeness below which a name is worth a second look: a rule of thumb, not measured."""
_IDS = re.compile(r" with [0-9a-f]{12}-\d{9}-\d{2}")
"""Says in the ledger whom a duplicate is like; here it lies beside that one."""
SAME_PLACE_RATIO = 0.5
"""Intersection over union of two squares of a frame, from which they are one picture to people."""
EARLIER_RUNS = 5
"""Earlier reviews of the project that are looked through for what was decided on the same pictures."""


def prepare_review(plan: RunPlan, *, store: ObjectStore, log: ReviewLog, now: datetime) -> dict[str, Any]:
    """Write ``review/review.json``: every picture with its caption, and what stands out.

    What people decided on the same picture in an earlier run of the project holds until they say otherwise: a
    review whose run failed after it is not lost.

    Args:
        plan: The run's plan.
        store: The bucket.
        log: Decisions of the project's runs.
        now: The time.

    Returns:
        ``deadline`` (ISO), ``wait_seconds`` until it or until people are reminded, ``batches``, the numbers of the
        human loops of ``review.mode: a2i`` that have something to decide, and how many have ended: none.
    """
    run = read_run(store, plan.run_id)
    settings = plan.settings
    cast = Cast.model_validate_json(store.get(keys.run_file(plan.run_id, "cast.json")))
    pictures = _pictures(plan, run, store)
    carried = {} if settings.review.mode == "auto" else _carried(plan, pictures, store, log)
    review = Review(
        run_id=plan.run_id,
        project=plan.project,
        made_at=now.isoformat(),
        mode=settings.review.mode,
        minimum_per_character=settings.review.minimum_per_character,
        images_per_character=settings.selection.images_per_character,
        words=settings.captions.words,
        characters=_characters(cast, pictures),
        pictures=tuple(
            one.model_copy(update={"carried": carried.get(one.image.crop_id)}) if carried else one
            for one in pictures
        ),
        made_by=tuple(made_by(run)),
        training=_training(plan, run),
        lint=read_record(store, keys.run_file(plan.run_id, keys.LINT), Lint),
        acknowledged=settings.captions.acknowledge,
    )
    write_review(store, review)
    deadline = now + timedelta(hours=settings.review.timeout_hours)
    return {
        "deadline": deadline.isoformat(),
        "wait_seconds": wait_seconds(deadline, now, settings.review.remind_hours),
        "batches": open_batches(review) if settings.review.mode == "a2i" else [],
        "loops": [],
        "completed": 0,
    }


def _pictures(plan: RunPlan, run: Run, store: ObjectStore) -> list[ReviewPicture]:
    def lines[R: Record](name: str, kind: type[R], of: str, wanted: Container[str]) -> list[R]:
        content = store.get(keys.run_file(plan.run_id, name))
        return from_json_lines(content, kind, lambda row: row[of] in wanted)

    curated = from_json_lines(store.get(keys.run_file(plan.run_id, "curated.jsonl")), CuratedImage)
    # Of a film's length of crops these alone are looked at.
    twins_of_all = {twin for image in curated for twin in image.duplicates}
    twin_frames = {frame_of(twin) for twin in twins_of_all}
    crop_ids = twins_of_all | {image.crop_id for image in curated}
    ledger = [entry for entry in lines("ledger.jsonl", Entry, "id", crop_ids) if entry.kind == "crop"]
    reasons = {entry.id: entry.reason for entry in ledger}
    in_dataset = {entry.id for entry in ledger if entry.outcome == "in_dataset"}
    images = [image for image in curated if image.crop_id in in_dataset]
    sightings = lines("sightings.jsonl", Sighting, "frame_id", twin_frames)
    by_crop = {one.crop_id: one for one in sightings}
    by_frame = named_by_frame(sightings)
    frames = lines("frames.jsonl", KeptFrame, "frame_id", twin_frames)
    texts = {frame.frame_id: frame.texts for frame in frames}
    names = {footage.source.footage_id: footage.source.name for footage in plan.footage}
    captions = read_records(
        store, [keys.run_file(plan.run_id, f"captions/{image.crop_id}.json") for image in images], Caption
    )
    told = [(image, caption) for image, caption in zip(images, captions, strict=True) if caption is not None]
    said = Counter(caption.caption.casefold() for _, caption in told)

    def alternative(crop_id: str) -> Alternative:
        one = by_crop[crop_id]
        image = curated_image(one, by_frame[one.frame_id], plan.settings.crop.padding, texts[one.frame_id])
        return Alternative(image=image, crop_key=one.key, reason=_IDS.sub("", reasons.get(crop_id, "")))

    pictures = []
    for image, caption in told:
        twins = sorted(
            (crop_id for crop_id in image.duplicates if crop_id in by_crop),
            key=lambda crop_id: (-by_crop[crop_id].quality, crop_id),
        )
        pictures.append(
            ReviewPicture(
                image=image,
                file_name=file_name(image),
                footage=names[image.footage_id],
                caption=caption.caption,
                caption_model=_maker(run.model(caption.model_id)),
                flags=_flags(image, caption, said[caption.caption.casefold()]),
                alternatives=tuple(map(alternative, twins[:MAX_ALTERNATIVES])),
                more_alternatives=max(0, image.duplicate_count - MAX_ALTERNATIVES),
            )
        )
    return pictures


def _maker(model: ModelUsed) -> str:
    """Return who made a caption, for people: a stand-in is one here, too."""
    return f"{model.name} ({model.provider})" if model.provider else model.model_id


def _flags(image: CuratedImage, caption: Caption, same_caption: int) -> tuple[str, ...]:
    """Return in plain words what a reviewer should look at."""
    flags = [f"The caption: {flag}." for flag in caption.flags]
    if same_caption > 1:
        flags.append(f"{same_caption} pictures have this caption, word for word.")
    if image.score < UNSURE_SCORE:
        flags.append(f"The name is a guess (likeness {image.score:.2f}): is this {image.character}?")
    if image.enlarged:
        flags.append(f"Only {image.side_px} px of the film: it was enlarged for training.")
    return tuple(flags)


def _characters(cast: Cast, pictures: Sequence[ReviewPicture]) -> tuple[ReviewCharacter, ...]:
    """Return the cast in its order, then whoever else is named in a picture."""
    described = {member.name: member.description for member in cast.members}
    seen = sorted({name for one in pictures for name in one.image.in_picture})
    return tuple(
        ReviewCharacter(name=name, description=described.get(name, ""))
        for name in dict.fromkeys([*described, *seen])
    )


def _training(plan: RunPlan, run: Run) -> TrainingAhead | None:
    settings = plan.settings
    if settings.training.target == "none":
        return None
    drawing = hosting_usd(settings) + storyboard_usd(settings) if settings.storyboard.prompts else NOTHING
    cost = training_usd(settings, None) + drawing
    ahead = TrainingAhead(
        target=settings.training.target,
        base_model=settings.training.model_id,
        step_count=settings.training.values.step_count,
        batch_size=settings.training.values.batch_size,
        hold_out_share=settings.training.hold_out_share,
        cost_usd=(round(cost.low, 2), round(cost.high, 2)),
        budget_usd=settings.budget_usd,
        prices_as_of=price_table().as_of,
        charged=is_charged(run),
    )
    return _on_sagemaker(ahead, settings) if settings.training.target == "sagemaker" else ahead


def _on_sagemaker(ahead: TrainingAhead, settings: Settings) -> TrainingAhead:
    """Return what is told of a training besides, where a job of its own trains an adapter."""
    lora, licence = settings.training.lora, licence_of(settings.training.model_id)
    most_usd = training_most_usd(settings) + hosting_most_usd(settings)
    if settings.budget_usd > 0:
        most_usd = min(most_usd, settings.budget_usd)
    return ahead.model_copy(
        update={
            "least_pictures": MIN_ADAPTER_RECORDS,
            "instance_type": lora.instance_type,
            "spot": lora.spot,
            "most_usd": round(most_usd, 2),
            "licence": BaseLicence(name=licence.name, link=licence.link, restricts=licence.restricts),
        }
    )


def _carried(
    plan: RunPlan, pictures: Sequence[ReviewPicture], store: ObjectStore, log: ReviewLog
) -> Mapping[str, Carried]:
    """Return what people last decided on each picture in earlier runs of the project.

    A crop's number is its place among those of its frame: other settings of the detection may give it to another
    one. So what was decided counts for a square of the same place alone.
    """
    carried: dict[str, Carried] = {}
    wanted = {one.image.crop_id: one.image for one in pictures}
    earlier = [run_id for run_id in log.runs_of(plan.project) if run_id != plan.run_id]
    for run_id in earlier[:EARLIER_RUNS]:
        try:
            review = read_review(store, run_id)
        except (RequestInvalidError, ValueError):
            continue
        before = {one.image.crop_id: one.image for one in review.pictures}
        for crop_id, one in _decided(review, log).items():
            if crop_id in wanted and _same_place(wanted[crop_id], before[crop_id]):
                carried.setdefault(crop_id, one)
    return carried


def _same_place(one: CuratedImage, other: CuratedImage) -> bool:
    squares = [Box(image.left_px, image.top_px, image.side_px, image.side_px) for image in (one, other)]
    return one.frame_id == other.frame_id and overlap_ratio(*squares) >= SAME_PLACE_RATIO


def _decided(review: Review, log: ReviewLog) -> dict[str, Carried]:
    """Return what stands decided in a review, by picture; what it had carried over itself included."""
    state = state_of(review.initial, log.read(review.run_id))
    found = {}
    for one in review.pictures:
        subject = picture(one.image.crop_id)
        verdict, caption = state.values[subject, "verdict"], state.values[subject, "caption"]
        words = caption.text if caption.text != one.caption else None
        by = [value.by for value in (verdict, caption) if value.by]
        if not by and one.carried:
            found[one.image.crop_id] = one.carried
        elif by and (verdict.text != OPEN or words):
            newest = max(by, key=lambda decision: decision.seq)
            found[one.image.crop_id] = Carried.model_validate(
                {
                    "run_id": review.run_id,
                    "who": newest.who,
                    "when": newest.when,
                    "verdict": verdict.text,
                    "caption": words,
                }
            )
    return found
