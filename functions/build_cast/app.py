"""BuildCast: embeds the characters' reference pictures."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.requests import RunEvent, read_event
from storycast.stages.build_cast import build_cast

logger = Logger(service="build_cast")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many characters and references there are."""
    asked = read_event(event, RunEvent)
    plan = environment.plan(asked.run_id)
    embedder = BedrockEmbedder(plan.settings.duplicates.embedding)
    built = build_cast(plan, store=environment.store(), embedder=embedder)
    logger.info("built", run_id=asked.run_id, **built)
    return built
