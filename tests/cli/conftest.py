"""Input files, a bucket and a table in moto, and a scripted Step Functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from cli.screen import Screen
from cli.target import Target, target_of
from storycast.review import Review
from tests.cli.bedrock import FakeBedrock
from tests.cli.media import write_picture, write_video
from tests.cli.reviews import wait_for_people
from tests.cli.sagemaker import FakeSageMaker
from tests.cli.stepfunctions import DEFINITION, MACHINE_ARN, TEAR_DOWN_ARN, TRAIN_ARN, FakeStepFunctions

BUCKET = "media"
TABLE = "claims"
REVIEW_TABLE = "reviews"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "Big Film.mp4")


@pytest.fixture
def project_file(tmp_path: Path) -> Path:
    """A project with two reference pictures of one character."""
    folder = tmp_path / "Bunny"
    write_picture(folder / "cast/bunny/front.png")
    write_picture(folder / "cast/bunny/side.jpg", "white")
    (folder / "project.yaml").write_text(
        "# the film\ncharacters:\n  - name: Bunny\n    references: [cast/bunny/*]\n", encoding="utf-8"
    )
    return folder / "project.yaml"


@pytest.fixture
def screen() -> Screen:
    """A screen that is no terminal; ``.console.export_text()`` is what it showed."""
    return Screen(Console(record=True, highlight=False, width=200), Console(stderr=True, highlight=False))


@pytest.fixture
def stepfunctions() -> FakeStepFunctions:
    return FakeStepFunctions(DEFINITION)


@pytest.fixture
def bedrock() -> FakeBedrock:
    return FakeBedrock()


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    return FakeSageMaker()


@pytest.fixture
def target(
    stepfunctions: FakeStepFunctions,
    bedrock: FakeBedrock,
    sagemaker: FakeSageMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Target]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "key", "AttributeType": "S"},
                {"AttributeName": "book", "AttributeType": "S"},
                {"AttributeName": "expires_at", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-key",
                    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": "by-billing",
                    "KeySchema": [
                        {"AttributeName": "book", "KeyType": "HASH"},
                        {"AttributeName": "expires_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
        )
        dynamodb.create_table(
            TableName=REVIEW_TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        clients: dict[str, Any] = {
            "s3": s3,
            "dynamodb": dynamodb,
            "stepfunctions": stepfunctions,
            "bedrock": bedrock,
            "sagemaker": sagemaker,
        }
        outputs = {
            "MediaBucketName": BUCKET,
            "BuildDatasetArn": MACHINE_ARN,
            "TrainModelArn": TRAIN_ARN,
            "TearDownArn": TEAR_DOWN_ARN,
            "TableName": TABLE,
            "ReviewTableName": REVIEW_TABLE,
        }
        yield target_of("local", "a test", outputs, clients.__getitem__)


@pytest.fixture
def open_target(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each command open the test's target, and wait for nothing."""

    @contextmanager
    def opened(*_: Any) -> Iterator[Target]:
        yield target

    for module in (
        "asking",
        "exporting",
        "local_training",
        "rerunning",
        "reviewing",
        "running",
        "teardown",
        "training",
    ):
        monkeypatch.setattr(f"cli.{module}.opened", opened)
    monkeypatch.setattr("cli.following.GRACE_SECONDS", 0.0)
    monkeypatch.setattr("cli.watching.pause_locally", lambda _: 0.0)
    monkeypatch.setattr("cli.watching.pause_on_aws", lambda _: 0.0)
    monkeypatch.setattr("cli.ending.RECORD_SECONDS", 0.0)
    monkeypatch.setattr("cli.ending.END_SECONDS", 0.0)
    monkeypatch.setattr("cli.reviewing.refuse_down", lambda *_: None)
    monkeypatch.setattr("cli.reviewing.LOCAL_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("cli.reviewing.GRACE_SECONDS", 0.0)
    monkeypatch.setattr("cli.reviewing.NEXT_SECONDS", 0.0)
    monkeypatch.setattr("cli.reviews.PAUSE_SECONDS", 0.0)


@pytest.fixture
def waiting(target: Target, stepfunctions: FakeStepFunctions, open_target: None) -> Review:
    return wait_for_people(target, stepfunctions)
