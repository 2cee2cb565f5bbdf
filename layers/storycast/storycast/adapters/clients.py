"""boto3 clients, one of each per process, with time limits that fit into a function's."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    # A short burst is ridden out here; what lasts longer is the state machine's to retry, with jitter.
    retries={"mode": "standard", "total_max_attempts": 3},
)


@cache
def client(service: Any) -> Any:
    """Return the process's client of a service, such as ``s3``."""
    return boto3.client(service, config=_CONFIG)


@cache
def client_without_retries(service: Any) -> Any:
    """Return a client that makes each call once: for calls that are paid again when they are made again."""
    return boto3.client(service, config=_CONFIG.merge(Config(retries={"total_max_attempts": 1})))
