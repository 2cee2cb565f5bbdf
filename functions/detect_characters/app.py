"""DetectCharacters: finds what may be a character in one frame."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.rekognition import RekognitionLabels
from storycast.requests import FrameEvent, read_event
from storycast.stages.detect_characters import detect_characters

logger = Logger(service="detect_characters")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many detections the frame has."""
    asked = read_event(event, FrameEvent)
    store = environment.store()
    detector = RekognitionLabels(store.bucket)
    found = detect_characters(environment.plan(asked.run_id), asked.frame, store=store, detector=detector)
    logger.info("detected", run_id=asked.run_id, **found)
    return found
