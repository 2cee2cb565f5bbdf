"""Amazon SageMaker's stand-in: training jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from local.standins.bedrock_world import ACCOUNT, now
from local.standins.container_work import ContainerWork
from local.standins.errors import ModelledError, RefusedError
from local.standins.outcomes import TrainingJobOutcome
from local.standins.paging import DEFAULT_PAGE
from local.standins.sagemaker_world import DEFAULT_RUN_S, SageMakerWorld, TrainingJob
from local.standins.service import Call, Params, Service, paid, without_none
from local.standins.training_request import check_request

#: Members of a request that a job's description has as they were given.
_AS_ASKED = (
    "AlgorithmSpecification",
    "CheckpointConfig",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "EnableNetworkIsolation",
    "Environment",
    "HyperParameters",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "RoleArn",
)


class TrainingJobs(Service):
    """Jobs that run the real entry point with their role, and move through their states over time."""

    service_name = "sagemaker"

    @paid
    def create_training_job(self, params: Params, call: Call) -> Params:
        """Start a job; a name serves once."""
        name = params["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{call.region}:{ACCOUNT}:training-job/{name}"
        call.model = arn
        _check_name(self.world.sagemaker, name)
        check_request(params)
        with self.world.sagemaker.changing() as kept:
            _check_name(self.world.sagemaker, name)
            moment = now()
            job = TrainingJob(
                name=name,
                arn=arn,
                request=params,
                tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
                created_at=moment,
                changed_at=moment,
                transitions=[],
            )
            job.enter("Starting", "Preparing the instances for training")
            kept.jobs.append(job)
        ContainerWork(self.world.sagemaker, job, self.world.outcomes.take(TrainingJobOutcome)).begin()
        return {"TrainingJobArn": arn}

    def describe_training_job(self, params: Params, call: Call) -> Params:
        """Describe a job."""
        with self.world.sagemaker.reading():
            job = _found(self.world.sagemaker, params["TrainingJobName"])
            call.model = job.arn
            return _described(job)

    def list_training_jobs(self, params: Params, _call: Call) -> Params:
        """List jobs, newest first unless asked otherwise.

        As the service documents it, a page is cut first, whatever its jobs' status: with ``StatusEquals`` a page
        may be empty, and more may follow.
        """
        token = params.get("NextToken", "0")
        if not token.isdecimal():
            raise RefusedError("ValidationException", "Invalid NextToken.")
        with self.world.sagemaker.reading() as kept:
            jobs = [job for job in kept.jobs if _is_wanted(job, params)]
            jobs.sort(
                key=_sort_key(params.get("SortBy", "CreationTime")), reverse=params.get("SortOrder") != "Ascending"
            )
            start = int(token)
            end = start + params.get("MaxResults", DEFAULT_PAGE)
            shown = [job for job in jobs[start:end] if params.get("StatusEquals", job.status) == job.status]
            more = {"NextToken": str(end)} if end < len(jobs) else {}
            return {"TrainingJobSummaries": [_summary(job) for job in shown], **more}

    def stop_training_job(self, params: Params, call: Call) -> Params:
        """Begin to stop a job: its container gets SIGTERM, and two minutes later SIGKILL."""
        with self.world.sagemaker.changing():
            job = _found(self.world.sagemaker, params["TrainingJobName"])
            call.model = job.arn
            if job.status != "InProgress":
                message = f"The request was rejected because the training job is in status {job.status}."
                raise RefusedError("ValidationException", message)
            job.enter("Stopping", "Stopping the training job")
            job.status = "Stopping"
        return {}

    def add_tags(self, params: Params, _call: Call) -> Params:
        """Set tags of a job beside those that are there."""
        with self.world.sagemaker.changing():
            job = _tagged(self.world.sagemaker, params["ResourceArn"])
            job.tags = job.tags | {tag["Key"]: tag["Value"] for tag in params["Tags"]}
            return {"Tags": _tags(job)}

    def list_tags(self, params: Params, _call: Call) -> Params:
        """List the tags of a job."""
        with self.world.sagemaker.reading():
            return {"Tags": _tags(_tagged(self.world.sagemaker, params["ResourceArn"]))}


def _check_name(world: SageMakerWorld, name: str) -> None:
    with world.reading() as kept:
        if there := kept.job(name):
            message = (
                "Training job names must be unique within an AWS account and region, and a training job with this"
            )
            raise ModelledError("ResourceInUse", f"{message} name already exists ({there.arn})")


def _found(world: SageMakerWorld, name: str) -> TrainingJob:
    """The job of that name; where there is none, AWS answers this, and not the ResourceNotFound of its model."""
    with world.reading() as kept:
        job = kept.job(name)
    if job is None:
        raise RefusedError("ValidationException", "Requested resource not found.")
    return job


def _tagged(world: SageMakerWorld, arn: str) -> TrainingJob:
    job = _found(world, arn.rpartition("/")[2])
    if job.arn != arn:
        raise RefusedError("ValidationException", "Requested resource not found.")
    return job


def _tags(job: TrainingJob) -> list[Params]:
    return [{"Key": key, "Value": value} for key, value in job.tags.items()]


def _is_wanted(job: TrainingJob, params: Params) -> bool:
    times = (("CreationTime", job.created_at), ("LastModifiedTime", job.changed_at))
    return params.get("NameContains", "") in job.name and all(
        (f"{name}After" not in params or moment > params[f"{name}After"])
        and (f"{name}Before" not in params or moment < params[f"{name}Before"])
        for name, moment in times
    )


def _sort_key(by: str) -> Callable[[TrainingJob], tuple[str, dt.datetime]]:
    return lambda job: ({"Name": job.name, "Status": job.status}.get(by, ""), job.created_at)


def _summary(job: TrainingJob) -> Params:
    members: Params = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.created_at,
        "TrainingEndTime": job.ended_at,
        "LastModifiedTime": job.changed_at,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
    }
    return without_none(members)


def _described(job: TrainingJob) -> Params:
    is_over = job.ended_at is not None and job.started_at is not None
    members: Params = {
        **_summary(job),
        **{name: job.request[name] for name in _AS_ASKED if name in job.request},
        "StoppingCondition": job.request.get("StoppingCondition", {"MaxRuntimeInSeconds": DEFAULT_RUN_S}),
        "ModelArtifacts": {"S3ModelArtifacts": job.model_uri},
        "FailureReason": job.failure or None,
        "TrainingStartTime": job.started_at,
        "SecondaryStatusTransitions": [
            without_none(
                {
                    "Status": one.status,
                    "StartTime": one.began_at,
                    "EndTime": one.ended_at,
                    "StatusMessage": one.message,
                }
            )
            for one in job.transitions
        ],
        "FinalMetricDataList": [
            {"MetricName": name, "Value": one.value, "Timestamp": one.at} for name, one in job.metrics.items()
        ]
        or None,
        # As far as is known, they are told of jobs that have ended, and that ever had a machine.
        "TrainingTimeInSeconds": max(1, round(job.machine_s)) if is_over else None,
        "BillableTimeInSeconds": job.billable_s if is_over else None,
    }
    return without_none(members)
