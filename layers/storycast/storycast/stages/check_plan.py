"""CheckPlan: the preflight. What would make a later, paid step fail is found here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storycast import keys
from storycast.budget import refuse_too_dear
from storycast.custom_labels import CustomLabelModels
from storycast.detector_preflight import detector_findings
from storycast.errors import (
    DependencyUnavailableError,
    ModelRetiredError,
    SettingsInvalidError,
)
from storycast.estimate import estimate
from storycast.footage import Probe, plan_segments
from storycast.frames import to_json_lines
from storycast.job_preflight import JobSite
from storycast.plan import RunPlan
from storycast.ports import ModelCatalogue, ModelFacts, ObjectStore, RoleInspector
from storycast.preflight import refuse_problems, training_findings
from storycast.runs import ModelUsed, Run, change_run
from storycast.settings import Settings


def check_plan(
    plan: RunPlan,
    *,
    store: ObjectStore,
    catalogue: ModelCatalogue,
    roles: RoleInspector,
    role_arn: str,
    site: JobSite,
    flow_definition_arn: str,
    region: str,
    now: datetime,
    models: CustomLabelModels | None = None,
) -> dict[str, Any]:
    """Check that the run can go through and what it will cost, and split its footage into segments.

    What a training needs is looked at first: a base model that has ended stops a run here, before anything is
    paid, and disturbs no run that trains nothing.

    Args:
        plan: The run's plan.
        store: The bucket.
        catalogue: Tells whether the models live; asking costs nothing.
        roles: Looks at the role of a training job.
        role_arn: That role, on Bedrock.
        site: Where a job on SageMaker would run.
        flow_definition_arn: The stack's flow definition of Amazon A2I; empty where it has none.
        region: Where this runs.
        now: The time, for models that have ended.
        models: Tells whether a Custom Labels model can run.

    Returns:
        Where the list of segments is, and how many there are.

    Raises:
        SettingsInvalidError: They ask for Amazon A2I, and the stack has no flow definition.
        ModelNotAvailableError: A model does not exist here.
        ModelRetiredError: A model has ended.
        TrainingPlanInvalidError: The training that the settings ask for cannot be; so with
            ``TrainingAccessError``.
        BudgetExceededError: Even the low end of the estimate passes the budget.
        DependencyUnavailableError: A footage's probe is missing.
    """
    settings = plan.settings
    refuse_missing_flow_definition(settings, flow_definition_arn)
    training = training_findings(
        settings,
        catalogue=catalogue,
        roles=roles,
        role_arn=role_arn,
        region=region,
        site=site,
        record_count=None,
        now=now,
    )
    warnings = refuse_problems([*training, *detector_findings(settings, models)])
    used = [_living(catalogue.facts(model_id), now) for model_id in _models(settings)]
    probes = [_probe(store, footage.source.footage_id, footage.source.name) for footage in plan.footage]
    expected = estimate(settings, [probe.duration_ms for probe in probes], caption_prompt=plan.caption_prompt)

    def checked(run: Run) -> Run:
        run = run.model_copy(update={"models": tuple(used), "estimate": expected.to_json()})
        return run.with_warnings(*_warnings(settings), *warnings, *_notes(plan, probes))

    # Written before it may be refused: whoever is refused sees what it would have cost.
    change_run(store, plan.run_id, checked)
    refuse_too_dear(settings.budget_usd, expected.total.low, expected.total.high)
    segments = [
        segment
        for footage, probe in zip(plan.footage, probes, strict=True)
        for segment in plan_segments(
            footage.source,
            probe,
            frames_per_second=settings.sampling.frames_per_second,
            pick=settings.sampling.pick,
            fingerprint=footage.frames,
        )
    ]
    segments_key = keys.run_file(plan.run_id, "segments.jsonl")
    store.put(segments_key, to_json_lines(segments), "application/jsonl")
    change_run(store, plan.run_id, lambda run: run.with_counts(footage=len(plan.footage), segments=len(segments)))
    return {"segments_key": segments_key, "segment_count": len(segments)}


def refuse_missing_flow_definition(settings: Settings, flow_definition_arn: str) -> None:
    """Refuse a review by Amazon A2I's workers where the stack has no flow definition, before anything is paid.

    Raises:
        SettingsInvalidError: With what to do instead.
    """
    if settings.review.mode == "a2i" and not flow_definition_arn:
        raise SettingsInvalidError(
            "review.mode: a2i needs a flow definition of Amazon A2I, and the stack has none. Make one with "
            "`storycast a2i-setup --workteam ARN` and deploy the stack with the parameter that it prints, or set "
            "review.mode: page. Amazon A2I takes no new customers."
        )


def _models(settings: Settings) -> list[str]:
    trained = [settings.training.model_id] if settings.training.target == "bedrock" else []
    return list(dict.fromkeys((settings.duplicates.embedding, settings.captions.model, *trained)))


def _probe(store: ObjectStore, footage_id: str, name: str) -> Probe:
    try:
        return Probe.model_validate_json(store.get(keys.probe(footage_id)))
    except (KeyError, ValueError):
        raise DependencyUnavailableError(f"the probe of {name} is missing or damaged") from None


def _notes(plan: RunPlan, probes: Sequence[Probe]) -> list[str]:
    """Return what is unusual about the footage and what is done with it, a line each."""
    return [
        f"{footage.source.name}: {note}"
        for footage, probe in zip(plan.footage, probes, strict=True)
        for note in probe.notes
    ]


def _living(facts: ModelFacts, now: datetime) -> ModelUsed:
    if facts.ends_at is not None and facts.ends_at <= now:
        raise ModelRetiredError(
            f"{facts.model_id} reached its end of life on {facts.ends_at:%Y-%m-%d}. "
            "Name a model in the project file that is active."
        )
    return ModelUsed(model_id=facts.model_id, name=facts.name, provider=facts.provider)


def _warnings(settings: Settings) -> list[str]:
    return [
        f"{character.name} has neither references, labels nor clusters, so no picture can be named so"
        for character in settings.characters
        if not (character.references or character.labels or character.clusters)
        and "custom_labels" not in settings.detection.methods
    ]
