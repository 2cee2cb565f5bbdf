"""A scripted Step Functions whose requests and answers fit AWS's own model."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:storycast-build-dataset"
TRAIN_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:storycast-train-model"
TEAR_DOWN_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:storycast-tear-down"


def definition_of(name: str) -> dict[str, Any]:
    """Return the repository's own definition of a machine, such as ``train_model``."""
    path = Path(__file__).parents[2] / "statemachine" / f"{name}.asl.json"
    definition: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return definition


class FakeStepFunctions:
    """A scripted Step Functions; requests and answers are checked against botocore's model.

    It plays one execution of one machine; further ones, each a fake of its own, are its :attr:`others`.
    """

    def __init__(self, definition: dict[str, Any], machine_arn: str = MACHINE_ARN) -> None:
        self.machine_arn = machine_arn
        self.others: dict[str, FakeStepFunctions] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.definition = definition
        self.events: list[dict[str, Any]] = []
        self.map_runs: dict[str, dict[str, Any]] = {}
        self.status = "RUNNING"
        self.ended: dict[str, Any] = {}
        self.now = BEGAN
        self.execution_arn = machine_arn.replace("stateMachine", "execution") + ":run"
        self.steps: list[Callable[[], None]] = []
        self.page_size = 1000
        self._model = botocore.session.get_session().get_service_model("stepfunctions")

    # ---- scripting

    def beside(self, other: "FakeStepFunctions") -> "FakeStepFunctions":
        """Play another machine's execution, too."""
        self.others[other.machine_arn] = self.others[other.execution_arn] = other
        other.calls = self.calls
        return other

    def event(self, kind: str, seconds: float = 1.0, **details: Any) -> None:
        self.now += timedelta(seconds=seconds)
        self.events.append({"id": len(self.events) + 1, "type": kind, "timestamp": self.now, **details})

    def enter(self, name: str) -> None:
        kind = self.definition["States"][name]["Type"]
        self.event(f"{kind}StateEntered", stateEnteredEventDetails={"name": name})

    def leave(self, name: str, **output: Any) -> None:
        kind = self.definition["States"][name]["Type"]
        details = {"name": name, **({"output": json.dumps(output)} if output else {})}
        self.event(f"{kind}StateExited", stateExitedEventDetails=details)

    def submit(self, child: "FakeStepFunctions") -> None:
        """Tell, as AWS does, which execution a nested state started."""
        output = json.dumps({"ExecutionArn": child.execution_arn, "StartDate": 0})
        details = {"resourceType": "states", "resource": "startExecution.sync:2", "output": output}
        self.event("TaskSubmitted", taskSubmittedEventDetails=details)

    def count(self, label: str, *, succeeded: int, failed: int = 0, total: int) -> None:
        arn = f"{MACHINE_ARN.replace('stateMachine', 'mapRun')}/{label}:1f0c"
        zero = dict.fromkeys(("pending", "running", "timedOut", "aborted", "resultsWritten"), 0)
        items = {**zero, "succeeded": succeeded, "failed": failed, "total": total}
        self.map_runs[arn] = {
            "mapRunArn": arn,
            "executionArn": self.execution_arn,
            "status": "RUNNING" if succeeded + failed < total else "SUCCEEDED",
            "startDate": self.now,
            "maxConcurrency": 8,
            "toleratedFailurePercentage": 100.0,
            "toleratedFailureCount": 0,
            "itemCounts": items,
            "executionCounts": items,
        }

    def end(self, status: str = "SUCCEEDED", error: str = "", cause: str = "") -> None:
        self.now += timedelta(seconds=1)
        self.status = status
        self.ended = {"stopDate": self.now, **({"error": error, "cause": cause} if error else {})}

    # ---- the calls that the command makes

    def start_execution(self, **request: Any) -> Any:
        if request["stateMachineArn"] != self.machine_arn:
            started = self.others[request["stateMachineArn"]]
            answer = started.start_execution(**request)
            self.others[started.execution_arn] = started
            return answer
        self.execution_arn = f"{self.machine_arn.replace('stateMachine', 'execution')}:{request['name']}"
        return self._answer("StartExecution", request, {"executionArn": self.execution_arn, "startDate": BEGAN})

    def describe_execution(self, **request: Any) -> Any:
        if other := self.others.get(request["executionArn"]):
            return other.describe_execution(**request)
        if self.steps:
            self.steps.pop(0)()
        answer = {
            "executionArn": self.execution_arn,
            "stateMachineArn": self.machine_arn,
            "status": self.status,
            "startDate": BEGAN,
            **self.ended,
        }
        return self._answer("DescribeExecution", request, answer)

    def describe_state_machine_for_execution(self, **request: Any) -> Any:
        if other := self.others.get(request["executionArn"]):
            return other.describe_state_machine_for_execution(**request)
        answer = {
            "stateMachineArn": self.machine_arn,
            "name": self.machine_arn.rsplit(":", 1)[-1],
            "definition": json.dumps(self.definition),
            "roleArn": "arn:aws:iam::123456789012:role/machine",
            "updateDate": BEGAN,
        }
        return self._answer("DescribeStateMachineForExecution", request, answer)

    def describe_state_machine(self, **request: Any) -> Any:
        answer = {
            "stateMachineArn": request["stateMachineArn"],
            "name": request["stateMachineArn"].rsplit(":", 1)[-1],
            "status": "ACTIVE",
            "definition": json.dumps(self.definition),
            "roleArn": "arn:aws:iam::123456789012:role/machine",
            "type": "STANDARD",
            "creationDate": BEGAN,
        }
        return self._answer("DescribeStateMachine", request, answer)

    def get_execution_history(self, **request: Any) -> Any:
        if other := self.others.get(request["executionArn"]):
            return other.get_execution_history(**request)
        assert request["reverseOrder"]
        at = int(request.get("nextToken", 0))
        newest_first = self.events[::-1]
        answer: dict[str, Any] = {"events": newest_first[at : at + self.page_size]}
        if at + self.page_size < len(newest_first):
            answer["nextToken"] = str(at + self.page_size)
        return self._answer("GetExecutionHistory", request, answer)

    def list_map_runs(self, **request: Any) -> Any:
        if other := self.others.get(request["executionArn"]):
            return other.list_map_runs(**request)
        names = ("executionArn", "mapRunArn", "startDate")
        listed = [
            {**{name: run[name] for name in names}, "stateMachineArn": MACHINE_ARN}
            for run in self.map_runs.values()
        ]
        return self._answer("ListMapRuns", request, {"mapRuns": listed})

    def describe_map_run(self, **request: Any) -> Any:
        return self._answer("DescribeMapRun", request, self.map_runs[request["mapRunArn"]])

    def stop_execution(self, **request: Any) -> Any:
        if other := self.others.get(request["executionArn"]):
            return other.stop_execution(**request)
        self.end("ABORTED", request.get("error", ""), request.get("cause", ""))
        return self._answer("StopExecution", request, {"stopDate": self.now})

    def send_task_success(self, **request: Any) -> Any:
        return self._answer("SendTaskSuccess", request, {})

    def _answer(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, request))
        model = self._model.operation_model(operation)
        for what, shape in ((request, model.input_shape), (answer, model.output_shape)):
            assert shape
            report = ParamValidator().validate(what, shape)
            assert not report.has_errors(), report.generate_report()
        return answer


DEFINITION: dict[str, Any] = {
    "StartAt": "PrepareRun",
    "States": {
        "NothingFound": {"Type": "Fail", "Error": "NoFramesError"},
        "PrepareRun": {"Type": "Task", "Comment": "Claims the run.", "Next": "IsClaimed"},
        "IsClaimed": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.claimed", "BooleanEquals": False, "Next": "RunsAlready"}],
            "Default": "ProbeFootage",
        },
        "RunsAlready": {"Type": "Succeed"},
        "ProbeFootage": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "ProbeOne", "States": {"ProbeOne": {"Type": "Task", "End": True}}},
            "Next": "SampleFrames",
        },
        "SampleFrames": {
            "Type": "Map",
            "Label": "Segments",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
            "Next": "AnyFrames",
        },
        "AnyFrames": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.frames", "NumericEquals": 0, "Next": "NothingFound"}],
            "Default": "HowToReview",
        },
        "HowToReview": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.review_mode", "StringEquals": "page", "Next": "AskReviewer"}],
            "Default": "ApplyReview",
        },
        "AskReviewer": {"Type": "Task", "Comment": "Waits for a person.", "Next": "ApplyReview"},
        "ApplyReview": {"Type": "Task", "Next": "DatasetReady"},
        "DatasetReady": {"Type": "Succeed"},
    },
}
