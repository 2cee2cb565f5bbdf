"""RecordFailure: writes down how an execution ended that did not end by itself, and tells people."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.failures import FailureEvent
from storycast.requests import read_event
from storycast.stages.record_failure import record_failure

logger = Logger(service="record_failure")


class Event(BaseModel):
    """The event that started the teardown."""

    event: FailureEvent


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return what is to be torn down, as a request."""
    request = record_failure(
        read_event(event, Event).event.detail,
        store=environment.store(),
        claims=environment.claims(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    recorded = request.model_dump(mode="json")
    logger.info("recorded", **recorded)
    return recorded
