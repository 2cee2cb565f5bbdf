"""SageMaker AI's training jobs, which run a container of ours on a machine of their own."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.errors import (
    DependencyUnavailableError,
    StorycastError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.instances import quota_name
from storycast.ports import ContainerJob, JobFacts
from storycast.training import JobStatus

WORK = "/opt/ml/checkpoints"
METRICS = ("train_loss", "held_out_loss", "pictures_per_second")
"""What a line of the log tells as ``name=number``."""
OFF = (
    "This stack does not train on SageMaker: it was deployed with SageMakerTraining=off. Deploy it with "
    "SageMakerTraining=on, build and push the trainer's image as docs/training.md says, and start again."
)

_REFUSED: dict[str, type[StorycastError]] = {
    "AccessDeniedException": TrainingAccessError,
    "ResourceLimitExceeded": TrainingAccessError,
    "ResourceNotFound": TrainingAccessError,
    "ValidationException": TrainingPlanInvalidError,
    # The name is taken: the search did not show it yet, and will when the call is repeated.
    "ResourceInUse": DependencyUnavailableError,
}
_MAY_NOT_LOOK: dict[str, type[StorycastError]] = {"AccessDeniedException": TrainingAccessError}
SWITCHED_OFF = (
    "If the stack was deployed with SageMakerTraining=off while jobs ran, deploy it with it on until "
    "they have ended. AWS's own clock ends them, too."
)
_ACCESS = re.compile(r"assume|role|repository|image|ecr|registry|not authorized|s3:ListBucket", re.IGNORECASE)
"""Words of the ValidationException that is about the role, the image or the bucket, not about the values."""
_GONE = re.compile(r"not found|does not exist|could not find", re.IGNORECASE)
"""Words of the ValidationException that SageMaker answers where its model has ResourceNotFound."""


class SageMakerJobs:
    """A :class:`~storycast.ports.ContainerJobs` over training jobs.

    Args:
        role_arn: The role of the jobs; empty where the stack has none.
        image_uri: The container's image; empty where the stack has none.
        sagemaker: A client of SageMaker; the process's own where None.
    """

    def __init__(self, role_arn: str = "", image_uri: str = "", sagemaker: Any = None) -> None:
        self._role_arn = role_arn
        self._image_uri = image_uri
        self._given = sagemaker

    @property
    def _sagemaker(self) -> Any:
        # Made when it is needed: its model is large, and most sessions on Bedrock never need it.
        return self._given or client("sagemaker")

    def create(self, job: ContainerJob) -> str:
        """Start a job and return its ARN; see :meth:`ContainerJobs.create`.

        Raises:
            DependencyUnavailableError: There is a job of this name: find it.
        """
        if not self._role_arn or not self._image_uri:
            raise TrainingAccessError(OFF)
        try:
            with translated(f"CreateTrainingJob {job.name}", _REFUSED):
                answer = self._sagemaker.create_training_job(**_request(job, self._role_arn, self._image_uri))
        except (TrainingAccessError, TrainingPlanInvalidError) as error:
            if isinstance(error, TrainingPlanInvalidError) and not _ACCESS.search(str(error)):
                raise
            raise TrainingAccessError(f"{error} {_advice(str(error), job)}") from error
        return str(answer["TrainingJobArn"])

    def find(self, name: str) -> JobFacts | None:
        """Return what is known of a job; None where there is none of this name."""
        with _allowed(f"DescribeTrainingJob {name}"):
            try:
                return _facts(self._sagemaker.describe_training_job(TrainingJobName=name))
            except ClientError as error:
                if _is_gone(error):
                    return None
                raise

    def stop(self, name: str) -> None:
        """Ask a job to stop; one that has ended already or is gone is no fault."""
        with _allowed(f"StopTrainingJob {name}"):
            try:
                self._sagemaker.stop_training_job(TrainingJobName=name)
            except ClientError as error:
                # Also of one that has ended: "... was rejected because the training job is in status Stopped."
                if error.response["Error"]["Code"] not in {"ResourceNotFound", "ValidationException"}:
                    raise

    def under_way(self) -> Iterator[JobFacts]:
        """Yield every job of the account in this region that is in progress."""
        with _allowed("ListTrainingJobs"):
            pages = self._sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals="InProgress")
            for page in pages:
                for summary in page.get("TrainingJobSummaries", ()):
                    yield _facts(summary)


@contextmanager
def _allowed(what: str) -> Iterator[None]:
    """Say what to do where the function may not even look; other faults as everywhere."""
    try:
        with translated(what, _MAY_NOT_LOOK):
            yield
    except TrainingAccessError as error:
        raise TrainingAccessError(f"{error} {SWITCHED_OFF}") from error


def _request(job: ContainerJob, role_arn: str, image_uri: str) -> dict[str, Any]:
    stopping = {"MaxRuntimeInSeconds": job.max_run_s}
    if job.max_wait_s is not None:
        stopping["MaxWaitTimeInSeconds"] = job.max_wait_s
    channels = [
        *(_channel(name, "S3Prefix", uri) for name, uri in job.prefixes.items()),
        *(_channel(name, "ManifestFile", uri) for name, uri in job.manifests.items()),
    ]
    return {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": {
            "TrainingImage": image_uri,
            "TrainingInputMode": "File",
            "ContainerArguments": list(job.arguments),
            "MetricDefinitions": [{"Name": name, "Regex": rf"{name}=([0-9.eE+-]+)"} for name in METRICS],
        },
        "RoleArn": role_arn,
        "HyperParameters": dict(job.hyperparameters),
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": job.output_uri},
        "ResourceConfig": {
            "InstanceType": job.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": job.volume_gb,
        },
        "StoppingCondition": stopping,
        "CheckpointConfig": {"S3Uri": job.work_uri, "LocalPath": WORK},
        "EnableManagedSpotTraining": job.max_wait_s is not None,
        "EnableNetworkIsolation": job.is_isolated,
        "Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()],
    }


def _channel(name: str, kind: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _advice(message: str, job: ContainerJob) -> str:
    """Return what to do about a refusal."""
    if "ResourceLimitExceeded" in message:
        quota = quota_name(job.instance_type, spot=job.max_wait_s is not None)
        return (
            f"Ask for the quota '{quota}' of Amazon SageMaker in the console of Service Quotas, at least 1; or "
            "wait until another job has ended; or name another training.lora.instance_type."
        )
    if "No S3 objects found" in message:
        return "Look whether anything lies there, and whether the stack's TrainingRole may read it."
    if re.search(r"image|repository|ecr", message, re.IGNORECASE):
        return "Push the trainer's image to the stack's repository, under the tag that the stack names."
    return "Deploy the stack again: its role TrainingRole is for these jobs."


def _is_gone(error: ClientError) -> bool:
    told = error.response["Error"]
    is_told_by_words = told["Code"] == "ValidationException" and _GONE.search(told.get("Message", ""))
    return told["Code"] == "ResourceNotFound" or bool(is_told_by_words)


def _facts(job: Mapping[str, Any]) -> JobFacts:
    status = job["TrainingJobStatus"]
    # One that is being deleted is on its way out, and then not there any more.
    known: JobStatus = status if status in get_args(JobStatus) else "Stopping"
    has_ended = known in {"Completed", "Failed", "Stopped"}
    losses = {one["MetricName"]: float(one["Value"]) for one in job.get("FinalMetricDataList", ())}
    never_began = has_ended and "TrainingStartTime" not in job
    return JobFacts(
        name=job["TrainingJobName"],
        arn=job["TrainingJobArn"],
        status=known,
        created_at=job["CreationTime"],
        ended_at=_ended_at(job) if has_ended else None,
        failure=job.get("FailureReason", ""),
        training_loss=losses.get("train_loss"),
        billable_s=job.get("BillableTimeInSeconds", 0 if never_began else None),
        secondary=str(job.get("SecondaryStatus", "")),
        uses_spot=bool(job.get("EnableManagedSpotTraining", False)),
    )


def _ended_at(job: Mapping[str, Any]) -> Any:
    return job.get("TrainingEndTime") or job.get("LastModifiedTime") or job["CreationTime"]
