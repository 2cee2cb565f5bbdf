"""A role that a service assumes through the emulator, as the service does on AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from local.standins.emulator import EmulatorUnknownError, emulator_client
from local.standins.objects import split_uri

_ASSUME = {"*", "sts:*", "sts:assumerole"}


class RoleRefusedError(Exception):
    """The role can't be assumed, or does not allow what the service needs."""


class AssumedRole:
    """S3 as a role sees it."""

    def __init__(self, role_arn: str, session: str, *, called: str) -> None:
        """Assume a role through the STS that ``AWS_ENDPOINT_URL_STS`` or ``AWS_ENDPOINT_URL`` names.

        Args:
            role_arn: The role.
            session: Name of the session, of which 64 characters are used.
            called: What the role is called in messages, such as ``the job's role``.

        Raises:
            RoleRefusedError: It can't be assumed.
        """
        self._called = called
        try:
            credentials = _client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session[:64])["Credentials"]
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
            raise RoleRefusedError(f"{uri} can't be read with {self._called}: {error}") from error
        return content

    def write(self, uri: str, content: bytes) -> None:
        """Write an object as the role; see ``read``."""
        bucket, key = split_uri(uri)
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=content)
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"{uri} can't be written with {self._called}: {error}") from error

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the keys below a prefix, ``s3://<bucket>/<prefix>``, as the role; see ``read``."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                yield from (item["Key"] for item in page.get("Contents", ()))
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"{uri} can't be listed with {self._called}: {error}") from error

    def remove(self, uri: str) -> None:
        """Remove an object as the role; see ``read``."""
        bucket, key = split_uri(uri)
        try:
            self._s3.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise RoleRefusedError(f"{uri} can't be removed with {self._called}: {error}") from error


def trust_problem(role_arn: str, principal: str) -> str:
    """Say why a service may not assume a role, by its trust policy.

    Args:
        role_arn: The role.
        principal: The service, such as ``bedrock.amazonaws.com``.

    Returns:
        Empty where it may, and where IAM can't be asked: then the service's work itself finds out. Of a trust
        policy's conditions nothing is read.

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
    if any(_trusts(statement, principal) for statement in _listed(policy.get("Statement", ()))):
        return ""
    return f"{told}: its trust policy does not let {principal} assume it"


def _trusts(statement: Any, trusted: str) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", ())) if isinstance(principal, dict) else [principal]
    actions = {action.lower() for action in _listed(statement.get("Action", ()))}
    return statement.get("Effect") == "Allow" and bool(actions & _ASSUME) and trusted in services


def _listed(value: Any) -> list[Any]:
    """Policies write a list of one as the one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _client(service: str, **credentials: str) -> Any:
    try:
        return emulator_client(service, **credentials)
    except EmulatorUnknownError as error:
        raise RoleRefusedError(str(error)) from error
