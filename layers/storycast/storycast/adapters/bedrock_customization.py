"""Amazon Bedrock's fine-tuning: model customization jobs, and the custom models that come of them."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.errors import (
    DependencyUnavailableError,
    StorycastError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.ports import CustomizationJob, JobFacts

_REFUSED: dict[str, type[StorycastError]] = {
    "AccessDeniedException": TrainingAccessError,
    "ResourceNotFoundException": TrainingPlanInvalidError,
    "ServiceQuotaExceededException": TrainingAccessError,
    "TooManyTagsException": TrainingPlanInvalidError,
    "ValidationException": TrainingPlanInvalidError,
    # The name is taken: the list did not show it yet, and will when the call is repeated.
    "ConflictException": DependencyUnavailableError,
}
_NOT_RUNNING = {"ConflictException", "ResourceNotFoundException", "ValidationException"}
"""What the service answers to a stop that comes too late."""
_STEPS = ("validationDetails", "dataProcessingDetails", "trainingDetails")


class BedrockCustomizer:
    """A :class:`~storycast.ports.Customizer` over model customization jobs."""

    def __init__(self, bedrock: Any = None) -> None:
        self._bedrock = bedrock or client("bedrock")

    def create(self, job: CustomizationJob) -> str:
        """Start a job and return its ARN; see :meth:`Customizer.create`."""
        tags = [{"key": key, "value": value} for key, value in job.tags.items()]
        with translated(f"CreateModelCustomizationJob {job.name}", _REFUSED):
            answer = self._bedrock.create_model_customization_job(
                jobName=job.name,
                customModelName=job.model_name,
                roleArn=job.role_arn,
                clientRequestToken=job.name,
                baseModelIdentifier=job.base_model,
                customizationType="FINE_TUNING",
                hyperParameters=dict(job.hyperparameters),
                trainingDataConfig={"s3Uri": job.manifest_uri},
                outputDataConfig={"s3Uri": job.output_uri},
                jobTags=tags,
                customModelTags=tags,
            )
        return str(answer["jobArn"])

    def find(self, name: str) -> JobFacts | None:
        """Return the job of exactly this name, over all pages: ``nameContains`` also finds longer names."""
        with translated(f"ListModelCustomizationJobs {name}"):
            pages = self._bedrock.get_paginator("list_model_customization_jobs").paginate(nameContains=name)
            arn = next(
                (
                    summary["jobArn"]
                    for page in pages
                    for summary in page.get("modelCustomizationJobSummaries", ())
                    if summary["jobName"] == name
                ),
                None,
            )
        return self.get(arn) if arn else None

    def get(self, arn: str) -> JobFacts | None:
        """Return what is known of a job; None where there is none any more."""
        with translated(f"GetModelCustomizationJob {arn}"):
            try:
                return _facts(self._bedrock.get_model_customization_job(jobIdentifier=arn))
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return None
                raise

    def stop(self, arn: str) -> None:
        """Ask a job to stop; one that has ended already or is gone is no fault."""
        with translated(f"StopModelCustomizationJob {arn}"):
            try:
                self._bedrock.stop_model_customization_job(jobIdentifier=arn)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_RUNNING:
                    raise

    def has_model(self, model_arn: str) -> bool:
        """Whether a trained model is there; one that is still being made is, one that failed is not."""
        with translated(f"GetCustomModel {model_arn}"):
            try:
                model = self._bedrock.get_custom_model(modelIdentifier=model_arn)
            except ClientError as error:
                if error.response["Error"]["Code"] in {"ResourceNotFoundException", "ValidationException"}:
                    return False
                raise
        return str(model.get("modelStatus", "Active")) != "Failed"

    def delete_model(self, model_arn: str) -> None:
        """Delete a trained model; one that is gone is no fault."""
        busy: dict[str, type[StorycastError]] = {"ConflictException": DependencyUnavailableError}
        with translated(f"DeleteCustomModel {model_arn}", busy):
            try:
                self._bedrock.delete_custom_model(modelIdentifier=model_arn)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise


def _facts(job: Mapping[str, Any]) -> JobFacts:
    return JobFacts(
        name=job["jobName"],
        arn=job["jobArn"],
        status=job.get("status", "InProgress"),
        created_at=job["creationTime"],
        ended_at=job.get("endTime"),
        model_arn=job.get("outputModelArn"),
        model_name=job.get("outputModelName"),
        failure=job.get("failureMessage", ""),
        progress=_progress(job.get("statusDetails", {})),
        training_loss=job.get("trainingMetrics", {}).get("trainingLoss"),
    )


def _progress(details: Mapping[str, Any]) -> str:
    """Return which step is under way, such as ``training InProgress``."""
    begun = [
        f"{step.removesuffix('Details')} {details[step]['status']}"
        for step in _STEPS
        if details.get(step, {}).get("status", "NotStarted") != "NotStarted"
    ]
    return begun[-1] if begun else ""
