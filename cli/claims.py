"""Finding the run that an upload started: its claim in the table says which execution took it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from cli.problems import RunNotStartedError
from cli.target import Target
from cli.uploading import Uploaded

INDEX = "by-key"
WAIT_SECONDS = 90.0
"""How long an upload's event may take to start a run; it is a second or two as a rule."""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run and the execution that is doing it."""

    run_id: str
    execution_arn: str


def find_started(
    target: Target,
    uploaded: Uploaded,
    *,
    wait_seconds: float = WAIT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> StartedRun:
    """Return the run that an upload started.

    Args:
        target: Where it was uploaded to.
        uploaded: The object.
        wait_seconds: How long to look.
        clock: Seconds that only grow.
        sleep: Waits.

    Raises:
        RunNotStartedError: No run began in time.
    """
    deadline = clock() + wait_seconds
    while (started := _look(target, uploaded)) is None:
        if clock() > deadline:
            raise RunNotStartedError(
                f"{target.uri(uploaded.key)} is there, but no run began with it in {wait_seconds:.0f} s. "
                "Look whether the stack's EventBridge rule for uploads is enabled, whether its state machine "
                "has failed executions at PrepareRun, and whether the bucket sends events to EventBridge. "
                "`storycast run` starts a run without the rule."
            )
        sleep(1.0)
    return started


def _look(target: Target, uploaded: Uploaded) -> StartedRun | None:
    claims: list[dict[str, Any]] = []
    pages = target.dynamodb.get_paginator("query").paginate(
        TableName=target.table,
        IndexName=INDEX,
        KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": "key"},
        ExpressionAttributeValues={":key": {"S": uploaded.key}},
    )
    read = TypeDeserializer().deserialize
    for page in pages:
        claims += [{name: read(value) for name, value in item.items()} for item in page["Items"]]
    of_version = [
        claim for claim in claims if uploaded.version_id and claim.get("version_id") == uploaded.version_id
    ]
    # Without a version, by time: the object's own, so that this machine's clock plays no part.
    newer = [
        claim
        for claim in claims
        if not claim.get("version_id")
        and claim.get("etag", uploaded.etag).strip('"') == uploaded.etag
        and datetime.fromisoformat(claim["claimed_at"]) >= uploaded.modified_at
    ]
    chosen = max(of_version or newer, key=lambda claim: str(claim["claimed_at"]), default=None)
    if chosen is None or not chosen.get("run_id"):
        return None
    return StartedRun(str(chosen["run_id"]), str(chosen["owner"]))
