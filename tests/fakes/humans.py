"""Amazon A2I in memory: human loops that tests end as they like, and the book of who waits for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storycast import keys
from storycast.ports import HumanLoop, LoopFacts
from tests.fakes.store import MemoryStore

FLOW = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/storycast"


class MemoryLoopBook:
    """A :class:`~storycast.ports.LoopBook` in a dictionary."""

    def __init__(self) -> None:
        self.loops: dict[str, HumanLoop] = {}

    def put(self, loop: HumanLoop) -> None:
        there = self.loops.get(loop.name)
        if there is None or there.started_at <= loop.started_at:
            self.loops[loop.name] = loop

    def get(self, name: str) -> HumanLoop | None:
        return self.loops.get(name)


@dataclass
class FakeHumans:
    """:class:`~storycast.ports.HumanReviews`; loops stay in progress until the test ends them."""

    store: MemoryStore
    loops: dict[str, LoopFacts] = field(default_factory=dict)
    content: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def start(self, name: str, flow_definition_arn: str, content: str) -> bool:
        if name in self.loops:
            return False
        self.loops[name] = LoopFacts(name, "InProgress", flow_definition_arn)
        self.content[name] = json.loads(content)
        self.started.append(name)
        return True

    def facts(self, name: str) -> LoopFacts | None:
        return self.loops.get(name)

    def stop(self, name: str) -> None:
        if name in self.loops and self.loops[name].status == "InProgress":
            self.end(name, "Stopping")

    def complete(self, name: str, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Let workers ``w1``, ``w2``, ... answer, and return the event's detail."""
        output = {
            "flowDefinitionArn": FLOW,
            "humanAnswers": [
                {
                    "answerContent": dict(answer),
                    "workerId": f"w{number}",
                    "submissionTime": "2026-01-02T12:00:00.000Z",
                }
                for number, answer in enumerate(answers, 1)
            ],
            "humanLoopName": name,
            "inputContent": self.content.get(name, {}),
        }
        return self.complete_with(name, json.dumps(output).encode())

    def complete_with(self, name: str, output: bytes) -> dict[str, Any]:
        """Write these very bytes as the answers, and return the event's detail."""
        key = f"{keys.A2I_OUTPUT}storycast/2026/01/02/12/00/00/{name}/output.json"
        self.store.put(key, output, "application/json")
        return self.end(name, "Completed", output_uri=f"s3://{self.store.bucket}/{key}")

    def end(self, name: str, status: str, *, failure: str = "", output_uri: str = "") -> dict[str, Any]:
        """End a loop, and return the event's detail."""
        there = self.loops.get(name, LoopFacts(name, "InProgress", FLOW))
        self.loops[name] = replace(there, status=status, failure=failure, output_uri=output_uri)
        return {
            "creationTime": "2026-01-02T12:00:00.000Z",
            "failureCode": "InternalError" if failure else None,
            "failureReason": failure or None,
            "flowDefinitionArn": there.flow_definition_arn,
            "humanLoopArn": f"arn:aws:sagemaker:us-east-1:123456789012:human-loop/{name}",
            "humanLoopName": name,
            "humanLoopOutput": {"outputS3Uri": output_uri} if output_uri else None,
            "humanLoopStatus": status,
        }


def answer(verdicts: Mapping[str, str], captions: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a worker's answer as the template's fields send it: radio buttons and texts."""
    said: dict[str, Any] = {
        f"verdict-{crop_id}": {"keep": verdict == "keep", "drop": verdict == "drop"}
        for crop_id, verdict in verdicts.items()
    }
    return {**said, **{f"caption-{crop_id}": text for crop_id, text in (captions or {}).items()}}
