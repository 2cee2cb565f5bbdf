"""ProbeFootage: reads the header of one footage."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.requests import read_event
from storycast.stages.probe_footage import probe_footage

logger = Logger(service="probe_footage")


class Event(BaseModel):
    """One footage of a run."""

    run_id: str
    footage_id: str


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the footage's id and duration."""
    asked = read_event(event, Event)
    probed = probe_footage(environment.plan(asked.run_id), asked.footage_id, store=environment.store())
    logger.info("probed", run_id=asked.run_id, **probed)
    return probed
