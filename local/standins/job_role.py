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
_ASSUME = {"*", "sts:*", "sts:assumerole"}
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},  # there is no DNS for <bucket>.<a loopback name>
)


class RoleRefusedError(Exception):
    """The role can't be assumed, or does not allow what the job needs."""


class JobRole:
    """S3 as a role sees it."""

    def __init__(self, role_arn: str, job_name: str) -> None:
        """Assume a role through the STS that ``AWS_ENDPOINT_URL_STS`` or ``AWS_ENDPOINT_URL`` names.

        Raises:
            RoleRefusedError: It can't be assumed.
        """
        try:
            credentials = _client("sts").assume_role(RoleArn=role_arn, RoleSessionName=f"bedrock-{job_name}"[:64])[
                "Credentials"
            ]
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"Could not assume provided IAM role {role_arn}: {error}") from error
        self._s3 = _client(
            "s3",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    def read(self, uri: str) -> bytes:
        """Read an object as the role.

        Raises:
            RoleRefusedError: The role may not, or there is none; the message names the object.
            ObjectUnreadableError: It is no ``s3://<bucket>/<key>``.
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
    """Say why Bedrock may not assume a role, by its trust policy.

    Returns:
        Empty where it may, and where IAM can't be asked: then the job itself finds out. Of a trust policy's
        conditions nothing is read.

    Raises:
        RoleRefusedError: The environment names no emulator.
    """
    told = f"Could not assume provided IAM role {role_arn}"
    try:
        role = _client("iam").get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
    except ClientError as error:
        return f"{told}: {error}" if error.response["Error"]["Code"] == "NoSuchEntity" else ""
    except BotoCoreError:
        return ""
    policy: Any = role["AssumeRolePolicyDocument"]
    if isinstance(policy, str):
        policy = json.loads(unquote(policy))
    if any(_trusts(statement) for statement in _listed(policy.get("Statement", ()))):
        return ""
    return f"{told}: its trust policy does not let {PRINCIPAL} assume it"


def _trusts(statement: Any) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", ())) if isinstance(principal, dict) else [principal]
    actions = {action.lower() for action in _listed(statement.get("Action", ()))}
    return statement.get("Effect") == "Allow" and bool(actions & _ASSUME) and PRINCIPAL in services


def _listed(value: Any) -> list[Any]:
    """Policies write a list of one as the one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _client(service: str, **credentials: str) -> Any:
    if not os.environ.get("AWS_ENDPOINT_URL"):
        raise RoleRefusedError("The stand-ins do not know the emulator: set AWS_ENDPOINT_URL.")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    session: Any = boto3.Session(region_name=region)
    return session.client(service, config=_CONFIG, **credentials)
