"""CheckTraining: look how far the job is, and write down the model when it is done."""

from datetime import datetime
from typing import Any

from storycast import keys
from storycast.ports import BillingBook, Claims, Customizer, JobFacts, ObjectStore
from storycast.stages.billing_copy import copy_rows
from storycast.stages.reading import read_record
from storycast.stages.trained import record_model
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
    holder = claims.holder(training_claim(plan))
    if holder is None:
        return {"status": "Vanished", "message": "the session that trained this has given up"}
    job = customizer.find(holder)
    if job is None:
        # Another session holds the claim and has not made its job yet, or has just given up.
        return _waiting(plan, now, f"waiting for the job {holder}")
    is_own = holder == plan.job_name
    if job.status == "Completed" and is_own:
        record_model(plan, job, store=store)
    if job.status in {"Completed", "Failed", "Stopped"} and is_own:
        book.ended(holder, job.ended_at or now, job.failure or job.status)
        copy_rows(store, book, plan.run_id)
    if job.status in {"Failed", "Stopped"}:
        claims.release(training_claim(plan), holder)
    if job.status == "Completed" and not is_own:
        return _waiting(plan, now, f"the job {holder} is done; its run writes the model down")
    if job.status in {"InProgress", "Stopping"}:
        return _waiting(plan, now, job.progress or job.status, job.status)
    return {"status": job.status, "message": _message(job)}


def _waiting(plan: TrainingPlan, now: datetime, message: str, status: str = "InProgress") -> dict[str, Any]:
    if now < plan.deadline_at:
        return {"status": status, "message": message}
    hours = plan.settings.training.max_hours
    told = f"{plan.job_name} has not ended after training.max_hours: {hours:g} ({message}). It is stopped."
    return {"status": "Overdue", "message": told}


def _message(job: JobFacts) -> str:
    if job.status == "Completed":
        return f"{job.name} is trained" + (f", loss {job.training_loss:.4f}" if job.training_loss else "")
    if job.status == "Stopped":
        return f"The job {job.name} was stopped before its end. Start the training again when it shall go on."
    return f"The job {job.name} failed: {job.failure or 'the service gives no reason'}"
