"""ReportRun: writes the report of a run, its counts and what it cost, and tells people."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment
from storycast.requests import ReportEvent, read_event
from storycast.stages.report_run import report_run

logger = Logger(service="report_run")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the report is."""
    asked = read_event(event, ReportEvent)
    reported = report_run(
        asked.run_id,
        store=environment.store(),
        book=environment.book(),
        notifier=environment.notifier(),
        now=datetime.now(UTC),
        execution_arn=asked.execution_arn,
    )
    logger.info("reported", run_id=asked.run_id, **reported)
    return reported
