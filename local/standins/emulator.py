"""Clients of the emulator, which the stand-ins find by ``AWS_ENDPOINT_URL`` as everybody else does."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},  # there is no DNS for <bucket>.<a loopback name>
)
_guard = threading.Lock()


class EmulatorUnknownError(Exception):
    """The environment names no emulator; without one, a client would ask AWS itself."""


def emulator_client(service: str, **credentials: str) -> Any:
    """Return a client of one of the emulator's services, by default with the stand-ins' own keys.

    Raises:
        EmulatorUnknownError: The environment names no emulator.
    """
    if not os.environ.get("AWS_ENDPOINT_URL"):
        raise EmulatorUnknownError("The stand-ins do not know the emulator: set AWS_ENDPOINT_URL.")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    with _guard:  # sessions are not safe under threads; their clients are
        return _session(region, os.environ.get("AWS_ACCESS_KEY_ID")).client(service, config=_CONFIG, **credentials)


@lru_cache(maxsize=4)
def _session(region: str, _key: str | None) -> Any:
    """A session for each set of keys that the environment has had: a new one reads the services' models anew."""
    return boto3.Session(region_name=region)
