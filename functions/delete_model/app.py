"""DeleteModel: deletes the trained models of a run, since somebody said so."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment, targets
from storycast.requests import read_event
from storycast.stages.delete_model import delete_model
from storycast.teardown import TearDownRequest

logger = Logger(service="delete_model")


class Event(BaseModel):
    """The teardown's request."""

    request: TearDownRequest


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return which models are gone."""
    deleted = delete_model(read_event(event, Event).request, store=environment.store(), trainer_of=targets.trainer)
    logger.info("deleted", **deleted)
    return deleted
