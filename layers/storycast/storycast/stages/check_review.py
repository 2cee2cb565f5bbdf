"""CheckReview: remind people of a review, close one that is answered, or do what the project wants in the end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from storycast.decisions import Decision, SequenceTakenError, closing
from storycast.names import human_loop_name
from storycast.plan import RunPlan
from storycast.ports import HumanReviews, Notifier, ReviewLog
from storycast.requests import LoopEnd
from storycast.stages.open_review import message, wait_seconds

RULE = "review.on_timeout"
MOST_REASONS = 3


def check_review(
    plan: RunPlan,
    *,
    deadline: datetime,
    loops: Sequence[LoopEnd],
    completed: int,
    log: ReviewLog,
    humans: HumanReviews,
    notifier: Notifier,
    now: datetime,
) -> dict[str, Any]:
    """Say how to go on with a review that nobody has finished yet.

    Args:
        plan: The run's plan.
        deadline: When its time is over.
        loops: How the human loops of ``review.mode: a2i`` ended that were waited for last.
        completed: How many were answered before.
        log: Where tokens and decisions are.
        humans: Amazon A2I, whose workers are stopped where nobody needs their answers any more.
        notifier: Whom to remind.
        now: The time.

    Returns:
        ``status``: ``waiting``, ``closed`` (the run goes on), ``timed_out`` or ``failed``; for the next wait
        ``wait_seconds``, ``deadline``, ``batches``, ``loops`` and ``completed``; ``message`` for a run that ends.
    """
    settings = plan.settings.review
    still_open = [loop.batch for loop in loops if loop.status == "open"]
    completed += sum(loop.status == "completed" for loop in loops)
    answer: dict[str, Any] = {
        "deadline": deadline.isoformat(),
        "wait_seconds": wait_seconds(deadline, now, settings.remind_hours),
        "batches": still_open,
        "loops": [],
        "completed": completed,
        "message": (
            f"Nobody finished the review of run {plan.run_id} within {settings.timeout_hours:g} hours "
            "(review.timeout_hours). Start it again: nothing is paid twice, and what was decided is taken over."
        ),
    }
    if not still_open and (loops or settings.mode == "a2i"):
        # Who finished on the page has decided, whatever became of the workers' answers; and without a loop all was
        # decided in an earlier run.
        is_reviewed = completed or not loops or closing(log.read(plan.run_id))
        status = "closed" if is_reviewed else "failed"
        return {**answer, "status": status, "message": _unanswered(plan, loops)}
    decisions = _closed_by_time(plan, log, now) if now >= deadline else log.read(plan.run_id)
    if closed := closing(decisions):
        for batch in still_open:
            humans.stop(human_loop_name(plan.run_id, batch))
        fails = closed.what == "time_out" and settings.on_timeout == "fail"
        return {**answer, "status": "timed_out" if fails else "closed"}
    gate = log.gate(plan.run_id)
    if gate and now >= gate.reminded_at + timedelta(hours=settings.remind_hours):
        log.open(replace(gate, reminded_at=now))
        notifier.tell(f"Storycast: review still waits ({plan.run_id})", message(plan, deadline))
    return {**answer, "status": "waiting"}


def _closed_by_time(plan: RunPlan, log: ReviewLog, now: datetime) -> list[Decision]:
    """Close a review whose time is over and return its decisions; who finishes in the last moment is heard."""
    while True:
        decisions = log.read(plan.run_id)
        if closing(decisions):
            return decisions
        number = len(decisions) + 1
        decision = Decision(
            seq=number,
            id=f"time-out-{number}",
            who=RULE,
            when=now.isoformat(timespec="milliseconds"),
            what="time_out",
            via="rule",
        )
        try:
            log.append(plan.run_id, decision)
        except SequenceTakenError:
            continue
        return [*decisions, decision]


def _unanswered(plan: RunPlan, loops: Sequence[LoopEnd]) -> str:
    told = "; ".join(
        f"batch {loop.batch} {loop.status}: {loop.reason or 'no reason given'}"
        for loop in [loop for loop in loops if loop.status != "completed"][:MOST_REASONS]
    )
    return (
        f"Amazon A2I's workers answered no batch of run {plan.run_id}: {told}. Look at the flow definition in the "
        "console, or set review.mode: page, and start the run again: nothing is paid twice."
    )
