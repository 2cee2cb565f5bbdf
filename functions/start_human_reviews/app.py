"""StartHumanReviews: shows one batch of pictures to Amazon A2I's workers."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.a2i import A2iHumanReviews
from storycast.adapters.loop_book import DynamoLoopBook
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.requests import BatchEvent, read_event
from storycast.stages.start_human_reviews import start_human_review

logger = Logger(service="start_human_reviews")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the name of the batch's human loop and how it stands."""
    asked = read_event(event, BatchEvent)
    started = start_human_review(
        environment.plan(asked.run_id),
        asked.batch,
        task_token=asked.task_token,
        flow_definition_arn=os.environ["A2I_FLOW_DEFINITION_ARN"],
        store=environment.store(),
        log=environment.review_log(),
        loops=DynamoLoopBook(os.environ["REVIEW_TABLE_NAME"]),
        humans=A2iHumanReviews(),
        callbacks=StepFunctionsCallbacks(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("started", run_id=asked.run_id, batch=asked.batch, **started)
    return started
