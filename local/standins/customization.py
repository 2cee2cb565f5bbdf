"""Amazon Bedrock's stand-in: model customization jobs."""

from __future__ import annotations

from local.standins import bedrock_world
from local.standins.assumed_role import RoleRefusedError
from local.standins.bedrock_world import ACCOUNT, STEPS, Job, new_id, now
from local.standins.errors import ModelledError
from local.standins.job_request import checked_request
from local.standins.job_role import JobRole, trust_problem
from local.standins.job_work import JobWork
from local.standins.outcomes import JobOutcome
from local.standins.paging import page
from local.standins.service import Call, Params, Service, paid, without_none


class Customization(Service):
    """Jobs that read their dataset with their role and move through their states over time."""

    service_name = "bedrock"

    @paid
    def create_model_customization_job(self, params: Params, call: Call) -> Params:
        """Start a job; the same token again is the same job."""
        token, name = params.get("clientRequestToken"), params["jobName"]
        if first := self._with_token(token, call):
            return {"jobArn": first.arn}
        base, values = checked_request(params, call)
        _check_role(params["roleArn"])
        with self.world.bedrock.changing() as kept:
            if first := self._with_token(token, call):
                return {"jobArn": first.arn}
            if any(job.name == name for job in kept.jobs):
                raise ModelledError("ConflictException", f"The provided job name is in use: {name}")
            running = [job.model_name for job in kept.jobs if job.is_billed]
            if params["customModelName"] in {*running, *(model.name for model in kept.models)}:
                message = f"The provided custom model name is in use: {params['customModelName']}"
                raise ModelledError("ConflictException", message)
            asked, moment = self.world.outcomes.take(JobOutcome), now()
            job = Job(
                arn=f"arn:aws:bedrock:{call.region}:{ACCOUNT}:model-customization-job/{base.id}/{new_id()}",
                name=name,
                token=token,
                model_name=params["customModelName"],
                role_arn=params["roleArn"],
                base_model=base.id,
                region=call.region,
                manifest_uri=params["trainingDataConfig"]["s3Uri"],
                output_uri=params["outputDataConfig"]["s3Uri"],
                values=values,
                tags={tag["key"]: tag["value"] for tag in params.get("jobTags", ())},
                model_tags={tag["key"]: tag["value"] for tag in params.get("customModelTags", ())},
                created_at=moment,
                began={"validation": moment},
                changed_at=moment,
                seconds=bedrock_world.JOB_SECONDS if asked.seconds is None else asked.seconds,
                doomed=asked.fail,
            )
            kept.jobs.append(job)
        JobWork(self.world.bedrock, job, JobRole).begin()
        return {"jobArn": job.arn}

    def get_model_customization_job(self, params: Params, call: Call) -> Params:
        """Describe a job, by its ARN or its name."""
        with self.world.bedrock.reading() as kept:
            job = found_job(kept.jobs, params["jobIdentifier"])
            call.model = job.base_model
            return _described(job)

    def list_model_customization_jobs(self, params: Params, _call: Call) -> Params:
        """List jobs, newest first; ``nameContains`` is a part of the name."""
        with self.world.bedrock.reading() as kept:
            jobs = [job for job in kept.jobs if params.get("statusEquals", job.status) == job.status]
            shown, more = page(jobs, params)
            return {"modelCustomizationJobSummaries": [_summary(job) for job in shown], **more}

    def stop_model_customization_job(self, params: Params, call: Call) -> Params:
        """Begin to stop a job."""
        with self.world.bedrock.changing() as kept:
            job = found_job(kept.jobs, params["jobIdentifier"])
            call.model = job.base_model
            if not job.is_billed:
                message = f"The job {job.name} is {job.status} and can't be stopped."
                raise ModelledError("ConflictException", message)
            if job.status == "InProgress":
                job.status, job.changed_at = "Stopping", now()
        return {}

    def _with_token(self, token: str | None, call: Call) -> Job | None:
        """The job that a request with this token made before, if one did; nothing is charged for it again."""
        if token is None:
            return None
        with self.world.bedrock.reading() as kept:
            first = next((job for job in kept.jobs if job.token == token), None)
        if first:
            call.model, call.is_repeat = first.base_model, True
        return first


def found_job(jobs: list[Job], identifier: str) -> Job:
    """The job with that ARN or name.

    Raises:
        ModelledError: ResourceNotFoundException.
    """
    for job in jobs:
        if identifier in {job.arn, job.name}:
            return job
    raise ModelledError("ResourceNotFoundException", f"There is no model customization job {identifier}.")


def _check_role(role_arn: str) -> None:
    try:
        problem = trust_problem(role_arn)
    except RoleRefusedError as error:
        problem = str(error)
    if problem:
        raise ModelledError("ValidationException", problem)


def _summary(job: Job) -> Params:
    members: Params = {
        "jobArn": job.arn,
        "jobName": job.name,
        "baseModelArn": base_arn(job.region, job.base_model),
        "status": job.status,
        "statusDetails": _steps(job),
        "creationTime": job.created_at,
        "lastModifiedTime": job.changed_at,
        "endTime": job.ended_at,
        "customModelArn": job.model_arn,
        "customModelName": job.model_name,
        "customizationType": "FINE_TUNING",
    }
    return without_none(members)


def _described(job: Job) -> Params:
    members: Params = {
        "jobArn": job.arn,
        "jobName": job.name,
        "outputModelName": job.model_name,
        "outputModelArn": job.model_arn,
        "clientRequestToken": job.token,
        "roleArn": job.role_arn,
        "status": job.status,
        "statusDetails": _steps(job),
        "failureMessage": job.failure or None,
        "creationTime": job.created_at,
        "lastModifiedTime": job.changed_at,
        "endTime": job.ended_at,
        "baseModelArn": base_arn(job.region, job.base_model),
        "hyperParameters": job.values,
        "trainingDataConfig": {"s3Uri": job.manifest_uri},
        "validationDataConfig": {"validators": []},
        "outputDataConfig": {"s3Uri": job.output_uri},
        "customizationType": "FINE_TUNING",
        "trainingMetrics": None if job.loss is None else {"trainingLoss": job.loss},
    }
    return without_none(members)


def base_arn(region: str, base_model: str) -> str:
    """The ARN of a foundation model."""
    return f"arn:aws:bedrock:{region}::foundation-model/{base_model}"


def _steps(job: Job) -> Params:
    """The steps with their states, as ``statusDetails`` has them."""
    told: Params = {}
    for step, following in zip(STEPS, (*STEPS[1:], None), strict=True):
        if step not in job.began:
            told[f"{step}Details"] = {"status": "NotStarted"}
            continue
        is_over = following is not None and following in job.began
        changed_at = job.began[following] if following is not None and is_over else job.changed_at
        told[f"{step}Details"] = {
            "status": "Completed" if is_over else job.status,
            "creationTime": job.began[step],
            "lastModifiedTime": changed_at,
        }
    return told
