"""A container job on SageMaker, as a training and a drawing both need it: its row, its order, how far it is."""

from collections.abc import Callable, Mapping
from datetime import datetime

from storycast import keys
from storycast.billing import Billed, BilledKind
from storycast.job_time import run_seconds, wait_seconds
from storycast.lora_job import LoraJob, Task
from storycast.lora_work import JobProgress, read_work, work_folder
from storycast.ports import ContainerJob, JobFacts, ObjectStore
from storycast.training import CLOCK_GRACE, TrainingPlan, resource_tags

LOG_GROUP = "/aws/sagemaker/TrainingJobs"

_WAITING = {"Starting", "Pending", "LaunchingMLInstances"}
_WORDS = {
    "Starting": "starting",
    "Pending": "waiting for capacity",
    "LaunchingMLInstances": "starting a machine",
    "PreparingTrainingStack": "starting a machine",
    "DownloadingTrainingImage": "fetching the container's image",
    "Downloading": "fetching its input",
    "Training": "working",
    "Uploading": "saving its results",
    "Updating": "being changed",
    "Interrupted": "interrupted: AWS took the machine back, it goes on from its last checkpoint",
    "Restarting": "interrupted, restarts",
    "Stopping": "stopping",
}
"""SageMaker's secondary statuses of a job that has not ended."""


def job_row(
    plan: TrainingPlan,
    kind: BilledKind,
    name: str,
    now: datetime,
    left_usd: Callable[[], float],
    asked_hours: float,
    what: str,
) -> Billed:
    """Return the row of a job: it may run as long as the project and the budget allow.

    Args:
        plan: The session.
        kind: What it is.
        name: What it will be called.
        now: The time.
        left_usd: Tells what is left of the budget for it.
        asked_hours: The project's own bound.
        what: The job, in words.

    Raises:
        BudgetExceededError: Not enough is left.
    """
    return plan.billed(
        kind,
        name,
        now,
        hours=asked_hours + CLOCK_GRACE.total_seconds() / 3600,
        instance_type=plan.settings.training.lora.instance_type,
        max_run_s=run_seconds(plan.settings, left_usd(), asked_hours, what),
    )


def container_job(
    store: ObjectStore,
    plan: TrainingPlan,
    row: Billed,
    job: LoraJob,
    *,
    asked_hours: float,
    hyperparameters: Mapping[str, str],
    manifests: Mapping[str, str] | None = None,
    prefixes: Mapping[str, str] | None = None,
) -> ContainerJob:
    """Write a container job's ``job.json`` and return what the service is asked for.

    Args:
        store: The bucket.
        plan: The session.
        row: The job's row, which bounds how long it runs.
        job: What it shall do.
        asked_hours: How long it may take in all where it waits for spot capacity.
        hyperparameters: What readers of the service's console see.
        manifests: Input of its own that manifests name, by channel.
        prefixes: Input of its own below a prefix, by channel.
    """
    bucket, lora = f"s3://{store.bucket}/", plan.settings.training.lora
    folder = keys.training_job(plan.run_id, plan.training_id, plan.session_id, job.task)
    store.put(f"{folder}job.json", job.model_dump_json(indent=1).encode() + b"\n", "application/json")
    is_copied = job.base_model.source == "folder"
    weights = {"weights": job.base_model.id} if is_copied else {}
    return ContainerJob(
        name=row.name,
        arguments=(job.task,),
        prefixes={"job": f"{bucket}{folder}", **weights, **(prefixes or {})},
        manifests=manifests or {},
        work_uri=f"{bucket}{work_folder(plan, job.task)}",
        output_uri=f"{bucket}{keys.training_output(plan.run_id, plan.training_id, plan.session_id)}",
        instance_type=row.instance_type,
        volume_gb=lora.volume_gb,
        max_run_s=row.max_run_s,
        max_wait_s=wait_seconds(plan.settings, asked_hours, row.max_run_s),
        # The model hub is on the internet; nothing else that a job needs is.
        is_isolated=is_copied,
        hyperparameters=hyperparameters,
        tags=resource_tags(plan),
    )


def log_words(job_name: str) -> str:
    """Return where a container job's log is."""
    return f"Its log: {LOG_GROUP}, streams {job_name}/, in CloudWatch."


def failed_words(job: JobFacts) -> str:
    """Return why a container job failed, and where its log is."""
    reason = job.failure or "the service gives no reason"
    return f"The job {job.name} failed: {reason.rstrip('.')}. {log_words(job.name)}"


def progress_words(store: ObjectStore, row: Billed, job: JobFacts, task: Task) -> str:
    """Return how far a container job is, by SageMaker's word and, while it is at work, by its own."""
    if job.secondary in _WAITING and job.uses_spot:
        return "waiting for spot capacity"
    if job.secondary == "Training":
        told = read_work(store, f"{work_folder(row, task)}progress.json", JobProgress)
        # An older one is of the session before, whose folder this job goes on in.
        if told is not None and (told.at is None or told.at >= job.created_at):
            return told.words
    return _WORDS.get(job.secondary, job.secondary)
