"""ApplyReview: turns decisions into the approved dataset."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.apply_review import apply_review

logger = Logger(service="apply_review")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the approved manifest is."""
    asked = read_event(event, RunEvent)
    applied = apply_review(
        environment.plan(asked.run_id),
        store=environment.store(),
        log=environment.review_log(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("applied", run_id=asked.run_id, status=applied["status"], record_count=applied["record_count"])
    return applied
