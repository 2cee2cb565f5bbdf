"""From a dataset to a storyboard on the emulator, and whatever happens on the way: nothing is left billing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storycast.caption_lint.findings import RULES
from tests.e2e.film import write_film
from tests.e2e.invoking import look_at_panels_again
from tests.e2e.sessions import assert_rows_are_closed, torn_down
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

RUN = "for-training"
CANVAS = "amazon.nova-canvas-v1:0"
PROMPTS = ["Character 1 on a meadow", "Character 1 meets Character 2 at dusk"]
SETTINGS = "sampling: {frames_per_second: 2}\nselection: {images_per_character: 12}\n"
STOPPED = {"Cancelled", "ABORTED"}
"""The emulator's events of stopped executions say nothing of why; AWS's do."""
HANGS = 10_000
"""Seconds; longer than any test."""
LINGERS = 15
"""Seconds; longer than it takes a test to see that something has begun, and no longer than it can wait for."""


@pytest.fixture(scope="module")
def trainable(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with a dataset, and Nova Canvas played as active."""
    film = write_film(tmp_path_factory.mktemp("training") / "film.mp4", seed=21, shots=8)
    ended = stack.run(film, "trained", RUN, SETTINGS)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    stack.standins("catalogue", {"play_as_active": [CANVAS]})
    yield stack
    stack.standins("catalogue", {"play_as_active": []})


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    yield
    stack.standins("outcomes", method="DELETE")
    stack.standins("faults", method="DELETE")


def session(steps: int, **more: Any) -> dict[str, Any]:
    """Return a request; each test trains with steps of its own, so that nothing is paid already."""
    request: dict[str, Any] = {
        "training": {"target": "bedrock", "base_model": CANVAS, "step_count": steps, "batch_size": 8},
        "storyboard": {"prompts": PROMPTS, "images_per_prompt": 2, "width": 512, "height": 512},
        "budget_usd": 100_000,
    }
    for name, value in more.items():
        request[name] = {**request.get(name, {}), **value} if isinstance(value, dict) else value
    return request


@contextmanager
def redefined(stack: Stack, change: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    """Change the states of ``train_model`` for the executions that begin within the block."""
    sound = stack.states.describe_state_machine(stateMachineArn=stack.train_machine)["definition"]
    changed = json.loads(sound)
    change(changed["States"])
    stack.states.update_state_machine(stateMachineArn=stack.train_machine, definition=json.dumps(changed))
    try:
        yield
    finally:
        stack.states.update_state_machine(stateMachineArn=stack.train_machine, definition=sound)


def cancel(stack: Stack, arn: str) -> None:
    """Stop an execution that surely runs, and look at what that leaves."""
    stack.states.stop_execution(executionArn=arn, error="Cancelled", cause="A test did it.")
    assert torn_down(stack, arn).status == "ABORTED"
    assert_rows_are_closed(stack)
    record = stack.record(RUN)
    assert record["error"] in STOPPED
    assert record["status"] == "dataset_ready", "the dataset is as good as before"


def made_and_ended(stack: Stack, since: int) -> list[str]:
    """Return the successful calls that make, end or use what is billed, in order."""
    wanted = {
        "CreateModelCustomizationJob",
        "StopModelCustomizationJob",
        "CreateProvisionedModelThroughput",
        "DeleteProvisionedModelThroughput",
    }
    return [c["operation"] for c in stack.calls(since) if c["operation"] in wanted and not c["error"]]


# ---- the way through ------------------------------------------------------------------------------


def test_a_dataset_becomes_a_storyboard_and_nothing_is_left_billing(trainable: Stack) -> None:
    mark = trainable.calls_so_far()
    ended = torn_down(trainable, trainable.train(RUN, **session(100)))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert made_and_ended(trainable, mark) == [
        "CreateModelCustomizationJob",
        "CreateProvisionedModelThroughput",
        "DeleteProvisionedModelThroughput",
    ]
    record = trainable.record(RUN)
    assert record["status"] == "storyboard_ready"
    assert [row["state"] for row in record["billing"]] == ["ended", "ended"]
    assert all(row["created_at"] and row["ended_at"] for row in record["billing"])
    panels = [key for key in trainable.keys(f"runs/{RUN}/storyboard/") if key.endswith(".png")]
    assert sum("-trained-" in key for key in panels) == 4
    assert sum("-base-" in key for key in panels) == 2
    assert b"LOCAL STAND-IN" in trainable.read(f"runs/{RUN}/report.html").upper()
    grades = json.loads(trainable.read(f"runs/{RUN}/storyboard/grades.json"))
    assert {(grade["verdict"], grade["reason"]) for grade in grades["grades"]} == {
        ("not graded", "a local stand-in drew it")
    }
    assert record["cost"]
    assert_rows_are_closed(trainable)
    asked = {"run_id": RUN, "training_id": ended.output["training_id"], "session_id": ended.output["session_id"]}
    assert look_at_panels_again(trainable, "trained", asked)["pictures"] == 6
    # The same again pays nothing at all.
    mark = trainable.calls_so_far()
    again = torn_down(trainable, trainable.train(RUN, **session(100)))
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert trainable.paid_calls(mark) == {}


def test_captions_that_would_spoil_a_training_are_refused_and_go_on_once_acknowledged(trainable: Stack) -> None:
    """Nothing is made or billed before; what is trained then is paid once."""
    approved = trainable.read(f"runs/{RUN}/dataset/approved.jsonl")
    planted = f"datasets/{RUN}/planted.jsonl"
    trainable.put(planted, approved.replace(b'."}', b', a still of a cartoon."}'))
    request = session(130, storyboard={"prompts": []}, manifest_key=planted)
    mark = trainable.calls_so_far()
    refused = torn_down(trainable, trainable.train(RUN, **request))
    assert (refused.status, refused.error) == ("FAILED", "CaptionLintError")
    assert "a still of a cartoon" in refused.cause
    assert f"storycast train {RUN} --manifest {planted} --acknowledge repeated_fragment" in refused.cause
    assert "StartTraining" not in trainable.entered(refused.arn)
    assert trainable.paid_calls(mark) == {}
    assert trainable.record(RUN)["status"] in {"dataset_ready", "storyboard_ready"}, "it is as good as before"
    # All rules: the stand-in's captions, too, may be more alike than people's.
    for paid in (1, 0):
        mark = trainable.calls_so_far()
        ended = torn_down(trainable, trainable.train(RUN, **request, acknowledge=list(RULES)))
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
        assert made_and_ended(trainable, mark) == ["CreateModelCustomizationJob"] * paid
    warnings = " ".join(trainable.record(RUN)["warnings"])
    assert "acknowledged by captions.acknowledge" in warnings
    assert "a still of a cartoon" in warnings
    # The run's own captions were linted when they were proposed and approved.
    lint = json.loads(trainable.read(f"runs/{RUN}/dataset/lint.json"))
    assert lint["caption_count"] == len(approved.splitlines())
    assert trainable.record(RUN)["counts"]["caption_findings"] == len(lint["findings"])


def test_other_prompts_host_draw_and_end_without_training(trainable: Stack) -> None:
    mark = trainable.calls_so_far()
    request = session(100, draw_only=True, storyboard={"prompts": ["Character 2 in the rain"]})
    request.pop("training")
    ended = torn_down(trainable, trainable.train(RUN, **request))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert made_and_ended(trainable, mark) == [
        "CreateProvisionedModelThroughput",
        "DeleteProvisionedModelThroughput",
    ]


def test_two_sessions_at_once_pay_for_one_training(trainable: Stack) -> None:
    mark = trainable.calls_so_far()
    arns = [trainable.train(RUN, **session(110)) for _ in range(2)]
    for arn in arns:
        ended = torn_down(trainable, arn)
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert made_and_ended(trainable, mark).count("CreateModelCustomizationJob") == 1
    assert_rows_are_closed(trainable)


def test_a_refused_prompt_is_shown_and_the_others_are_drawn(trainable: Stack) -> None:
    trainable.standins("outcomes", {"image": {"refuse": "blocked by our content filters"}, "count": 1})
    ended = torn_down(trainable, trainable.train(RUN, **session(120, storyboard={"base_images_per_prompt": 0})))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    records = [
        json.loads(trainable.read(key))
        for key in trainable.keys(f"runs/{RUN}/storyboard/")
        if key.endswith(".json") and ended.output["training_id"] in key
    ]
    assert sorted(bool(record["refused"]) for record in records) == [False, True]
    assert "content filters" in next(record["refused"] for record in records if record["refused"])


# ---- bad ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "outcome", "error", "message"),
    [
        (201, {"job": {"fail": "The images are corrupt."}}, "TrainingFailedError", "The images are corrupt."),
        (202, {"throughput": {"fail": "No capacity."}}, "HostingFailedError", "No capacity."),
    ],
    ids=["the job", "the hosting"],
)
def test_what_fails_at_the_service_ends_the_run_by_name(
    trainable: Stack, steps: int, outcome: dict[str, Any], error: str, message: str
) -> None:
    trainable.standins("outcomes", {**outcome, "count": 1})
    ended = torn_down(trainable, trainable.train(RUN, **session(steps)))
    assert (ended.status, ended.error) == ("FAILED", error)
    assert message in ended.cause
    record = trainable.record(RUN)
    assert record["error"] == error
    assert message in record["cause"]
    assert_rows_are_closed(trainable)


def test_a_job_that_somebody_stops_ends_the_run(trainable: Stack) -> None:
    trainable.standins("outcomes", {"job": {"seconds": HANGS}, "count": 1})
    arn = trainable.train(RUN, **session(203))
    (job,) = trainable.wait_until("the job", trainable.billed)
    trainable.aws.client("bedrock").stop_model_customization_job(jobIdentifier=job["arn"])
    ended = torn_down(trainable, arn)
    assert (ended.status, ended.error) == ("FAILED", "TrainingStoppedError")
    assert_rows_are_closed(trainable)


@pytest.mark.parametrize(
    ("steps", "outcome", "state"),
    [
        (302, {"job": {"seconds": HANGS}}, "WaitForTraining"),
        (303, {"job": {"seconds": HANGS}}, "CheckTraining"),
        (305, {"throughput": {"seconds": HANGS}}, "WaitForModel"),
        (306, {"throughput": {"seconds": HANGS}}, "CheckProvisioning"),
        (308, {"throughput": {"deletion_seconds": LINGERS}}, "TearDown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cancelled_execution_leaves_nothing_billing(
    trainable: Stack, steps: int, outcome: dict[str, Any], state: str
) -> None:
    """However fast the machine is, the execution goes no further than to this state, or round and round by it."""
    trainable.standins("outcomes", {**outcome, "count": 1})
    arn = trainable.train(RUN, **session(steps))
    trainable.wait_until(state, lambda: state in trainable.entered(arn))
    cancel(trainable, arn)


@pytest.mark.parametrize(
    ("steps", "outcome", "find", "make"),
    [
        (301, "job", "ListModelCustomizationJobs", "CreateModelCustomizationJob"),
        (304, "throughput", "ListProvisionedModelThroughputs", "CreateProvisionedModelThroughput"),
    ],
    ids=["StartTraining", "ProvisionModel"],
)
def test_what_is_made_while_its_execution_is_cancelled_is_ended(
    trainable: Stack, steps: int, outcome: str, find: str, make: str
) -> None:
    """Nothing stops the function that is under way: it has looked for the name and makes what it did not find."""
    mark = trainable.calls_so_far()
    trainable.standins("outcomes", {outcome: {"seconds": HANGS}, "count": 1})
    trainable.standins("faults", [{"service": "bedrock", "operation": make, "delay_ms": 5000, "count": 1}])
    arn = trainable.train(RUN, **session(steps))
    trainable.wait_until(find, lambda: any(call["operation"] == find for call in trainable.calls(mark)))
    cancel(trainable, arn)
    assert made_and_ended(trainable, mark).count(make) == 1


@pytest.mark.parametrize(("steps", "state"), [(307, "DrawStoryboard"), (309, "GradeStoryboard")])
def test_an_execution_that_is_cancelled_behind_a_state_leaves_nothing_billing(
    trainable: Stack, steps: int, state: str
) -> None:
    """Composites are drawn and graded in no time, so the machine is held before it goes on."""

    def hold(states: dict[str, Any]) -> None:
        states["Held"] = {"Type": "Wait", "Seconds": HANGS, "Next": states[state]["Next"]}
        states[state]["Next"] = "Held"

    with redefined(trainable, hold):
        arn = trainable.train(RUN, **session(steps))
        trainable.wait_until("Held", lambda: "Held" in trainable.entered(arn))
    cancel(trainable, arn)


@pytest.mark.parametrize(
    ("steps", "operation"),
    [(401, "CreateModelCustomizationJob"), (402, "CreateProvisionedModelThroughput")],
)
def test_an_answer_that_gets_lost_makes_no_second_one(trainable: Stack, steps: int, operation: str) -> None:
    """The service has made it, and the function never hears of it: the next attempt finds it by its name."""
    mark = trainable.calls_so_far()
    trainable.standins(
        # boto3 asks three times within one attempt of the function.
        "faults",
        [{"service": "bedrock", "operation": operation, "error": "answer_lost", "count": 3}],
    )
    ended = torn_down(trainable, trainable.train(RUN, **session(steps)))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert made_and_ended(trainable, mark).count(operation) == 3, "asked for thrice, by one token, and found after"
    assert made_and_ended(trainable, mark).count("DeleteProvisionedModelThroughput") == 1
    jobs = trainable.aws.client("bedrock").list_model_customization_jobs(nameContains=ended.output["session_id"])
    assert len(jobs["modelCustomizationJobSummaries"]) == 1
    assert_rows_are_closed(trainable)


def test_a_runtime_error_that_no_catch_sees_leaves_nothing_billing(trainable: Stack) -> None:
    """States.ALL does not catch States.Runtime; the emulator raises it for a state that is not there."""
    with redefined(trainable, lambda states: states["CheckProvisioning"].update(Next="NoSuchState")):
        ended = torn_down(trainable, trainable.train(RUN, **session(501)))
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert trainable.record(RUN)["error"] == "States.Runtime"
    assert_rows_are_closed(trainable)


def test_a_job_that_takes_too_long_is_stopped(trainable: Stack) -> None:
    trainable.standins("outcomes", {"job": {"seconds": HANGS}, "count": 1})
    ended = torn_down(trainable, trainable.train(RUN, **session(502, training={"max_hours": 0.001})))
    assert (ended.status, ended.error) == ("FAILED", "TrainingOverdueError")
    assert_rows_are_closed(trainable)


def test_the_sweep_ends_what_has_outlived_its_time(trainable: Stack) -> None:
    """And its execution, which still waits for the model, ends by name."""
    trainable.standins("outcomes", {"throughput": {"seconds": HANGS}, "count": 1})
    arn = trainable.train(RUN, **session(503, hosting={"hours": 0.0005}))
    trainable.wait_until(
        "the hosting", lambda: any(one["kind"] != "customization_job" for one in trainable.billed())
    )
    trainable.wait_until(
        "the sweep",
        lambda: trainable.tear_down(scope="expired", reason="its time is over") and not trainable.billed(),
    )
    ended = torn_down(trainable, arn)
    assert ended.status == "FAILED"
    assert ended.error in {"HostingFailedError", "HostingOverdueError", "BillingClosedError"}
    assert_rows_are_closed(trainable)


def test_hosting_that_no_run_owns_is_told_and_left_alone(trainable: Stack) -> None:
    bedrock = trainable.aws.client("bedrock")
    model = bedrock.list_custom_models()["modelSummaries"][0]["modelArn"]
    arn = bedrock.create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="somebody-elses", modelId=model
    )["provisionedModelArn"]
    try:
        swept = trainable.tear_down(scope="expired", reason="its time is over")
        assert swept.status == "SUCCEEDED", (swept.error, swept.cause)
        assert [one["arn"] for one in trainable.billed()] == [arn]
        claims = trainable.aws.client("dynamodb").scan(TableName=trainable.aws.outputs["TableName"])["Items"]
        assert any(arn in item["pk"]["S"] and "unowned" in item["pk"]["S"] for item in claims)
    finally:
        bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
    trainable.wait_until("nothing billed", lambda: not trainable.billed())


def test_a_model_is_deleted_only_when_told_to(trainable: Stack) -> None:
    bedrock = trainable.aws.client("bedrock")
    before = {model["modelName"] for model in bedrock.list_custom_models()["modelSummaries"]}
    assert before
    kept = trainable.tear_down(scope="run", run_id=RUN)
    assert kept.status == "SUCCEEDED", (kept.error, kept.cause)
    assert {model["modelName"] for model in bedrock.list_custom_models()["modelSummaries"]} == before
    gone = trainable.tear_down(scope="run", run_id=RUN, delete_model=True)
    assert gone.status == "SUCCEEDED", (gone.error, gone.cause)
    left = {model["modelName"] for model in bedrock.list_custom_models()["modelSummaries"]}
    assert not {name for name in left if name.startswith(RUN)}


# ---- refused before anything is paid --------------------------------------------------------------


def test_a_budget_that_does_not_reach_stops_before_the_training(trainable: Stack) -> None:
    mark = trainable.calls_so_far()
    ended = torn_down(trainable, trainable.train(RUN, **session(20_000, budget_usd=50)))
    assert (ended.status, ended.error) == ("FAILED", "BudgetExceededError")
    assert "50" in ended.cause
    assert trainable.paid_calls(mark) == {}


@pytest.fixture
def honest(trainable: Stack) -> Iterator[Stack]:
    """The stack with Nova Canvas as it is."""
    trainable.standins("catalogue", {"play_as_active": []})
    yield trainable
    trainable.standins("catalogue", {"play_as_active": [CANVAS]})


def test_an_ended_base_model_stops_an_upload_within_seconds_and_only_one_that_trains(
    honest: Stack, film: Path
) -> None:
    stack = honest
    training = f"training: {{target: bedrock, base_model: '{CANVAS}'}}\nbudget_usd: 5000\n"
    mark = stack.calls_so_far()
    ended = stack.run(film, "ended", "ended-1", training)
    assert (ended.status, ended.error) == ("FAILED", "ModelRetiredError")
    assert "2026-09-30" in ended.cause
    assert "training.target: none" in ended.cause
    assert stack.paid_calls(mark) == {}
    assert "SampleFrames" not in stack.entered(ended.arn)
    without = stack.run(film, "ended", "ended-2", "training: {target: none}\n")
    assert without.status == "SUCCEEDED", (without.error, without.cause)


def test_a_run_that_trains_is_cancelled_with_its_child(trainable: Stack, film: Path) -> None:
    """Stopping ``build_dataset`` stops the training that it waits for."""
    trainable.standins("outcomes", {"job": {"seconds": HANGS}, "count": 1})
    settings = (
        f"training: {{target: bedrock, base_model: '{CANVAS}', step_count: 600, batch_size: 8}}\n"
        f"budget_usd: 100000\nstoryboard: {{prompts: ['{PROMPTS[0]}']}}\n"
    )
    arn = trainable.start_with(film, "cancelled", "cancelled-1", settings)
    trainable.wait_until("the job", trainable.billed)
    trainable.states.stop_execution(executionArn=arn, error="Cancelled", cause="A test did it.")
    assert torn_down(trainable, arn).status == "ABORTED"
    record = trainable.record("cancelled-1")
    assert record["status"] == "failed"
    assert record["error"] in STOPPED
    child = trainable.states.describe_execution(executionArn=record["training_execution_arn"])
    assert child["status"] != "RUNNING"
    assert_rows_are_closed(trainable)


def test_an_upload_that_trains_goes_through_to_panels(trainable: Stack, film: Path) -> None:
    settings = (
        f"training: {{target: bedrock, base_model: '{CANVAS}', step_count: 610, batch_size: 8}}\n"
        f"budget_usd: 100000\nstoryboard: {{prompts: ['{PROMPTS[0]}'], width: 1280, height: 720}}\n"
    )
    ended = trainable.run(film, "whole", "whole-1", settings)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert trainable.record("whole-1")["status"] == "storyboard_ready"
    assert not trainable.billed()
    assert len([key for key in trainable.keys("runs/whole-1/storyboard/") if key.endswith(".png")]) == 4
