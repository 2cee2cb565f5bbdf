"""NameCharacters: names what was found in all frames by votes fused over each shot."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.name_characters import name_characters

logger = Logger(service="name_characters")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many sightings have a name."""
    asked = read_event(event, RunEvent)
    named = name_characters(environment.plan(asked.run_id), store=environment.store())
    logger.info("named", run_id=asked.run_id, sightings=named["sightings"], named=named["named"])
    return named
