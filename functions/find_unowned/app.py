"""FindUnowned: tells people of what is billed in this account and that no run owns."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment, targets
from storycast.requests import read_event
from storycast.stages.find_unowned import find_unowned
from storycast.teardown import TearDownRequest

logger = Logger(service="find_unowned")


class Event(BaseModel):
    """The sweep's request."""

    request: TearDownRequest


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return what was found."""
    read_event(event, Event)
    found = find_unowned(
        book=environment.book(),
        claims=environment.claims(),
        renderers=[targets.renderer(target) for target in targets.all_targets()],
        notifier=environment.notifier(),
        now=datetime.now(UTC),
    )
    logger.info("looked", **found)
    return found
