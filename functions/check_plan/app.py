"""CheckPlan: finds what would make a later, paid step fail, and plans the segments."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from storycast.adapters import environment, targets
from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.custom_labels import RekognitionVersions
from storycast.adapters.iam import IamRoles
from storycast.requests import RunEvent, read_event
from storycast.stages.check_plan import check_plan

logger = Logger(service="check_plan")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return where the list of segments is."""
    asked = read_event(event, RunEvent)
    checked = check_plan(
        environment.plan(asked.run_id),
        store=environment.store(),
        catalogue=BedrockCatalogue(),
        roles=IamRoles(),
        role_arn=os.environ["CUSTOMIZATION_ROLE_ARN"],
        site=targets.job_site(),
        flow_definition_arn=os.environ["A2I_FLOW_DEFINITION_ARN"],
        region=os.environ["AWS_REGION"],
        now=datetime.now(UTC),
        models=RekognitionVersions(),
    )
    logger.info("checked", run_id=asked.run_id, **checked)
    return checked
