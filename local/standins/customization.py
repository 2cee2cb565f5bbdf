"""Amazon Bedrock's stand-in: model customization jobs and the custom models that come of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from local.standins.bedrock_world import JOB_SECONDS, BedrockWorld, CustomModel, Job, new_id, now
from local.standins.catalogue import foundation_model, has_ended
from local.standins.errors import ModelledError
from local.standins.job_role import JobRole, RoleRefusedError, trust_problem
from local.standins.outcomes import JobOutcome
from local.standins.paging import page
from local.standins.service import Call, Params, Service, paid
from local.standins.training_job import DatasetRefusedError, metrics_table, read_dataset, read_pictures, train

REGION = "us-east-1"
#: Ranges of Nova Canvas's hyperparameters: least, most, default.
VALUES: dict[str, tuple[float, float, str]] = {
    "stepCount": (10, 20_000, "500"),
    "batchSize": (8, 192, "8"),
    "learningRate": (1e-7, 1e-4, "0.00001"),
}


class Customization(Service):
    """Jobs that read their dataset with their role and move through their states over time."""

    service_name = "bedrock"

    @paid
    def create_model_customization_job(self, params: Params, call: Call) -> Params:
        """Start a job; the same token again is the same job."""
        base, values = self._checked(params, call)
        token = params.get("clientRequestToken")
        outcome = self.world.outcomes.take("job")
        asked = outcome if isinstance(outcome, JobOutcome) else JobOutcome()
        with self.world.bedrock.changing() as kept:
            for job in kept.jobs:
                if token is not None and job.token == token:
                    return {"jobArn": job.arn}
                if job.name == params["jobName"]:
                    raise ModelledError("ConflictException", f"The provided job name is in use: {job.name}")
            if any(model.name == params["customModelName"] for model in kept.models):
                raise ModelledError("ConflictException", "The provided custom model name is in use.")
            arn = f"arn:aws:bedrock:{call.region}:{ACCOUNT}:model-customization-job/{base}/{new_id()}"
            job = Job(
                arn=arn,
                name=params["jobName"],
                token=token,
                model_name=params["customModelName"],
                role_arn=params["roleArn"],
                base_model=base,
                region=call.region,
                manifest_uri=params["trainingDataConfig"]["s3Uri"],
                output_uri=params["outputDataConfig"]["s3Uri"],
                values=values,
                tags={tag["key"]: tag["value"] for tag in params.get("jobTags", ())},
                created_at=now(),
                changed_at=now(),
                seconds=JOB_SECONDS if asked.seconds is None else asked.seconds,
                doomed=asked.fail,
            )
            kept.jobs.append(job)
        threading.Thread(target=_Work(self.world.bedrock, arn).run, name=f"job-{job.name}", daemon=True).start()
        return {"jobArn": arn}

    def get_model_customization_job(self, params: Params, call: Call) -> Params:
        """Describe a job, by its ARN or its name."""
        job = self._job(params["jobIdentifier"])
        call.model = job.base_model
        answer: Params = {
            "jobArn": job.arn,
            "jobName": job.name,
            "outputModelName": job.model_name,
            "roleArn": job.role_arn,
            "status": job.status,
            "statusDetails": _steps(job),
            "creationTime": job.created_at,
            "lastModifiedTime": job.changed_at,
            "baseModelArn": f"arn:aws:bedrock:{job.region}::foundation-model/{job.base_model}",
            "hyperParameters": job.values,
            "trainingDataConfig": {"s3Uri": job.manifest_uri},
            "validationDataConfig": {"validators": []},
            "outputDataConfig": {"s3Uri": job.output_uri},
            "customizationType": "FINE_TUNING",
        }
        if job.token:
            answer["clientRequestToken"] = job.token
        if job.ended_at:
            answer["endTime"] = job.ended_at
        if job.failure:
            answer["failureMessage"] = job.failure[:2048]
        if job.model_arn:
            answer["outputModelArn"] = job.model_arn
        if job.loss is not None:
            answer["trainingMetrics"] = {"trainingLoss": job.loss}
        return answer

    def list_model_customization_jobs(self, params: Params, _call: Call) -> Params:
        """List jobs, newest first; ``nameContains`` is a substring."""
        with self.world.bedrock.reading() as kept:
            jobs = [
                job
                for job in kept.jobs
                if params.get("nameContains", "") in job.name
                and params.get("statusEquals", job.status) == job.status
                and _within(job.created_at, params)
            ]
        jobs.sort(key=lambda job: job.created_at, reverse=params.get("sortOrder") != "Ascending")
        shown, more = page(jobs, params)
        summaries = [
            {
                "jobArn": job.arn,
                "jobName": job.name,
                "baseModelArn": f"arn:aws:bedrock:{job.region}::foundation-model/{job.base_model}",
                "status": job.status,
                "statusDetails": _steps(job),
                "creationTime": job.created_at,
                "lastModifiedTime": job.changed_at,
                "customModelName": job.model_name,
                "customizationType": "FINE_TUNING",
                **({"endTime": job.ended_at} if job.ended_at else {}),
                **({"customModelArn": job.model_arn} if job.model_arn else {}),
            }
            for job in shown
        ]
        return {"modelCustomizationJobSummaries": summaries, **more}

    def stop_model_customization_job(self, params: Params, _call: Call) -> Params:
        """Begin to stop a job."""
        job = self._job(params["jobIdentifier"])
        with self.world.bedrock.changing():
            if job.status not in {"InProgress", "Stopping"}:
                raise ModelledError(
                    "ConflictException", f"The job {job.name} is {job.status} and can't be stopped."
                )
            job.status, job.changed_at = "Stopping", now()
        return {}

    def get_custom_model(self, params: Params, _call: Call) -> Params:
        """Describe a custom model, by its ARN or its name."""
        model = self._model(params["modelIdentifier"])
        job = self._job(model.job_arn)
        return {
            "modelArn": model.arn,
            "modelName": model.name,
            "jobArn": job.arn,
            "jobName": job.name,
            "baseModelArn": f"arn:aws:bedrock:{job.region}::foundation-model/{job.base_model}",
            "customizationType": "FINE_TUNING",
            "hyperParameters": job.values,
            "trainingDataConfig": {"s3Uri": job.manifest_uri},
            "outputDataConfig": {"s3Uri": job.output_uri},
            "creationTime": model.created_at,
            "modelStatus": "Active",
            **({"trainingMetrics": {"trainingLoss": job.loss}} if job.loss is not None else {}),
        }

    def list_custom_models(self, params: Params, _call: Call) -> Params:
        """List custom models, newest first; ``nameContains`` is a substring."""
        with self.world.bedrock.reading() as kept:
            models = [
                model
                for model in kept.models
                if params.get("nameContains", "") in model.name and _within(model.created_at, params)
            ]
        models.sort(key=lambda model: model.created_at, reverse=params.get("sortOrder") != "Ascending")
        shown, more = page(models, params)
        summaries = []
        for model in shown:
            base = f"arn:aws:bedrock:{REGION}::foundation-model/{model.base_model}"
            summaries.append(
                {
                    "modelArn": model.arn,
                    "modelName": model.name,
                    "creationTime": model.created_at,
                    "baseModelArn": base,
                    "baseModelName": model.base_model,
                    "customizationType": "FINE_TUNING",
                    "modelStatus": "Active",
                }
            )
        return {"modelSummaries": summaries, **more}

    def delete_custom_model(self, params: Params, _call: Call) -> Params:
        """Delete a custom model that nothing hosts, not even something that is still being deleted."""
        model = self._model(params["modelIdentifier"])
        with self.world.bedrock.reading() as kept:
            hosted = [hosting.name for hosting in kept.hostings if hosting.model_arn == model.arn]
        if hosted:
            raise ModelledError("ConflictException", f"The model has provisioned throughput: {', '.join(hosted)}")
        with self.world.bedrock.changing() as kept:
            kept.models.remove(model)
        return {}

    def _checked(self, params: Params, call: Call) -> tuple[str, dict[str, str]]:
        """Refuse what Bedrock refuses before a job begins; the base model's id and the hyperparameters."""
        call.model = params["baseModelIdentifier"]
        base = foundation_model(params["baseModelIdentifier"])
        if base is None or has_ended(base):
            raise ModelledError("ValidationException", "The provided model identifier is invalid.")
        if call.region != REGION or "FINE_TUNING" not in base.customizations:
            where = f"Fine-tuning {base.id} is not supported in {call.region}."
            raise ModelledError("ValidationException", where)
        values = {name: default for name, (_, _, default) in VALUES.items()} | params.get("hyperParameters", {})
        for name, value in values.items():
            least, most, _ = VALUES.get(name, (0.0, -1.0, ""))
            try:
                legal = least <= float(value) <= most and (name == "learningRate" or value.isdecimal())
            except ValueError:
                legal = False
            if not legal:
                raise ModelledError("ValidationException", f"The hyperparameter {name} can't be '{value}'.")
        if problem := self._role_problem(params["roleArn"]):
            raise ModelledError("ValidationException", problem)
        return base.id, values

    @staticmethod
    def _role_problem(role_arn: str) -> str:
        try:
            return trust_problem(role_arn)
        except RoleRefusedError as error:
            return str(error)

    def _job(self, identifier: str) -> Job:
        with self.world.bedrock.reading() as kept:
            for job in kept.jobs:
                if identifier in {job.arn, job.name}:
                    return job
        raise ModelledError("ResourceNotFoundException", f"There is no model customization job {identifier}.")

    def _model(self, identifier: str) -> CustomModel:
        with self.world.bedrock.reading() as kept:
            for model in kept.models:
                if identifier in {model.arn, model.name}:
                    return model
        raise ModelledError("ResourceNotFoundException", f"There is no custom model {identifier}.")


ACCOUNT = "000000000000"
_NAMES = ("validation", "dataProcessing", "training")


class _Work:
    """One job's work, in a thread of its own."""

    def __init__(self, world: BedrockWorld, arn: str) -> None:
        self._world = world
        with world.reading() as kept:
            self._job = next(job for job in kept.jobs if job.arn == arn)

    def run(self) -> None:
        """Go through the job's steps until its end, or until somebody stops it."""
        began = time.monotonic()
        try:
            self._work(lambda: time.monotonic() - began >= self._job.seconds)
        except (DatasetRefusedError, RoleRefusedError) as error:
            self._end("Failed", failure=str(error))
        except Exception as error:
            self._end("Failed", failure=f"The local stand-in failed, which is a bug of it: {error}")

    def _work(self, is_over: Callable[[], bool]) -> None:
        job = self._job
        role = JobRole(job.role_arn, job.name)
        records = read_dataset(role.read(job.manifest_uri))
        self._step("dataProcessing")
        folder = self._world.folder / "models" / job.arn.rpartition("/")[2]
        pictures = read_pictures(records, role, folder, self._goes_on)
        self._step("training")
        curve = (
            train(pictures, folder, int(job.values["stepCount"]), int(job.values["batchSize"])) if pictures else []
        )
        while self._goes_on() and not is_over():
            time.sleep(0.05)
        if not self._goes_on():
            self._end("Stopped")
            return
        if job.doomed:
            self._end("Failed", failure=job.doomed)
            return
        where = f"{job.output_uri.rstrip('/')}/model-customization-job-{job.arn.rpartition('/')[2]}"
        role.write(f"{where}/training_artifacts/step_wise_training_metrics.csv", metrics_table(curve))
        model_id = f"{job.base_model}/{job.arn.rpartition('/')[2]}"
        model = CustomModel(
            arn=f"arn:aws:bedrock:{job.region}:{ACCOUNT}:custom-model/{model_id}",
            name=job.model_name,
            job_arn=job.arn,
            base_model=job.base_model,
            created_at=now(),
            pictures=[
                (str((folder / file).relative_to(self._world.folder)), caption) for file, caption in pictures
            ],
        )
        with self._world.changing() as kept:
            if job.status == "Stopping":
                job.status, job.ended_at, job.changed_at = "Stopped", now(), now()
                return
            kept.models.append(model)
            job.model_arn, job.loss = model.arn, curve[-1][2]
            job.status, job.ended_at, job.changed_at = "Completed", now(), now()

    def _goes_on(self) -> bool:
        return self._job.status == "InProgress"

    def _step(self, step: Any) -> None:
        with self._world.changing():
            self._job.step, self._job.changed_at = step, now()

    def _end(self, status: Any, failure: str = "") -> None:
        with self._world.changing():
            job = self._job
            job.status = "Stopped" if job.status == "Stopping" else status
            job.failure = failure if job.status == "Failed" else ""
            job.ended_at = job.changed_at = now()


def _steps(job: Job) -> Params:
    """The steps with their states, as ``statusDetails`` has them."""
    reached = _NAMES.index(job.step)
    states = {}
    for number, name in enumerate(_NAMES):
        state = "Completed" if number < reached or job.status == "Completed" else "NotStarted"
        states[f"{name}Details"] = {"status": job.status if number == reached else state}
    return states


def _within(created_at: Any, params: Params) -> bool:
    after, before = params.get("creationTimeAfter"), params.get("creationTimeBefore")
    return (after is None or created_at > after) and (before is None or created_at < before)
