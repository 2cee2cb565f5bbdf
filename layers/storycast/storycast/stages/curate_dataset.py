"""CurateDataset: the reducer. Near-duplicates out, the best and most varied in, per character."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storycast import keys
from storycast.budget import refuse_over_budget
from storycast.cast import Cast
from storycast.costs import spent_usd
from storycast.curation import CuratedImage, Verdict, curate
from storycast.embeddings import Calibration, Vectors, calibrate
from storycast.errors import NoCharactersError
from storycast.estimate import captions_usd
from storycast.fingerprint import canonical_json
from storycast.frames import KeptFrame, from_json_lines, to_json_lines
from storycast.ledger import Entry, record_entries
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.runs import Run, change_run
from storycast.selection import Rules
from storycast.sightings import Sighting, neighbour_and_stranger_cosines
from storycast.similarity import count_similarity, nearest_kept_cosines
from storycast.stages.caption_images import caption_key, prompt_of
from storycast.stages.vectors import read_vectors


def curate_dataset(plan: RunPlan, *, store: ObjectStore, now: datetime) -> dict[str, Any]:
    """Write ``curated.jsonl``, the pictures that go on, and ``curation.json``, how they were chosen.

    Args:
        plan: The run's plan.
        store: The bucket.
        now: The time, for what the run has cost so far.

    Returns:
        Where the list is and how many pictures it has.

    Raises:
        BudgetExceededError: Captions for these pictures could pass the budget.
        NoCharactersError: No picture was chosen.
    """
    sightings = from_json_lines(store.get(keys.run_file(plan.run_id, "sightings.jsonl")), Sighting)
    vectors = read_vectors(store, keys.run_file(plan.run_id, "embeddings.npy"))
    tracks = [one.track for one in sightings]
    neighbours, strangers = neighbour_and_stranger_cosines(sightings, tracks, vectors)
    calibration = _threshold(plan, neighbours, strangers)
    frames = from_json_lines(store.get(keys.run_file(plan.run_id, "frames.jsonl")), KeptFrame)
    asked = plan.settings.selection
    curation = curate(
        sightings,
        vectors,
        threshold=calibration.threshold,
        rules=Rules(asked.images_per_character, asked.per_shot, asked.pairs_share),
        padding=plan.settings.crop.padding,
        texts={frame.frame_id: frame.texts for frame in frames if frame.texts},
    )
    images, verdicts, summary = curation.images, curation.verdicts, curation.summary
    curated_key = keys.run_file(plan.run_id, "curated.jsonl")
    store.put(curated_key, to_json_lines(images), "application/jsonl")
    per_character = Counter(image.character for image in images)
    report = {
        "threshold": calibration.threshold,
        "threshold_source": calibration.source,
        "embedding_model": plan.settings.duplicates.embedding,
        "pictures": dict(sorted(per_character.items())),
        "framing": dict(sorted(Counter(image.framing for image in images).items())),
        "with_several_characters": sum(len(image.in_picture) > 1 for image in images),
        "outcomes": dict(sorted(Counter(verdict.outcome for verdict in verdicts).items())),
        "selection": summary.model_dump(mode="json"),
        "shortfalls": summary.shortfalls,
        "similarity": _similarity(sightings, vectors, verdicts, neighbours, strangers, calibration.threshold),
    }
    content = canonical_json(report).encode() + b"\n"
    store.put(keys.run_file(plan.run_id, "curation.json"), content, "application/json")
    footage_of = {one.crop_id: one.footage_id for one in sightings}
    record_entries(store, plan.run_id, "curate_dataset", [_entry(v, footage_of) for v in verdicts])
    duplicates = sum(verdict.outcome == "duplicate" for verdict in verdicts)

    def curated_in(run: Run) -> Run:
        counted = run.with_counts(duplicates=duplicates, curated=len(images)).with_warnings(*summary.warnings())
        return counted.with_chosen(duplicates_threshold=calibration.threshold, threshold_source=calibration.source)

    run = change_run(store, plan.run_id, curated_in)
    if not images:
        raise NoCharactersError(_why_nothing(sightings, verdicts))
    _refuse_over_budget(plan, run, images, spent_usd(run, (), now), store)
    return {"curated_key": curated_key, "image_count": len(images)}


def _why_nothing(sightings: Sequence[Sighting], verdicts: Sequence[Verdict]) -> str:
    unnamed = Counter(one.outcome for one in sightings if not one.character)
    outcomes = unnamed + Counter(verdict.outcome for verdict in verdicts)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    return (
        f"None of {len(sightings)} crops became a picture of the dataset: {told}. ledger.jsonl says why of each. "
        "Give footage with larger and sharper pictures of them and without text, or references that look more "
        "like them."
    )


def _refuse_over_budget(
    plan: RunPlan, run: Run, images: Sequence[CuratedImage], spent: float, store: ObjectStore
) -> None:
    settings = plan.settings
    most = captions_usd(settings, len(images), plan.caption_prompt)
    if settings.budget_usd <= 0 or spent + most <= settings.budget_usd:
        return
    # What was captioned before costs nothing again; it is counted only where it decides.
    cast = Cast.model_validate_json(store.get(keys.run_file(plan.run_id, "cast.json")))
    count = sum(not _is_captioned(plan, run, cast, image, store) for image in images)
    what = (
        f"captions of {count:,} pictures (fewer pictures: selection.images_per_character, which is "
        f"{settings.selection.images_per_character})"
    )
    refuse_over_budget(settings.budget_usd, spent, captions_usd(settings, count, plan.caption_prompt), what)


def _is_captioned(plan: RunPlan, run: Run, cast: Cast, image: CuratedImage, store: ObjectStore) -> bool:
    model = run.model(plan.settings.captions.model)
    key, _ = caption_key(plan, cast, image, prompt_of(plan, cast, image), model)
    return any(stored.key == key for stored in store.list(key))


def _threshold(plan: RunPlan, neighbours: Sequence[float], strangers: Sequence[float]) -> Calibration:
    asked = plan.settings.duplicates.threshold
    if asked != "auto":
        return Calibration(float(asked), "set in the project file")
    return calibrate(neighbours, strangers, plan.settings.duplicates.embedding)


def _similarity(
    sightings: Sequence[Sighting],
    vectors: Vectors,
    verdicts: Sequence[Verdict],
    neighbours: Sequence[float],
    strangers: Sequence[float],
    threshold: float,
) -> dict[str, Any]:
    outcomes = {verdict.crop_id: verdict.outcome for verdict in verdicts}
    named = [index for index, one in enumerate(sightings) if one.crop_id in outcomes]
    kept = [index for index in named if outcomes[sightings[index].crop_id] != "duplicate"]
    nearest = nearest_kept_cosines(vectors, named, kept)
    return count_similarity(neighbours, strangers, nearest, threshold).model_dump(mode="json")


def _entry(verdict: Verdict, footage_of: dict[str, str]) -> Entry:
    return Entry(
        kind="crop",
        id=verdict.crop_id,
        footage_id=footage_of[verdict.crop_id],
        outcome=verdict.outcome,
        reason="waits for its caption" if verdict.outcome == "curated" else verdict.reason,
    )
