"""BuildCast: embeds the characters' reference pictures, and has their faces in the collection."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.adapters.rekognition_faces import RekognitionCollections, RekognitionFaces
from storycast.faces import FaceService
from storycast.requests import RunEvent, read_event
from storycast.stages.build_cast import build_cast

logger = Logger(service="build_cast")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return how many characters, references and faces there are."""
    asked = read_event(event, RunEvent)
    plan, store = environment.plan(asked.run_id), environment.store()
    detector, collections = RekognitionFaces(store.bucket), RekognitionCollections()
    built = build_cast(
        plan,
        store=store,
        turns=environment.turns(asked.run_id, context.get_remaining_time_in_millis()),
        embedder=BedrockEmbedder(plan.settings.duplicates.embedding),
        faces=FaceService(os.environ["STACK_NAME"], detector, collections, datetime.now(UTC)),
    )
    logger.info("built", run_id=asked.run_id, **built)
    return built
