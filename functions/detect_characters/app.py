"""DetectCharacters: finds what may be a character in one frame."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import detectors, environment
from storycast.adapters.rekognition import RekognitionLabels
from storycast.adapters.rekognition_faces import RekognitionFaces
from storycast.requests import FrameEvent, read_event
from storycast.stages.detect_characters import detect_characters

logger = Logger(service="detect_characters")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return how many detections the frame has."""
    asked = read_event(event, FrameEvent)
    plan, store = environment.plan(asked.run_id), environment.store()
    found = detect_characters(
        plan,
        asked.frame,
        store=store,
        turns=environment.turns(asked.run_id, context.get_remaining_time_in_millis()),
        detector=RekognitionLabels(store.bucket),
        faces=RekognitionFaces(store.bucket) if "faces" in plan.settings.detection.methods else None,
        custom_labels=detectors.custom_labels(plan),
    )
    logger.info("detected", run_id=asked.run_id, **found)
    return found
