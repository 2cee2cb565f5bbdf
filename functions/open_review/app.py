"""OpenReview: notes the token with which a run waits for its review."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.requests import OpenReviewEvent, read_event
from storycast.stages.open_review import open_review

logger = Logger(service="open_review")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return whether the review waits for people."""
    asked = read_event(event, OpenReviewEvent)
    opened = open_review(
        environment.plan(asked.run_id),
        task_token=asked.task_token,
        deadline=asked.deadline,
        store=environment.store(),
        log=environment.review_log(),
        callbacks=StepFunctionsCallbacks(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("opened", run_id=asked.run_id, **opened)
    return opened
