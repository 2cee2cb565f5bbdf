"""What trains, on Amazon Bedrock and on SageMaker, behind one interface: the stages ask no service themselves."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from storycast import keys
from storycast.billing import Billed, BilledKind
from storycast.container_jobs import container_job, job_row, progress_words
from storycast.errors import TrainingPlanInvalidError
from storycast.frames import from_json_lines
from storycast.lora_job import JobPicture, LoraJob, base_model, job_values
from storycast.lora_work import WEIGHTS, Adapter, read_work, work_folder
from storycast.losses import read_losses
from storycast.ports import ContainerJobs, CustomizationJob, Customizer, JobFacts, ObjectStore
from storycast.training import Target, TrainedModel, TrainingPlan, hyperparameters, resource_tags

PICTURES = "pictures.jsonl"
"""File of a session: what an adapter is trained on, and what is held out of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job that was trained to its end."""

    model_arn: str
    model_name: str
    final_loss: float | None = None
    held_out_loss: float | None = None
    metrics_key: str | None = None
    stand_in: str = ""


class Trainer(Protocol):
    """Trains a session's model in a job; and keeps, finds and deletes what comes of jobs."""

    @property
    def target(self) -> Target:
        """Which ``training.target`` it is."""

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of a session's job.

        Args:
            plan: The session.
            now: The time.
            left_usd: Tells what is left of the budget for it.

        Raises:
            BudgetExceededError: Not enough.
        """

    def start(self, plan: TrainingPlan, row: Billed) -> str:
        """Start a session's job and return its ARN. A second call may make a second job: find first.

        Raises:
            TrainingAccessError: The role, the image, the region or a quota stands against it.
            TrainingPlanInvalidError: The service refuses the values or the dataset.
        """

    def find(self, row: Billed) -> JobFacts | None:
        """Return what is known of the job of a row; None where there is none, or none any more."""

    def stop(self, job: JobFacts) -> None:
        """Ask a job to stop; one that has ended already or is gone is no fault."""

    def outcome(self, plan: TrainingPlan, job: JobFacts) -> Outcome | None:
        """Return what came of a job that is Completed; None where it left no model."""

    def has_model(self, model: TrainedModel) -> bool:
        """Whether a trained model is there; one that failed is not."""

    def delete_model(self, model: TrainedModel) -> str:
        """Delete a trained model and say what is gone; one that is gone already is no fault.

        Raises:
            DependencyUnavailableError: It is still hosted: try again later.
        """


class BedrockTrainer:
    """Fine-tunes a model of Amazon Bedrock in a model customization job."""

    target: Target = "bedrock"

    def __init__(self, customizer: Customizer, store: ObjectStore, role_arn: str = "") -> None:
        """Train with ``role_arn``, which only who starts jobs needs."""
        self._customizer = customizer
        self._store = store
        self._role_arn = role_arn

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of a session's job; each picture that it sees has its price, however long it takes."""
        del left_usd
        training = plan.settings.training
        images = training.values.pictures_seen
        return plan.billed("customization_job", plan.job_name, now, hours=training.max_hours, image_count=images)

    def start(self, plan: TrainingPlan, row: Billed) -> str:
        """Start a session's job; see :meth:`Trainer.start`."""
        output = keys.training_output(plan.run_id, plan.training_id, plan.session_id)
        return self._customizer.create(
            CustomizationJob(
                name=row.name,
                model_name=row.name,
                base_model=plan.settings.training.model_id,
                role_arn=self._role_arn,
                manifest_uri=f"s3://{self._store.bucket}/{plan.manifest_key}",
                output_uri=f"s3://{self._store.bucket}/{output}",
                hyperparameters=hyperparameters(plan.settings.training),
                tags=resource_tags(plan),
            )
        )

    def find(self, row: Billed) -> JobFacts | None:
        """Return what is known of a job, by its ARN where that is known."""
        return self._customizer.get(row.arn) if row.arn else self._customizer.find(row.name)

    def stop(self, job: JobFacts) -> None:
        """Ask a job to stop."""
        self._customizer.stop(job.arn)

    def outcome(self, plan: TrainingPlan, job: JobFacts) -> Outcome | None:
        """Return the custom model, and where the service wrote its losses."""
        prefix = keys.training_output(plan.run_id, plan.training_id, plan.session_id)
        written = (one.key for one in self._store.list(prefix))
        metrics_key = next((key for key in written if key.endswith("step_wise_training_metrics.csv")), None)
        final, _ = _last_losses(self._store, metrics_key)
        return Outcome(
            model_arn=job.model_arn or "",
            model_name=job.model_name or job.name,
            final_loss=job.training_loss if job.training_loss is not None else final,
            metrics_key=metrics_key,
        )

    def has_model(self, model: TrainedModel) -> bool:
        """Whether the custom model is there."""
        return self._customizer.has_model(model.model_arn)

    def delete_model(self, model: TrainedModel) -> str:
        """Delete the custom model."""
        self._customizer.delete_model(model.model_arn)
        return f"the custom model {model.model_name}"


class SageMakerTrainer:
    """Trains an adapter (LoRA) of an open model in a SageMaker training job of our own container."""

    target: Target = "sagemaker"
    kind: BilledKind = "training_job"

    def __init__(self, jobs: ContainerJobs, store: ObjectStore) -> None:
        """Train by ``jobs``, whose folders lie in ``store``."""
        self._jobs = jobs
        self._store = store

    def row(self, plan: TrainingPlan, now: datetime, left_usd: Callable[[], float]) -> Billed:
        """Return the row of a session's job: it may run as long as the project and the budget allow."""
        hours = plan.settings.training.max_hours
        return job_row(plan, self.kind, plan.job_name, now, left_usd, hours, "the training")

    def start(self, plan: TrainingPlan, row: Billed) -> str:
        """Write down what the job is told, and start it; see :meth:`Trainer.start`."""
        key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, PICTURES)
        try:
            pictures = from_json_lines(self._store.get(key), JobPicture)
        except KeyError:
            raise TrainingPlanInvalidError(f"There is no {key}. Start the training again.") from None
        training = plan.settings.training
        job = LoraJob(
            name=row.name,
            task="train",
            project=plan.project,
            base_model=base_model(training),
            characters=tuple(sorted({name for one in pictures if not one.held_out for name in one.characters})),
            pictures=tuple(pictures),
            values=job_values(training),
        )
        bucket = self._store.bucket
        manifest = json.dumps([{"prefix": f"s3://{bucket}/"}, *(one.file for one in pictures)], ensure_ascii=False)
        manifest_key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "pictures.manifest")
        self._store.put(manifest_key, manifest.encode(), "application/json")
        shown = {**{name: str(value) for name, value in job_values(training)}, "base_model": training.model_id}
        return self._jobs.create(
            container_job(
                self._store,
                plan,
                row,
                job,
                manifests={"pictures": f"s3://{bucket}/{manifest_key}"},
                asked_hours=training.max_hours,
                hyperparameters=shown,
            )
        )

    def find(self, row: Billed) -> JobFacts | None:
        """Return what is known of a job, by its name, with how far it says itself that it is."""
        job = self._jobs.find(row.name)
        return replace(job, progress=progress_words(self._store, row, job, "train")) if job else None

    def stop(self, job: JobFacts) -> None:
        """Ask a job to stop."""
        self._jobs.stop(job.name)

    def outcome(self, plan: TrainingPlan, job: JobFacts) -> Outcome | None:
        """Return the adapter in the work folder; None where its weights are not there."""
        folder = work_folder(plan, "train")
        adapter = read_work(self._store, f"{folder}adapter/adapter.json", Adapter)
        if adapter is None or not _is_there(self._store, f"{folder}{WEIGHTS}"):
            return None
        metrics_key = f"{folder}metrics.csv" if _is_there(self._store, f"{folder}metrics.csv") else None
        final, held_out = _last_losses(self._store, metrics_key)
        return Outcome(
            model_arn=f"s3://{self._store.bucket}/{folder}adapter/",
            model_name=job.name,
            final_loss=final if final is not None else job.training_loss,
            held_out_loss=held_out,
            metrics_key=metrics_key,
            stand_in=adapter.stand_in,
        )

    def has_model(self, model: TrainedModel) -> bool:
        """Whether the adapter's weights are there."""
        folder = self._folder(model)
        return folder is not None and _is_there(self._store, f"{folder}{WEIGHTS.rpartition('/')[2]}")

    def delete_model(self, model: TrainedModel) -> str:
        """Delete the adapter, and the checkpoints from which it could be made once more."""
        folder = self._folder(model)
        if folder is None:
            return f"nothing: {model.model_arn} is not in the bucket {self._store.bucket}"
        work = folder.removesuffix("adapter/")
        gone = [*self._store.list(folder), *self._store.list(f"{work}state-")]
        for one in gone:
            self._store.delete(one.key)
        return f"{len(gone)} files of the adapter and its checkpoints in s3://{self._store.bucket}/{work}"

    def _folder(self, model: TrainedModel) -> str | None:
        """Return the prefix of an adapter in our bucket."""
        ours = f"s3://{self._store.bucket}/"
        folder = model.model_arn.removeprefix(ours)
        return folder if model.model_arn.startswith(ours) and folder.endswith("/adapter/") else None


def _is_there(store: ObjectStore, key: str) -> bool:
    try:
        return store.head(key).size_bytes > 0
    except KeyError:
        return False


def _last_losses(store: ObjectStore, metrics_key: str | None) -> tuple[float | None, float | None]:
    """Return the last loss in a table of losses, and the last on what was held out."""
    if metrics_key is None:
        return None, None
    try:
        losses = read_losses(store.get(metrics_key))
    except (KeyError, ValueError):
        return None, None
    held_out = [one.held_out for one in losses if one.held_out is not None]
    return losses[-1].loss if losses else None, held_out[-1] if held_out else None
