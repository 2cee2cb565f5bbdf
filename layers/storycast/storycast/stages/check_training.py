"""CheckTraining: look how far the job is, and write down the model when it is done."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.ports import BillingBook, Claims, Customizer, JobFacts, ObjectStore
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.stages.trained import record_model
from storycast.stages.training_claims import holder_of
from storycast.training import TrainedModel, TrainingPlan, training_claim


def check_training(
    plan: TrainingPlan,
    *,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    customizer: Customizer,
    now: datetime,
) -> dict[str, Any]:
    """Look at the job that trains what the session needs, which may be another session's.

    Returns:
        ``status``: the service's, or ``Overdue``, or ``Vanished`` where nobody trains it any more and nothing came
        of it; and ``message``, for people.
    """
    model = read_record(store, keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
    if model is not None and model.session_id != plan.session_id:
        return {"status": "Completed", "message": f"trained by the run {model.trained_by}"}
    holder = holder_of(plan, store=store, claims=claims, book=book)
    if holder is None:
        return {"status": "Vanished", "message": "the session that trained this has given up"}
    job = customizer.find(holder)
    if job is None:
        return _waiting(plan, now, holder, "the job is not there yet")
    if holder != plan.job_name:
        return _of_another(plan, now, job)
    if job.status == "Completed":
        record_model(plan, job, store=store)
    elif job.status in {"Failed", "Stopped"}:
        claims.release(training_claim(plan), holder)
    else:
        return _waiting(plan, now, holder, job.progress or job.status, job.status)
    # Last: a row that has ended says that nothing of its job is left to be done.
    book.ended(holder, job.ended_at or now, job.failure or job.status)
    copy_rows(store, book, plan.run_id)
    return {"status": job.status, "message": _message(job)}


def _of_another(plan: TrainingPlan, now: datetime, job: JobFacts) -> dict[str, Any]:
    """Return how far another session's job is; what becomes of it is for that session to write down."""
    if job.status == "Failed":
        return {"status": "Failed", "message": _message(job)}
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


def _message(job: JobFacts) -> str:
    if job.status == "Completed":
        return f"{job.name} is trained" + (f", loss {job.training_loss:.4f}" if job.training_loss else "")
    if job.status == "Stopped":
        return f"The job {job.name} was stopped before its end. Start the training again when it shall go on."
    return f"The job {job.name} failed: {job.failure or 'the service gives no reason'}"
