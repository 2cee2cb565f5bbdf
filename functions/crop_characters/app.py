"""CropCharacters: cuts the detections of one frame out, embeds each crop, and searches the faces in them."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.adapters.rekognition_faces import RekognitionCollections
from storycast.requests import FrameEvent, read_event
from storycast.stages.crop_characters import crop_characters

logger = Logger(service="crop_characters")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return how many crops the frame has."""
    asked = read_event(event, FrameEvent)
    plan = environment.plan(asked.run_id)
    embedder = BedrockEmbedder(plan.settings.duplicates.embedding)
    has_faces = "faces" in plan.settings.detection.methods
    cropped = crop_characters(
        plan,
        asked.frame,
        store=environment.store(),
        turns=environment.turns(asked.run_id, context.get_remaining_time_in_millis()),
        embedder=embedder,
        cast=environment.cast(asked.run_id) if has_faces else None,
        collections=RekognitionCollections() if has_faces else None,
    )
    logger.info("cropped", run_id=asked.run_id, **cropped)
    return cropped
