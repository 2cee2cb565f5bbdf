"""SageMaker's jobs, ECR's images and folders of weights, through real clients and their own models."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters.ecr import EcrImages
from storycast.adapters.sagemaker_jobs import METRICS, SageMakerJobs
from storycast.adapters.weights import S3WeightFolders
from storycast.errors import (
    DependencyUnavailableError,
    StorycastError,
    ThrottledError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.ports import ContainerJob
from tests.unit.test_adapters_training import _client

NAME = "film-20260102-abcdef-t0123abcd-0a1b2c"
ARN = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{NAME}"
ROLE = "arn:aws:iam::123456789012:role/training"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/storycast-trainer:1"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
JOB = ContainerJob(
    name=NAME,
    arguments=("train",),
    prefixes={"job": "s3://media/runs/x/job-train/", "weights": "s3://media/models/sdxl/"},
    manifests={"pictures": "s3://media/runs/x/pictures.manifest"},
    work_uri="s3://media/runs/x/work-train/",
    output_uri="s3://media/runs/x/output/",
    instance_type="ml.g5.xlarge",
    volume_gb=60,
    max_run_s=7200,
    max_wait_s=14_400,
    is_isolated=True,
    hyperparameters={"step_count": "100"},
    tags={"storycast:run": "film"},
)


@pytest.fixture
def sagemaker() -> Any:
    return _client("sagemaker")


@pytest.fixture
def stubber(sagemaker: Any) -> Any:
    with Stubber(sagemaker) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def jobs(sagemaker: Any) -> SageMakerJobs:
    return SageMakerJobs(ROLE, IMAGE, sagemaker)


def _request() -> dict[str, Any]:
    def channel(name: str, kind: str, uri: str) -> dict[str, Any]:
        source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}

    return {
        "TrainingJobName": NAME,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerArguments": ["train"],
            "MetricDefinitions": [
                {"Name": "train_loss", "Regex": "train_loss=([0-9.eE+-]+)"},
                {"Name": "held_out_loss", "Regex": "held_out_loss=([0-9.eE+-]+)"},
                {"Name": "pictures_per_second", "Regex": "pictures_per_second=([0-9.eE+-]+)"},
            ],
        },
        "RoleArn": ROLE,
        "HyperParameters": {"step_count": "100"},
        "InputDataConfig": [
            channel("job", "S3Prefix", "s3://media/runs/x/job-train/"),
            channel("weights", "S3Prefix", "s3://media/models/sdxl/"),
            channel("pictures", "ManifestFile", "s3://media/runs/x/pictures.manifest"),
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://media/runs/x/output/"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 60},
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 14_400},
        "CheckpointConfig": {"S3Uri": "s3://media/runs/x/work-train/", "LocalPath": "/opt/ml/checkpoints"},
        "EnableManagedSpotTraining": True,
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "storycast:run", "Value": "film"}],
    }


def _described(status: str = "InProgress", **more: Any) -> dict[str, Any]:
    facts = {
        "TrainingJobName": NAME,
        "TrainingJobArn": ARN,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://media/o/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": "Starting",
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
        "CreationTime": AT,
        "LastModifiedTime": LATER,
    }
    return {**facts, **more}


# ---- making a job ---------------------------------------------------------------------------------


def test_a_job_is_ordered_word_for_word(jobs: SageMakerJobs, stubber: Stubber) -> None:
    stubber.add_response("create_training_job", {"TrainingJobArn": ARN}, _request())
    assert jobs.create(JOB) == ARN


def test_without_spot_nothing_is_waited_for(jobs: SageMakerJobs, stubber: Stubber) -> None:
    expected = {
        **_request(),
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
        "EnableManagedSpotTraining": False,
        "EnableNetworkIsolation": False,
    }
    stubber.add_response("create_training_job", {"TrainingJobArn": ARN}, expected)
    jobs.create(replace(JOB, max_wait_s=None, is_isolated=False))


def test_the_metrics_are_found_in_the_trainers_lines() -> None:
    import re

    line = "step=100/1500 train_loss=0.123456 held_out_loss=0.130000 pictures_per_second=1.23"
    found = {name: re.search(rf"{name}=([0-9.eE+-]+)", line) for name in METRICS}
    assert {name: match and match[1] for name, match in found.items()} == {
        "train_loss": "0.123456",
        "held_out_loss": "0.130000",
        "pictures_per_second": "1.23",
    }


@pytest.mark.parametrize(("role", "image"), [("", IMAGE), (ROLE, ""), ("", "")])
def test_a_stack_without_sagemaker_says_how_to_switch_it_on(role: str, image: str, sagemaker: Any) -> None:
    with Stubber(sagemaker), pytest.raises(TrainingAccessError, match="SageMakerTraining=on"):
        SageMakerJobs(role, image, sagemaker).create(JOB)


@pytest.mark.parametrize(
    ("code", "message", "kind", "advice"),
    [
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.g5.xlarge for spot training job usage' is 0 Instances, with "
            "current utilization of 0 Instances and a request delta of 1 Instances. Please contact AWS support.",
            TrainingAccessError,
            "'ml.g5.xlarge for spot training job usage'",
        ),
        (
            "ValidationException",
            "Could not assume role arn:aws:iam::123456789012:role/training. Please ensure that the role exists.",
            TrainingAccessError,
            "Deploy the stack again",
        ),
        (
            "ValidationException",
            "Cannot find repository: storycast-trainer in registry ID: 123456789012. Please check if your ECR "
            "image exists and role has proper pull permissions for SageMaker.",
            TrainingAccessError,
            "Push the trainer's image",
        ),
        (
            "ValidationException",
            'No S3 objects found under S3 URL "s3://media/models/sdxl/" given in input data source. Please ensure '
            'that the role has "s3:ListBucket" permissions on bucket "media".',
            TrainingAccessError,
            "Look whether anything lies there",
        ),
        (
            "ValidationException",
            "1 validation error detected: Value '9' at 'resourceConfig.volumeSizeInGB' failed to satisfy",
            TrainingPlanInvalidError,
            "volumeSizeInGB",
        ),
        (
            "AccessDeniedException",
            "User is not authorized to perform iam:PassRole",
            TrainingAccessError,
            "PassRole",
        ),
        ("ResourceInUse", "Training job names must be unique within an account", DependencyUnavailableError, NAME),
        ("ThrottlingException", "Rate exceeded", ThrottledError, "Rate"),
        ("InternalFailure", "x", DependencyUnavailableError, "x"),
    ],
)
def test_a_refusal_says_what_to_do(
    jobs: SageMakerJobs, stubber: Stubber, code: str, message: str, kind: type[StorycastError], advice: str
) -> None:
    status = 500 if code == "InternalFailure" else 400
    stubber.add_client_error("create_training_job", code, message, http_status_code=status)
    with pytest.raises(StorycastError) as caught:
        jobs.create(JOB)
    assert type(caught.value) is kind
    assert advice in str(caught.value)


def test_a_quota_without_spot_is_another_quota(jobs: SageMakerJobs, stubber: Stubber) -> None:
    stubber.add_client_error("create_training_job", "ResourceLimitExceeded", "The account-level service limit")
    with pytest.raises(TrainingAccessError, match=r"'ml\.g5\.xlarge for training job usage'"):
        jobs.create(replace(JOB, max_wait_s=None))


# ---- finding and stopping -------------------------------------------------------------------------


def test_a_job_is_found_by_its_name(jobs: SageMakerJobs, stubber: Stubber) -> None:
    told = _described(SecondaryStatus="Downloading", EnableManagedSpotTraining=True)
    stubber.add_response("describe_training_job", told, {"TrainingJobName": NAME})
    found = jobs.find(NAME)
    assert found
    assert (found.name, found.arn, found.status, found.created_at) == (NAME, ARN, "InProgress", AT)
    assert (found.secondary, found.uses_spot, found.ended_at, found.billable_s) == (
        "Downloading",
        True,
        None,
        None,
    )


def test_what_a_job_came_to_is_told(jobs: SageMakerJobs, stubber: Stubber) -> None:
    told = _described(
        "Completed",
        SecondaryStatus="Completed",
        TrainingStartTime=AT,
        TrainingEndTime=AT + timedelta(minutes=50),
        BillableTimeInSeconds=900,
        FinalMetricDataList=[{"MetricName": "train_loss", "Value": 0.25, "Timestamp": AT}],
    )
    stubber.add_response("describe_training_job", told)
    found = jobs.find(NAME)
    assert found
    assert (found.status, found.ended_at, found.billable_s) == ("Completed", AT + timedelta(minutes=50), 900)
    assert found.training_loss == 0.25


def test_a_job_that_got_no_machine_is_not_billed(jobs: SageMakerJobs, stubber: Stubber) -> None:
    stubber.add_response(
        "describe_training_job",
        _described("Failed", SecondaryStatus="Failed", FailureReason="CapacityError: none"),
    )
    found = jobs.find(NAME)
    assert found
    assert (found.failure, found.ended_at, found.billable_s) == ("CapacityError: none", LATER, 0)


def test_every_status_of_the_service_is_one_that_the_workflow_knows(jobs: SageMakerJobs, stubber: Stubber) -> None:
    model: Any = botocore.session.get_session().get_service_model("sagemaker")
    for status in model.shape_for("TrainingJobStatus").enum:
        stubber.add_response("describe_training_job", _described(status))
        found = jobs.find(NAME)
        assert found
        assert found.status == ("Stopping" if status == "Deleting" else status)
        assert found.has_ended == (status in {"Completed", "Failed", "Stopped"})


@pytest.mark.parametrize(
    ("code", "message"), [("ValidationException", "Requested resource not found."), ("ResourceNotFound", "x")]
)
def test_a_job_that_is_not_there_is_none(jobs: SageMakerJobs, stubber: Stubber, code: str, message: str) -> None:
    stubber.add_client_error("describe_training_job", code, message)
    assert jobs.find(NAME) is None


def test_a_look_that_is_refused_is_not_an_absence(jobs: SageMakerJobs, stubber: Stubber) -> None:
    """Else a teardown would take a job that it may not see for one that has ended."""
    stubber.add_client_error("describe_training_job", "AccessDeniedException", "not authorized")
    with pytest.raises(TrainingAccessError, match="SageMakerTraining=off while jobs ran"):
        jobs.find(NAME)
    stubber.add_client_error("describe_training_job", "ValidationException", "1 validation error detected")
    with pytest.raises(ClientError):
        jobs.find(NAME)


def test_a_stop_that_comes_too_late_is_no_fault(jobs: SageMakerJobs, stubber: Stubber) -> None:
    stubber.add_response("stop_training_job", {}, {"TrainingJobName": NAME})
    jobs.stop(NAME)
    late = "The request was rejected because the training job is in status Stopped."
    stubber.add_client_error("stop_training_job", "ValidationException", late)
    jobs.stop(NAME)
    stubber.add_client_error("stop_training_job", "ResourceNotFound", "x")
    jobs.stop(NAME)
    stubber.add_client_error("stop_training_job", "AccessDeniedException", "x")
    with pytest.raises(TrainingAccessError, match="SageMakerTraining=off while jobs ran"):
        jobs.stop(NAME)


def test_jobs_under_way_are_listed_over_all_pages(jobs: SageMakerJobs, stubber: Stubber) -> None:
    def page(name: str, **more: Any) -> dict[str, Any]:
        one = {
            "TrainingJobName": name,
            "TrainingJobArn": ARN,
            "CreationTime": AT,
            "TrainingJobStatus": "InProgress",
        }
        return {"TrainingJobSummaries": [one], **more}

    asked = {"StatusEquals": "InProgress"}
    stubber.add_response("list_training_jobs", page("a", NextToken="next"), asked)
    stubber.add_response("list_training_jobs", page("b"), {**asked, "NextToken": "next"})
    assert [job.name for job in jobs.under_way()] == ["a", "b"]


# ---- the image, and weights -----------------------------------------------------------------------


def test_an_image_is_looked_for_by_its_tag() -> None:
    ecr = _client("ecr")
    with Stubber(ecr) as stubber:
        asked = {
            "registryId": "123456789012",
            "repositoryName": "storycast-trainer",
            "imageIds": [{"imageTag": "1"}],
        }
        stubber.add_response("describe_images", {"imageDetails": []}, asked)
        assert EcrImages(ecr).has_image(IMAGE) is True
        digest = {**asked, "imageIds": [{"imageDigest": "sha256:abc"}]}
        stubber.add_response("describe_images", {"imageDetails": []}, digest)
        assert EcrImages(ecr).has_image(f"{IMAGE.rpartition(':')[0]}@sha256:abc") is True
        for code, there in (
            ("ImageNotFoundException", False),
            ("RepositoryNotFoundException", False),
            ("AccessDeniedException", None),
        ):
            stubber.add_client_error("describe_images", code)
            assert EcrImages(ecr).has_image(IMAGE) is there
        stubber.add_client_error("describe_images", "ServerException", http_status_code=500)
        with pytest.raises(DependencyUnavailableError):
            EcrImages(ecr).has_image(IMAGE)
        assert EcrImages(ecr).has_image("docker.io/library/python:3") is None, "no image of Amazon ECR"


def test_a_folder_of_weights_is_listed_from_its_prefix_on() -> None:
    s3 = _client("s3")
    with Stubber(s3) as stubber:
        names = ["models/sdxl/model_index.json", "models/sdxl/unet/config.json"]
        listed = {"Contents": [{"Key": name} for name in names]}
        stubber.add_response("list_objects_v2", listed, {"Bucket": "weights", "Prefix": "models/sdxl/"})
        found = S3WeightFolders(s3).names("s3://weights/models/sdxl/")
        assert found == ["model_index.json", "unet/config.json"]
        stubber.add_client_error("list_objects_v2", "NoSuchBucket")
        assert S3WeightFolders(s3).names("s3://weights/models/sdxl/") == []
        stubber.add_client_error("list_objects_v2", "AccessDenied")
        assert S3WeightFolders(s3).names("s3://weights/models/sdxl/") is None
        stubber.add_client_error("list_objects_v2", "SlowDown")
        with pytest.raises(ThrottledError):
            S3WeightFolders(s3).names("s3://weights/models/sdxl/")
