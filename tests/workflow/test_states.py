"""The state machine as a graph, and its words against the code's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from storycast import errors
from tests.workflow.definition import ROOT, Placed, all_states, machine, template

STATES = list(all_states())
TASKS = [placed for placed in STATES if placed.state["Type"] == "Task"]
MAPS = [placed for placed in STATES if placed.state["Type"] == "Map"]
DISTRIBUTED = [p for p in MAPS if p.state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"]

RAISED_BY_LAMBDA = {
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.SdkClientException",
    "Lambda.AWSLambdaException",
}
"""What only AWS raises when it invokes a function."""
OF_AWS = {*RAISED_BY_LAMBDA, "Lambda.Unknown", "Sandbox.Timedout", "States.Timeout"}
EXPRESS_BUDGET_S = 240


def names(placed: Placed) -> str:
    return placed.name


def leaves(root: type[BaseException]) -> set[str]:
    below = root.__subclasses__()
    return set().union(*map(leaves, below)) if below else {root.__name__}


def function_of(placed: Placed) -> str:
    (name,) = re.findall(r"\$\{(\w+)FunctionArn\}", placed.state["Parameters"]["FunctionName"])
    return str(name)


def folder_of(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def targets(state: dict[str, Any]) -> Iterator[str]:
    for step in [state, *state.get("Choices", ()), *state.get("Catch", ())]:
        yield from (step[key] for key in ("Next", "Default") if key in step)


@pytest.mark.parametrize("placed", STATES, ids=names)
def test_every_state_has_a_comment(placed: Placed) -> None:
    assert len(placed.state.get("Comment", "")) > 15


def test_every_state_is_reached_and_every_target_exists() -> None:
    def check(level: dict[str, Any]) -> None:
        reached, open_ends = set(), [level["StartAt"]]
        while open_ends:
            name = open_ends.pop()
            if name not in reached:
                reached.add(name)
                open_ends += targets(level["States"][name])
        assert reached == set(level["States"])
        for state in level["States"].values():
            if "ItemProcessor" in state:
                check(state["ItemProcessor"])

    check(machine())


@pytest.mark.parametrize("placed", TASKS, ids=names)
def test_a_task_its_folder_its_logical_id_and_its_placeholder_share_a_name(placed: Placed) -> None:
    function = function_of(placed)
    assert (ROOT / "functions" / folder_of(function) / "app.py").exists()
    assert f"{function}Function" in template()["Resources"]
    substitutions = template()["Resources"]["BuildDatasetStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert substitutions[f"{function}FunctionArn"] == {"Fn::GetAtt": [f"{function}Function", "Arn"]}
    # The one Task in a Map of one step has a name of its own; the function is named after the Map.
    owners = [p.name for p in MAPS if placed.name in p.state["ItemProcessor"]["States"]]
    assert function == placed.name or [function] == owners


def test_every_function_belongs_to_a_state_or_to_the_rule_on_failures() -> None:
    functions = {
        logical_id.removesuffix("Function")
        for logical_id, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert functions - {function_of(placed) for placed in TASKS} == {"RecordFailure"}
    assert {folder.name for folder in (ROOT / "functions").iterdir() if (folder / "app.py").exists()} == {
        folder_of(name) for name in functions
    }


@pytest.mark.parametrize("placed", TASKS, ids=names)
def test_every_task_has_a_timeout_and_retries_what_may_pass(placed: Placed) -> None:
    assert placed.state["TimeoutSeconds"] > 0
    retried = [set(retrier["ErrorEquals"]) for retrier in placed.state["Retry"]]
    assert leaves(errors.RetryableError) | RAISED_BY_LAMBDA <= retried[0]
    for retrier in placed.state["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"


def test_error_names_are_leaf_classes_or_awss_own() -> None:
    named = {
        error
        for placed in STATES
        for handler in [*placed.state.get("Retry", ()), *placed.state.get("Catch", ())]
        for error in handler["ErrorEquals"]
    } | {placed.state["Error"] for placed in STATES if placed.state["Type"] == "Fail"}
    assert named <= leaves(errors.StorycastError) | OF_AWS
    assert leaves(errors.RetryableError) <= named


def test_a_function_ends_before_its_state_gives_up() -> None:
    resources = template()["Resources"]
    for placed in TASKS:
        timeout = resources[f"{function_of(placed)}Function"]["Properties"].get(
            "Timeout", template()["Globals"]["Function"]["Timeout"]
        )
        assert timeout <= placed.state["TimeoutSeconds"], placed.name


def test_express_children_end_in_time_at_their_worst() -> None:
    for distributed in DISTRIBUTED:
        if distributed.state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] != "EXPRESS":
            continue
        worst_s = 0.0
        for state in distributed.state["ItemProcessor"]["States"].values():
            if state["Type"] != "Task":
                continue
            worst_s += state["TimeoutSeconds"]
            for retrier in state["Retry"]:
                for attempt in range(retrier["MaxAttempts"]):
                    wait_s = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt
                    worst_s += state["TimeoutSeconds"] + min(wait_s, retrier.get("MaxDelaySeconds", wait_s))
        assert worst_s < EXPRESS_BUDGET_S, distributed.name


@pytest.mark.parametrize("placed", DISTRIBUTED, ids=names)
def test_a_distributed_map_loses_nothing_in_silence(placed: Placed) -> None:
    state = placed.state
    assert state["ToleratedFailurePercentage"] == 100
    assert state["ResultPath"] is None
    assert state["ResultWriter"]["Parameters"]["Prefix.$"].startswith("States.Format('runs/{}/map-runs/")
    assert re.fullmatch(r"\$\.concurrency\.(segments|frames|captions)", state["MaxConcurrencyPath"])
    assert state["ItemReader"]["ReaderConfig"] == {"InputType": "JSONL"}
    assert state["Label"] == placed.name
    assert len(placed.name) <= 40
    # Children can't read outer variables: all they need comes by the selector.
    assert set(state["ItemSelector"]) >= {"run_id.$"}


def test_no_task_keeps_a_functions_whole_answer_beside_its_input() -> None:
    """What a state passes on is chosen, so that it stays far below 32 KB."""
    for placed in TASKS:
        state = placed.state
        assert (
            state.get("ResultPath", "$") is None or "ResultSelector" in state or state["OutputPath"] == "$.Payload"
        )


def test_outcomes_a_user_should_expect_have_ends_of_their_own() -> None:
    ends = {p.name: p.state["Error"] for p in STATES if p.state["Type"] == "Fail"}
    assert ends["NoFrames"] == "NoFramesError"
    assert ends["NoCharacters"] == "NoCharactersError"
    assert {name for name, error in ends.items() if error == "NotYetAvailableError"} == {
        "PageReviewMissing",
        "A2iReviewMissing",
        "TrainingMissing",
    }
