"""Preflight of a training: what would make it fail after it was paid for is found here, where asking is free."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from storycast import manifest
from storycast.errors import (
    BudgetExceededError,
    ModelNotAvailableError,
    ModelRetiredError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.estimate import hosting_most_usd
from storycast.findings import Finding
from storycast.job_preflight import JobSite, job_findings
from storycast.model_ids import plain_model_id
from storycast.ports import ModelCatalogue, ModelFacts, RoleInspector
from storycast.prices import usd
from storycast.settings import Settings

SERVICE = "bedrock.amazonaws.com"
"""Who must be able to assume the role of a fine-tuning job on Bedrock."""

INSTEAD = (
    "No image model that Amazon Bedrock can fine-tune is active any more. Set training.target: sagemaker, which "
    "trains an adapter (LoRA) of an open model in a training job, and leave out training.base_model and the "
    "values meant for Bedrock; or training.target: none: the dataset is made all the same."
)
"""What to do without the base model; AWS facts of 2026-11-22."""

REGIONS: dict[str, tuple[str, ...]] = {
    "amazon.nova-canvas-v1:0": ("us-east-1",),
    "amazon.titan-image-generator-v2:0": ("us-east-1", "us-west-2"),
}
"""Where a model can be fine-tuned, from Amazon Bedrock's User Guide, "Supported models and Regions"."""

AVOID_NEGATIONS_ANYWHERE = (
    "Image models tend to draw what a negation names. Name what you do not want, alone, in "
    "storyboard.negative_prompt."
)
AVOID_NEGATIONS = (
    'The Amazon Nova User Guide says "Avoid using negating words": the model may draw what they negate. Name what '
    "you do not want, alone, in storyboard.negative_prompt."
)
"""From "Request and response structure for image generation"."""

NEGATIONS = re.compile(r"\b(?:no|not|without|never|none)\b|\b\w+n['’]t\b", re.IGNORECASE)


def training_findings(
    settings: Settings,
    *,
    catalogue: ModelCatalogue,
    roles: RoleInspector,
    role_arn: str,
    region: str,
    record_count: int | None,
    now: datetime,
    hosting_units: float | None = None,
    site: JobSite | None = None,
) -> list[Finding]:
    """Look at everything that a training with these settings needs. Nothing here is billed.

    Args:
        settings: The project's settings, with a session's overrides.
        catalogue: Tells whether the base model lives.
        roles: Looks at the role of the job.
        role_arn: That of a job on Bedrock; empty where nobody knows it yet.
        region: Where the training would run; empty where nobody knows.
        record_count: Records of the manifest; None before there is one.
        now: The time, for models that end.
        hosting_units: Model units that the account may host by the hour; None where nobody tells.
        site: Where a job on SageMaker would run; None where nobody tells.

    Returns:
        Findings in order of weight; none where nothing is to be trained.

    Raises:
        ThrottledError: A service that was asked wants patience; so with ``DependencyUnavailableError``.
    """
    target = settings.training.target
    if target == "none":
        return []
    if target == "sagemaker":
        found = job_findings(
            settings, site=site or JobSite(), roles=roles, region=region, record_count=record_count
        )
        return [*found, *_prompts(settings)]
    return [
        *_base_model(settings, catalogue, now),
        _region(settings.training.model_id, region),
        *_budget(settings),
        *_dataset(record_count),
        *_role(roles, role_arn),
        *_quota(settings, hosting_units),
        *_prompts(settings),
    ]


def refuse_problems(findings: Sequence[Finding]) -> list[str]:
    """Refuse findings that hold a problem.

    Returns:
        The warnings, where there is no problem.

    Raises:
        StorycastError: The first problem's error, with the messages of all problems.
    """
    problems = [finding for finding in findings if finding.level == "problem"]
    if problems:
        raise (problems[0].error or TrainingPlanInvalidError)(" ".join(finding.message for finding in problems))
    return [finding.message for finding in findings if finding.level == "warning"]


def _base_model(settings: Settings, catalogue: ModelCatalogue, now: datetime) -> Iterator[Finding]:
    model_id = settings.training.model_id
    try:
        facts = catalogue.facts(model_id)
    except ModelNotAvailableError as error:
        message = f"The base model {model_id} is not there ({error}). {INSTEAD}"
        yield Finding("problem", "base model", message, ModelNotAvailableError)
        return
    end = _end(facts, settings, now)
    if end:
        yield Finding("problem", "base model", f"{end} {INSTEAD}", ModelRetiredError)
    else:
        until = f", ends on {facts.ends_at:%Y-%m-%d}" if facts.ends_at else ""
        yield Finding("ok", "base model", f"{facts.name} ({model_id}) is active{until}.")
    for needed, said, told in (
        ("FINE_TUNING", facts.customizations, "be fine-tuned"),
        ("PROVISIONED", facts.inference, "be hosted by the hour, as a trained model must be"),
    ):
        if needed not in said:
            message = f"{model_id} can't {told}: Amazon Bedrock names {', '.join(said) or 'nothing'} for it."
            message += " Name another training.base_model, or set training.target: none."
            yield Finding("problem", "base model", message, TrainingPlanInvalidError)


def _end(facts: ModelFacts, settings: Settings, now: datetime) -> str:
    """Return in words why a model lives no longer than it is needed; empty where it does."""
    hours = settings.training.max_hours + settings.hosting.hours
    if facts.ends_at is not None and facts.ends_at <= now:
        return f"The base model {facts.model_id} reached its end of life on {facts.ends_at:%Y-%m-%d}."
    if facts.status == "LEGACY":
        until = f" and ends on {facts.ends_at:%Y-%m-%d}" if facts.ends_at else ""
        return (
            f"The base model {facts.model_id} is Legacy{until}: AWS begins no hosting of a Legacy model, so that "
            "what is trained could never be drawn with."
        )
    if facts.ends_at is not None and facts.ends_at <= now + timedelta(hours=hours):
        return (
            f"The base model {facts.model_id} ends on {facts.ends_at:%Y-%m-%d %H:%M} UTC, before the "
            f"{hours:g} hours are over that training and hosting may take (training.max_hours, hosting.hours)."
        )
    return ""


def _region(model_id: str, region: str) -> Finding:
    regions = REGIONS.get(plain_model_id(model_id))
    if not region or regions is None:
        message = f"Nobody told this release where {model_id} can be fine-tuned; AWS refuses the job elsewhere."
        return Finding("unknown", "region", message)
    if region in regions:
        return Finding("ok", "region", f"{model_id} can be fine-tuned in {region}.")
    message = (
        f"{model_id} can be fine-tuned in {' and '.join(regions)} only, not in {region}. Deploy the stack there."
    )
    return Finding("problem", "region", message, TrainingAccessError)


def _budget(settings: Settings) -> Iterator[Finding]:
    if settings.budget_usd <= 0:
        message = (
            "training.target needs a budget_usd above 0, which no step may pass. `storycast estimate` tells what "
            "the run is expected to cost."
        )
        yield Finding("problem", "budget", message, TrainingPlanInvalidError)
        return
    most_usd = hosting_most_usd(settings)
    if most_usd > settings.budget_usd:
        message = (
            f"Hosting may cost {usd(most_usd)} before it is ended by force after hosting.hours: "
            f"{settings.hosting.hours:g}, more than budget_usd: {settings.budget_usd:g}. Lower hosting.hours or "
            "hosting.model_units, or raise budget_usd."
        )
        yield Finding("problem", "budget", message, BudgetExceededError)
        return
    yield Finding("ok", "budget", f"No step may pass budget_usd: {settings.budget_usd:g}.")


def _dataset(record_count: int | None) -> Iterator[Finding]:
    if record_count is None:
        yield Finding("unknown", "dataset", "How many pictures there will be shows when they are curated.")
        return
    problems = manifest.problems(record_count)
    for problem in problems:
        yield Finding("problem", "dataset", f"{problem.capitalize()}.", TrainingPlanInvalidError)
    if not problems:
        yield Finding("ok", "dataset", f"{record_count:,} pictures are within what training takes.")


def _role(roles: RoleInspector, role_arn: str) -> Iterator[Finding]:
    problems = roles.problems(role_arn, SERVICE) if role_arn else None
    if problems is None:
        message = (
            "The role of the training job could not be looked at; AWS says when the job starts if it is wrong."
        )
        yield Finding("unknown", "role", message)
        return
    for problem in problems:
        yield Finding("problem", "role", f"{problem} Deploy the stack again.", TrainingAccessError)
    if not problems:
        yield Finding("ok", "role", f"{SERVICE} may assume {role_arn}.")


def _quota(settings: Settings, hosting_units: float | None) -> Iterator[Finding]:
    if not settings.storyboard.prompts:
        return
    needed = settings.hosting.model_units
    if hosting_units is None:
        message = (
            "How many model units the account may host by the hour was not told. New accounts have none: ask AWS "
            "Support for them before a training is paid for."
        )
        yield Finding("unknown", "quota", message)
    elif hosting_units < needed:
        message = (
            f"The account may host {hosting_units:g} model units by the hour, hosting.model_units is {needed}. "
            "Ask AWS Support for more: a trained model that can't be hosted can't draw."
        )
        yield Finding("problem", "quota", message, TrainingAccessError)
    else:
        yield Finding("ok", "quota", f"The account may host {hosting_units:g} model units by the hour.")


def _prompts(settings: Settings) -> Iterator[Finding]:
    prompts = settings.storyboard.prompts
    if not prompts:
        yield Finding(
            "warning", "prompts", "storyboard.prompts is empty: a model is trained and nothing is drawn."
        )
        return
    for prompt in (*prompts, settings.storyboard.negative_prompt):
        negations = list(dict.fromkeys(found.group().lower() for found in NEGATIONS.finditer(prompt)))
        if negations:
            said = ", ".join(f"'{word}'" for word in negations)
            why = AVOID_NEGATIONS if settings.training.target == "bedrock" else AVOID_NEGATIONS_ANYWHERE
            yield Finding("warning", "prompts", f"The prompt '{_short(prompt)}' says {said}. {why}")
    yield Finding("ok", "prompts", f"{len(prompts)} prompts are within the model's limits.")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
