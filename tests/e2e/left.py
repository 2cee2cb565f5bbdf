"""What a test process leaves for those who look at all calls, rights and logs afterwards (`tests/permissions`)."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from local.embedded_aws import EmbeddedAws
from local.tools import REPOSITORY

CALLS = REPOSITORY / ".storycast/calls"
"""A folder for the end-to-end tests and one for those that need the trainer; `make` empties each at its start."""


def keep_logs(aws: EmbeddedAws, suite: str) -> None:
    """Keep what functions and state machines logged; while it is up."""
    logs = aws.client("logs")
    with _left(suite, "functions.log").open("w", encoding="utf-8") as kept:
        for group in logs.describe_log_groups()["logGroups"]:
            for line in _lines(logs, group["logGroupName"]):
                kept.write(line.rstrip("\n") + "\n")


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


def _lines(logs: object, group: str) -> Iterator[str]:
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        yield from (event["message"] for event in page["events"])
