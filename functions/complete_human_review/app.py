"""CompleteHumanReview: takes in what Amazon A2I's workers answered to a batch; a rule on its events starts it."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.adapters.loop_book import DynamoLoopBook
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.requests import read_event
from storycast.stages.complete_human_review import LoopStatus, complete_human_review

logger = Logger(service="complete_human_review")


class Event(BaseModel):
    """A ``SageMaker A2I HumanLoop Status Change`` event."""

    detail: LoopStatus


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return what became of the loop; nobody reads it but the log."""
    ended = read_event(event, Event).detail
    done = complete_human_review(
        ended,
        flow_definition_arn=os.environ["A2I_FLOW_DEFINITION_ARN"],
        store=environment.store(),
        log=environment.review_log(),
        loops=DynamoLoopBook(os.environ["REVIEW_TABLE_NAME"]),
        callbacks=StepFunctionsCallbacks(),
        clock=lambda: datetime.now(UTC),
    )
    logger.info("taken in", loop=ended.name, loop_status=ended.status, **done)
    return done
