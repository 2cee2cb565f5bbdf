"""What a test process leaves for those who look at all calls, rights and logs afterwards (`tests/permissions`)."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from local.tools import REPOSITORY
from tests.permissions.secret import secret_of

CALLS = REPOSITORY / ".storycast/calls"
"""A folder for the end-to-end tests and one for those that need the trainer; `make` empties each at its start."""


def keep_logs(aws: EmbeddedAws, suite: str) -> None:
    """Keep what functions and state machines logged; while it is up."""
    logs = aws.client("logs")
    with _left(suite, "functions.log").open("w", encoding="utf-8") as kept:
        for group in logs.describe_log_groups()["logGroups"]:
            for line in _lines(logs, group["logGroupName"]):
                kept.write(line.rstrip("\n") + "\n")


def keep_secrets(aws: EmbeddedAws, suite: str) -> None:
    """Keep what must not be in a log: task tokens, functions' secret keys, captions; while it is up."""
    tokens, captions = set(), set()
    for page in aws.client("dynamodb").get_paginator("scan").paginate(TableName=aws.outputs["ReviewTableName"]):
        tokens |= {item["task_token"]["S"] for item in page["Items"] if "task_token" in item}
    s3, bucket = aws.client("s3"), aws.outputs["MediaBucketName"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="footage/"):
        for item in page.get("Contents", ()):
            if "/captions-" in item["Key"] and item["Key"].endswith(".json"):
                captions.add(json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())["caption"])
    functions = aws.client("lambda").get_paginator("list_functions").paginate()
    keys = {secret_of(one["FunctionArn"], one["Role"]) for page in functions for one in page["Functions"]}
    secrets = {"a task token": tokens, "a function's secret key": keys, "a caption": captions}
    told = {what: sorted(texts) for what, texts in secrets.items()}
    _left(suite, "secrets.json").write_text(json.dumps(told), encoding="utf-8")


def keep_files(state_dir: Path, suite: str) -> None:
    """Keep the gateway's record of calls, the rights that stand-ins were asked for, and the servers' own logs."""
    for name in ("gateway.jsonl", "rights.jsonl"):
        if (written := state_dir / name).exists():
            shutil.copy(written, _left(suite, name))
    with _left(suite, "servers.log").open("wb") as kept:
        for log in sorted((state_dir / "logs").glob("*.log")):
            kept.write(log.read_bytes())


def _left(suite: str, name: str) -> Path:
    folder = CALLS / suite
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{os.getpid()}.{name}"


def _lines(logs: Any, group: str) -> Iterator[str]:
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        yield from (event["message"] for event in page["events"])
