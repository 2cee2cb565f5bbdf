"""ProvisionModel: hosts the trained model by the hour or has a job draw with it, or finds that again."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment, targets
from storycast.requests import SessionEvent, read_event
from storycast.stages.provision_model import provision_model

logger = Logger(service="provision_model")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return what draws."""
    asked = read_event(event, SessionEvent)
    plan = environment.training_plan(asked.run_id, asked.training_id, asked.session_id)
    done = provision_model(
        plan,
        store=environment.store(),
        book=environment.book(),
        renderer=targets.renderer(plan.target),
        now=datetime.now(UTC),
    )
    logger.info("done", run_id=asked.run_id, session_id=asked.session_id, result=done)
    return done
