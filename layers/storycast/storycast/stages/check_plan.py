"""CheckPlan: the preflight. What would make a later, paid step fail is found here."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.errors import DependencyUnavailableError, ModelRetiredError, NotYetAvailableError
from storycast.footage import Probe, Segment, plan_segments
from storycast.frames import to_json_lines
from storycast.plan import RunPlan
from storycast.ports import ModelCatalogue, ModelFacts, ObjectStore
from storycast.runs import ModelUsed, read_run, write_run
from storycast.settings import Settings


def check_plan(plan: RunPlan, *, store: ObjectStore, catalogue: ModelCatalogue, now: datetime) -> dict[str, Any]:
    """Check that the run can go through, and split its footage into segments.

    Args:
        plan: The run's plan.
        store: The bucket.
        catalogue: Tells whether the models live; asking costs nothing.
        now: The time, for models that have ended.

    Returns:
        Where the list of segments is, and how many there are.

    Raises:
        NotYetAvailableError: The settings ask for what this release does not have.
        ModelNotAvailableError: A model does not exist here.
        ModelRetiredError: A model has ended.
        DependencyUnavailableError: A footage's probe is missing.
    """
    refuse_missing_parts(plan.settings)
    models = [
        _living(catalogue.facts(model_id), now)
        for model_id in dict.fromkeys((plan.settings.duplicates.embedding, plan.settings.captions.model))
    ]
    segments: list[Segment] = []
    for footage in plan.footage:
        try:
            probe = Probe.model_validate_json(store.get(keys.probe(footage.source.footage_id)))
        except (KeyError, ValueError):
            raise DependencyUnavailableError(f"the probe of {footage.source.name} is missing or damaged") from None
        segments += plan_segments(
            footage.source,
            probe,
            frames_per_second=plan.settings.sampling.frames_per_second,
            pick=plan.settings.sampling.pick,
            fingerprint=footage.frames,
        )
    segments_key = keys.run_file(plan.run_id, "segments.jsonl")
    store.put(segments_key, to_json_lines(segments), "application/jsonl")
    run = read_run(store, plan.run_id).with_counts(footage=len(plan.footage), segments=len(segments))
    write_run(store, run.model_copy(update={"models": tuple(models)}).with_warnings(*_warnings(plan.settings)))
    return {"segments_key": segments_key, "segment_count": len(segments)}


def refuse_missing_parts(settings: Settings) -> None:
    """Refuse settings whose part of the workflow does not exist yet, before anything is paid.

    Raises:
        NotYetAvailableError: With the setting, and what to set instead.
    """
    missing = {
        "detection.methods: faces": "faces" in settings.detection.methods,
        "detection.custom_labels_model": settings.detection.custom_labels_model is not None,
        "captions.prompt": settings.captions.prompt is not None,
        f"review.mode: {settings.review.mode}": settings.review.mode != "auto",
        f"training.target: {settings.training.target}": settings.training.target == "sagemaker",
    }
    asked = [name for name, is_asked in missing.items() if is_asked]
    if asked:
        raise NotYetAvailableError(
            f"This release does not have: {', '.join(asked)}. Use detection.methods of labels and references, "
            "review.mode: auto and training.target: bedrock or none, and leave the others out."
        )


def _living(facts: ModelFacts, now: datetime) -> ModelUsed:
    if facts.ends_at is not None and facts.ends_at <= now:
        raise ModelRetiredError(
            f"{facts.model_id} reached its end of life on {facts.ends_at:%Y-%m-%d}. "
            "Name a model in the project file that is active."
        )
    return ModelUsed(model_id=facts.model_id, name=facts.name, provider=facts.provider)


def _warnings(settings: Settings) -> list[str]:
    default = Settings()
    idle = {
        "detection.economy": settings.detection.economy != default.detection.economy,
        "selection.pairs_share": settings.selection.pairs_share != default.selection.pairs_share,
        "review.minimum_per_character": settings.review.minimum_per_character
        != default.review.minimum_per_character,
    }
    without_effect = [f"{name} has no effect in this release" for name, is_set in idle.items() if is_set]
    return without_effect + [
        f"{character.name} has neither references nor labels, so no picture can be named so"
        for character in settings.characters
        if not character.references and not character.labels
    ]
