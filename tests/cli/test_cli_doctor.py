"""`storycast doctor`: a line for each thing that a run needs, and what to do next where it is not well."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

import cli.doctor
from cli.doctor import examine
from cli.main import app
from cli.problems import TargetUnusableError
from cli.target import Target, choose, target_of
from local.tools import Tools
from storycast.findings import Finding
from tests.cli.conftest import BUCKET, REVIEW_TABLE, TABLE

TRAINED = (
    "training: {target: bedrock, step_count: 500, batch_size: 8}\n"
    "storyboard: {prompts: [Bunny on a meadow]}\n"
    "budget_usd: 200\n"
)
ADAPTER = "training: {target: sagemaker}\nstoryboard: {prompts: [Bunny on a meadow]}\nbudget_usd: 20\n"
PLAYED = 'local: {play_as_active: ["amazon.nova-canvas-v1:0"]}\n'
LOCAL = choose("local", "storycast", None, keep_up=False)
AWS = choose("aws", "storycast", None, keep_up=False)


def with_settings(project_file: Path, more: str) -> Path:
    project_file.write_text(project_file.read_text(encoding="utf-8") + more, encoding="utf-8")
    return project_file


def by_subject(found: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in found}


# ---- on this machine ------------------------------------------------------------------------------


def test_a_machine_that_is_set_up_is_well(project_file: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--project", str(project_file)])
    assert result.exit_code == 0, result.output
    assert "✗" not in result.stdout
    assert "Nothing stands in the way of a run." in result.stdout


def test_what_make_setup_makes_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.doctor, "Tools", lambda: Tools(tmp_path))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not told["ok"]
    missing = {one["subject"]: one["message"] for one in told["findings"] if one["level"] == "problem"}
    assert "make setup" in missing["emulator"]
    assert "git checkout" in missing["model u2netp.onnx"]


def test_another_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.doctor, "PYTHON", (3, 99))
    assert by_subject(examine(LOCAL, None))["python"].level == "problem"


def test_a_project_file_that_cannot_be_used_is_a_problem(project_file: Path) -> None:
    with_settings(project_file, "nonsense: 1\n")
    result = CliRunner().invoke(app, ["doctor", "--project", str(project_file)])
    assert result.exit_code == 1
    assert "✗ project: " in result.stdout
    assert "nonsense" in result.stdout


def test_a_prompt_that_cannot_be_used_is_a_problem_and_one_that_can_is_none(project_file: Path) -> None:
    with_settings(project_file, "captions: {prompt: mine.txt}\n")
    prompt = project_file.parent / "mine.txt"
    prompt.write_text("Say what you see.", encoding="utf-8")
    found = by_subject(examine(LOCAL, project_file))["project"]
    assert (found.level, "{in_picture} and {words} must stand in it" in found.message) == ("problem", True)
    prompt.write_text("{in_picture} {words}", encoding="utf-8")
    assert by_subject(examine(LOCAL, project_file))["project"].level == "ok"


def test_an_ended_base_model_is_a_problem_here_unless_the_stand_in_plays_it(project_file: Path) -> None:
    ended = by_subject(examine(LOCAL, with_settings(project_file, TRAINED)))["base model"]
    assert ended.level == "problem"
    assert "reached its end of life on 2026-09-30" in ended.message
    played = by_subject(examine(LOCAL, with_settings(project_file, PLAYED)))
    assert played["base model"].level == "ok"
    assert played["local.play_as_active"].level == "warning"
    assert "on AWS it ended on 2026-09-30" in played["local.play_as_active"].message


def test_models_that_nobody_plays_are_named(project_file: Path) -> None:
    found = by_subject(examine(LOCAL, with_settings(project_file, "captions: {model: maker.talk-v1}\n")))
    assert found["maker.talk-v1"].level == "problem"


def test_a_training_on_sagemaker_needs_the_trainers_environment_here(
    project_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_settings(project_file, ADAPTER)
    monkeypatch.setenv("STORYCAST_TRAINING_PYTHON", str(tmp_path / "missing"))
    found = by_subject(examine(LOCAL, project_file))
    assert found["trainer"].level == "problem"
    assert "make setup-training" in found["trainer"].message
    assert found["licence"].level == "ok"
    assert not {"image", "role", "quota"} & set(found)
    monkeypatch.setattr(cli.doctor, "find_python", lambda _: tmp_path)
    trainer = by_subject(examine(LOCAL, project_file))["trainer"]
    assert trainer.level == "ok"
    assert "random weights" in trainer.message


# ---- on AWS ---------------------------------------------------------------------------------------


class FakeBedrock:
    """Knows all models; what a test changes, it says otherwise."""

    def __init__(self, ended: dict[str, datetime] | None = None, denied: tuple[str, ...] = ()) -> None:
        self._ended = ended or {}
        self._denied = denied

    def get_foundation_model(self, modelIdentifier: str) -> dict[str, Any]:  # noqa: N803 - botocore's
        lifecycle: dict[str, Any] = {"status": "ACTIVE"}
        if modelIdentifier in self._ended:
            lifecycle = {"status": "LEGACY", "endOfLifeTime": self._ended[modelIdentifier]}
        return {
            "modelDetails": {
                "modelName": modelIdentifier,
                "providerName": "Amazon",
                "customizationsSupported": ["FINE_TUNING"],
                "inferenceTypesSupported": ["ON_DEMAND", "PROVISIONED"],
                "modelLifecycle": lifecycle,
            }
        }

    def get_foundation_model_availability(self, modelId: str) -> dict[str, Any]:  # noqa: N803 - botocore's
        denied = modelId in self._denied
        return {
            "modelId": modelId,
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "NOT_AUTHORIZED" if denied else "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }


class Refusing:
    """A service that lets nobody look."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)

        return refuse


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An account in moto with a bucket and a table; the services that a test names are replaced."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    services: dict[str, Any] = {"bedrock": FakeBedrock(), "service-quotas": Refusing()}
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        boto3.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        trust = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "bedrock.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ]
        }
        role = boto3.client("iam").create_role(
            RoleName="customization", AssumeRolePolicyDocument=json.dumps(trust)
        )

        outputs = {
            "BuildDatasetArn": "arn:build",
            "TrainModelArn": "arn:train",
            "TearDownArn": "arn:end",
            "TableName": TABLE,
            "ReviewTableName": REVIEW_TABLE,
            "CustomizationRoleArn": role["Role"]["Arn"],
        }

        def give(service: str) -> Any:
            return services.get(service) or boto3.client(service)  # type: ignore[call-overload]

        @contextmanager
        def opened(*_: Any) -> Iterator[Target]:
            bucket = services.get("bucket", BUCKET)
            more = services.get("outputs", {})
            yield target_of("aws", "a test", {**outputs, "MediaBucketName": bucket, **more}, give)

        class Session:
            region_name = "us-east-1"
            client = staticmethod(give)

        monkeypatch.setattr(boto3, "Session", Session)
        monkeypatch.setattr(cli.doctor, "opened", opened)
        yield services


def test_an_account_that_can_run_and_train(account: dict[str, Any], project_file: Path) -> None:
    found = examine(AWS, with_settings(project_file, TRAINED))
    assert {one.subject: one.level for one in found} == {
        "python": "ok",
        "project": "ok",
        "region": "ok",
        "credentials": "ok",
        "stack": "ok",
        "bucket": "ok",
        "table": "ok",
        "amazon.titan-embed-image-v1": "ok",
        "amazon.nova-pro-v1:0": "ok",
        "base model": "ok",
        "budget": "ok",
        "dataset": "unknown",
        "role": "ok",
        "quota": "unknown",
        "prompts": "ok",
    }


class Quotas:
    """Service Quotas with one quota."""

    def __init__(self, name: str, value: float) -> None:
        self._quota = {"QuotaName": name, "Value": value}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"Quotas": [self._quota]}]


def test_an_account_that_can_train_on_sagemaker(account: dict[str, Any], project_file: Path) -> None:
    asked = with_settings(project_file, ADAPTER)
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = boto3.client("iam").create_role(
        RoleName="training", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )
    ecr = boto3.client("ecr")
    repository = ecr.create_repository(repositoryName="storycast-training")["repository"]["repositoryUri"]
    account["service-quotas"] = Quotas("ml.g5.xlarge for spot training job usage", 1.0)
    found = by_subject(examine(AWS, asked))
    assert found["image"].level == "problem"
    assert "SageMakerTraining=on" in found["image"].message
    account["outputs"] = {
        "TrainingRoleArn": role["Role"]["Arn"],
        "TrainingImageUri": f"{repository}:1",
    }
    found = by_subject(examine(AWS, asked))
    assert (found["role"].level, found["quota"].level) == ("ok", "ok")
    assert "is not in the repository" in found["image"].message
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    manifest |= {"config": {"digest": "sha256:" + "0" * 64, "size": 1, "mediaType": "x"}, "layers": []}
    ecr.put_image(repositoryName="storycast-training", imageManifest=json.dumps(manifest), imageTag="1")
    found = by_subject(examine(AWS, asked))
    assert found["image"].level == "ok"
    assert not [one for one in found.values() if one.level == "problem"]


def test_ended_models_and_models_without_access(account: dict[str, Any], project_file: Path) -> None:
    ended = {
        name: datetime(2026, 9, 30, tzinfo=UTC) for name in ("amazon.nova-canvas-v1:0", "amazon.nova-pro-v1:0")
    }
    account["bedrock"] = FakeBedrock(ended, denied=("amazon.titan-embed-image-v1",))
    problems = [one for one in examine(AWS, with_settings(project_file, TRAINED)) if one.level == "problem"]
    assert [one.subject for one in problems] == [
        "amazon.titan-embed-image-v1",
        "amazon.nova-pro-v1:0",
        "base model",
    ]
    assert "NOT_AUTHORIZED" in problems[0].message


def test_without_training_an_ended_base_model_disturbs_nobody(account: dict[str, Any]) -> None:
    account["bedrock"] = FakeBedrock({"amazon.nova-canvas-v1:0": datetime(2026, 9, 30, tzinfo=UTC)})
    assert all(one.level == "ok" for one in examine(AWS, None))


def test_what_this_identity_may_not_look_at_is_unknown(account: dict[str, Any], project_file: Path) -> None:
    account["bedrock"] = Refusing()
    found = examine(AWS, with_settings(project_file, TRAINED))
    assert by_subject(found)["amazon.titan-embed-image-v1"].level == "unknown"
    assert by_subject(found)["training"].level == "unknown"
    assert all(one.level != "problem" for one in found)


def test_a_review_by_workers_needs_a_flow_definition(account: dict[str, Any], project_file: Path) -> None:
    asked = with_settings(project_file, "review: {mode: a2i}\n")
    finding = by_subject(examine(AWS, asked))["review"]
    assert finding.level == "problem"
    assert "storycast a2i-setup" in finding.message
    arn = "arn:aws:sagemaker:us-east-1:111122223333:flow-definition/storycast-1a2b3c"
    account["outputs"] = {"A2iFlowDefinitionArn": arn}
    finding = by_subject(examine(AWS, asked))["review"]
    assert (finding.level, finding.message) == ("ok", f"workers of {arn}.")


def test_a_bucket_that_is_gone(account: dict[str, Any]) -> None:
    account["bucket"] = "elsewhere"
    assert by_subject(examine(AWS, None))["bucket"].level == "problem"


def test_without_a_stack_models_are_looked_at_all_the_same(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> Any:
        raise TargetUnusableError("There is no stack 'storycast' in us-east-1. Deploy it.")

    monkeypatch.setattr(cli.doctor, "opened", missing)
    found = by_subject(examine(AWS, None))
    assert found["stack"].level == "problem"
    assert "Deploy it" in found["stack"].message
    assert "amazon.nova-pro-v1:0" in found


def test_no_region_and_bad_credentials_end_the_look(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Session:
        region_name: str | None = None

        def client(self, _: str) -> Any:
            return Refused()

    class Refused:
        def get_caller_identity(self) -> Any:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "GetCallerIdentity")

    monkeypatch.setattr(boto3, "Session", Session)
    assert by_subject(examine(AWS, None))["region"].level == "problem"
    monkeypatch.setattr(Session, "region_name", "us-east-1")
    found = examine(AWS, None)
    assert found[-1].subject == "credentials"
    assert found[-1].level == "problem"
    assert "aws sso login" in found[-1].message
