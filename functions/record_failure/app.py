"""RecordFailure: started by a rule, not a state: writes down how an execution failed, and tells people."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.requests import read_event
from storycast.stages.record_failure import ExecutionEnd, record_failure

logger = Logger(service="record_failure")


class Event(BaseModel):
    """A ``Step Functions Execution Status Change`` event."""

    detail: ExecutionEnd


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the run whose failure was recorded."""
    recorded = record_failure(
        read_event(event, Event).detail,
        store=environment.store(),
        claims=environment.claims(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("recorded", **recorded)
    return recorded
