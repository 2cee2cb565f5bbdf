"""PrepareRun: claims the run, reads the project's settings and pins the footage."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.requests import read_event
from storycast.stages.prepare_run import prepare_run

logger = Logger(service="prepare_run")


class Event(BaseModel):
    """What started the execution, and the execution itself."""

    request: Any
    execution_arn: str
    started_at: datetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return what the following states need to know of the run."""
    asked = read_event(event, Event)
    prepared = prepare_run(
        asked.request,
        execution_arn=asked.execution_arn,
        started_at=asked.started_at,
        store=environment.store(),
        claims=environment.claims(),
    )
    logger.info("prepared", run_id=prepared.get("run_id"), claimed=prepared["claimed"])
    return prepared
