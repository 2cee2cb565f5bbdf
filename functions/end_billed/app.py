"""EndBilled: stops jobs and ends hosting, and tells what is still billed."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import detectors, environment, targets
from storycast.adapters.stepfunctions import StepFunctionsExecutions
from storycast.failures import FailureEvent
from storycast.requests import read_event
from storycast.stages.end_billed import end_billed
from storycast.teardown import TearDownRequest

logger = Logger(service="end_billed")


class Event(BaseModel):
    """What is to be ended: as a request, or as the event of a failure that could not be recorded."""

    request: TearDownRequest | FailureEvent
    execution_arn: str
    started_at: datetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return whether all of it has ended."""
    asked, now = read_event(event, Event), datetime.now(UTC)
    ended = end_billed(
        asked.request,
        execution_arn=asked.execution_arn,
        started_at=asked.started_at,
        store=environment.store(),
        claims=environment.claims(),
        book=environment.book(),
        trainer_of=targets.trainer,
        renderer_of=targets.renderer,
        detectors=detectors.leases(now),
        executions=StepFunctionsExecutions(),
        notifier=environment.notifier(),
        now=now,
    )
    logger.info("ended", result=ended)
    return ended
