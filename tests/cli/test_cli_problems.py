"""What goes wrong with AWS is told in words, with the next step."""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError
from botocore.stub import Stubber

from cli.problems import TargetUnusableError, explain, read_on
from cli.screen import Screen
from cli.target import TargetChoice, opened, stack_outputs, target_of


def client_error(code: str, operation: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (NoCredentialsError(), 2, "aws configure"),
        (NoRegionError(), 2, "AWS_DEFAULT_REGION"),
        (client_error("AccessDenied", "PutObject"), 1, "refuses s3:PutObject"),
        (client_error("AccessDeniedException", "StartExecution"), 1, "refuses states:StartExecution"),
        (client_error("403", "HeadObject", "Forbidden"), 1, "refuses s3:GetObject"),
        (client_error("ExpiredToken", "DescribeStacks"), 2, "Log in"),
        (client_error("NoSuchBucket", "PutObject", "gone"), 1, "s3:PutObject failed (NoSuchBucket): gone"),
        (EndpointConnectionError(endpoint_url="https://x"), 1, "Check the network"),
        (PermissionError(13, "Permission denied", "out/run.json"), 1, "out/run.json: Permission denied"),
    ],
)
def test_errors_of_aws_in_words(error: Exception, code: int, told: str) -> None:
    explained = explain(error)
    assert explained
    assert explained[1] == code
    assert told in explained[0]


def test_an_unforeseen_error_is_not_explained() -> None:
    assert explain(RuntimeError("?")) is None


def test_the_region_must_be_known(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(TargetUnusableError, match="AWS_DEFAULT_REGION"), opened(TargetChoice("aws"), screen):
        pass


@pytest.fixture
def formation() -> Any:
    make: Any = boto3.client
    return make(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def test_a_missing_stack_tells_how_to_deploy_it(formation: Any) -> None:
    with Stubber(formation) as stub:
        stub.add_client_error("describe_stacks", "ValidationError", "Stack with id storycast does not exist")
        with pytest.raises(TargetUnusableError, match=r"eu-west-1.*sam build && sam deploy --guided"):
            stack_outputs(formation, "storycast", "eu-west-1")
        stub.add_client_error("describe_stacks", "AccessDenied", "not authorized")
        with pytest.raises(ClientError) as refused:
            stack_outputs(formation, "storycast", "eu-west-1")
    assert "refuses cloudformation:DescribeStacks" in (explain(refused.value) or ("", 0))[0]


def test_a_stack_that_is_not_ours_is_refused(formation: Any) -> None:
    answer = {
        "StackName": "storycast",
        "CreationTime": datetime(2026, 11, 22, tzinfo=UTC),
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "MediaBucketName", "OutputValue": "media"}],
    }
    with Stubber(formation) as stub:
        stub.add_response("describe_stacks", {"Stacks": [answer]}, {"StackName": "storycast"})
        outputs = stack_outputs(formation, "storycast", "eu-west-1")
    with pytest.raises(
        TargetUnusableError, match="no output BuildDatasetArn, TableName, ReviewTableName, TrainModelArn"
    ):
        target_of("aws", "the stack", outputs, lambda service: None)


@pytest.mark.parametrize(
    ("name", "more"), [("NoFramesError", True), ("KeyError", False), ("States.Timeout", False)]
)
def test_our_own_errors_are_in_the_runbook(name: str, more: bool) -> None:
    assert bool(read_on(name)) == more
