"""GradeStoryboard: tells who is in each panel by comparing it with pictures held out of the training."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.adapters.rekognition import RekognitionLabels
from storycast.requests import SessionEvent, read_event
from storycast.stages.grade_storyboard import grade_storyboard

logger = Logger(service="grade_storyboard")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many panels were graded, and how many show whom they should."""
    asked = read_event(event, SessionEvent)
    plan = environment.training_plan(asked.run_id, asked.training_id, asked.session_id)
    store = environment.store()
    graded = grade_storyboard(
        plan,
        store=store,
        detector=RekognitionLabels(store.bucket),
        embedder=BedrockEmbedder(plan.settings.duplicates.embedding),
    )
    logger.info("graded", run_id=asked.run_id, session_id=asked.session_id, **graded)
    return graded
