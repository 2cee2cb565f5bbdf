"""CheckTraining: looks how far the job is, and writes down the model when it is done."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment, targets
from storycast.requests import SessionEvent, read_event
from storycast.stages.check_training import check_training

logger = Logger(service="check_training")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the job's status, and what to tell people."""
    asked = read_event(event, SessionEvent)
    plan = environment.training_plan(asked.run_id, asked.training_id, asked.session_id)
    done = check_training(
        plan,
        store=environment.store(),
        claims=environment.claims(),
        book=environment.book(),
        trainer=targets.trainer(plan.target),
        now=datetime.now(UTC),
    )
    logger.info("done", run_id=asked.run_id, session_id=asked.session_id, result=done)
    return done
