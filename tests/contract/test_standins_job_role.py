"""The role of a job, assumed through an STS: who may be assumed, and what the job may then read and write."""

import json
import re

import pytest

from tests.contract.cloud import TRUST, Cloud
from tests.contract.trainings import BUCKET, PICTURES

pytestmark = pytest.mark.usefixtures("active")


def test_a_job_reads_and_writes_as_its_role(create, ended, cloud):
    job = ended(create("by-role"))
    assert job["status"] == "Completed", job
    assert cloud.read_by == {"ASIAROLE"}, "not with the stand-ins' own keys"
    assert cloud.session == "bedrock-by-role"
    ((key, table),) = cloud.written.items()
    assert key.startswith(f"{BUCKET}/output/model-customization-job-")
    assert table.startswith(b"step_number,epoch_number,training_loss\n1,")


@pytest.mark.parametrize("key", ["manifest.jsonl", "images/3.png", f"images/{len(PICTURES) - 1}.png"])
def test_what_the_role_may_not_read_is_named(create, ended, cloud, key):
    cloud.denied.add(f"{BUCKET}/{key}")
    job = ended(create(f"denied-{key.translate(str.maketrans('/.', '--'))}"))
    assert job["status"] == "Failed"
    assert f"s3://{BUCKET}/{key} can't be read with the job's role" in job["failureMessage"]
    assert "AccessDenied" in job["failureMessage"]


def test_what_is_not_there_is_named(create, ended, cloud, manifest):
    cloud.objects.pop(f"{BUCKET}/images/2.png")
    job = ended(create("missing-picture"))
    assert f"s3://{BUCKET}/images/2.png" in job["failureMessage"]
    assert "NoSuchKey" in job["failureMessage"]


def test_a_uri_that_is_none_is_named(create, ended, cloud, manifest):
    line = json.dumps({"image-ref": "https://example.com/a.png", "caption": "Mara"}).encode()
    cloud.objects[f"{BUCKET}/manifest.jsonl"] = b"\n".join([line] * 6)
    assert "'https://example.com/a.png' is not s3://" in ended(create("no-uri"))["failureMessage"]


def test_metrics_that_the_role_may_not_write_fail_the_job(create, ended, cloud, call, monkeypatch):
    monkeypatch.setattr(cloud, "object", lambda method, *rest: _read_only(cloud, method, *rest))
    job = ended(create("read-only"))
    assert job["status"] == "Failed"
    assert re.search(r"step_wise_training_metrics.csv can't be written .*AccessDenied", job["failureMessage"])
    assert not call("bedrock", "ListCustomModels", nameContains="read-only")["modelSummaries"]


def _read_only(cloud, method, key, who, body):
    if method == "PUT":
        cloud.denied.add(key)
    return Cloud.object(cloud, method, key, who, body)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}},
        {"Principal": {"AWS": "*"}},
        {"Principal": "*"},
        {"Action": "sts:TagSession"},
    ],
    ids=str,
)
def test_a_role_that_does_not_trust_bedrock_is_refused_at_once(create, client, cloud, call, statement):
    cloud.statements = [TRUST | statement]
    with pytest.raises(
        client("bedrock").exceptions.ValidationException, match="Could not assume provided IAM role"
    ):
        create("untrusted")
    found = call("bedrock", "ListModelCustomizationJobs", nameContains="untrusted")
    assert found["modelCustomizationJobSummaries"] == []


@pytest.mark.parametrize(
    "statements",
    [
        TRUST,
        [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}, TRUST],
        [
            TRUST
            | {"Principal": {"Service": ["lambda.amazonaws.com", "bedrock.amazonaws.com"]}, "Action": ["sts:*"]}
        ],
    ],
    ids=["one", "the second", "lists"],
)
def test_trust_is_found_however_it_is_written(create, cloud, statements, request):
    cloud.statements = statements
    assert create(f"trusted-{abs(hash(request.node.name)) % 10**8}")


def test_a_role_that_is_not_there_is_refused(create, client, cloud):
    cloud.iam_error = "NoSuchEntity"
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="NoSuchEntity"):
        create("nobody")


def test_where_iam_tells_nothing_sts_decides(create, ended, cloud):
    cloud.iam_error, cloud.sts_error = "AccessDenied", "AccessDenied"
    job = ended(create("sts-decides"))
    assert job["status"] == "Failed"
    assert "Could not assume provided IAM role" in job["failureMessage"]


def test_without_an_emulator_there_is_no_role(create, client, environment, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="set AWS_ENDPOINT_URL"):
        create("no-emulator")
