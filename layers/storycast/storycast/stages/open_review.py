"""OpenReview: note the token with which a run waits for its review, and tell people that it does."""

from datetime import datetime
from typing import Any

from storycast.decisions import closing
from storycast.plan import RunPlan
from storycast.ports import Callbacks, Gate, Notifier, ObjectStore, ReviewLog
from storycast.runs import Run, change_run, read_run


def open_review(
    plan: RunPlan,
    *,
    task_token: str,
    deadline: datetime,
    store: ObjectStore,
    log: ReviewLog,
    callbacks: Callbacks,
    notifier: Notifier,
    now: datetime,
) -> dict[str, Any]:
    """Note the token; one of an earlier attempt is no longer valid, and is replaced.

    A review that was closed meanwhile lets the run go on at once.

    Args:
        plan: The run's plan.
        task_token: What the execution waits with.
        deadline: Until when it does.
        store: The bucket.
        log: Where tokens and decisions are.
        callbacks: Lets the run go on.
        notifier: Whom to tell, once for a run.
        now: The time.

    Returns:
        Whether the review waits for people.
    """
    before = log.gate(plan.run_id)
    log.open(
        Gate(
            run_id=plan.run_id,
            project=plan.project,
            task_token=task_token,
            opened_at=before.opened_at if before else now,
            deadline=deadline,
            reminded_at=before.reminded_at if before else now,
        )
    )
    # After the token is noted: who closes the review from here on finds it.
    decisions = log.read(plan.run_id)
    if closing(decisions):
        callbacks.succeed(task_token, {"decisions": len(decisions)})
        return {"waits": False}
    # The status last: an attempt that breaks off before it tells people again, rather than never.
    if read_run(store, plan.run_id).status != "in_review":
        log.remember(plan.project, plan.run_id, now)
        notifier.tell(f"Storycast: review waits ({plan.run_id})", message(plan, deadline))
        change_run(store, plan.run_id, in_review)
    return {"waits": True}


def in_review(run: Run) -> Run:
    """Return the run as one that waits; one that has failed was stopped while this was at work, and stays so."""
    return run if run.status == "failed" else run.model_copy(update={"status": "in_review"})


def wait_seconds(deadline: datetime, now: datetime, remind_hours: float) -> int:
    """Return how long to wait now: until the deadline, or until people are to be reminded; at least a second."""
    left_s = (deadline - now).total_seconds()
    return max(1, round(min(left_s, remind_hours * 3600)))


def message(plan: RunPlan, deadline: datetime) -> str:
    """Return what people are told of a review that waits."""
    then = "goes on with what is approved" if plan.settings.review.on_timeout == "approved" else "fails"
    whom, how = "people", f"Open the review: storycast review {plan.run_id} --target aws\n"
    if plan.settings.review.mode == "a2i":
        whom, how = "Amazon A2I's workers", "They find it where their team works.\n"
    return (
        f"Run {plan.run_id} of project {plan.project} waits for {whom} to look at its pictures and captions.\n"
        f"{how}"
        f"It waits until {deadline:%Y-%m-%d %H:%M %Z}; then the run {then} (review.on_timeout)."
    )
