"""CheckProvisioning: looks whether the hosted model answers."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.adapters.bedrock_hosting import BedrockHost
from storycast.requests import SessionEvent, read_event
from storycast.stages.check_provisioning import check_provisioning

logger = Logger(service="check_provisioning")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the hosting's status, and what to tell people."""
    asked = read_event(event, SessionEvent)
    done = check_provisioning(
        environment.training_plan(asked.run_id, asked.training_id, asked.session_id),
        book=environment.book(),
        host=BedrockHost(),
        now=datetime.now(UTC),
    )
    logger.info("done", run_id=asked.run_id, session_id=asked.session_id, result=done)
    return done
