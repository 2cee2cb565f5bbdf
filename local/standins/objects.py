"""Reads objects from the emulator's S3, with the credentials of the stand-ins' own environment."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},  # there is no DNS for <bucket>.<a loopback name>
)
_client: S3Client | None = None
_client_for: tuple[str | None, ...] = ()
_guard = threading.Lock()


class ObjectUnreadableError(Exception):
    """An object is not there, or may not be read, or S3 does not answer."""


class ObjectTooLargeError(Exception):
    """An object is larger than the service reads."""


def read_object(bucket: str, key: str, version: str | None = None, limit: int | None = None) -> bytes:
    """Read an object from the S3 that ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` names.

    Args:
        bucket: The bucket's name.
        key: The object's key, as it is: not URL-encoded.
        version: A version id, or None for the latest.
        limit: The size in bytes above which the object is not read.

    Raises:
        ObjectUnreadableError: S3 refused, does not have it, or does not answer.
        ObjectTooLargeError: It is larger than ``limit``.
    """
    request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key}
    if version is not None:
        request["VersionId"] = version
    try:
        answer = _s3().get_object(**request)
        if limit is not None and answer["ContentLength"] > limit:
            answer["Body"].close()
            raise ObjectTooLargeError(f"s3://{bucket}/{key} has {answer['ContentLength']} bytes")
        return answer["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise ObjectUnreadableError(f"s3://{bucket}/{key}: {error}") from error


def write_object(bucket: str, key: str, content: bytes) -> None:
    """Write an object; see ``read_object``.

    Raises:
        ObjectUnreadableError: S3 refused, or does not answer.
    """
    try:
        _s3().put_object(Bucket=bucket, Key=key, Body=content)
    except (ClientError, BotoCoreError) as error:
        raise ObjectUnreadableError(f"s3://{bucket}/{key}: {error}") from error


def split_uri(uri: str) -> tuple[str, str]:
    """Split ``s3://bucket/key``.

    Raises:
        ObjectUnreadableError: It is no such URI.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise ObjectUnreadableError(f"{uri!r} is not s3://<bucket>/<key>")
    return bucket, key


def _s3() -> S3Client:
    """The S3 client, made once for each endpoint that the environment names."""
    global _client, _client_for  # noqa: PLW0603 - one client for the whole process
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    with _guard:
        if endpoint is None:
            raise ObjectUnreadableError(
                "the stand-ins do not know the emulator: set AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL"
            )
        if _client is None or _client_for != (endpoint, region):
            _client = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=_CONFIG)
            _client_for = (endpoint, region)
        return _client
