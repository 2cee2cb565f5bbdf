"""boto3 clients, one of each per process, with time limits that fit into a function's."""

import os
import random
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.model import OperationModel

from storycast.adapters.answers import refuse_before_reading, refuse_what_is_none, what_is_wrong
from storycast.adapters.faults import THROTTLED, UNAVAILABLE

CONNECT_S = 3.0
STORAGE_S = 5.0
"""S3, DynamoDB and what else answers in milliseconds: what hangs for longer is asked for again."""
MODEL_S = 15.0
"""Rekognition, embeddings, and the services' other calls: functions that look at one frame have 20 s."""
CAPTION_S = 55.0
"""Answers in words; the function has 120 s."""
ATTEMPTS = 3
"""Of a call that costs nothing: a short burst is ridden out here, what lasts is the state machine's to retry."""

_STORAGE = {"s3", "dynamodb", "sns", "stepfunctions"}
_SCALE = float(os.environ.get("STORYCAST_TIMEOUT_SCALE", "1"))
"""Tests of what hangs need not wait so long."""


@cache
def client(service: Any) -> Any:
    """Return the process's client of a service, such as ``s3``, for calls that may be made again."""
    made = _made(service, STORAGE_S if service in _STORAGE else MODEL_S, ATTEMPTS)
    made.meta.events.register("needs-retry", _again_if_no_answer)
    return made


@cache
def client_without_retries(service: Any, answer_s: float = MODEL_S) -> Any:
    """Return a client that makes each call once: for what must not be made twice.

    Args:
        service: The service.
        answer_s: How long its answers may take.
    """
    return _made(service, answer_s, 1)


@cache
def paid_client(service: Any, answer_s: float = MODEL_S) -> Any:
    """Return a client for calls that are paid when they are done, or whose function has time for one alone.

    What the service refuses is not done, and asked for again at once. Where no answer came, the work may be done
    and paid: that is for the state machine, which looks for the result first. botocore's own retries know no such
    difference.

    Args:
        service: The service.
        answer_s: How long its answers may take.
    """
    made = _made(service, answer_s, 1)
    made.meta.events.register("needs-retry", _again_if_refused)
    return made


def _again_if_no_answer(
    response: tuple[Any, dict[str, Any]] | None, operation: OperationModel, attempts: int, **_: Any
) -> float | None:
    """Tell after how many seconds a call is made again whose answer is none; botocore's ``needs-retry``."""
    if response is None or attempts >= ATTEMPTS or not what_is_wrong(response[0], operation):
        return None
    return random.uniform(0, attempts)  # noqa: S311 -- jitter


def _again_if_refused(response: tuple[Any, dict[str, Any]] | None, attempts: int, **_: Any) -> float | None:
    """Tell after how many seconds a call is made again, None where it is not; botocore's ``needs-retry``."""
    if response is None or attempts >= ATTEMPTS:
        return None
    code = response[1].get("Error", {}).get("Code", "")
    return random.uniform(0, attempts) if code in THROTTLED | UNAVAILABLE else None  # noqa: S311 -- jitter


def _made(service: Any, answer_s: float, attempts: int) -> Any:
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=answer_s * _SCALE,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    made = boto3.client(service, config=config)
    made.meta.events.register("before-parse", refuse_before_reading)
    made.meta.events.register("after-call", refuse_what_is_none)
    return made
