"""CheckTrainingPlan: finds what would make a training fail or cost too much, and plans the session."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment, targets
from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.iam import IamRoles
from storycast.requests import read_event
from storycast.stages.check_training_plan import check_training_plan
from storycast.training import TrainingRequest

logger = Logger(service="check_training_plan")


class Event(BaseModel):
    """The input of the execution, and which one it is."""

    request: TrainingRequest
    execution_arn: str
    started_at: datetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return which session it is, and what of it is still to be done."""
    asked = read_event(event, Event)
    checked = check_training_plan(
        asked.request,
        execution_arn=asked.execution_arn,
        started_at=asked.started_at,
        store=environment.store(),
        claims=environment.claims(),
        book=environment.book(),
        catalogue=BedrockCatalogue(),
        trainer_of=targets.trainer,
        roles=IamRoles(),
        role_arn=os.environ["CUSTOMIZATION_ROLE_ARN"],
        site=targets.job_site(),
        region=os.environ["AWS_REGION"],
        now=datetime.now(UTC),
    )
    logger.info("checked", **checked)
    return checked
