"""CheckProvisioning: looks whether the hosted model answers, or the drawing job is done."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment, targets
from storycast.requests import SessionEvent, read_event
from storycast.stages.check_provisioning import check_provisioning

logger = Logger(service="check_provisioning")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return its status, and what to tell people."""
    asked = read_event(event, SessionEvent)
    plan = environment.training_plan(asked.run_id, asked.training_id, asked.session_id)
    done = check_provisioning(
        plan,
        store=environment.store(),
        book=environment.book(),
        renderer=targets.renderer(plan.target),
        now=datetime.now(UTC),
    )
    logger.info("done", run_id=asked.run_id, session_id=asked.session_id, result=done)
    return done
