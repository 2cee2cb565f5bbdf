"""What draws with a trained model, on Amazon Bedrock and on SageMaker, behind one interface.

On Bedrock the model is hosted by the hour, and asked prompt by prompt. On SageMaker a job draws the whole
storyboard and ends: it is *in service* when its pictures are there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from storycast.billing import Billed, BilledKind
from storycast.container_jobs import container_job, failed_words, job_row, progress_words
from storycast.job_time import OVERDUE
from storycast.lora_job import LoraJob, base_model, job_panel
from storycast.lora_work import Adapter, keep_panels, read_work
from storycast.names import is_job_name
from storycast.ports import ContainerJobs, JobFacts, ModelHost, ObjectStore, ThroughputFacts
from storycast.storyboard import unpaid_orders
from storycast.training import Target, TrainedModel, TrainingPlan, resource_tags

HOSTING_PATIENCE = timedelta(hours=2)
"""Hosting comes into service within minutes; after this long it is given up."""


@dataclass(frozen=True, slots=True)
class RendererFacts:
    """What is known of something that draws, or will."""

    name: str
    arn: str
    status: str
    """``InService`` where it can be drawn from; ``Creating`` or ``Updating`` while it can't yet; ``Failed``, or
    ``Overdue`` where its time was over before."""
    created_at: datetime
    message: str
    """How it is, for people."""
    ended_at: datetime | None = None
    """When it ended by itself; None as long as it is billed."""
    billable_s: int | None = None
    secondary: str = ""
    """SageMaker's secondary status."""


@dataclass(frozen=True, slots=True)
class Unowned:
    """Something alive in the account that no run owns."""

    what: str
    """Such as ``hosting``."""
    name: str
    arn: str
    status: str
    created_at: datetime
    terms: str
    """How it is billed."""
    what_to_do: str


class Renderer(Protocol):
    """Makes what draws with a session's model, and ends it."""

    @property
    def target(self) -> Target:
        """Which ``training.target`` it is."""

    @property
    def patience(self) -> timedelta | None:
        """How long it may take to come into service; None where its own time alone bounds it."""

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of what a session is about to make; see :meth:`Trainer.row`."""

    def start(self, plan: TrainingPlan, model: TrainedModel, row: Billed) -> str:
        """Make it and return its ARN.

        Raises:
            TrainingAccessError: The role, the image or a quota stands against it.
        """

    def find(self, row: Billed) -> RendererFacts | None:
        """Return what is known of it; None where it is not there, or gone, and so billed no longer."""

    def end(self, found: RendererFacts) -> None:
        """End it; what has ended already is no fault."""

    def keep(self, plan: TrainingPlan, model_arn: str) -> str:
        """Write down what it has drawn by itself, and say what that is; empty where it draws nothing by itself."""

    def unowned(self, is_owned: Callable[[str], bool]) -> Iterator[Unowned]:
        """Yield what is alive in the account and could be ours, but is nobody's of whom ``is_owned`` knows."""


class BedrockHosting:
    """Hosts a model by the hour: provisioned throughput without commitment."""

    target: Target = "bedrock"
    patience: timedelta | None = HOSTING_PATIENCE

    def __init__(self, host: ModelHost) -> None:
        """Host by ``host``."""
        self._host = host

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of a session's hosting."""
        del left_usd
        hosting = plan.settings.hosting
        units = hosting.model_units
        return plan.billed(
            "provisioned_throughput", plan.hosting_name, now, hours=hosting.hours, model_units=units
        )

    def start(self, plan: TrainingPlan, model: TrainedModel, row: Billed) -> str:
        """Begin to host the model."""
        return self._host.create(row.name, model.model_arn, row.model_units, resource_tags(plan))

    def find(self, row: Billed) -> RendererFacts | None:
        """Return what is known of a hosting, by its ARN where that is known."""
        found = self._host.get(row.arn) if row.arn else self._host.find(row.name)
        return _of_hosting(found) if found else None

    def end(self, found: RendererFacts) -> None:
        """Delete the hosting."""
        self._host.delete(found.arn)

    def keep(self, plan: TrainingPlan, model_arn: str) -> str:
        """Keep nothing: each answer is written down when it is there."""
        del plan, model_arn
        return ""

    def unowned(self, is_owned: Callable[[str], bool]) -> Iterator[Unowned]:
        """Yield every hosting of the account that no run owns: it is dear, whoever made it."""
        for one in self._host.all():
            if not is_owned(one.name):
                terms = f"commitment {one.commitment}" if one.commitment else "billed by the hour"
                yield Unowned(
                    what="hosting",
                    name=one.name,
                    arn=one.arn,
                    status=one.status,
                    created_at=one.created_at,
                    terms=f"{one.model_units} model units, {terms}",
                    what_to_do="Delete it in the console of Amazon Bedrock if nobody needs it.",
                )


class SageMakerDrawing:
    """Draws a whole storyboard in a SageMaker training job of our own container, which then ends."""

    target: Target = "sagemaker"
    kind: BilledKind = "drawing_job"
    patience: timedelta | None = None

    def __init__(self, jobs: ContainerJobs, store: ObjectStore) -> None:
        """Draw by ``jobs``, whose folders lie in ``store``."""
        self._jobs = jobs
        self._store = store

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of a session's drawing job: it may run as long as the project and the budget allow."""
        hours = plan.settings.hosting.hours
        return job_row(plan, self.kind, plan.hosting_name, now, left_usd, hours, "drawing the storyboard")

    def start(self, plan: TrainingPlan, model: TrainedModel, row: Billed) -> str:
        """Tell a job which panels are not drawn yet, of both models, and start it."""
        folder = model.model_arn.removeprefix(f"s3://{self._store.bucket}/")
        adapter = read_work(self._store, f"{folder}adapter.json", Adapter)
        panels = tuple(job_panel(order) for order in unpaid_orders(self._store, plan))
        job = LoraJob(
            name=row.name,
            task="draw",
            project=plan.project,
            base_model=base_model(plan.settings.training),
            characters=adapter.characters if adapter else (),
            panels=panels,
        )
        pictures = sum(panel.image_count for panel in panels)
        return self._jobs.create(
            container_job(
                self._store,
                plan,
                row,
                job,
                prefixes={"adapter": model.model_arn},
                asked_hours=plan.settings.hosting.hours,
                hyperparameters={"panels": str(pictures), "base_model": plan.settings.training.model_id},
            )
        )

    def find(self, row: Billed) -> RendererFacts | None:
        """Return what is known of a drawing job, by its name."""
        job = self._jobs.find(row.name)
        return self._of_job(row, job) if job else None

    def end(self, found: RendererFacts) -> None:
        """Ask the job to stop."""
        self._jobs.stop(found.name)

    def keep(self, plan: TrainingPlan, model_arn: str) -> str:
        """Write down what the job has drawn, whether or not it came to its end."""
        kept, missing = keep_panels(self._store, plan, model_arn)
        if not missing:
            return ""
        return f"{kept} of the {kept + missing} panels that were asked of it are drawn and kept"

    def unowned(self, is_owned: Callable[[str], bool]) -> Iterator[Unowned]:
        """Yield jobs in progress that are called as ours are: the trainings of others are none of our business."""
        for job in self._jobs.under_way():
            if is_job_name(job.name) and not is_owned(job.name):
                yield Unowned(
                    what="a training job",
                    name=job.name,
                    arn=job.arn,
                    status=job.status,
                    created_at=job.created_at,
                    terms="called as Storycast's jobs are, billed by the second",
                    what_to_do="Stop it in the console of SageMaker AI if nobody needs it.",
                )

    def _of_job(self, row: Billed, job: JobFacts) -> RendererFacts:
        status, message = "Creating", progress_words(self._store, row, job, "draw")
        if job.status == "Stopping":
            status = "Updating"
        elif job.status == "Completed":
            status, message = "InService", "has drawn the storyboard"
        elif job.status == "Stopped" and job.secondary in OVERDUE:
            status, message = "Overdue", f"The job {job.name} was ended by AWS's own clock: {job.secondary}."
        elif job.status == "Stopped":
            status, message = "Failed", f"The job {job.name} was stopped before its end."
        elif job.status == "Failed":
            status, message = "Failed", failed_words(job)
        return RendererFacts(
            name=job.name,
            arn=job.arn,
            status=status,
            created_at=job.created_at,
            message=message,
            ended_at=job.ended_at if job.has_ended else None,
            billable_s=job.billable_s,
            secondary=job.secondary,
        )


def _of_hosting(found: ThroughputFacts) -> RendererFacts:
    message = f"{found.name} is {found.status}"
    if found.status == "Failed":
        message = f"The hosting {found.name} failed: {found.failure or 'the service gives no reason'}"
    return RendererFacts(found.name, found.arn, found.status, found.created_at, message)
