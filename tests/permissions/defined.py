"""What the roles of state machines and rules do: no call on the wire, so that the definitions have to say it."""

import json
from collections.abc import Iterator
from typing import Any

from local.policies import Need
from local.servers import ACCOUNT_ID, REGION
from tests.permissions.granted import STACK, of_type, resolved
from tests.workflow.files import State, machines, states, template

_STATES = f"arn:aws:states:{REGION}:{ACCOUNT_ID}"
_RULE = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
_MEDIA = "arn:aws:s3:::<MediaBucket>"


def needs_of_machines() -> Iterator[tuple[str, Need]]:
    """Yield what each machine's role needs, by its states."""
    for machine in machines():
        role = f"{machine.title().replace('_', '')}StateMachineRole"
        for state in states():
            if state.machine == machine:
                yield from ((role, need) for need in _needs(state, f"{STACK}-{machine.replace('_', '-')}"))


def needs_of_rules() -> Iterator[tuple[str, Need]]:
    """Yield what each rule's role needs, by its target."""
    for rule in of_type("AWS::Events::Rule").values():
        for target in rule["Properties"]["Targets"]:
            if "RoleArn" in target:
                yield target["RoleArn"]["Fn::GetAtt"][0], Need("states:StartExecution", resolved(target["Arn"]))


def _needs(state: State, machine: str) -> Iterator[Need]:
    body = state.body
    if body["Type"] == "Task":
        yield from _needs_of_task(body)
    if reader := body.get("ItemReader"):
        yield Need("s3:GetObject", f"{_MEDIA}/runs/a-run/{_items_file(reader['Parameters'])}")
    if writer := body.get("ResultWriter"):
        folder = writer["Parameters"]["Prefix.$"].partition("'")[2].partition("'")[0].replace("{}", "a-run")
        for action in ("PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload"):
            yield Need(f"s3:{action}", f"{_MEDIA}/{folder}/a-map-run/SUCCEEDED_0.json")
    if body.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        yield Need("states:StartExecution", f"{_STATES}:stateMachine:{machine}")
        for action in ("DescribeExecution", "StopExecution"):
            # AWS names the first form for a map's children; those of this machine are called by the second.
            yield Need(f"states:{action}", f"{_STATES}:execution:{machine}:child")
            yield Need(f"states:{action}", f"{_STATES}:execution:{machine}/label:child")


def _needs_of_task(body: dict[str, Any]) -> Iterator[Need]:
    resource = body["Resource"]
    arguments = body.get("Parameters") or body.get("Arguments") or {}
    if "lambda:invoke" in resource:
        (placeholder,) = [arguments[name] for name in arguments if name.startswith("FunctionName")]
        function = placeholder.strip("${}").removesuffix("Arn")
        yield Need("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:<{function}>")
    elif "states:startExecution" in resource:
        placeholder = next(arguments[name] for name in arguments if name.startswith("StateMachineArn"))
        child = resolved(template()["Resources"][placeholder.strip("${}")]["Properties"]["Name"])
        yield Need("states:StartExecution", f"{_STATES}:stateMachine:{child}")
        for action in ("DescribeExecution", "StopExecution"):
            yield Need(f"states:{action}", f"{_STATES}:execution:{child}:an-execution")
        for action in ("PutTargets", "PutRule", "DescribeRule"):
            yield Need(f"events:{action}", _RULE)
    else:
        raise AssertionError(f"A task that calls something else: {json.dumps(resource)}")


def _items_file(parameters: dict[str, str]) -> str:
    """`$.frames.frames_key` is the key of the run's `frames.jsonl`: each function that returns one wrote it."""
    return parameters["Key.$"].rpartition(".")[2].removesuffix("_key") + ".jsonl"
