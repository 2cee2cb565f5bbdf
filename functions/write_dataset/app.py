"""WriteDataset: writes pictures, manifest, card and contact sheet, and closes the ledger."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import RunEvent, read_event
from storycast.stages.write_dataset import write_dataset

logger = Logger(service="write_dataset")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the manifest is."""
    asked = read_event(event, RunEvent)
    written = write_dataset(environment.plan(asked.run_id), store=environment.store())
    logger.info("written", run_id=asked.run_id, **written)
    return written
