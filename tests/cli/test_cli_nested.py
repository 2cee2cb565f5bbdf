"""Executions that wait for other executions, and loops that look and wait: as a person sees them."""

import json
from typing import Any

import pytest

from cli.following import Counts, Follower, Snapshot, Work, flattened
from cli.machine import read_machine
from cli.problems import unwrapped
from cli.progress import PlainProgress, drawn
from cli.screen import Screen
from tests.cli.stepfunctions import TEAR_DOWN_ARN, TRAIN_ARN, FakeStepFunctions, definition_of


@pytest.fixture
def parent() -> FakeStepFunctions:
    return FakeStepFunctions(definition_of("build_dataset"))


@pytest.fixture
def child(parent: FakeStepFunctions) -> FakeStepFunctions:
    return parent.beside(FakeStepFunctions(definition_of("train_model"), TRAIN_ARN))


def followed(fake: FakeStepFunctions, **options: Any) -> Follower:
    client: Any = fake
    return Follower(client, fake.execution_arn, now=lambda: fake.now, **options)


def seen(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Return path, state and note of all that is not pending or skipped."""
    return [
        (path, one.state, one.note)
        for _, path, one in flattened(snapshot.stages)
        if one.state not in ("pending", "skipped")
    ]


def test_a_job_that_works_for_hours_is_told_at_tenths_and_phases(
    parent: FakeStepFunctions, child: FakeStepFunctions, screen: Screen
) -> None:
    """What is measured changes all the time: alone it is no news in a log."""
    parent.enter("TrainModel")
    parent.submit(child)
    child.enter("CheckTraining")
    asked: list[tuple[str, str]] = []
    work: list[Work | None] = [None]

    def work_of(arn: str, state: str) -> Work | None:
        asked.append((arn, state))
        return work[0] if state == "CheckTraining" else None

    follower, shown = followed(parent, work_of=work_of), PlainProgress(screen)
    shown.update(follower.snapshot())
    for step in range(100):
        work[0] = Work(Counts(step, total=100, what="steps"), "training", f"loss 0.{step:04}")
        shown.update(follower.snapshot())
    work[0] = Work(Counts(100, total=100, what="steps"), "saving")
    shown.update(follower.snapshot())
    assert (child.execution_arn, "CheckTraining") in asked
    told = [line for line in screen.console.export_text().splitlines() if "Train the model" in line]
    assert len(told) == 12
    assert "50 of 100 steps, loss 0.0050, training" in told[6]
    assert told[-1].endswith("100 of 100 steps, saving")


@pytest.mark.parametrize("name", ["build_dataset", "train_model", "tear_down"])
def test_every_stage_has_words_of_its_own(name: str) -> None:
    machine = read_machine(json.dumps(definition_of(name)))
    shown = [stage for stage in machine.stages if stage.is_shown and machine.home(stage.name) == stage]
    labels = [stage.label for stage in shown]
    assert len(set(labels)) == len(labels)
    from cli.machine import LABELS

    assert {stage.name for stage in shown} <= set(LABELS)


def test_a_wait_and_what_it_waits_for_are_one_stage() -> None:
    machine = read_machine(json.dumps(definition_of("train_model")))
    homes = {name: machine.home(name) for name in ("WaitForTraining", "CheckTraining", "WaitForModel")}
    assert [home and home.name for home in homes.values()] == [
        "CheckTraining",
        "CheckTraining",
        "CheckProvisioning",
    ]
    (nested,) = (stage.name for stage in machine.stages if stage.is_nested)
    assert nested == "TearDown"


def look(fake: FakeStepFunctions, wait: str, check: str, field: str, status: str, message: str = "") -> None:
    fake.enter(wait)
    fake.leave(wait)
    fake.enter(check)
    fake.leave(check, run_id="film", **{field: {"status": status, "message": message}})


def test_a_loop_is_one_line_that_tells_what_it_saw_last(child: FakeStepFunctions, screen: Screen) -> None:
    follower, plain = followed(child), PlainProgress(screen)
    child.enter("StartTraining")
    child.leave("StartTraining")
    child.enter("WaitForTraining")
    plain.update(follower.snapshot())
    for status, message in (("InProgress", "step 10"), ("InProgress", "step 10"), ("InProgress", "step 20")):
        look(child, "WaitForTraining", "CheckTraining", "training", status, message)
        snapshot = follower.snapshot()
        plain.update(snapshot)
        assert seen(snapshot)[-1] == ("CheckTraining", "running", f"in progress: {message}")
    look(child, "WaitForTraining", "CheckTraining", "training", "Completed")
    child.enter("ProvisionModel")
    snapshot = follower.snapshot()
    plain.update(snapshot)
    assert seen(snapshot)[1:] == [("CheckTraining", "done", "completed"), ("ProvisionModel", "running", "")]
    lines = [line.split("  ", 2)[-1].strip() for line in screen.console.export_text().splitlines()]
    assert [line for line in lines if line.startswith("Train the model")] == [
        "Train the model: begins",
        "Train the model: in progress: step 10",
        "Train the model: in progress: step 20",
        "Train the model: done in 16.0 s",
    ]


def test_a_loop_that_fails_is_where_the_execution_stopped(child: FakeStepFunctions) -> None:
    look(child, "WaitForTraining", "CheckTraining", "training", "Failed", "too few pictures")
    child.event("FailStateEntered", stateEnteredEventDetails={"name": "TrainingFailed"})
    child.end("FAILED", "TrainingFailedError", "too few pictures")
    last = followed(child).snapshot()
    assert [one.stage.label for one in last.stopped] == ["Train the model"]
    assert (last.exit_code, last.cause) == (1, "too few pictures")


def test_a_job_that_vanished_is_begun_again_below_the_same_names(child: FakeStepFunctions) -> None:
    child.enter("StartTraining")
    child.leave("StartTraining")
    look(child, "WaitForTraining", "CheckTraining", "training", "Vanished")
    child.enter("StartTraining")
    follower = followed(child)
    assert [(path, state) for path, state, _ in seen(follower.snapshot())] == [
        ("StartTraining", "running"),
        ("CheckTraining", "done"),
    ]
    child.leave("StartTraining")
    child.enter("WaitForTraining")
    assert seen(follower.snapshot())[-1][:2] == ("CheckTraining", "running")


def test_stages_of_a_nested_execution_stand_below_the_one_that_waits(
    parent: FakeStepFunctions, child: FakeStepFunctions, screen: Screen
) -> None:
    tear_down = parent.beside(FakeStepFunctions(definition_of("tear_down"), TEAR_DOWN_ARN))
    follower, plain = followed(parent), PlainProgress(screen)
    parent.enter("TrainModel")
    parent.submit(child)
    child.enter("CheckTrainingPlan")
    plain.update(follower.snapshot())
    child.leave("CheckTrainingPlan")
    child.enter("TearDown")
    child.submit(tear_down)
    look(tear_down, "WaitForEnd", "EndBilled", "billed", "ending")
    snapshot = follower.snapshot()
    plain.update(snapshot)
    assert seen(snapshot) == [
        ("TrainModel", "running", ""),
        ("TrainModel/CheckTrainingPlan", "done", ""),
        ("TrainModel/TearDown", "running", ""),
        ("TrainModel/TearDown/EndBilled", "running", "ending"),
    ]
    assert [one.stage.name for one in snapshot.running] == ["EndBilled"]
    assert "      End what is billed: ending" in screen.console.export_text()
    screen.console.print(drawn(snapshot))
    assert "    End what is billed" in screen.console.export_text()

    tear_down.end()
    child.leave("TearDown")
    child.end()
    parent.leave("TrainModel")
    parent.end()
    assert {state for _, state, _ in seen(follower.snapshot())} == {"done", "stopped"}  # the loop never left
    asked = len(parent.calls)
    follower.snapshot()
    assert "DescribeExecution" not in [name for name, _ in parent.calls[asked + 2 :]], (
        "ended ones are not asked again"
    )


def test_the_runs_record_tells_the_child_where_the_history_does_not(
    parent: FakeStepFunctions, child: FakeStepFunctions
) -> None:
    parent.now = child.now
    parent.event("TaskStateEntered", seconds=-1.0, stateEnteredEventDetails={"name": "TrainModel"})
    child.enter("StartTraining")
    known: dict[str, str] = {}
    follower = followed(parent, child_of=known.get)
    assert [path for path, *_ in seen(follower.snapshot())] == ["TrainModel"]
    known["TrainModel"] = child.execution_arn
    assert [path for path, *_ in seen(follower.snapshot())] == ["TrainModel", "TrainModel/StartTraining"]


def test_a_training_of_another_day_is_not_taken_for_the_child(
    parent: FakeStepFunctions, child: FakeStepFunctions
) -> None:
    parent.event("TaskStateEntered", seconds=3600.0, stateEnteredEventDetails={"name": "TrainModel"})
    follower = followed(parent, child_of=lambda _: child.execution_arn)
    assert [path for path, *_ in seen(follower.snapshot())] == ["TrainModel"]


def nested(error: str, cause: str, **fields: Any) -> str:
    """Return a cause as Step Functions writes it for a nested execution."""
    described = {"ExecutionArn": "arn:child", "Input": "{}", "Status": "FAILED", "Error": error, "Cause": cause}
    return json.dumps({**described, **fields})


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (nested("ModelRetiredError", '{"errorMessage": "it ended"}'), ("ModelRetiredError", "it ended")),
        (
            nested("States.TaskFailed", nested("BudgetExceededError", "too dear")),
            ("BudgetExceededError", "too dear"),
        ),
        (
            json.dumps({"ExecutionArn": "arn:child", "Status": "ABORTED"}),
            ("States.TaskFailed", "the execution arn:child was stopped"),
        ),
        ("Nested execution arn:child ended", ("States.TaskFailed", "Nested execution arn:child ended")),
        ('{"errorMessage": "plain"}', ("States.TaskFailed", "plain")),
    ],
)
def test_the_error_of_a_nested_execution_is_found(cause: str, expected: tuple[str, str]) -> None:
    assert unwrapped("States.TaskFailed", cause) == expected


def test_bad_input_of_a_nested_execution_is_bad_input(parent: FakeStepFunctions) -> None:
    parent.end("FAILED", "States.TaskFailed", nested("TrainingPlanInvalidError", "no budget"))
    last = followed(parent).snapshot()
    assert (last.exit_code, last.error, last.cause) == (2, "TrainingPlanInvalidError", "no budget")
