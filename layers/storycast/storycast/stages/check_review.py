"""CheckReview: a review has waited for a while: remind people, or do what the project wants when its time is over."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from storycast.decisions import CLOSING, Decision, SequenceTakenError
from storycast.plan import RunPlan
from storycast.ports import Notifier, ReviewLog
from storycast.stages.open_review import message
from storycast.stages.prepare_review import wait_seconds

RULE = "review.on_timeout"


def check_review(
    plan: RunPlan, *, deadline: datetime, log: ReviewLog, notifier: Notifier, now: datetime
) -> dict[str, Any]:
    """Say how to go on with a review that nobody has finished yet.

    Args:
        plan: The run's plan.
        deadline: When its time is over.
        log: Where tokens and decisions are.
        notifier: Whom to remind.
        now: The time.

    Returns:
        ``status``: ``waiting``, ``closed`` (the run goes on) or ``timed_out``; ``wait_seconds`` and ``deadline`` for
        the next wait; ``message`` for the run that fails.
    """
    settings = plan.settings.review
    answer: dict[str, Any] = {
        "deadline": deadline.isoformat(),
        "wait_seconds": wait_seconds(deadline, now, settings.remind_hours),
        "message": (
            f"Nobody finished the review of run {plan.run_id} within review.timeout_hours ({settings.timeout_hours:g})."
            " Start it again: nothing is paid twice, and what was decided so far is taken over."
        ),
    }
    decisions = log.read(plan.run_id)
    while now >= deadline and not _closed(decisions):
        decision = Decision(
            seq=len(decisions) + 1,
            id=f"time-out-{len(decisions) + 1}",
            who=RULE,
            when=now.isoformat(timespec="milliseconds"),
            what="time_out",
            via="rule",
        )
        try:
            log.append(plan.run_id, decision)
        except SequenceTakenError:
            # Somebody decided in the last moment; whoever finished in it is heard.
            decisions = log.read(plan.run_id)
            continue
        decisions = [*decisions, decision]
    if closed := _closed(decisions):
        fails = closed.what == "time_out" and settings.on_timeout == "fail"
        return {"status": "timed_out" if fails else "closed", **answer}
    gate = log.gate(plan.run_id)
    if gate and now >= gate.reminded_at + timedelta(hours=settings.remind_hours):
        log.open(replace(gate, reminded_at=now))
        notifier.tell(f"Storycast: review still waits ({plan.run_id})", message(plan, deadline))
    return {"status": "waiting", **answer}


def _closed(decisions: list[Decision]) -> Decision | None:
    return next((decision for decision in decisions if decision.what in CLOSING), None)
