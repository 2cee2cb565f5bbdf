"""StartTraining: starts the fine-tuning job of a session, or finds it again."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_customization import BedrockCustomizer
from storycast.requests import SessionEvent, read_event
from storycast.stages.start_training import start_training

logger = Logger(service="start_training")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the job."""
    asked = read_event(event, SessionEvent)
    done = start_training(
        environment.training_plan(asked.run_id, asked.training_id, asked.session_id),
        store=environment.store(),
        claims=environment.claims(),
        book=environment.book(),
        customizer=BedrockCustomizer(),
        role_arn=os.environ["CUSTOMIZATION_ROLE_ARN"],
        now=datetime.now(UTC),
    )
    logger.info("done", run_id=asked.run_id, session_id=asked.session_id, result=done)
    return done
