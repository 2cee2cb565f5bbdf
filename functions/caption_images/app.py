"""CaptionImages: captions one curated picture."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import ConverseCaptioner
from storycast.curation import CuratedImage
from storycast.requests import read_event
from storycast.stages.caption_images import caption_images

logger = Logger(service="caption_images")


class Event(BaseModel):
    """One curated picture of a run."""

    run_id: str
    image: CuratedImage


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return whether the picture has a caption."""
    asked = read_event(event, Event)
    plan = environment.plan(asked.run_id)
    captioned = caption_images(
        plan,
        environment.cast(asked.run_id),
        asked.image,
        model=environment.model(asked.run_id, plan.settings.captions.model),
        store=environment.store(),
        turns=environment.turns(asked.run_id, context.get_remaining_time_in_millis()),
        captioner=ConverseCaptioner(plan.settings.captions.model),
    )
    logger.info("captioned", run_id=asked.run_id, **captioned)
    return captioned
