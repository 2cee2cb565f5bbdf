"""The state machines as graphs, and against the functions and errors that they name."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, get_args

import botocore.session
import pytest

import storycast.errors
from storycast.errors import RetryableError, StorycastError
from storycast.settings import Training
from storycast.stages import end_billed
from storycast.teardown import TearDownRequest
from storycast.training import JobStatus, ThroughputStatus
from tests.workflow.files import ROOT, State, machines, resources, scopes, states

LAMBDA_SERVICE_ERRORS = {
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.SdkClientException",
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
}
"""What AWS's documentation tells every Task that invokes a function to retry."""
WORKER_LOST = {"Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout", "Lambda.Unknown"}
"""How the end of a function's worker at work is told: killed, out of memory, out of time; the last name is the
one that Step Functions' documentation has for all of them."""
STEP_FUNCTIONS_ERRORS = {
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.SdkClientException",
    "StepFunctions.AWSStepFunctionsException",
}
"""The same of a Task that starts an execution: the Java SDK's names, under which Step Functions reports them."""
AWS_ERRORS = (
    LAMBDA_SERVICE_ERRORS
    | STEP_FUNCTIONS_ERRORS
    | WORKER_LOST
    | {
        "States.ALL",
        "States.TaskFailed",
        "States.Timeout",
        "States.HeartbeatTimeout",
        "States.ItemReaderFailed",
        "States.ResultWriterFailed",
        "States.ExceedToleratedFailureThreshold",
        "States.DataLimitExceeded",
        "States.Permissions",
    }
)
MAX_TRAINING_HOURS = next(rule.le for rule in Training.model_fields["max_hours"].metadata if hasattr(rule, "le"))
EXPRESS_LIMIT_S = 240
"""An Express child ends after five minutes whatever it does; a minute is left for cold starts."""


def _leaves(kind: type[StorycastError] = StorycastError) -> Iterator[type[StorycastError]]:
    for child in kind.__subclasses__():
        if child.__module__ == storycast.errors.__name__:
            yield from _leaves(child) if child.__subclasses__() else [child]


LEAVES = {error.__name__ for error in _leaves()}
RETRYABLE = {error.__name__ for error in _leaves(RetryableError)}
STATES = states()
ALL_TASKS = [state for state in STATES if state.body["Type"] == "Task"]
INVOKE = "arn:aws:states:::lambda:invoke"
TASKS = [state for state in ALL_TASKS if state.body["Resource"] in {INVOKE, f"{INVOKE}.waitForTaskToken"}]
WAITING = [task for task in TASKS if task.body["Resource"].endswith(".waitForTaskToken")]
"""States that wait for people."""
NESTED = [state for state in ALL_TASKS if state not in TASKS]
"""States that run another machine and wait for its end."""
MAPS = [state for state in STATES if state.body["Type"] == "Map"]
DISTRIBUTED = [
    state for state in MAPS if state.body["ItemProcessor"].get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
]


def _next(state: dict[str, Any]) -> list[str]:
    choices = [choice["Next"] for choice in state.get("Choices", ())]
    catches = [catch["Next"] for catch in state.get("Catch", ())]
    ways = [state[key] for key in ("Next", "Default") if key in state]
    return [*ways, *choices, *catches]


def _function(task: State) -> str:
    """Return the logical id of the function that a Task invokes."""
    named = task.body["Parameters"]["FunctionName"]
    match = re.fullmatch(r"\$\{(\w+)Arn\}", named)
    assert match, f"{task}: {named}"
    return match[1]


def _snake(words: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", words).lower()


def _attempts_s(task: State) -> float:
    """Return the longest time that a Task can take: each attempt to its timeout, and the longest waits."""
    attempts, waits = 1, 0.0
    for retrier in task.body["Retry"]:
        for attempt in range(retrier["MaxAttempts"]):
            wait = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2) ** attempt
            waits += min(wait, retrier.get("MaxDelaySeconds", wait))
            attempts += 1
    return float(attempts * task.body["TimeoutSeconds"] + waits)


# ---- the graph ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "graph"), list(scopes()))
def test_every_state_is_reached_and_every_way_leads_somewhere(name: str, graph: dict[str, Any]) -> None:
    reached, waiting = set(), [graph["StartAt"]]
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting += _next(graph["States"][at])
    assert reached == set(graph["States"]), name


@pytest.mark.parametrize(("name", "graph"), list(scopes()))
def test_every_graph_has_an_end(name: str, graph: dict[str, Any]) -> None:
    ends = [s for s in graph["States"].values() if s.get("End") or s["Type"] in {"Succeed", "Fail"}]
    assert ends, name
    for state_name, state in graph["States"].items():
        ways = _next(state)
        assert bool(ways) != bool(state.get("End") or state["Type"] in {"Succeed", "Fail"}), state_name


@pytest.mark.parametrize("state", STATES, ids=str)
def test_every_state_says_what_it_is_for(state: State) -> None:
    assert len(state.body.get("Comment", "")) > 15
    assert state.body["Comment"].endswith(".")


def test_no_name_is_given_twice() -> None:
    for machine in machines():
        names = [state.name for state in STATES if state.machine == machine]
        inline = {state.path[0] for state in MAPS}
        assert len(names) == len(set(names)), inline


def test_machines_have_no_timeout_and_speak_jsonpath() -> None:
    for machine in machines().values():
        assert machine["Comment"]
        assert "TimeoutSeconds" not in machine
        assert machine.get("QueryLanguage", "JSONPath") == "JSONPath"


# ---- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_tasks_function_has_a_folder_and_a_resource_of_its_name(task: State) -> None:
    function = _function(task)
    assert function in resources("AWS::Serverless::Function")
    assert (ROOT / "functions" / _snake(function.removesuffix("Function")) / "app.py").is_file()


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_task_is_named_after_its_function(task: State) -> None:
    """A child that alone does its map's work is ``<Verb>One<Item>`` in the map of the function's name."""
    function = _function(task).removesuffix("Function")
    if task.name == function:
        return
    assert task.path[-2] == function, f"{task} invokes {function}"
    verb = re.match(r"[A-Z][a-z]+", function)
    assert verb
    assert re.fullmatch(rf"{verb[0]}One[A-Z][a-z]+", task.name)


def test_every_function_is_a_task_or_started_by_a_rule() -> None:
    functions = resources("AWS::Serverless::Function")
    invoked = {_function(task) for task in TASKS}
    by_rule = {name for name, one in functions.items() if one["Properties"].get("Events")}
    assert invoked | by_rule == set(functions)
    assert not invoked & by_rule
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == {_snake(name.removesuffix("Function")) for name in functions}


def test_placeholders_and_substitutions_are_the_same() -> None:
    for logical, one in resources("AWS::Serverless::StateMachine").items():
        text = (ROOT / one["Properties"]["DefinitionUri"]).read_text()
        asked = set(re.findall(r"\$\{(\w+)\}", text))
        assert asked == set(one["Properties"]["DefinitionSubstitutions"]), logical
        for name, value in one["Properties"]["DefinitionSubstitutions"].items():
            expected: Any = {"Ref": name}
            if name.endswith("FunctionArn"):
                expected = {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]}
            assert value == expected


# ---- errors ---------------------------------------------------------------------------------------


def _named_errors(state: State) -> set[str]:
    handlers = chain(state.body.get("Retry", ()), state.body.get("Catch", ()))
    named = {error for handler in handlers for error in handler["ErrorEquals"]}
    return named | ({state.body["Error"]} if state.body["Type"] == "Fail" and "Error" in state.body else set())


@pytest.mark.parametrize("state", [state for state in STATES if _named_errors(state)], ids=str)
def test_every_error_is_a_leaf_of_ours_or_aws_own(state: State) -> None:
    assert _named_errors(state) <= LEAVES | AWS_ERRORS


def test_the_leaves_of_the_error_tree_are_what_is_raised() -> None:
    """An inner class has a name that no state machine may use, so nobody may raise it."""
    inner = {"StorycastError", "RetryableError", "BadInputError", "RunFailedError"}
    assert len(LEAVES) > 15
    for path in (ROOT / "layers/storycast/storycast").rglob("*.py"):
        raised = set(re.findall(r"raise (\w+)\(", path.read_text()))
        assert not raised & inner, path


@pytest.mark.parametrize("task", NESTED, ids=str)
def test_a_nested_machine_is_waited_for_longer_than_it_may_take(task: State) -> None:
    """And it is told who started it, so that the console links the two."""
    assert task.body["Resource"] == "arn:aws:states:::states:startExecution.sync:2"
    assert task.body["Parameters"]["StateMachineArn"] == f"${{{task.name}StateMachine}}"
    given = task.body["Parameters"]["Input"]
    assert given["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$"] == "$$.Execution.Id"
    teardown_hours = end_billed.PATIENCE.total_seconds() / 3600
    hours = {"TrainModel": MAX_TRAINING_HOURS + teardown_hours, "TearDown": teardown_hours}[task.name]
    assert task.body["TimeoutSeconds"] > hours * 3600
    assert {error for retrier in task.body["Retry"] for error in retrier["ErrorEquals"]} == STEP_FUNCTIONS_ERRORS


@pytest.mark.parametrize("state", [state for state in STATES if state.body["Type"] == "Wait"], ids=str)
def test_a_poll_loop_waits_long_enough(state: State) -> None:
    """25,000 events of history: nine a turn, as counted on the graph, for as long as a training may take."""
    assert state.body["Seconds"] >= 120
    assert MAX_TRAINING_HOURS * 3600 / state.body["Seconds"] * 9 < 25_000


def test_every_target_that_a_project_may_name_is_trained() -> None:
    choice = machines()["build_dataset"]["States"]["ChooseTraining"]
    targets = set(get_args(Training.model_fields["target"].annotation)) - {"none"}
    assert {one["StringEquals"]: one["Next"] for one in choice["Choices"]} == dict.fromkeys(targets, "TrainModel")
    assert choice["Default"] == "ReportRun", "nothing is trained unless the project names a target"


@pytest.mark.parametrize(
    ("machine", "choice", "statuses"),
    [
        ("train_model", "ChooseAfterTraining", get_args(JobStatus)),
        ("train_model", "ChooseAfterProvisioning", get_args(ThroughputStatus)),
    ],
)
def test_a_poll_loop_leads_on_from_every_status_that_the_service_has(
    machine: str, choice: str, statuses: tuple[str, ...]
) -> None:
    shape = "ModelCustomizationJobStatus" if statuses == get_args(JobStatus) else "ProvisionedModelStatus"
    bedrock: Any = botocore.session.get_session().get_service_model("bedrock")
    assert set(statuses) == set(bedrock.shape_for(shape).enum), "as botocore's model lists them"
    sagemaker: Any = botocore.session.get_session().get_service_model("sagemaker")
    # A job that is being deleted counts as one that stops: its end is that it is not there any more.
    assert set(get_args(JobStatus)) == set(sagemaker.shape_for("TrainingJobStatus").enum) - {"Deleting"}
    state = machines()[machine]["States"][choice]
    named = set(re.findall(r"'StringEquals': '(\w+)'", str(state["Choices"])))
    assert named | {"Failed"} >= set(statuses), "Failed is the default's"
    assert machines()[machine]["States"][state["Default"]]["Type"] == "Fail"
    assert "Overdue" in named


def test_the_wait_for_a_custom_labels_model_leads_on_from_every_answer_and_so_does_its_release() -> None:
    states = machines()["build_dataset"]["States"]
    after = {one["StringEquals"]: one["Next"] for one in states["ChooseAfterDetector"]["Choices"]}
    assert after == {"ready": "ExtractCharacters", "waiting": "WaitForDetector", "overdue": "DetectorOverdue"}
    assert states["ChooseAfterDetector"]["Default"] == "DetectorFailed"
    assert states["WaitForDetector"]["Next"] == "StartDetector"
    release = {one["StringEquals"]: one["Next"] for one in states["ChooseAfterRelease"]["Choices"]}
    assert release == {"stopping": "WaitForRelease"}
    assert states["ChooseAfterRelease"]["Default"] == states["ChooseRelease"]["Default"] == "CheckCharacters"
    assert states["BuildCast"]["Next"] == "ChooseDetector", "nothing bills while the cast may still be refused"
    assert states["NameCharacters"]["Next"] == "ChooseRelease", "released before anything else may fail"
    for choice in ("ChooseDetector", "ChooseRelease"):
        (only,) = states[choice]["Choices"]
        assert (only["Variable"], only["BooleanEquals"]) == ("$.custom_labels", True)


@pytest.mark.parametrize("state", [state for state in STATES if state.body["Type"] == "Fail"], ids=str)
def test_a_failure_says_why(state: State) -> None:
    assert state.body["Error"] in LEAVES
    assert ("Cause" in state.body) != ("CausePath" in state.body)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_task_has_a_timeout_and_retries_what_may_pass(task: State) -> None:
    if task not in WAITING:
        assert 0 < task.body["TimeoutSeconds"] <= 900
    retried: set[str] = set()
    for retrier in task.body["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["MaxAttempts"] >= 1
        assert not retried & set(retrier["ErrorEquals"]), "the first retrier takes it"
        retried |= set(retrier["ErrorEquals"])
    assert retried >= RETRYABLE | LAMBDA_SERVICE_ERRORS | WORKER_LOST
    assert retried & LEAVES <= RETRYABLE, "only what may pass is tried again"


@pytest.mark.parametrize("task", WAITING, ids=str)
def test_a_wait_for_people_ends_and_is_looked_at_again(task: State) -> None:
    """Its token reaches the function, its time comes from the settings, and its end is no fault to try again."""
    assert task.body["Parameters"]["Payload"]["task_token.$"] == "$$.Task.Token"
    assert task.body["TimeoutSecondsPath"].endswith(".wait_seconds")
    assert "TimeoutSeconds" not in task.body
    assert not any("States.Timeout" in retrier["ErrorEquals"] for retrier in task.body["Retry"])
    assert [catch["ErrorEquals"] for catch in task.body["Catch"]] == [["States.Timeout"]]


# ---- maps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", DISTRIBUTED, ids=str)
def test_a_distributed_map_tolerates_losses_and_carries_no_results(state: State) -> None:
    body = state.body
    assert body["ToleratedFailurePercentage"] == 100
    assert "ResultPath" in body
    assert body["ResultPath"] is None
    assert body["ResultWriter"]["Resource"].endswith("s3:putObject")
    assert "/map-runs/" in str(body["ResultWriter"]["Parameters"])
    assert body["MaxConcurrencyPath"].startswith("$.concurrency.")
    assert body["Label"] == state.name
    assert len(body["Label"]) <= 40
    assert "QueryLanguage" not in body
    assert body["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] in {"STANDARD", "EXPRESS"}


def test_every_maps_concurrency_is_in_the_settings() -> None:
    from storycast.settings import Concurrency

    asked = {state.body["MaxConcurrencyPath"].removeprefix("$.concurrency.") for state in DISTRIBUTED}
    assert asked == set(Concurrency.model_fields)


@pytest.mark.parametrize("state", [s for s in MAPS if s not in DISTRIBUTED], ids=str)
def test_an_inline_map_is_bounded(state: State) -> None:
    assert 1 <= state.body["MaxConcurrency"] <= 40


@pytest.mark.parametrize(
    "state",
    [s for s in DISTRIBUTED if s.body["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "EXPRESS"],
    ids=str,
)
def test_an_express_child_ends_within_its_time_whatever_happens(state: State) -> None:
    children = [task for task in TASKS if task.path[:-1] == state.path]
    assert children
    assert sum(_attempts_s(task) for task in children) < EXPRESS_LIMIT_S


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_what_a_task_passes_on_is_chosen(task: State) -> None:
    """Either nothing is kept, or a few named values are; only a machine's first Task makes the whole state."""
    if task.body.get("OutputPath") == "$.Payload":
        assert task.name in {"PrepareRun", "CheckTrainingPlan", "RecordFailure"}
        return
    if task.body["ResultPath"] == "$":  # all that the child of a map passes on
        assert "ResultSelector" in task.body
        return
    assert "ResultPath" in task.body
    assert task.body["ResultPath"] is None or "ResultSelector" in task.body


def test_what_later_states_read_was_put_there_by_earlier_ones() -> None:
    """Paths of the top level: each begins with a key of the first Task's answer or of a state's ResultPath."""
    from_first_task = {
        "build_dataset": {
            "run_id",
            "footage",
            "concurrency",
            "custom_labels",
            "review_mode",
            "training_target",
            "claimed",
        },
        "train_model": {"run_id", "training_id", "session_id", "start_with", "draws", "prompts"},
        "tear_down": {*TearDownRequest.model_fields, "detail"},
    }
    for file_name, machine in machines().items():
        produced = {
            state["ResultPath"].removeprefix("$.").partition(".")[0]
            for state in machine["States"].values()
            if isinstance(state.get("ResultPath"), str)
        }
        for name, state in machine["States"].items():
            body = {
                key: value
                for key, value in state.items()
                if key not in {"Catch", "ItemProcessor", "ResultSelector"}
            }
            read = set(re.findall(r"'\$\.(\w+)|\"\$\.(\w+)", str(body).replace("'", '"')))
            for key in {first or second for first, second in read} - {"Payload"}:
                assert key in from_first_task[file_name] | produced, f"{name} reads $.{key}"
