"""StartHumanReviews: show one batch of a review to Amazon A2I's workers, and note which execution waits for it."""

from datetime import datetime, timedelta
from typing import Any

from storycast.errors import DependencyUnavailableError, HumanReviewFailedError
from storycast.human_loops import content_text, input_content
from storycast.names import human_loop_name
from storycast.plan import RunPlan
from storycast.ports import (
    Callbacks,
    Gate,
    HumanLoop,
    HumanReviews,
    LoopBook,
    Notifier,
    ObjectStore,
    ReviewLog,
)
from storycast.review import Review, read_review
from storycast.runs import change_run, read_run
from storycast.stages.complete_human_review import ENDS, settle
from storycast.stages.open_review import in_review, message


def start_human_review(
    plan: RunPlan,
    batch: int,
    *,
    task_token: str,
    flow_definition_arn: str,
    store: ObjectStore,
    log: ReviewLog,
    loops: LoopBook,
    humans: HumanReviews,
    callbacks: Callbacks,
    notifier: Notifier,
    now: datetime,
) -> dict[str, Any]:
    """Start the batch's human loop; one that is there already is looked up, and is not started again.

    Args:
        plan: The run's plan.
        batch: Which batch, from 0.
        task_token: What the execution waits with; one of an earlier attempt is replaced.
        flow_definition_arn: The stack's flow definition.
        store: The bucket.
        log: Decisions, and when people are reminded.
        loops: Which execution waits for which loop.
        humans: Amazon A2I.
        callbacks: Lets the run go on where the loop has ended already.
        notifier: Whom to tell, once for a run.
        now: The time.

    Returns:
        The loop's name, and its ``status``: ``waiting``, or how it had ended before.

    Raises:
        HumanReviewFailedError: Amazon A2I refuses the loop, or its name is another flow definition's.
        RequestInvalidError: There is no such review, or no such batch in it.
    """
    review = read_review(store, plan.run_id)
    content = content_text(input_content(review, batch, store.bucket))
    loop = HumanLoop(human_loop_name(plan.run_id, batch), plan.run_id, batch, task_token, now)
    # Before the loop begins: it may end before this function does.
    loops.put(loop)
    if not humans.start(loop.name, flow_definition_arn, content):
        facts = humans.facts(loop.name)
        if facts is None:
            raise DependencyUnavailableError(f"The human loop {loop.name} was there, and is gone again.")
        if facts.flow_definition_arn != flow_definition_arn:
            raise HumanReviewFailedError(
                f"There is a human loop {loop.name} of another flow definition ({facts.flow_definition_arn}). "
                "Start the run again under another id: nothing is paid twice."
            )
        if facts.status in ENDS:
            settled = settle(
                loop,
                facts.status,
                output_uri=facts.output_uri,
                failure=facts.failure,
                store=store,
                log=log,
                callbacks=callbacks,
                clock=lambda: now,
            )
            return {"loop": loop.name, "status": settled["status"]}
    if batch == 0:
        _tell(plan, review, store=store, log=log, notifier=notifier, now=now)
    return {"loop": loop.name, "status": "waiting"}


def _tell(
    plan: RunPlan, review: Review, *, store: ObjectStore, log: ReviewLog, notifier: Notifier, now: datetime
) -> None:
    """Tell people once that the run waits, and note until when, so that they are reminded."""
    deadline = datetime.fromisoformat(review.made_at) + timedelta(hours=plan.settings.review.timeout_hours)
    if log.gate(plan.run_id) is None:
        log.open(Gate(plan.run_id, plan.project, "", opened_at=now, deadline=deadline, reminded_at=now))
    if read_run(store, plan.run_id).status == "in_review":
        return
    log.remember(plan.project, plan.run_id, now)
    notifier.tell(f"Storycast: workers review ({plan.run_id})", message(plan, deadline))
    change_run(store, plan.run_id, in_review)
