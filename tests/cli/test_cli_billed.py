"""What is billed is listed and ended: `storycast status` and `storycast teardown`."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli.billed
from cli.billed import open_rows, rows
from cli.main import app
from cli.target import Target
from storycast.names import session_id
from tests.cli.bedrock import FakeBedrock
from tests.cli.records import (
    BEGAN,
    RUN_ID,
    TRAINING_ID,
    put_model,
    put_panels,
    put_progress,
    put_record,
    put_row,
    put_session,
    put_settings,
)
from tests.cli.sagemaker import FakeSageMaker
from tests.cli.stepfunctions import TEAR_DOWN_ARN, TRAIN_ARN, FakeStepFunctions, definition_of

pytestmark = pytest.mark.usefixtures("open_target")
NAME = f"{RUN_ID}-{TRAINING_ID}-0a1b2c"


@pytest.fixture
def tear_down(stepfunctions: FakeStepFunctions) -> FakeStepFunctions:
    return stepfunctions.beside(FakeStepFunctions(definition_of("tear_down"), TEAR_DOWN_ARN))


def invoke(*arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=said)


def requests(fake: FakeStepFunctions) -> list[dict[str, object]]:
    return [json.loads(request["input"]) for name, request in fake.calls if name == "StartExecution"]


def put_training(
    target: Target, stepfunctions: FakeStepFunctions, train: FakeStepFunctions, **fields: Any
) -> None:
    """Write the record of a run that trains."""
    arns = {
        "execution_arn": stepfunctions.execution_arn,
        "training_execution_arn": train.execution_arn,
    }
    put_record(target, status="training", **arns, **fields)


# ---- the book


def test_rows_are_read_as_they_were_written(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.billed, "BATCH", 2)
    late = put_row(target, "late", expires_at=BEGAN + timedelta(days=1), kind="customization_job", model_units=0)
    early = put_row(target, "early")
    ended = put_row(target, "over", state="ended", ended_at=BEGAN, run_id="other-run", reason="done")
    assert rows(target) == [early, ended, late]
    assert open_rows(target) == [early, late]
    assert rows(target, "other-run") == [ended]


def test_a_row_of_another_release_is_no_silence(target: Target) -> None:
    put_row(target, NAME)
    target.dynamodb.update_item(
        TableName=target.table,
        Key={"pk": {"S": f"billing#{NAME}"}},
        UpdateExpression="SET #state = :new",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":new": {"S": "invented later"}},
    )
    result = invoke("status")
    assert result.exit_code == 2
    assert f"The row 'billing#{NAME}'" in result.stderr


# ---- status


def test_status_lists_all_that_is_billed(target: Target, bedrock: FakeBedrock) -> None:
    put_record(target)
    put_row(target, NAME, arn=bedrock.host(NAME), model_units=2)
    put_row(target, "the-job", kind="customization_job", state="intended", created_at=None, image_count=4000)
    put_row(target, "long-gone", state="ended", ended_at=BEGAN)
    bedrock.host("somebody-elses")
    bedrock.train("long-gone")
    bedrock.train("a-finished-one", "Completed")
    told = invoke("status").stdout
    assert f"Hosting {NAME}: run {RUN_ID}, live, since " in told
    assert "$121.00 an hour" in told
    assert "Training job the-job" in told
    assert "$20.00 if it goes to its end" in told
    assert "billed by the pictures that it sees" in told
    unowned = [line for line in told.splitlines() if "No run owns this" in line]
    assert ["somebody-elses" in unowned[0], "long-gone" in unowned[1], len(unowned)] == [True, True, 2]
    data = json.loads(invoke("status", "--json").stdout)["billed"]
    assert {row["name"]: row["usd_an_hour"] for row in data["rows"]} == {NAME: 121.0, "the-job": None}
    assert [one["name"] for one in data["unowned"]] == ["somebody-elses", "long-gone"]


def test_status_lists_jobs_on_sagemaker_with_what_they_cost_at_most(
    target: Target, sagemaker: FakeSageMaker
) -> None:
    put_record(target)
    job = {"model_units": 0, "instance_type": "ml.g5.xlarge", "max_run_s": 7200}
    put_row(target, NAME, kind="training_job", arn=sagemaker.train(NAME), **job)
    put_row(target, f"{NAME}-h", kind="drawing_job", arn=sagemaker.train(f"{NAME}-h", "Stopping"), **job)
    sagemaker.train("film-20261122-999999-t0123abcd-0a1b2c")
    sagemaker.train("film-20261122-999999-t0123abcd-0a1b2c-h")
    sagemaker.train("another-teams-training")
    told = invoke("status").stdout
    assert f"Training job {NAME}: run {RUN_ID}, live, since " in told
    assert f"Drawing job {NAME}-h: run {RUN_ID}, live, since " in told
    assert "$1.41 an hour on ml.g5.xlarge, $2.82 at most" in told
    unowned = [line for line in told.splitlines() if "No run owns this" in line]
    assert ["Training job film" in unowned[0], "Drawing job film" in unowned[1], len(unowned)] == [True, True, 2]
    assert "billed by the hour of its instance" in unowned[0]
    assert "another-teams-training" not in told
    data = json.loads(invoke("status", "--json").stdout)["billed"]
    assert {row["usd_an_hour"] for row in data["rows"]} == {1.408}


def test_status_without_the_right_to_list_jobs_says_so(target: Target, sagemaker: FakeSageMaker) -> None:
    sagemaker.is_refused = True
    result = invoke("status")
    assert result.exit_code == 0
    assert "sagemaker:ListTrainingJobs is refused" in result.stdout


def test_status_of_a_run_tells_how_far_its_job_is(target: Target, stepfunctions: FakeStepFunctions) -> None:
    train = stepfunctions.beside(FakeStepFunctions(definition_of("train_model"), TRAIN_ARN))
    session = session_id(train.execution_arn)
    train.enter("CheckTraining")
    train.leave("CheckTraining", training={"status": "InProgress", "message": "waiting for spot capacity"})
    train.enter("WaitForTraining")
    put_training(target, stepfunctions, train)
    stepfunctions.end()
    put_session(target, session, put_settings(target, training={"target": "sagemaker"}))

    def running() -> str:
        lines = invoke("status", RUN_ID).stdout.splitlines()
        return next(line.strip() for line in lines if line.strip().startswith("Train the model"))

    assert running().startswith("Train the model: running, in progress: waiting for spot capacity")
    put_progress(target, session, held_out_loss=0.25, pictures_per_second=1.5)
    assert running().startswith(
        "Train the model: running, 300 of 1500 steps, loss 0.1230, 0.2500 on held-out pictures, "
        "1.50 pictures a second, 12:34 left, training"
    )
    data = json.loads(invoke("status", RUN_ID, "--json").stdout)
    (stage,) = [one for one in data["training"]["session"] if one["state"] == "running"]
    assert (stage["done"], stage["total"], stage["note"]) == (300, 1500, "training")
    assert stage["figures"].startswith("loss 0.1230")
    arn = "s3://media/runs/r/training/t/s/work-train/adapter/"
    facts = {
        "target": "sagemaker",
        "model_arn": arn,
        "rank": 16,
        "held_out_loss": 0.25,
        "stand_in": "It is noise.",
    }
    put_model(target, **facts)
    put_training(target, stepfunctions, train, training_ids=[TRAINING_ID])
    told = invoke("status", RUN_ID).stdout
    assert "amazon.nova-canvas-v1:0, rank 16, loss 0.125 at the end, 0.25 on held-out pictures" in told
    assert f"Adapter {TRAINING_ID}: {arn}" in told
    assert "Stand-in: It is noise." in told
    # A job that was interrupted says nothing any more: what the execution saw last is told.
    put_progress(target, session, at="2026-11-22T12:00:00+00:00")
    assert "waiting for spot capacity" in running()
    put_progress(target, session, at="broken")
    assert "waiting for spot capacity" in running()


def test_status_without_the_right_to_list_says_so(target: Target, bedrock: FakeBedrock) -> None:
    bedrock.refused = {"ListProvisionedModelThroughputs"}
    bedrock.train("a-job")
    result = invoke("status")
    assert result.exit_code == 0
    assert "bedrock:ListProvisionedModelThroughputs is refused" in result.stdout
    assert "No run owns this, so it is not ended here. Training job a-job" in result.stdout


def test_status_says_when_nothing_is_billed(target: Target) -> None:
    assert "Nothing is billed by the hour." in invoke("status").stdout


def test_status_of_a_run_tells_its_training(target: Target, stepfunctions: FakeStepFunctions) -> None:
    train = stepfunctions.beside(FakeStepFunctions(definition_of("train_model"), TRAIN_ARN))
    train.enter("StartTraining")
    train.leave("StartTraining")
    train.enter("CheckTraining")
    train.leave("CheckTraining", training={"status": "InProgress", "message": "training, 40 %"})
    train.enter("WaitForTraining")
    put_training(target, stepfunctions, train, training_ids=[TRAINING_ID])
    stepfunctions.end()
    put_model(target)
    put_model(target, fingerprint="other", training_id="t99999999")
    put_panels(target, 1, "a bridge")
    put_panels(target, 2, "a duel", given=1, refused="2 were blocked")
    put_panels(target, 2, "a duel", "base", given=1)
    put_row(target, NAME)
    result = invoke("status", RUN_ID)
    assert result.exit_code == 0, result.output
    for said in (
        f"Run {RUN_ID} of project bunny: training",
        "Training session: running",
        "Train the model: running, in progress: training, 40 %",
        "Model t0123abcd: 500 steps of 8 at 1e-05 on 24 pictures of amazon.nova-canvas-v1:0, loss 0.125",
        "4 panels of 2 prompts, 1 by the base model beside them, made by a stand-in, not graded",
        "Prompt 02 ('a duel'), trained model: 1 of 3 pictures. 2 were blocked",
        f"Still billed: Hosting {NAME}",
        f"`storycast teardown {RUN_ID} --target local` ends it",
    ):
        assert said in result.stdout
    assert "t99999999" not in result.stdout
    data = json.loads(invoke("status", RUN_ID, "--json").stdout)
    notes = [stage["note"] for stage in data["training"]["session"] if stage["state"] == "running"]
    assert notes == ["in progress: training, 40 %"]
    assert [row["name"] for row in data["billed"]] == [NAME]
    assert len(data["training"]["panels"]) == 3


# ---- teardown


def test_a_teardown_ends_and_says_what_it_ended(target: Target, tear_down: FakeStepFunctions) -> None:
    put_record(target)
    put_row(target, NAME)

    def end() -> None:
        put_row(target, NAME, state="ended", ended_at=BEGAN)
        tear_down.end()

    tear_down.steps = [lambda: tear_down.enter("EndBilled"), end]
    result = invoke("teardown", RUN_ID)
    assert result.exit_code == 0, result.output
    (request,) = requests(tear_down)
    assert {name: request[name] for name in ("scope", "run_id")} == {"scope": "run", "run_id": RUN_ID}
    assert not request["delete_model"]
    for said in (f"To be ended: Hosting {NAME}", f"Ended: {NAME}", f"Nothing of run {RUN_ID} is billed any more."):
        assert said in result.stdout


def test_what_does_not_end_is_told_and_fails(target: Target, tear_down: FakeStepFunctions) -> None:
    put_row(target, NAME)
    tear_down.steps = [lambda: tear_down.end("FAILED", "StillBillingError", "it would not end")]
    result = invoke("teardown", "--all")
    assert result.exit_code == 1
    assert requests(tear_down)[0]["scope"] == "all"
    assert f"Still billed: Hosting {NAME}" in result.stdout
    assert "StillBillingError: it would not end" in result.stderr
    assert "Nothing" not in result.stdout


def test_models_are_deleted_only_where_somebody_says_so(target: Target, tear_down: FakeStepFunctions) -> None:
    put_record(target)
    model = put_model(target)
    put_model(target, fingerprint="other", trained_by="another-run", model_name="not-mine")
    refused = invoke("teardown", RUN_ID, "--delete-model")
    assert refused.exit_code == 2
    assert f"--delete-model deletes {model.model_name}, which cost money" in refused.stderr
    assert not requests(tear_down)
    tear_down.steps = [tear_down.end]
    agreed = invoke("teardown", RUN_ID, "--delete-model", "--yes")
    assert agreed.exit_code == 0, agreed.output
    assert requests(tear_down)[0]["delete_model"]
    assert f"Deleted: {model.model_name}." in agreed.stdout


def test_a_no_on_a_terminal_ends_nothing(
    target: Target, tear_down: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_record(target)
    put_model(target)
    monkeypatch.setattr("cli.teardown.agreed", lambda *_, **__: False)
    assert "Nothing was deleted" in invoke("teardown", RUN_ID, "--delete-model").stdout
    assert not requests(tear_down)


def test_a_run_of_which_only_a_row_is_left_can_be_torn_down(target: Target, tear_down: FakeStepFunctions) -> None:
    put_row(target, NAME)
    tear_down.steps = [tear_down.end]
    assert invoke("teardown", RUN_ID).exit_code == 0


@pytest.mark.parametrize(
    "arguments", [[], ["film-20261122-ffffff"], ["a", "--all"], ["--all", "--delete-model"], ["../evil"]]
)
def test_a_teardown_of_nothing_is_bad_input(
    target: Target, tear_down: FakeStepFunctions, arguments: list[str]
) -> None:
    assert invoke("teardown", *arguments).exit_code == 2
    assert not requests(tear_down)


def test_an_interrupted_teardown_says_that_it_goes_on(
    target: Target, tear_down: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.screen import Screen
    from cli.teardown import tear_down_on

    def interrupt() -> None:
        raise KeyboardInterrupt

    put_record(target)
    told = []
    for stays_up in (True, False):
        tear_down.steps = [interrupt]
        screen = Screen()
        screen.console.record = True
        place = replace(target, stays_up=stays_up)
        assert tear_down_on(place, RUN_ID, screen, delete_model=False, yes=False) == 130
        told.append(screen.console.export_text())
    assert ["goes on. `storycast status`" in told[0], "ends with the embedded AWS" in told[1]] == [True, True]
