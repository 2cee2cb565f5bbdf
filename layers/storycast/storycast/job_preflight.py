"""Preflight of a training on SageMaker: what would stop its job, or let it end with nothing, is found for free."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from storycast import manifest
from storycast.advice import FEW_PICTURES
from storycast.errors import BudgetExceededError, TrainingAccessError, TrainingPlanInvalidError
from storycast.estimate import hosting_most_usd, training_hours, training_most_usd, training_usd
from storycast.findings import Finding
from storycast.instances import FAMILIES, LOCAL_DISK_GB, gpu, gpu_count, has_gpu, is_known, quota_name
from storycast.licences import licence_of
from storycast.ports import RoleInspector
from storycast.prices import price_table, usd
from storycast.settings import Settings

SERVICE = "sagemaker.amazonaws.com"
"""Who must be able to assume the role of a training job."""

MODELS_PREFIX = "models/"
"""Of the stack's own bucket: weights of base models that were put there."""

SWITCH_ON = (
    "Deploy the stack with the parameter SageMakerTraining=on, build the trainer's image with "
    "`make training-image`, and push it to the repository that the stack's output TrainingRepositoryUri names: "
    "docs/training.md has the commands."
)

MODEL_FOLDERS = ("unet", "vae", "text_encoder", "text_encoder_2")
"""Of SDXL in diffusers' layout: each with a ``config.json`` and weights in safetensors."""
NEEDED_FILES = ("model_index.json", "scheduler/scheduler_config.json", "tokenizer/", "tokenizer_2/")
"""Beside these; of folders any file will do."""

SMALL_GPU_GB = 16
FAVOURED_PIXELS = (700_000, 1_500_000)
"""Sizes of a panel that SDXL, trained at about 1,024 x 1,024 px, draws well."""


class ImageRegistry(Protocol):
    """The repository that the trainer's image lies in."""

    def has_image(self, image_uri: str) -> bool | None:
        """Whether an image is there; None where nobody tells."""


class WeightFolders(Protocol):
    """Folders of base models in S3."""

    def names(self, uri: str) -> Collection[str] | None:
        """Return the names of the files below an ``s3://bucket/prefix/``; None where we may not look."""


@dataclass(frozen=True, slots=True)
class JobSite:
    """Where a training job would run, as far as somebody told.

    Attributes:
        image_uri: The trainer's image; empty where the stack has SageMaker training off, None where nobody knows.
        role_arn: The job's role; empty where nobody knows it.
        bucket: The stack's own; empty where nobody knows it.
        weights_bucket: Another bucket that the stack's role may read weights from.
        images: Looks for the image.
        weights: Looks for weights in S3.
        instance_quota: Instances of the asked type that the account may use at once for jobs of this kind.
    """

    image_uri: str | None = None
    role_arn: str = ""
    bucket: str = ""
    weights_bucket: str = ""
    images: ImageRegistry | None = None
    weights: WeightFolders | None = None
    instance_quota: float | None = None


def job_findings(
    settings: Settings, *, site: JobSite, roles: RoleInspector, region: str, record_count: int | None
) -> Iterator[Finding]:
    """Yield what is found about a training on SageMaker, in order of weight. Nothing here is billed.

    Args:
        settings: The project's settings, with a session's overrides.
        site: Where the job would run.
        roles: Looks at the job's role.
        region: Where the training would run; empty where nobody knows.
        record_count: Pictures that are trained on; None before they are known.
    """
    yield from _image(site)
    yield from _role(site, roles)
    yield from _weights(settings, site)
    yield _licence(settings)
    yield from _instance(settings)
    yield from _length(settings)
    yield from _budget(settings)
    yield from _prices(settings, region)
    yield from _dataset(record_count)
    yield _quota(settings, site)
    yield from _size(settings)


def _image(site: JobSite) -> Iterator[Finding]:
    if site.image_uri is None:
        message = f"Whether the stack has SageMaker training switched on is not known here. If not: {SWITCH_ON}"
        yield Finding("unknown", "image", message)
        return
    if not site.image_uri:
        message = f"training.target: sagemaker needs a stack with SageMaker training switched on. {SWITCH_ON}"
        yield Finding("problem", "image", message, TrainingAccessError)
        return
    there = site.images.has_image(site.image_uri) if site.images else None
    if there is None:
        message = f"Whether {site.image_uri} is there could not be looked at; the job fails at once if it is not."
        yield Finding("unknown", "image", message)
    elif not there:
        message = (
            f"The trainer's image {site.image_uri} is not in the repository. Build it with `make training-image`, "
            "and push it there: docs/training.md has the commands."
        )
        yield Finding("problem", "image", message, TrainingAccessError)
    else:
        yield Finding("ok", "image", f"{site.image_uri} is there.")


def _role(site: JobSite, roles: RoleInspector) -> Iterator[Finding]:
    problems = roles.problems(site.role_arn, SERVICE) if site.role_arn else None
    if problems is None:
        message = "The role of the training job could not be looked at; AWS says when it starts if it is wrong."
        yield Finding("unknown", "role", message)
        return
    for problem in problems:
        yield Finding("problem", "role", f"{problem} Deploy the stack again.", TrainingAccessError)
    if not problems:
        yield Finding("ok", "role", f"{SERVICE} may assume {site.role_arn}.")


def _weights(settings: Settings, site: JobSite) -> Iterator[Finding]:
    uri = settings.training.model_id
    if not uri.startswith("s3://"):
        message = f"{uri} is fetched from the model hub when the job starts; whether it is there shows then."
        yield Finding("unknown", "base model", message)
        return
    allowed = [f"s3://{site.bucket}/{MODELS_PREFIX}"] if site.bucket else []
    allowed += [f"s3://{site.weights_bucket}/"] if site.weights_bucket else []
    if site.bucket and not uri.startswith(tuple(allowed)):
        message = (
            f"The job's role may read weights below {' and '.join(allowed)}, not {uri}. Copy them there, or "
            "deploy the stack with the parameter WeightsBucket, and name that place in training.base_model."
        )
        yield Finding("problem", "base model", message, TrainingAccessError)
        return
    names = site.weights.names(uri) if site.weights else None
    if names is None:
        yield Finding(
            "unknown", "base model", f"{uri} could not be looked at; the job says if weights are missing."
        )
        return
    missing = missing_files(names)
    if missing:
        message = (
            f"{uri} is no SDXL model in diffusers' layout: {', '.join(missing)} missing. Put there what "
            "`hf download stabilityai/stable-diffusion-xl-base-1.0` fetches."
        )
        yield Finding("problem", "base model", message, TrainingPlanInvalidError)
        return
    yield Finding("ok", "base model", f"{uri} holds weights.")


def missing_files(names: Collection[str]) -> list[str]:
    """Return what a folder of weights lacks, by the names of its files; empty where all is there."""
    missing = [one for one in NEEDED_FILES if not any(name.startswith(one) for name in names)]
    for folder in MODEL_FOLDERS:
        own = [name for name in names if name.startswith(f"{folder}/")]
        missing += [] if f"{folder}/config.json" in own else [f"{folder}/config.json"]
        missing += [] if any(name.endswith(".safetensors") for name in own) else [f"{folder}/*.safetensors"]
    return missing


def _licence(settings: Settings) -> Finding:
    licence = licence_of(settings.training.model_id)
    return Finding("ok" if licence.is_known else "warning", "licence", licence.words)


def _instance(settings: Settings) -> Iterator[Finding]:
    lora, batch_size = settings.training.lora, settings.training.values.batch_size
    kind = lora.instance_type
    if not has_gpu(kind):
        message = (
            f"{kind} has no GPU that the trainer can use: it needs one of NVIDIA's, of Turing or later, and would "
            f"be paid for days without. Name a training.lora.instance_type of {', '.join(FAMILIES)}."
        )
        yield Finding("problem", "instance", message, TrainingPlanInvalidError)
        return
    if not is_known(kind):
        message = (
            f"{kind} is no instance type that this release knows: it is counted as the dearest and slowest one. "
            f"Known are those of {', '.join(FAMILIES)}."
        )
        yield Finding("warning", "instance", message)
        return
    card = gpu(kind)
    yield Finding("ok", "instance", f"{kind} has an {card.name} with {card.memory_gb} GB.")
    if card.memory_gb <= SMALL_GPU_GB and (batch_size > 1 or lora.resolution > 1024):
        message = (
            f"{card.memory_gb} GB may not hold training.batch_size: {batch_size} at training.lora.resolution: "
            f"{lora.resolution}. Lower them, or take ml.g5.xlarge."
        )
        yield Finding("warning", "instance", message)
    if gpu_count(kind) > 1:
        message = f"The trainer uses one of the {gpu_count(kind)} GPUs of {kind}, and all are paid."
        yield Finding("warning", "instance", message)
    disk_gb = LOCAL_DISK_GB.get(kind)
    if disk_gb and lora.volume_gb > disk_gb:
        message = (
            f"training.lora.volume_gb: {lora.volume_gb} is more than the {disk_gb} GB disk of {kind}, which a job "
            "gets instead of a volume. Lower it."
        )
        yield Finding("problem", "instance", message, TrainingPlanInvalidError)


def _length(settings: Settings) -> Iterator[Finding]:
    training = settings.training
    hours, most = training_hours(settings), training.max_hours
    told = (
        f"{training.values.step_count:,} steps of {training.values.batch_size} take {hours.low:.1f} to "
        f"{hours.high:.1f} hours on {training.lora.instance_type}, which nobody measured there"
    )
    if hours.low > most:
        message = f"{told}; AWS ends the job after training.max_hours: {most:g}. Raise it, or train fewer steps."
        yield Finding("problem", "length", message, TrainingPlanInvalidError)
    elif hours.high > most:
        yield Finding("warning", "length", f"{told}; AWS ends the job after training.max_hours: {most:g}.")
    else:
        yield Finding("ok", "length", f"{told}.")


def _budget(settings: Settings) -> Iterator[Finding]:
    budget_usd = settings.budget_usd
    if budget_usd <= 0:
        message = (
            "training.target needs a budget_usd above 0, which no step may pass. `storycast estimate` tells what "
            "the run is expected to cost."
        )
        yield Finding("problem", "budget", message, TrainingPlanInvalidError)
        return
    drawing_usd = hosting_most_usd(settings)
    if drawing_usd > budget_usd:
        message = (
            f"Drawing may cost {usd(drawing_usd)} before AWS ends it after hosting.hours: "
            f"{settings.hosting.hours:g}, more than budget_usd: {budget_usd:g}. Lower hosting.hours, or raise "
            "budget_usd."
        )
        yield Finding("problem", "budget", message, BudgetExceededError)
        return
    expected_usd = training_usd(settings, None).high
    if expected_usd + drawing_usd > budget_usd:
        message = (
            f"A training may cost {usd(expected_usd)}, and drawing {usd(drawing_usd)} before AWS ends it after "
            f"hosting.hours: {settings.hosting.hours:g}; more than budget_usd: {budget_usd:g}. It is refused "
            "unless the model is there already."
        )
        yield Finding("warning", "budget", message)
        return
    most_usd = usd(training_most_usd(settings))
    message = f"No step may pass budget_usd: {budget_usd:g}; AWS's own clock ends the training at {most_usd}."
    yield Finding("ok", "budget", message)


def _prices(settings: Settings, region: str) -> Iterator[Finding]:
    table = price_table()
    if region and region != table.region:
        kind = settings.training.lora.instance_type
        message = (
            f"The prices are those of {table.region}; {kind} may cost more in {region}, and the budget is kept by "
            "these prices. Look at Amazon SageMaker's price list, and set budget_usd lower by as much."
        )
        yield Finding("warning", "prices", message)


def _dataset(record_count: int | None) -> Iterator[Finding]:
    if record_count is None:
        yield Finding("unknown", "dataset", "How many pictures there will be shows when they are curated.")
        return
    problems = manifest.problems(record_count, "sagemaker")
    for problem in problems:
        yield Finding("problem", "dataset", f"{problem.capitalize()}.", TrainingPlanInvalidError)
    if problems:
        return
    if record_count < FEW_PICTURES:
        message = (
            f"{record_count} pictures are few: an adapter learns to copy them. {FEW_PICTURES} and more, from "
            "different shots, teach it whom they show."
        )
        yield Finding("warning", "dataset", message)
    else:
        yield Finding("ok", "dataset", f"{record_count:,} pictures are enough to train an adapter on.")


def _quota(settings: Settings, site: JobSite) -> Finding:
    lora = settings.training.lora
    name = quota_name(lora.instance_type, spot=lora.spot)
    if site.instance_quota is None:
        message = (
            f"How many instances the account may use was not told. New accounts have none: look for '{name}' in "
            "Service Quotas."
        )
        return Finding("unknown", "quota", message)
    if site.instance_quota < 1:
        message = f"The account's quota '{name}' is 0. Ask for 1 in Service Quotas; AWS takes hours to days."
        return Finding("problem", "quota", message, TrainingAccessError)
    return Finding("ok", "quota", f"The account's quota '{name}' is {site.instance_quota:g}.")


def _size(settings: Settings) -> Iterator[Finding]:
    """Yield sizes that the model draws badly."""
    board = settings.storyboard
    least, most = FAVOURED_PIXELS
    if board.prompts and not least <= board.width * board.height <= most:
        message = (
            f"{board.width} x {board.height} px is far from the 1,024 x 1,024 px that SDXL was trained at: its "
            "pictures repeat or cut off whom they show."
        )
        yield Finding("warning", "size", message)
