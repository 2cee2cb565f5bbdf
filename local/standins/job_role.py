"""The role of a fine-tuning job: assumed through the emulator, as Bedrock assumes it on AWS."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.standins.objects import split_uri

PRINCIPAL = "bedrock.amazonaws.com"
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},
)


class RoleRefusedError(Exception):
    """The role can't be assumed, or does not allow what the job needs."""


class JobRole:
    """S3 as a role sees it.

    Raises:
        RoleRefusedError: Nobody lets Bedrock assume it.
    """

    def __init__(self, role_arn: str, job_name: str) -> None:
        session = _session()
        try:
            credentials = session.client("sts", config=_CONFIG).assume_role(
                RoleArn=role_arn, RoleSessionName=job_name[:64]
            )["Credentials"]
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"Could not assume provided IAM role {role_arn}: {error}") from error
        self._s3: Any = session.client(
            "s3",
            config=_CONFIG,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    def read(self, uri: str) -> bytes:
        """Read an object as the role.

        Raises:
            RoleRefusedError: The role may not, or there is none; the message names the object.
        """
        bucket, key = split_uri(uri)
        try:
            content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"{uri} can't be read with the job's role: {error}") from error
        return content

    def write(self, uri: str, content: bytes) -> None:
        """Write an object as the role; see ``read``."""
        bucket, key = split_uri(uri)
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=content)
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"{uri} can't be written with the job's role: {error}") from error


def trust_problem(role_arn: str) -> str:
    """Say why Bedrock may not assume a role, by its trust policy; empty where it may."""
    try:
        role = _session().client("iam", config=_CONFIG).get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
    except (ClientError, BotoCoreError) as error:
        return f"Could not assume provided IAM role {role_arn}: {error}"
    policy: Any = role["AssumeRolePolicyDocument"]
    if isinstance(policy, str):
        policy = json.loads(unquote(policy))
    for statement in policy.get("Statement", ()):
        services = statement.get("Principal", {}).get("Service", ())
        if statement.get("Effect") == "Allow" and PRINCIPAL in (
            [services] if isinstance(services, str) else services
        ):
            return ""
    return f"Could not assume provided IAM role {role_arn}: its trust policy does not name {PRINCIPAL}"


def _session() -> Any:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if endpoint is None:
        raise RoleRefusedError("the stand-ins do not know the emulator: set AWS_ENDPOINT_URL")
    return boto3.Session(region_name=region)
