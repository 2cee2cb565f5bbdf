"""StartDetector: has the Custom Labels model running that the project names."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import detectors, environment
from storycast.requests import DetectorEvent, read_event
from storycast.stages.start_detector import start_detector

logger = Logger(service="start_detector")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return whether the model runs; called again until it does."""
    asked, now = read_event(event, DetectorEvent), datetime.now(UTC)
    started = start_detector(
        environment.plan(asked.run_id),
        execution_arn=asked.execution_arn,
        leases=detectors.leases(now),
        store=environment.store(),
        book=environment.book(),
    )
    logger.info("started", run_id=asked.run_id, result=started)
    return started
