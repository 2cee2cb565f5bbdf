"""CurateDataset: takes near-duplicates out and chooses the best and most varied pictures."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.curate_dataset import curate_dataset

logger = Logger(service="curate_dataset")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the list of curated pictures is."""
    asked = read_event(event, RunEvent)
    curated = curate_dataset(environment.plan(asked.run_id), store=environment.store(), now=datetime.now(UTC))
    logger.info("curated", run_id=asked.run_id, **curated)
    return curated
