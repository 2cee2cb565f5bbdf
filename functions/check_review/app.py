"""CheckReview: reminds people of a review, or closes it when its time is over."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.a2i import A2iHumanReviews
from storycast.requests import CheckReviewEvent, read_event
from storycast.stages.check_review import check_review

logger = Logger(service="check_review")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how to go on."""
    asked = read_event(event, CheckReviewEvent)
    checked = check_review(
        environment.plan(asked.run_id),
        deadline=asked.deadline,
        loops=asked.loops,
        completed=asked.completed,
        log=environment.review_log(),
        humans=A2iHumanReviews(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("checked", run_id=asked.run_id, status=checked["status"])
    return checked
