"""PrepareReview: gathers what people are shown."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.prepare_review import prepare_review

logger = Logger(service="prepare_review")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return until when the review waits, and its batches."""
    asked = read_event(event, RunEvent)
    prepared = prepare_review(
        environment.plan(asked.run_id),
        store=environment.store(),
        log=environment.review_log(),
        now=datetime.now(UTC),
    )
    logger.info("prepared", run_id=asked.run_id, deadline=prepared["deadline"])
    return prepared
