"""The deployed stack as a test uses it: put a film, start, wait, read what the run left."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.embedded_aws import EmbeddedAws
from storycast.adapters.review_log import DynamoReviewLog
from storycast.adapters.s3 import S3Store
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.review import read_review
from storycast.review_desk import ReviewDesk

UNREVIEWED = "review: {mode: auto, minimum_per_character: 0}\n"
PAID = ("DetectLabels", "InvokeModel", "Converse")
DEADLINE_S = 480.0
"""For a machine that is busy with much else: the longest takes 100 s beside others."""


@dataclass(frozen=True)
class Ended:
    """How an execution ended."""

    arn: str
    status: str
    error: str
    cause: str
    output: Any


class Stack:
    """The stack on one embedded AWS."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.bucket = aws.outputs["MediaBucketName"]
        self.machine = aws.outputs["BuildDatasetArn"]
        self.train_machine = aws.outputs["TrainModelArn"]
        self.tear_down_machine = aws.outputs["TearDownArn"]
        self.s3 = aws.client("s3")
        self.states = aws.client("stepfunctions")

    def put(self, key: str, content: bytes | Path) -> dict[str, Any]:
        body = content.read_bytes() if isinstance(content, Path) else content
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def start(self, **request: Any) -> str:
        """Start an execution by hand and return its ARN."""
        return self._start(self.machine, request)

    def train(self, run_id: str, **request: Any) -> str:
        """Start a training session and return its ARN."""
        return self._start(self.train_machine, {"run_id": run_id, **request})

    def tear_down(self, **request: Any) -> Ended:
        """Tear down and wait for the end."""
        return self.wait(self._start(self.tear_down_machine, request))

    def _start(self, machine: str, request: dict[str, Any]) -> str:
        return self.states.start_execution(stateMachineArn=machine, input=json.dumps(request))["executionArn"]

    def start_with(self, film: Path, project: str, run_id: str, settings: str = "") -> str:
        """Put a film under ``incoming/`` and its project's settings, and start a run.

        Nobody is asked to review it unless the settings say so.
        """
        settings += "" if "review:" in settings else UNREVIEWED
        self.put(f"projects/{project}/project.yaml", settings.encode())
        key = f"incoming/{run_id}/{film.name}"
        self.put(key, film)
        return self.start(project=project, footage=[key], run_id=run_id)

    def run(self, film: Path, project: str, run_id: str, settings: str = "") -> Ended:
        return self.wait(self.start_with(film, project, run_id, settings))

    def desk(self, run_id: str, client: Callable[[str], Any] | None = None) -> ReviewDesk:
        """Return a desk of a run's review, once it waits for it; ``client`` gives a reviewer's own clients."""
        self.wait_until("the review", lambda: self.record_if_there(run_id).get("status") == "in_review")
        of = client or self.aws.client
        store = S3Store(self.bucket, of("s3"))
        return ReviewDesk(
            read_review(store, run_id),
            log=DynamoReviewLog(self.aws.outputs["ReviewTableName"], of("dynamodb")),
            callbacks=StepFunctionsCallbacks(of("stepfunctions")),
            store=store,
            clock=lambda: datetime.now(UTC),
        )

    def executions(self, machine: str | None = None) -> list[str]:
        listed = self.states.list_executions(stateMachineArn=machine or self.machine)["executions"]
        return [execution["executionArn"] for execution in listed]

    def entered(self, arn: str) -> list[str]:
        """Names of the states that an execution has entered so far, in order."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]

    def is_at_work(self, machine: str) -> bool:
        """Whether any execution of a machine runs."""
        return bool(self.states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"])

    def wait_until(self, what: str, is_so: Callable[[], Any], seconds: float = DEADLINE_S) -> Any:
        """Wait until something is so, and return what was told."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if told := is_so():
                return told
            time.sleep(0.1)
        raise AssertionError(f"{what}: not so after {seconds:g} s")

    def wait(self, arn: str) -> Ended:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = self.states.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                cause = found.get("cause", "")
                output = json.loads(found["output"]) if found["status"] == "SUCCEEDED" else None
                return Ended(arn, found["status"], found.get("error", ""), cause, output)
            time.sleep(0.25)
        raise AssertionError(f"{arn} still runs after {DEADLINE_S:g} s")

    def wait_for_new_execution(self, before: list[str]) -> str:
        (new,) = self.wait_until(
            "a new execution", lambda: [arn for arn in self.executions() if arn not in before]
        )
        return new

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def record(self, run_id: str) -> dict[str, Any]:
        return json.loads(self.read(f"runs/{run_id}/run.json"))

    def record_if_there(self, run_id: str) -> dict[str, Any]:
        """Return a run's record, an empty one where there is none yet."""
        try:
            return self.record(run_id)
        except self.s3.exceptions.NoSuchKey:
            return {}

    def lines(self, run_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(f"runs/{run_id}/{name}").splitlines()]

    def paid_calls(self, since: int = 0) -> Counter[str]:
        """Successful paid calls by operation, from the stand-ins' log."""
        return Counter(call["operation"] for call in self._calls(since) if call["paid"])

    def calls_so_far(self) -> int:
        return sum(1 for _ in self._calls(0))

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """What the stand-ins were asked, from the call of that number on."""
        return list(self._calls(since))

    def _calls(self, since: int) -> Iterator[dict[str, Any]]:
        told = self.standins(f"calls?since={since}")
        yield from told["calls"] if isinstance(told, dict) else told

    def billed(self) -> list[dict[str, Any]]:
        """What the stand-ins would bill by the hour right now."""
        return self.standins("billing")["billed"]

    def standins(self, route: str, content: Any = None, method: str | None = None) -> Any:
        """Ask the stand-ins' own routes; with content it is a POST."""
        body = None if content is None else json.dumps(content).encode()
        asked = urllib.request.Request(f"{self.aws.endpoints.standins}/_storycast/{route}", body, method=method)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def gateway(self, route: str, content: Any = None, method: str | None = None) -> Any:
        """Ask the gateway's own routes; with content it is a POST."""
        body = None if content is None else json.dumps(content).encode()
        asked = urllib.request.Request(f"{self.aws.endpoints.gateway}/_gateway/{route}", body, method=method)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read())

    def ask_workers(self, route: str, content: dict[str, Any]) -> Any:
        """Do what a worker, or a test, does to a human loop of A2I's stand-in."""
        url = f"{self.aws.endpoints.standins}/_storycast/a2i/{route}"
        asked = urllib.request.Request(url, json.dumps(content).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)

    def assert_ledger_is_whole(self, run_id: str, final: dict[str, tuple[str, ...]]) -> Counter[tuple[str, str]]:
        """Check that every frame of the lists and every crop of the results is in the ledger exactly once."""
        plan = json.loads(self.read(f"runs/{run_id}/settings.json"))
        ledger = self.lines(run_id, "ledger.jsonl")
        frames, crops = [], []
        for footage in plan["footage"]:
            root = f"footage/{footage['source']['footage_id']}"
            for key in self.keys(f"{root}/frames-{footage['frames']}/"):
                if key.endswith(".jsonl"):
                    frames += [json.loads(line)["frame_id"] for line in self.read(key).splitlines()[1:]]
            for key in self.keys(f"{root}/crops-{footage['crops']}/"):
                if key.endswith(".json"):
                    record = json.loads(self.read(key))
                    crops += [crop["crop_id"] for crop in record["crops"]]
                    crops += [crop_id for crop_id, _ in record["refused"]]
        assert Counter(row["id"] for row in ledger if row["kind"] == "frame") == Counter(frames)
        assert Counter(row["id"] for row in ledger if row["kind"] == "crop") == Counter(crops)
        assert frames
        for row in ledger:
            assert row["outcome"] in final[row["kind"]], row
            assert row["reason"], row
        return Counter((row["kind"], row["outcome"]) for row in ledger)
