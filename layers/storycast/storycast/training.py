"""Training: what a session trains, hosts and draws; its plan, and the record of a model that came of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from storycast import keys
from storycast.billing import Billed, BilledKind
from storycast.caption_lint.findings import Rule
from storycast.errors import RequestInvalidError
from storycast.fingerprint import fingerprint
from storycast.footage import Record
from storycast.names import RUN_ID_MAX_LENGTH, RUN_ID_PATTERN
from storycast.settings import Settings, Training

if TYPE_CHECKING:
    from storycast.ports import ObjectStore

VERSION = 1
"""Raised when the same values would train another model on Amazon Bedrock."""
LORA_VERSION = 1
"""Raised when the trainer's container would make another adapter of the same pictures and values."""
LORA_SEED = 1
"""Of the adapter's first values, the order of the pictures and the noise."""
CLOCK_GRACE = timedelta(minutes=30)
"""How much later than AWS's own clock ours ends a SageMaker job, so that AWS's has the first word."""

Target = Literal["bedrock", "sagemaker"]
"""Where something is trained and drawn; ``training.target`` may also be none."""

JobStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
ThroughputStatus = Literal["Creating", "InService", "Updating", "Failed"]


class TrainingRequest(BaseModel):
    """What starts ``train_model``: a run, or a manifest under a run id of its own.

    The four overrides are parts of a project file; what they leave out is as in the run's own settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    started_by: str | None = Field(default=None, alias="AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID")
    """The execution of ``build_dataset`` that waits for this one."""
    run_id: Annotated[str, Field(pattern=f"^{RUN_ID_PATTERN}$", max_length=RUN_ID_MAX_LENGTH)]
    project: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")] | None = None
    """Only where there is no such run yet."""
    manifest_key: Annotated[str, Field(pattern=r"^(runs|datasets)/.+$", max_length=1024)] | None = None
    """A manifest in the bucket; the run's approved one where there is none."""
    draw_only: bool = False
    """Draw with a model that is there; nothing is trained."""
    training_id: Annotated[str, Field(pattern=r"^t[0-9a-f]{8}$")] | None = None
    """Which model, where ``draw_only``; the run's newest where there is none."""
    training: dict[str, Any] = Field(default_factory=dict)
    hosting: dict[str, Any] = Field(default_factory=dict)
    storyboard: dict[str, Any] = Field(default_factory=dict)
    budget_usd: Annotated[float, Field(ge=0.0)] | None = None
    acknowledge: tuple[Rule, ...] = ()
    """Rules of the caption lint whose findings may stay, besides those of the run's settings."""

    def over(self, settings: Settings) -> dict[str, Any]:
        """Return a run's settings with the request's overrides, unchecked, as a project file has them.

        Where the run trains nothing the target becomes SageMaker, the one that still works: who starts a training
        wants one. What belongs to another target, its base model and its values, is not taken over.
        """
        data = settings.model_dump(mode="json")
        own = data["training"]["target"]
        target = self.training.get("target", "sagemaker" if own == "none" else own)
        if own not in {"none", target}:
            data["training"] |= dict.fromkeys(("base_model", "step_count", "batch_size", "learning_rate"))
        data["training"]["target"] = target
        lora = data["training"]["lora"]
        for section in ("training", "hosting", "storyboard"):
            data[section] |= getattr(self, section)
        if isinstance(self.training.get("lora"), dict):
            data["training"]["lora"] = {**lora, **self.training["lora"]}
        if self.acknowledge:
            known = data["captions"]["acknowledge"]
            data["captions"]["acknowledge"] = list(dict.fromkeys([*known, *self.acknowledge]))
        if self.budget_usd is not None:
            data["budget_usd"] = self.budget_usd
        return data


class TrainingPlan(Record):
    """What every function of a session must know; ``training/<training_id>/<session_id>/plan.json``."""

    run_id: str
    training_id: str
    session_id: str
    project: str
    execution_arn: str
    settings: Settings
    """The run's settings with the request's overrides."""
    fingerprint: str
    """Of the pictures, what is said of them, the base model and the values: the same training, the same model."""
    manifest_key: str
    """The manifest that is trained on: without the shots that are held out."""
    record_count: Annotated[int, Field(ge=0)]
    held_out: tuple[str, ...]
    """Crop ids of the pictures that were left out of the training to grade panels against."""
    begun_at: datetime
    job_name: str
    """Also the model's name."""
    first_prompt: Annotated[int, Field(ge=1)] = 1
    """Number of the session's first prompt in the run's storyboard; what is drawn later goes on counting."""

    def billed(
        self,
        kind: BilledKind,
        name: str,
        now: datetime,
        *,
        hours: float,
        image_count: int = 0,
        model_units: int = 0,
        instance_type: str = "",
        max_run_s: int = 0,
    ) -> Billed:
        """Return the row of something that the session is about to make.

        Args:
            kind: What it is.
            name: What it will be called.
            now: The time.
            hours: How long it may live.
            image_count: Pictures that a job sees; its price depends on them.
            model_units: Units of hosting.
            instance_type: Machine of a SageMaker job.
            max_run_s: Seconds after which AWS ends a SageMaker job.
        """
        return Billed(
            name=name,
            kind=kind,
            run_id=self.run_id,
            training_id=self.training_id,
            session_id=self.session_id,
            execution_arn=self.execution_arn,
            state="intended",
            intended_at=now,
            expires_at=now + timedelta(hours=hours),
            image_count=image_count,
            model_units=model_units,
            instance_type=instance_type,
            max_run_s=max_run_s,
        )

    @property
    def target(self) -> Target:
        """Where the session trains and draws."""
        return "sagemaker" if self.settings.training.target == "sagemaker" else "bedrock"

    @property
    def hosting_name(self) -> str:
        """Name of the session's hosting."""
        return f"{self.job_name}-h"

    @property
    def deadline_at(self) -> datetime:
        """When a training that has not ended is stopped."""
        grace = CLOCK_GRACE if self.target == "sagemaker" else timedelta()
        return self.begun_at + timedelta(hours=self.settings.training.max_hours) + grace


class TrainedModel(Record):
    """A model that was paid for; ``projects/<project>/models/<fingerprint>/model.json``."""

    fingerprint: str
    target: Target = "bedrock"
    """Records of before there was another one name none."""
    model_arn: str
    """On SageMaker the S3 URI of the adapter's folder."""
    model_name: str
    base_model: str
    job_name: str
    job_arn: str
    trained_by: str
    """The run whose session paid for it."""
    training_id: str
    session_id: str
    step_count: int
    batch_size: int
    learning_rate: float
    record_count: int
    began_at: datetime
    ended_at: datetime | None
    final_loss: float | None = None
    held_out_loss: float | None = None
    """On the pictures that were not trained on, at the end."""
    metrics_key: str | None = None
    """CSV with the loss by step, where the service writes one."""
    rank: int | None = None
    """Of an adapter's matrices."""
    resolution: int | None = None
    """Side in px of a square picture as it was trained on."""
    stand_in: str = ""
    """In words where a local stand-in made it; empty where it is a model."""


def training_fingerprint(training: Training, pictures: Sequence[tuple[str, str]]) -> str:
    """Return the fingerprint of a training: what it sees, and how.

    Args:
        training: The values.
        pictures: ETag and caption of each picture; their order makes no difference.
    """
    return fingerprint(
        version=VERSION,
        pictures=sorted(pictures),
        base_model=training.model_id,
        values=hyperparameters(training),
    )


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture as a trainer sees it."""

    etag: str
    caption: str
    characters: tuple[str, ...]


def lora_fingerprint(training: Training, pictures: Sequence[SeenPicture]) -> str:
    """Return the fingerprint of the training of an adapter; on which machine it runs makes no difference.

    Args:
        training: The values.
        pictures: What is trained on; their order makes no difference.
    """
    values, lora = training.values, training.lora
    return fingerprint(
        version=LORA_VERSION,
        target="sagemaker",
        pictures=sorted([one.etag, one.caption, sorted(one.characters)] for one in pictures),
        base_model=training.model_id,
        values=[values.step_count, values.batch_size, values.learning_rate],
        rank=lora.rank,
        resolution=lora.resolution,
        seed=LORA_SEED,
    )


def hyperparameters(training: Training) -> dict[str, str]:
    """Return the values as Amazon Bedrock takes them: as text, and never as ``1e-06``."""
    return {
        "stepCount": str(training.values.step_count),
        "batchSize": str(training.values.batch_size),
        "learningRate": f"{training.values.learning_rate:.10f}".rstrip("0"),
    }


def training_claim(plan: TrainingPlan) -> str:
    """Return what a session claims before it trains, so that no other pays for the same."""
    return f"training#{plan.project}#{plan.fingerprint}"


def resource_tags(plan: TrainingPlan) -> dict[str, str]:
    """Return what a session's resources are tagged with; a project's own name may hold what tags may not."""
    return {
        "storycast:run": plan.run_id,
        "storycast:training": plan.training_id,
        "storycast:project": fingerprint(project=plan.project),
    }


def write_training_plan(store: "ObjectStore", plan: TrainingPlan) -> None:
    """Write a session's plan."""
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "plan.json")
    store.put(key, plan.model_dump_json(indent=1).encode() + b"\n", "application/json")


def read_training_plan(store: "ObjectStore", run_id: str, training_id: str, session_id: str) -> TrainingPlan:
    """Read a session's plan.

    Raises:
        RequestInvalidError: There is no such session.
    """
    try:
        content = store.get(keys.training_file(run_id, training_id, session_id, "plan.json"))
    except KeyError:
        raise RequestInvalidError(
            f"The run '{run_id}' has no training session {training_id}/{session_id}."
        ) from None
    return TrainingPlan.model_validate_json(content)
