"""The role of a fine-tuning job: assumed through the emulator, as Bedrock assumes it on AWS."""

from __future__ import annotations

from local.standins import assumed_role
from local.standins.assumed_role import AssumedRole

PRINCIPAL = "bedrock.amazonaws.com"


class JobRole(AssumedRole):
    """S3 as a job's role sees it."""

    def __init__(self, role_arn: str, job_name: str) -> None:
        """Assume a job's role; see ``AssumedRole``."""
        super().__init__(role_arn, f"bedrock-{job_name}", called="the job's role")


def trust_problem(role_arn: str) -> str:
    """Say why Bedrock may not assume a role; see ``assumed_role.trust_problem``."""
    return assumed_role.trust_problem(role_arn, PRINCIPAL)
