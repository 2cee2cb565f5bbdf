"""`storycast a2i-setup` through real clients against the stand-ins, and where workers are said to answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from typer.testing import CliRunner

import cli.a2i_setup
from cli.a2i_setup import MAX_TEMPLATE, set_up_on, worker_template
from cli.claims import StartedRun
from cli.ending import see_through
from cli.main import app
from cli.problems import BAD_INPUT, FAILED
from cli.screen import Screen
from cli.target import Target, target_of
from local.standins.server import StandinServer, running
from storycast.errors import HumanReviewFailedError
from tests.cli.records import RUN_ID
from tests.cli.reviews import wait_for_people
from tests.cli.stepfunctions import FakeStepFunctions, definition_of

WORKTEAM = "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/film"
OUTPUTS = {
    "MediaBucketName": "media",
    "BuildDatasetArn": "build",
    "TrainModelArn": "train",
    "TearDownArn": "tear",
    "TableName": "table",
    "ReviewTableName": "reviews",
    "A2iRoleArn": "arn:aws:iam::111122223333:role/storycast-A2iRole-1A2B3C",
}


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinServer]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # The role's trust is looked at through an emulator, of which there is none here: see tests/e2e/test_a2i.py.
    monkeypatch.setattr("local.standins.sagemaker.trust_problem", lambda _role, _principal: "")
    monkeypatch.setattr(cli.a2i_setup, "POLL_SECONDS", 0.05)
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def aws(standins: StandinServer, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A target like one on AWS, whose SageMaker is the stand-in."""

    def client(service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=standins.url, config=config)  # type: ignore[call-overload]

    target = target_of("aws", "stack storycast in us-east-1", OUTPUTS, client)

    @contextmanager
    def opened(*_: Any) -> Iterator[Target]:
        yield target

    monkeypatch.setattr(cli.a2i_setup, "opened", opened)
    return target


def made(standins: StandinServer) -> list[str]:
    """Names of what was made so far."""
    with standins.world.a2i.reading() as kept:
        return [*(ui.name for ui in kept.uis), *(flow.name for flow in kept.flows)]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["a2i-setup", *arguments], env={"COLUMNS": "200"})


def test_it_makes_both_waits_and_says_how_the_stack_is_told(aws: Target, standins: StandinServer) -> None:
    result = invoke("--workteam", WORKTEAM, "--workers", "3")
    assert result.exit_code == 0, result.output
    (flow,) = standins.world.a2i._kept.flows
    assert flow.status == "Active"
    assert flow.config["WorkteamArn"] == WORKTEAM
    assert flow.config["TaskCount"] == 3
    assert flow.role_arn == OUTPUTS["A2iRoleArn"]
    assert flow.output == {"S3OutputPath": "s3://media/a2i/"}
    (ui,) = standins.world.a2i._kept.uis
    assert (ui.arn, ui.content) == (flow.config["HumanTaskUiArn"], worker_template())
    said = " ".join(result.stdout.split())
    assert f"sam deploy --stack-name storycast --parameter-overrides A2iFlowDefinitionArn={flow.arn}" in said


def test_again_it_makes_nothing_and_other_values_make_others(aws: Target, standins: StandinServer) -> None:
    assert invoke("--workteam", WORKTEAM).exit_code == 0
    first = made(standins)
    assert invoke("--workteam", WORKTEAM).exit_code == 0
    assert made(standins) == first
    assert invoke("--workteam", WORKTEAM, "--workers", "2").exit_code == 0
    assert invoke("--workteam", f"{WORKTEAM}-2").exit_code == 0
    ui, *flows = made(standins)
    assert len(set(flows)) == 3
    assert all(name.startswith("storycast-") and len(name) <= 63 for name in (ui, *flows))


def test_a_changed_page_is_another_one(
    aws: Target, standins: StandinServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("--workteam", WORKTEAM).exit_code == 0
    monkeypatch.setattr(cli.a2i_setup, "worker_template", lambda: "<crowd-form>other</crowd-form>")
    assert invoke("--workteam", WORKTEAM).exit_code == 0
    assert len(set(made(standins))) == 4


def test_a_stack_that_uses_it_is_told_nothing_more(aws: Target, screen: Screen) -> None:
    set_up_on(aws, "storycast", WORKTEAM, 1, screen)
    arn = screen.console.export_text().partition("Flow definition: ")[2].split()[0]
    used = replace(aws, outputs={**OUTPUTS, "A2iFlowDefinitionArn": arn})
    set_up_on(used, "storycast", WORKTEAM, 1, screen)
    said = screen.console.export_text()
    assert "The stack uses it already." in said
    assert "sam deploy" not in said


@pytest.mark.parametrize(
    "workteam", ["film", WORKTEAM.replace("workteam", "flow-definition"), f"{WORKTEAM} ", "arn:aws:iam::1:role/x"]
)
def test_what_is_no_work_team_is_refused_at_once(aws: Target, standins: StandinServer, workteam: str) -> None:
    result = invoke("--workteam", workteam)
    assert result.exit_code == BAD_INPUT
    assert "is no work team" in result.stderr
    assert "docs/a2i.md" in result.stderr
    assert made(standins) == []


class Refusing:
    """A SageMaker that refuses to make anything, as it may an account that is new to A2I."""

    def __init__(self, code: str) -> None:
        self._code = code

    def describe_human_task_ui(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": ""}}, "DescribeHumanTaskUi")

    def create_human_task_ui(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "Not for you."}}, "CreateHumanTaskUi")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "SubscriptionRequiredException"])
def test_a_refusal_says_what_to_use_instead(aws: Target, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    refusing = replace(aws, client=lambda _service: Refusing(code))

    @contextmanager
    def opened(*_: Any) -> Iterator[Target]:
        yield refusing

    monkeypatch.setattr(cli.a2i_setup, "opened", opened)
    result = invoke("--workteam", WORKTEAM)
    assert result.exit_code == FAILED
    said = " ".join(result.stderr.split())
    assert f"AWS refuses sagemaker:CreateHumanTaskUi ({code}: Not for you.)" in said
    assert "A2I takes no new customers" in said
    assert "review.mode: page" in said


class Failing:
    """A SageMaker whose flow definition fails."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def describe_human_task_ui(self, **_: Any) -> Any:
        return {"HumanTaskUiArn": "arn:ui"}

    def describe_flow_definition(self, **_: Any) -> Any:
        return {"FlowDefinitionStatus": "Failed", "FailureReason": "the bucket is elsewhere"}

    def delete_flow_definition(self, **asked: str) -> None:
        self.deleted.append(asked["FlowDefinitionName"])


def test_a_flow_definition_that_failed_makes_room_for_the_next(aws: Target, screen: Screen) -> None:
    failing = Failing()
    with pytest.raises(HumanReviewFailedError, match="the bucket is elsewhere"):
        set_up_on(replace(aws, client=lambda _service: failing), "storycast", WORKTEAM, 1, screen)
    assert len(failing.deleted) == 1


def test_one_that_does_not_become_active_is_not_waited_for_for_ever(
    aws: Target, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.standins.a2i_world.FLOW_SECONDS", 60.0)
    monkeypatch.setattr(cli.a2i_setup, "ACTIVE_SECONDS", 0.3)
    with pytest.raises(HumanReviewFailedError, match="is not active after"):
        set_up_on(aws, "storycast", WORKTEAM, 1, screen)


def test_the_page_is_one_that_amazon_takes() -> None:
    assert len(worker_template()) <= MAX_TEMPLATE


# ---- runs that wait for workers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standins_url", "place"),
    [("http://127.0.0.1:4000", "at http://127.0.0.1:4000/_storycast/a2i/"), (None, "where their team works")],
)
def test_who_follows_a_run_is_told_once_where_workers_answer(
    target: Target, stepfunctions: FakeStepFunctions, screen: Screen, standins_url: str | None, place: str
) -> None:
    stepfunctions.definition = definition_of("build_dataset")
    here = replace(target, standins_url=standins_url)
    wait_for_people(here, stepfunctions, mode="a2i")
    stepfunctions.events, stepfunctions.status, stepfunctions.ended = [], "RUNNING", {}
    stepfunctions.steps = [
        lambda: stepfunctions.enter("StartHumanReviews"),
        lambda: None,
        lambda: None,
        lambda: stepfunctions.leave("StartHumanReviews"),
        stepfunctions.end,
    ]
    see_through(here, StartedRun(RUN_ID, stepfunctions.execution_arn), None, screen, is_ours=False)
    said = screen.console.export_text()
    assert said.count(f"Review waits for Amazon A2I's workers {place}") == 1
