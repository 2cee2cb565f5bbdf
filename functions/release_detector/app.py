"""ReleaseDetector: gives the Custom Labels model up; the last run that needs it stops it."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import detectors, environment
from storycast.requests import RunEvent, read_event
from storycast.stages.release_detector import release_detector

logger = Logger(service="release_detector")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return whether the run is done with the model; called again until it is."""
    asked, now = read_event(event, RunEvent), datetime.now(UTC)
    released = release_detector(
        environment.plan(asked.run_id),
        leases=detectors.leases(now),
        store=environment.store(),
        book=environment.book(),
        now=now,
    )
    logger.info("released", run_id=asked.run_id, result=released)
    return released
