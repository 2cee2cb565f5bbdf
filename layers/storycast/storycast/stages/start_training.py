"""StartTraining: start the job that trains a session's model, or find it again."""

from datetime import datetime
from typing import Any

from storycast.costs import spent_usd
from storycast.errors import BudgetExceededError, DependencyUnavailableError
from storycast.estimate import hosting_most_usd, storyboard_usd
from storycast.ports import BillingBook, Claims, ObjectStore
from storycast.runs import read_run
from storycast.stages.billing_copy import copy_rows
from storycast.stages.training_claims import holder_of, is_trained_by_another
from storycast.trainers import Trainer
from storycast.training import TrainingPlan, training_claim


def start_training(
    plan: TrainingPlan,
    *,
    store: ObjectStore,
    claims: Claims,
    book: BillingBook,
    trainer: Trainer,
    now: datetime,
) -> dict[str, Any]:
    """Start the job, unless this or another session has started the same training.

    The claim keeps two sessions from paying for one training, the row from being made after the teardown began,
    and the search by name from making a second job after a crash. A session has one job in its life: who wants
    another one after it failed starts another session, whose job has another name.

    Args:
        plan: The session.
        store: The bucket.
        claims: Who trains what.
        book: What is billed.
        trainer: Starts jobs, of the session's target.
        now: The time.

    Returns:
        The name of the job that trains this, which is another session's where that one was first.

    Raises:
        BillingClosedError: The session's teardown has begun.
        BudgetExceededError: What is left of the budget buys no job.
        TrainingAccessError: The service can't train here; so with ``TrainingPlanInvalidError``.
    """
    holder = holder_of(plan, store=store, claims=claims, book=book)
    if holder not in {None, plan.job_name}:
        return {"job_name": holder, "is_own": False}
    try:
        wanted = trainer.row(plan, now, lambda: _left_usd(plan, store, book, now))
    except BudgetExceededError:
        if is_trained_by_another(plan, book):
            raise DependencyUnavailableError("another session is about to claim this training") from None
        raise
    row = book.intend(wanted)
    # After the row: a claim whose holder has no open row is nobody's.
    holder = claims.claim(training_claim(plan), plan.job_name, {"run_id": plan.run_id})
    if holder != plan.job_name:
        return {"job_name": holder, "is_own": False}
    if row.arn is None:
        found = trainer.find(row)
        arn = found.arn if found else trainer.start(plan, row)
        book.created(plan.job_name, arn, found.created_at if found else now)
    copy_rows(store, book, plan.run_id)
    return {"job_name": plan.job_name, "is_own": True}


def _left_usd(plan: TrainingPlan, store: ObjectStore, book: BillingBook, now: datetime) -> float:
    """Return what is left of the budget for the training, so that the storyboard can still be drawn."""
    others = [row for row in book.rows(plan.run_id) if row.name != plan.job_name]
    spent = spent_usd(read_run(store, plan.run_id), others, now)
    later = hosting_most_usd(plan.settings) + storyboard_usd(plan.settings).high
    return plan.settings.budget_usd - spent - later
