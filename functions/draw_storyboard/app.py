"""DrawStoryboard: draws one prompt with the hosted model and its base model, or takes what a job drew of it."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_images import BedrockImages
from storycast.requests import SessionEvent, read_event
from storycast.stages.draw_storyboard import draw_storyboard

logger = Logger(service="draw_storyboard")


class Event(SessionEvent):
    """A prompt of a session, by its place in the storyboard, from 0."""

    prompt: int


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many pictures there are, and why there are not more."""
    asked = read_event(event, Event)
    drawn = draw_storyboard(
        environment.training_plan(asked.run_id, asked.training_id, asked.session_id),
        asked.prompt,
        store=environment.store(),
        image_model=BedrockImages(),
    )
    logger.info("drawn", run_id=asked.run_id, session_id=asked.session_id, prompt=asked.prompt, **drawn)
    return drawn
