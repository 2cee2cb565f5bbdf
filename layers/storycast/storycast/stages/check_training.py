"""CheckTraining: look how far the job is, and write down the model when it is done."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.billing import Billed
from storycast.container_jobs import failed_words, log_words
from storycast.job_time import OVERDUE, overdue_words
from storycast.lora_work import work_folder
from storycast.ports import BillingBook, Claims, JobFacts, ObjectStore
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.stages.trained import close_training
from storycast.stages.training_claims import holder_of
from storycast.trainers import Trainer
from storycast.training import TrainedModel, TrainingPlan


def check_training(
    plan: TrainingPlan,
    *,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    trainer: Trainer,
    now: datetime,
) -> dict[str, Any]:
    """Look at the job that trains what the session needs, which may be another session's.

    Returns:
        ``status``: the service's; or ``Overdue`` where its time was over, by our clock or AWS's own; or
        ``Vanished`` where nobody trains it any more and nothing came of it; and ``message``, for people.
    """
    model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
    if model is not None and model.session_id != plan.session_id:
        return {"status": "Completed", "message": f"trained by the run {model.trained_by}"}
    own = book.row(plan.job_name)
    if own is not None and not own.is_open:
        # An attempt before this one, or a teardown, has closed the job.
        job = trainer.find(own)
        return _ended(plan, own, job, has_model=model is not None) if job else _gone(plan, own)
    holder = holder_of(plan, store=store, claims=claims, book=book)
    if holder is None and (own is None or own.arn is None):
        return {"status": "Vanished", "message": "the session that trained this has given up"}
    # Without a claim: an attempt before this one gave it up, and died before it had closed the job.
    holder = holder or plan.job_name
    row = own if holder == plan.job_name else book.row(holder)
    job = trainer.find(row) if row else None
    if row is None or (job is None and row.arn is None):
        return _waiting(plan, now, holder, "the job is not there yet")
    if row is own:
        return _of_its_own(plan, now, row, job, store, claims, book, trainer)
    return _of_another(plan, now, job) if job else _waiting(plan, now, holder, "the job is gone")


def _of_its_own(
    plan: TrainingPlan,
    now: datetime,
    row: Billed,
    job: JobFacts | None,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    trainer: Trainer,
) -> dict[str, Any]:
    """Return how far the session's own job is; what has ended is closed, the model written down."""
    if job is not None and not job.has_ended:
        return _waiting(plan, now, row.name, job.progress or job.status, job.status)
    model = close_training(plan, row.name, job, store=store, claims=claims, trainer=trainer)
    # Last: a row that has ended says that nothing of its job is left to be done.
    if job is None:
        book.ended(row.name, now, "somebody deleted it")
    else:
        reason = job.failure or job.secondary or job.status
        book.ended(row.name, job.ended_at or now, reason, job.billable_s)
    copy_rows(store, book, plan.run_id)
    return _ended(plan, row, job, has_model=model is not None) if job else _gone(plan, row)


def _of_another(plan: TrainingPlan, now: datetime, job: JobFacts) -> dict[str, Any]:
    """Return how far another session's job is; what becomes of it is for that session to write down."""
    if job.status == "Failed":
        return {"status": "Failed", "message": _failed(plan, job)}
    if job.status == "InProgress":
        return _waiting(plan, now, job.name, job.progress or job.status)
    # Completed: the model is about to be written down. Stopped or about to be: its claim is about to be given up,
    # and this session, which nobody stopped, trains itself.
    return _waiting(plan, now, job.name, f"{job.status}, and its session has not written that down yet")


def _waiting(
    plan: TrainingPlan, now: datetime, job_name: str, message: str, status: str = "InProgress"
) -> dict[str, Any]:
    if now < plan.deadline_at:
        return {"status": status, "message": f"{job_name}: {message}"}
    hours = plan.settings.training.max_hours
    told = f"{job_name} has not ended after training.max_hours: {hours:g} ({message})."
    told += " It is stopped." if job_name == plan.job_name else " It is another session's, and goes on."
    return {"status": "Overdue", "message": told}


def _ended(plan: TrainingPlan, row: Billed, job: JobFacts, *, has_model: bool) -> dict[str, Any]:
    """Return how a job has ended, and what to do about it."""
    if job.status == "Completed" and has_model:
        loss = f", loss {job.training_loss:.4f}" if job.training_loss else ""
        return {"status": "Completed", "message": f"{job.name} is trained{loss}"}
    if job.status == "Completed":
        folder = work_folder(plan, "train")
        told = f"The job {job.name} came to its end and left no adapter in {folder}adapter/. {log_words(job.name)}"
        return {"status": "Failed", "message": told}
    if job.status == "Stopped" and job.secondary in OVERDUE:
        told = overdue_words(job.secondary, row, "training.max_hours", plan.settings.training.max_hours)
        return {"status": "Overdue", "message": f"{told} It goes on from its last checkpoint."}
    if job.status == "Stopped":
        told = f"The job {job.name} was stopped before its end. {_again(plan)}"
        return {"status": "Stopped", "message": told}
    return {"status": job.status, "message": _failed(plan, job)}


def _again(plan: TrainingPlan) -> str:
    """Return what becomes of a training that was stopped: SageMaker's jobs keep checkpoints, Bedrock's do not."""
    if plan.target == "sagemaker":
        return "Start the training again, and it goes on from its last checkpoint."
    return "Start the training again when it shall go on."


def _failed(plan: TrainingPlan, job: JobFacts) -> str:
    if plan.target == "sagemaker":
        return failed_words(job)
    return f"The job {job.name} failed: {job.failure or 'the service gives no reason'}"


def _gone(plan: TrainingPlan, row: Billed) -> dict[str, Any]:
    why = row.reason or "somebody deleted it"
    told = f"The job {row.name} is not there any more: {why}. {_again(plan)}"
    return {"status": "Stopped", "message": told}
