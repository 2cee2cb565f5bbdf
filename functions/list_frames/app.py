"""ListFrames: joins the segments' lists and numbers shots over the whole footage."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.list_frames import list_frames

logger = Logger(service="list_frames")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the list of kept frames is."""
    asked = read_event(event, RunEvent)
    listed = list_frames(environment.plan(asked.run_id), store=environment.store(), now=datetime.now(UTC))
    logger.info("listed", run_id=asked.run_id, frame_count=listed["frame_count"])
    return listed
