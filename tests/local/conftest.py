"""Instances of the embedded AWS with a small application of the tests' own."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.embedded_aws import EmbeddedAws

APP = Path(__file__).parent / "app"
STANDINS = "tests.local.stub_standins"


def small_aws(state_dir: Path, app: Path = APP, **options: Any) -> EmbeddedAws:
    return EmbeddedAws(state_dir, template=app / "template.yaml", stack_name="small", standins=STANDINS, **options)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of an instance that was deployed and brought down again."""
    state_dir = tmp_path_factory.mktemp("deployed")
    with small_aws(state_dir):
        pass
    return state_dir


@pytest.fixture
def state_dir(deployed: Path, tmp_path: Path) -> Path:
    """A copy of the deployed state, which costs no deployment."""
    copy = tmp_path / "state"
    shutil.copytree(deployed, copy)
    (copy / "ports").unlink()
    return copy


@pytest.fixture(scope="module")
def aws(deployed: Path) -> Iterator[EmbeddedAws]:
    with small_aws(deployed) as instance:
        yield instance


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the application, to be changed."""
    copy = tmp_path / "app"
    shutil.copytree(APP, copy)
    return copy


def invoke(aws: EmbeddedAws, output: str, **event: Any) -> Any:
    """Invoke the function that an output names; return its answer, or the error object it raised."""
    answer = aws.client("lambda").invoke(FunctionName=aws.outputs[output], Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def upload(aws: EmbeddedAws, key: str, *lines: dict[str, Any]) -> dict[str, Any]:
    """Upload a JSONL file; return the finished execution that it starts."""
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    aws.client("s3").put_object(Bucket=aws.outputs["BucketName"], Key=key, Body=body)
    stepfunctions = aws.client("stepfunctions")

    def finished() -> dict[str, Any] | None:
        listed = stepfunctions.list_executions(stateMachineArn=aws.outputs["GreetAllMachineArn"])["executions"]
        for item in listed:
            execution: dict[str, Any] = stepfunctions.describe_execution(executionArn=item["executionArn"])
            if json.loads(execution["input"])["detail"]["object"]["key"] == key:
                return execution if execution["status"] != "RUNNING" else None
        return None

    return eventually(finished)


def eventually[T](probe: Callable[[], T | None], seconds: float = 30) -> T:
    """Return the first true answer of a probe."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")
