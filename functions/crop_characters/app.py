"""CropCharacters: cuts the detections of one frame out and embeds each crop."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.requests import FrameEvent, read_event
from storycast.stages.crop_characters import crop_characters

logger = Logger(service="crop_characters")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many crops the frame has."""
    asked = read_event(event, FrameEvent)
    plan = environment.plan(asked.run_id)
    embedder = BedrockEmbedder(plan.settings.duplicates.embedding)
    cropped = crop_characters(plan, asked.frame, store=environment.store(), embedder=embedder)
    logger.info("cropped", run_id=asked.run_id, **cropped)
    return cropped
