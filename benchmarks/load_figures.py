"""What a run of `build_dataset` left behind, as figures: times, payloads, histories, objects, requests."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

CHILD_TASKS = {
    "SampleFrames": ("SampleFrames",),
    "ExtractCharacters": ("DetectCharacters", "CropCharacters"),
    "CaptionImages": ("CaptionImages",),
}
"""Functions of a Distributed Map's child, in order."""
_THREADS = 4


@dataclass
class Payloads:
    """Sizes of what states pass on, in bytes of UTF-8."""

    largest: dict[str, int] = field(default_factory=dict)
    """By where it was: a state's input or output, a child's, a function's answer."""

    def see(self, where: str, text: str | None) -> None:
        """Take in one payload."""
        self.largest[where] = max(self.largest.get(where, 0), len((text or "").encode()))

    @property
    def most(self) -> tuple[str, int]:
        """Where the largest was, and how large it is."""
        return max(self.largest.items(), key=lambda item: item[1], default=("", 0))


@dataclass
class History:
    """What the histories of an execution and of its children tell."""

    state_s: dict[str, float] = field(default_factory=dict)
    """Seconds in each state of the parent, in the order in which they were entered."""
    task_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds of each invocation, waiting for a free worker included, by function."""
    events: int = 0
    """Of the parent."""
    children: Counter[str] = field(default_factory=Counter)
    """By Map and status."""
    payloads: Payloads = field(default_factory=Payloads)


def read_history(states: Any, execution_arn: str) -> History:
    """Read the history of an execution and those of all its children.

    Args:
        states: A client of Step Functions.
        execution_arn: An execution of ``build_dataset``.
    """
    history = History()
    told = states.describe_execution(executionArn=execution_arn)
    history.payloads.see("execution input", told["input"])
    history.payloads.see("execution output", told.get("output"))
    entered: dict[str, datetime] = {}
    state, scheduled = "", datetime.min
    for event in _events(states, execution_arn):
        history.events += 1
        if details := event.get("stateEnteredEventDetails"):
            state = details["name"]
            entered[state] = event["timestamp"]
            history.payloads.see(f"{state} input", details.get("input"))
        elif details := event.get("stateExitedEventDetails"):
            name = details["name"]
            history.state_s[name] = (event["timestamp"] - entered[name]).total_seconds()
            history.payloads.see(f"{name} output", details.get("output"))
        elif event["type"] == "TaskScheduled":
            scheduled = event["timestamp"]
        elif details := event.get("taskSucceededEventDetails"):
            history.payloads.see(f"{state} answer", details.get("output"))
            history.task_s[state].append((event["timestamp"] - scheduled).total_seconds())
    for run in _pages(states.get_paginator("list_map_runs"), "mapRuns", executionArn=execution_arn):
        _read_children(states, run["mapRunArn"], history)
    return history


def _read_children(states: Any, map_run_arn: str, history: History) -> None:
    name = map_run_arn.split(":")[6].partition("/")[2]
    children = list(_pages(states.get_paginator("list_executions"), "executions", mapRunArn=map_run_arn))
    history.children.update(f"{name} {one['status']}" for one in children)
    with ThreadPoolExecutor(_THREADS) as pool:
        arns = [one["executionArn"] for one in children]
        for told, events in pool.map(lambda arn: _child(states, arn), arns):
            history.payloads.see(f"{name} child input", told["input"])
            history.payloads.see(f"{name} child output", told.get("output"))
            scheduled, place = datetime.min, -1
            for event in events:
                if event["type"] == "TaskScheduled":
                    scheduled = event["timestamp"]
                elif details := event.get("taskSucceededEventDetails"):
                    place += 1
                    task = CHILD_TASKS[name][place]
                    history.payloads.see(f"{task} answer", details.get("output"))
                    history.task_s[task].append((event["timestamp"] - scheduled).total_seconds())


def _child(states: Any, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return states.describe_execution(executionArn=arn), list(_events(states, arn))


def _events(states: Any, arn: str) -> Iterator[dict[str, Any]]:
    return _pages(states.get_paginator("get_execution_history"), "events", executionArn=arn)


def _pages(paginator: Any, name: str, **asked: Any) -> Iterator[dict[str, Any]]:
    for page in paginator.paginate(**asked):
        yield from page[name]


@dataclass
class Objects:
    """Objects of the bucket by what they are: how many, and bytes."""

    count: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)


def read_objects(s3: Any, bucket: str) -> Objects:
    """Count what lies in the bucket, by the first folders of its key."""
    objects = Objects()
    for one in _pages_of_objects(s3, bucket):
        kind = _kind(one["Key"])
        objects.count[kind] += 1
        objects.bytes[kind] += one["Size"]
    return objects


def _pages_of_objects(s3: Any, bucket: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", ())


def _kind(key: str) -> str:
    """Return ``footage/frames``, ``runs/dataset`` and so on: no ids, no fingerprints."""
    top, _, rest = key.partition("/")
    parts = rest.split("/")
    if top not in {"footage", "runs"} or len(parts) < 2:
        return top
    return f"{top}/{parts[1].partition('-')[0] if len(parts) > 2 else parts[1].rpartition('.')[2]}"


def read_requests(state_dir: Path) -> Counter[tuple[str, str, str]] | None:
    """Count the requests that went through the gateway, by function, service and operation.

    Returns:
        None where the instance has no gateway.
    """
    path = state_dir / "gateway.jsonl"
    if not path.exists():
        return None
    counted: Counter[tuple[str, str, str]] = Counter()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            counted[one.get("function") or "", one["service"], one["operation"]] += 1
    return counted
